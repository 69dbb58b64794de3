"""The program as a process: what it loads, where it writes, how it ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from tampering import attack

LOADED = """
import sys
sys.argv = ["opsledger", "--help"]
from opsledger.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, sorted(name for name in sys.modules if name in ("sqlalchemy", "psycopg", "pydantic", "eventsourcing", "msgspec")))
"""


def test_help_loads_no_database_library_and_is_there_at_once() -> None:
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "0 []"
        spent.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    assert min(spent) < 0.5, spent


def test_data_go_to_stdout_and_messages_to_stderr(history: OpsLedger, program: Any) -> None:
    history.catch_up()
    done = program("select", "ticket", "--format", "json")
    assert done.returncode == 0
    assert [row["ticket_id"] for row in json.loads(done.stdout)] == ["T-1", "T-2", "T-3"]
    assert done.stderr == "Using sqlite:///ops.db, the ledger of this folder.\n"


def test_the_environment_names_a_ledger_too(history: OpsLedger, program: Any) -> None:
    done = program("verify", "continuity", "--quiet", env={"OPSLEDGER_LEDGER": history.url.shown})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_is_one_sentence_and_exit_code_2(program: Any) -> None:
    done = program("catch-up")
    assert done.returncode == 2
    assert done.stdout == ""
    said = "Say which ledger with --ledger URL or OPSLEDGER_LEDGER; no SQLite ledger lies in this folder. [ledger.which]\n"
    assert done.stderr == said


def test_a_traceback_is_shown_to_who_asks_for_it(program: Any) -> None:
    done = program("catch-up", env={"OPSLEDGER_TRACEBACK": "1"})
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("[ledger.which]\n")


def test_wrong_usage_is_one_sentence_and_exit_code_2(run: Any) -> None:
    for arguments, said in (
        (("frobnicate",), "No such command 'frobnicate'. See `opsledger --help`. [usage]\n"),
        (("explain", "ticket"), "Missing argument 'KEY'. See `opsledger explain --help`. [usage]\n"),
        (("verify", "--xyzzy"), "No such option: --xyzzy See `opsledger verify --help`. [usage]\n"),
    ):
        done = run(*arguments)
        assert (done.exit_code, done.stdout, done.stderr) == (2, "", said)


def test_the_only_ledger_of_a_folder_is_used_and_of_two_none(history: OpsLedger, tmp_path: Path, run: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.db").write_text("no database at all")
    sqlite3.connect(tmp_path / "other.db").close()
    assert run("verify", "continuity").stderr.startswith("Using sqlite:///ops.db")
    OpsLedger.create(f"sqlite:///{tmp_path}/more.db").close()
    done = run("verify", "continuity")
    assert done.exit_code == 2
    assert "2 ledgers lie in this folder (more.db, ops.db)" in done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ops.db", "The ledger URL has no scheme"),
        ("mysql://host/db", "The ledger URL begins with 'mysql:"),
        ("sqlite:///ops.tables.db", "ops.tables.db is not a log"),
        ("sqlite:///missing.db", "There is no ledger at sqlite:///missing.db"),
        ("sqlite:///notes.db", "is not an SQLite file"),
        ("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2", "cannot be reached"),
    ],
)
def test_a_ledger_that_cannot_be_opened_is_one_sentence(tmp_path: Path, run: Any, monkeypatch: Any, url: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.db").write_text("no database at all")
    done = run("verify", "--ledger", url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_ledger_of_a_newer_program_is_one_sentence(history: OpsLedger, run: Any) -> None:
    attack(history, "UPDATE ledger_meta SET value = '99' WHERE key = 'format'")
    done = run("stats", "--ledger", history.url.shown)
    assert done.exit_code == 2
    assert "has format 99, newer than format 1 of this program" in done.stderr


def test_an_interrupt_ends_quietly_with_130(history: OpsLedger, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "opsledger", "watch", "--ledger", history.url.shown]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert watching.stderr.readline() == f"Watching {history.url.shown}; interrupt to end.\n"
        watching.send_signal(signal.SIGINT)
        out, said = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert (out, "Traceback" in said, "Aborted" in said) == ("", False, False)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(history: OpsLedger, tmp_path: Path, unbuffered: str) -> None:
    history.catch_up()
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "opsledger", "select", "audit_trail", "--format", "jsonl", "--ledger", history.url.shown]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, cwd=tmp_path, env=env, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")
