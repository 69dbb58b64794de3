"""--workers of catch-up, rebuild, replay and verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.cli import opening
from opsledger.replay import executor
from opsledger.replay.digest import digests
from tampering import attack


def test_the_commands_that_fold_do_so_by_two_workers_as_by_one(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    url = ("--workers", "2", "--ledger", history.url.shown)
    done = run("catch-up", *url)
    assert (done.exit_code, done.stderr) == (0, f"The tables show position {history.store.head().position}.\n")
    before = digests(history.tables.tables)
    attack(history, "UPDATE ticket SET priority = 'low' WHERE ticket_id = 'T-1'", what="tables.db")
    assert run("verify", "projections", *url).exit_code == 1
    done = run("rebuild", "ticket", "--format", "json", *url)
    assert [(row["table"], row["changed"]) for row in json.loads(done.stdout)] == [("ticket", 1), ("ticket_interval", 0)]
    assert run("verify", "projections", *url).exit_code == 0
    done = run("replay", "--into", f"sqlite:///{tmp_path}/then.db", *url)
    assert done.exit_code == 0, done.stderr
    with opening.tables_into(f"sqlite:///{tmp_path}/then.db") as then:
        assert digests(then) == digests(history.tables.tables) == before


@pytest.mark.parametrize("command", ["catch-up", "rebuild", "verify"])
def test_no_worker_at_all_is_wrong_usage(history: OpsLedger, run: Any, command: str) -> None:
    done = run(command, "--workers", "0", "--ledger", history.url.shown)
    assert (done.exit_code, "[usage]" in done.stderr) == (2, True)


def test_a_small_ledger_is_folded_by_the_command_itself(history: OpsLedger, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "Processes", None)  # which nobody asks for
    for command in ("catch-up", "rebuild", "verify"):
        assert run(command, "--ledger", history.url.shown).exit_code == 0, command
