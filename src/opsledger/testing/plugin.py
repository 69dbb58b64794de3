"""Fixtures for hosts that test with pytest: a clock, a ledger in a file of its own, a ledger in a PostgreSQL schema of its own.

    def test_a_reply_is_on_time(opsledger_sqlite, opsledger_clock):
        opsledger_clock.set("2026-03-02T09:00Z")
        opsledger_sqlite.by("u-7").record(ticket.register, "T-1", ...)

Both ledgers are simulated: their times of recording come from the clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["Clock", "opsledger_clock", "opsledger_pg", "opsledger_postgres_url", "opsledger_sqlite"]

LEDGER_ID = "0" * 32


class Clock:
    """The time of a simulated ledger. Stands still until it is set or moved on."""

    def __init__(self, now: str = "2026-03-02T09:00:00Z") -> None:
        self.now = _at(now)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def set(self, now: str | datetime) -> datetime:
        """Set the time and return it."""
        self.now = _at(now) if isinstance(now, str) else now
        return self.now

    def forward(self, **length: float) -> datetime:
        """Move the time on, by `minutes=5` or other lengths of a timedelta, and return it."""
        self.now += timedelta(**length)
        return self.now


@pytest.fixture
def opsledger_clock() -> Clock:
    """Give the clock of the simulated ledgers of this test."""
    return Clock()


@pytest.fixture
def opsledger_sqlite(tmp_path: Path, opsledger_clock: Clock) -> Iterator[OpsLedger]:
    """Give a simulated ledger in an SQLite file."""
    from opsledger.app import OpsLedger

    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=opsledger_clock, ledger_id=LEDGER_ID) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def opsledger_postgres_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL server that runs as long as the tests do. See `opsledger.testing.postgres`."""
    from opsledger.testing.postgres import postgres_server

    with postgres_server() as url:
        yield url


@pytest.fixture
def opsledger_pg(
    opsledger_postgres_url: str, tmp_path: Path, opsledger_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpsLedger]:
    """Give a simulated ledger in a PostgreSQL schema of its own, dropped afterwards."""
    import psycopg

    from opsledger.app import OpsLedger

    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    schema = f"t_{secrets.token_hex(8)}"
    joined = "&" if "?" in opsledger_postgres_url else "?"
    url = f"{opsledger_postgres_url}{joined}schema={schema}"
    with OpsLedger.create(url, simulated=True, clock=opsledger_clock, ledger_id=LEDGER_ID) as ledger:
        yield ledger
    with psycopg.connect(opsledger_postgres_url, autocommit=True) as connection:
        for name in (schema, f"{schema}_tables", f"{schema}_keys"):
            connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))


def _at(text: str) -> datetime:
    from opsledger.policies.instants import at

    return at(text)
