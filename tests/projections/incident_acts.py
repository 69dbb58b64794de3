"""What tests do to incidents of a ledger, and how they look at the rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.app.recording import Receipt
from opsledger.domain import incident
from opsledger.replay.asof import as_of, replay
from opsledger.replay.tables import Tables
from opsledger.testing import at

HEAD = "2026-05-20T12:00:00Z"


def on(time: str) -> datetime:
    """Return a time of 2 March 2026, written 10:04; or any other, written whole."""
    return at(f"2026-03-02T{time}:00Z" if len(time) == 5 else time)


def act(ledger: OpsLedger, time: str | datetime, decision: Any, id: str = "INC-1", **arguments: Any) -> Receipt:
    when = on(time) if isinstance(time, str) else time
    return ledger.by("u-7", role="sre", at=when).record(decision, id, **arguments)


def declare(ledger: OpsLedger, declared: str, id: str = "INC-1", **given: Any) -> Receipt:
    asked: dict[str, Any] = {"detection_source": "monitoring", "severity": "high", "title": "The API is down", **given}
    return act(ledger, declared, incident.declare, id, **asked)


def row(ledger: OpsLedger, id: str = "INC-1") -> dict[str, Any]:
    (found,) = ledger.tables.select("incident", at_least=ledger.store.head().position, incident_id=id)
    return found


def select(ledger: OpsLedger, table: str, *columns: str, **where: Any) -> list[tuple[Any, ...]]:
    found = ledger.tables.select(table, at_least=ledger.store.head().position, **where)
    return [tuple(each[column] for column in columns) for each in found]


def kpi(ledger: OpsLedger, month: str = "2026-03", severity: str = "high", service_id: str = "*") -> dict[str, Any]:
    which = {"month": month, "severity": severity, "service_id": service_id}
    (found,) = ledger.tables.select("incident_kpi_month", at_least=ledger.store.head().position, **which)
    return found


def fresh(ledger: OpsLedger, path: Path, **when: int) -> Tables:
    tables = Tables(sa.create_engine(f"sqlite:///{path}"))
    replay(ledger.store, tables, as_of(ledger.store, **when))
    return tables


def rebuilt_as_it_stood(ledger: OpsLedger) -> bool:
    return sum(difference.rows for difference in ledger.tables.rebuild()) == 0


def correct(ledger: OpsLedger, corrects: int | None, milestone: str, was: str, to: str, when: str = "2026-03-04T09:00:00Z") -> int:
    people = {"reason": "The log says so", "requested_by": "u-7", "approved_by": "u-8"}
    asked: dict[str, Any] = {"corrects": corrects, "milestone": milestone, "was": on(was), "to": on(to), **people}
    receipt = act(ledger, when, incident.correct_milestone, **asked)
    assert receipt.position is not None
    return receipt.position
