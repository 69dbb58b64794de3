"""What tests do to changes and freezes of a ledger, and how they look at the rows. All of it on 2 March 2026 and after."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsledger.app import OpsLedger
from opsledger.app.recording import Receipt
from opsledger.domain import change, freeze
from opsledger.testing import at

HEAD = "2026-05-20T12:00:00Z"
ALONE: dict[str, Any] = {"others": (), "freezes": ()}
JUDGED: dict[str, Any] = {"impact": "low", "risk": "high", "backout_planned": True}


def on(time: str) -> datetime:
    """Return a time of 2 March 2026, written 10:04; of another day of March, written 05T10:04; or any other, written whole."""
    if len(time) == 5:
        return at(f"2026-03-02T{time}:00Z")
    return at(f"2026-03-{time}:00Z") if len(time) == 8 else at(time)


def act(ledger: OpsLedger, time: str, who: str, decision: Any, id: str = "CHG-1", acting_as: str = "engineer", **arguments: Any) -> Receipt:
    return ledger.by(who, role=acting_as, at=on(time)).record(decision, id, **arguments)


def request(ledger: OpsLedger, time: str, id: str = "CHG-1", category: str = "standard", **given: Any) -> None:
    asked: dict[str, Any] = {"category": category, "title": "Move the API", "ci_ids": ("api",), **given}
    act(ledger, time, "u-1", change.request, id, **asked)


def ready(ledger: OpsLedger, id: str = "CHG-1", **given: Any) -> None:
    """Let a standard change be asked for, assessed and approved, between nine and half past on 2 March."""
    request(ledger, "09:00", id, **given)
    act(ledger, "09:10", "u-2", change.assess, id, **JUDGED)
    act(ledger, "09:20", "u-2", change.approve, id, acting_as="manager")


def plan(ledger: OpsLedger, time: str, start: str, end: str, id: str = "CHG-1", **given: Any) -> Receipt:
    window = {"starts_at": on(start), "ends_at": on(end)}
    return act(ledger, time, "u-1", change.schedule, id, **{**window, **ALONE, **given})


def do(ledger: OpsLedger, start: str, end: str, outcome: str = "successful", id: str = "CHG-1", **given: Any) -> None:
    act(ledger, start, "u-3", change.start, id, **given)
    act(ledger, end, "u-3", change.complete, id, outcome=outcome)


def hold(ledger: OpsLedger, time: str, start: str, end: str, id: str = "F-1", **given: Any) -> None:
    act(ledger, time, "u-8", freeze.declare, id, starts_at=on(start), ends_at=on(end), reason="The holidays", **given)


def select(ledger: OpsLedger, table: str, *columns: str, **where: Any) -> list[tuple[Any, ...]]:
    found = ledger.tables.select(table, at_least=ledger.store.head().position, **where)
    return [tuple(each[column] for column in columns) for each in found]


def row(ledger: OpsLedger, id: str = "CHG-1") -> dict[str, Any]:
    (found,) = ledger.tables.select("change", at_least=ledger.store.head().position, change_id=id)
    return found


def findings(ledger: OpsLedger, subject: str = "change:CHG-1") -> list[tuple[Any, ...]]:
    return select(ledger, "control_finding", "control", "found_at", "kept_at", subject=subject)


def rebuilt_as_it_stood(ledger: OpsLedger) -> bool:
    ledger.catch_up()
    return sum(difference.rows for difference in ledger.tables.rebuild()) == 0
