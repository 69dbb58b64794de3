"""The command line in the tests: a small ledger, and two ways to run a command on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_ledger_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPSLEDGER_LEDGER", raising=False)
    monkeypatch.delenv("OPSLEDGER_TRACEBACK", raising=False)


@pytest.fixture
def history(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """T-1, high, answered in time and resolved; T-2, low, open; T-3, critical, of which a deadline passes. No tables yet."""
    ledger, actor = opsledger_sqlite, opsledger_sqlite.by("u-7", role="support")
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email"}
    actor.record(ticket.register, "T-1", priority=Priority.HIGH, summary="The boiler of Mrs Smith leaks", **person)
    opsledger_clock.forward(minutes=10)
    actor.record(ticket.respond, "T-1", message="We look into it")
    actor.record(ticket.register, "T-2", priority=Priority.LOW, summary=None, **person)
    opsledger_clock.forward(hours=1)
    actor.record(ticket.resolve, "T-1")
    actor.record(ticket.register, "T-3", priority=Priority.CRITICAL, summary=None, **person)
    opsledger_clock.forward(hours=2)
    actor.record(ticket.respond, "T-3")
    return ledger


@pytest.fixture
def run() -> Run:
    """Run a command in this process: run("verify", "--ledger", ledger.url.shown)."""
    from opsledger.cli.application import app

    def invoke(*arguments: str, **options: Any) -> Any:
        return CliRunner().invoke(app, list(arguments), prog_name="opsledger", **options)

    return invoke


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """Run a command in a process of its own, in the folder of the test."""

    def start(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **options.pop("env", {})}
        command = [sys.executable, "-m", "opsledger", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120, **options)

    return start
