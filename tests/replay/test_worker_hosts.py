"""Workers and the programs of hosts: scripts without guards, concepts of their own, programs that are ended from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worker_processes import gone, workers

from opsledger.app import OpsLedger
from opsledger.errors import Unavailable
from opsledger.example import write

REFUNDS = '''
"""Refunds: asked for."""

from dataclasses import dataclass

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact

print("somebody prints while it is imported")


@fact("refund.asked", at="asked_at")
class Asked:
    """Somebody asked for money back."""

    asked_at: At


@dataclass(frozen=True, slots=True)
class Refund:
    asked: bool = True


@concept("refund")
def evolve(refund: Refund | None, event: Asked) -> Refund:
    return Refund()


@starts
def ask(refund: Refund | None, now: Moment, /) -> tuple[Asked, ...]:
    return (Asked(asked_at=now.at),)
'''

REFUND_TABLE = """
from opsledger.projections.kinds import Entry
from opsledger.projections.table import Table, integer, text

REFUND = Table(
    "refund", "One row per refund.", key=("position",), columns=(integer("position", "Its place."), text("refund_id", "Its id."))
)


def rows(recorded):
    return {"refund": [(recorded.position, recorded.id)] if recorded.concept == "refund" else []}


PROJECTION = Entry("refund", 1, tables=(REFUND,), rows=rows)
"""

USE = """
import json
from opsledger import OpsLedger, errors

with OpsLedger.create("sqlite:///host.db") as ledger:
    for number in range(5):
        ledger.by("u-1").record(refunds.ask, f"R-{number}")
    ledger.catch_up()
    try:
        found = ledger.tables.rebuild(workers=2)
    except errors.BadInput as error:
        print(json.dumps({"code": error.code, "sentence": error.sentence}))
        found = ledger.tables.rebuild()
    print(json.dumps({"tables": len(found), "rows": sum(each.rows for each in found)}))
"""


def run(folder: Path, script: str) -> list[Any]:
    """Run a script as a host does, and return what it printed in JSON."""
    (folder / "main.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "main.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_a_concept_and_a_table_with_entry_points_are_folded_by_workers(tmp_path: Path) -> None:
    """The package lies where only the host's own sys.path leads, and the script has no guard for processes that it starts."""
    package = tmp_path / "elsewhere"
    described = package / "refunds-1.0.dist-info"
    described.mkdir(parents=True)
    (package / "refunds.py").write_text(REFUNDS, encoding="utf-8")
    (package / "refund_table.py").write_text(REFUND_TABLE, encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: refunds\nVersion: 1.0\n", encoding="utf-8")
    points = "[opsledger.concepts]\nrefunds = refunds\n[opsledger.projections]\nrefunds = refund_table:PROJECTION\n"
    (described / "entry_points.txt").write_text(points, encoding="utf-8")
    (said,) = run(tmp_path, f"import sys\nsys.path.insert(0, {str(package)!r})\nimport refunds\n{USE}")
    assert said["rows"] == 0
    with OpsLedger.open(f"sqlite:///{tmp_path}/host.db") as ledger:
        assert said["tables"] == len(ledger.tables.tables.schema.declared) + 1


def test_a_concept_that_workers_cannot_find_is_refused_and_one_process_goes_on(tmp_path: Path) -> None:
    refused, said = run(tmp_path, f"{REFUNDS}\nclass refunds:\n    ask = ask\n\n{USE}")
    assert refused["code"] == "workers.not_found"
    assert "do not find the concept refund, the fact refund.asked as declared here; add" in refused["sentence"]
    assert said["rows"] == 0


# Programs that are ended from outside.

REBUILDS = """
import sys, time
from opsledger import OpsLedger
from opsledger.replay.executor import Processes
from opsledger.replay.rebuild import rebuild

ledger = OpsLedger.open(sys.argv[1])

def told(done, of):
    print(done, of, flush=True)
    time.sleep(60)

tables = ledger.tables.tables
rebuild(ledger.store, tables, list(tables.schema.projections), simulated=True, progress=told, executor=Processes(2, part=20))
"""


@pytest.fixture
def rebuilding(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a program in the middle of a rebuild by two workers, in a group of processes of its own."""
    with write(f"sqlite:///{tmp_path}/ops.db", days=5, per_day=3) as ledger:
        ledger.catch_up()
    command = [sys.executable, "-c", REBUILDS, f"sqlite:///{tmp_path}/ops.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline()
        yield program
        program.kill()


def test_workers_end_with_the_program_that_started_them(rebuilding: subprocess.Popen[str]) -> None:
    found = workers(rebuilding.pid)
    assert len(found) == 2
    rebuilding.kill()
    assert rebuilding.wait(20) == -signal.SIGKILL
    assert gone(found)


def test_an_interrupt_from_the_keyboard_ends_the_workers_without_a_word_of_theirs(rebuilding: subprocess.Popen[str]) -> None:
    found = workers(rebuilding.pid)
    os.killpg(rebuilding.pid, signal.SIGINT)
    _, errors = rebuilding.communicate(timeout=20)
    assert rebuilding.returncode == -signal.SIGINT
    assert gone(found, within_s=1.0)
    assert errors.count("Traceback") == 1
    assert "opsledger/replay/worker.py" not in errors


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("/nowhere/python", "workers.unstarted", "No worker process can be started here (No such file or directory)"),
        ("/bin/false", "workers.ended", "A worker process ended with exit code 1 before its work was done"),
    ],
)
def test_a_host_whose_own_program_is_no_python_is_told_so(
    opsledger_sqlite: OpsLedger, monkeypatch: pytest.MonkeyPatch, program: str, code: str, said: str
) -> None:
    opsledger_sqlite.catch_up()
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(Unavailable) as refused:
        opsledger_sqlite.tables.rebuild(workers=2)
    assert refused.value.code == code
    assert said in refused.value.sentence
