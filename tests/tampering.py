"""Editing a ledger's files as somebody would who may write to them: without triggers and constraints."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from opsledger.app import OpsLedger

__all__ = ["attack"]


def attack(ledger: OpsLedger, *statements: str, what: str = "") -> None:
    """Run statements on the log, or on the file beside it that `what` names (tables.db); each must change something."""
    path = ledger.url.beside(what) if what else ledger.url.path
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, f"nothing was changed by {statement}"
