"""What tests do to subscriptions of a ledger, and how they look at the rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from opsledger.app import OpsLedger, metering
from opsledger.app.recording import Receipt
from opsledger.domain import subscription as s
from opsledger.domain.billing import Terms
from opsledger.testing import at

HEAD = "2026-07-20T12:00:00Z"
TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
BIG = replace(TERMS, plan_id="big", unit_amount_minor=2000)
PEOPLE: dict[str, Any] = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The contract says so"}


def on(day: str) -> datetime:
    """Return midnight of a day of 2026, written 03-16; or any instant, written whole."""
    return at(f"2026-{day}T00:00:00Z" if len(day) == 5 else day)


def act(ledger: OpsLedger, day: str, decision: Any, id: str = "S-1", **arguments: Any) -> Receipt:
    return ledger.by("u-7", at=on(day)).record(decision, id, **arguments)


def subscribe(ledger: OpsLedger, day: str, id: str = "S-1", *, customer: str = "C-1", terms: Terms = TERMS) -> None:
    act(ledger, day, s.create, id, customer_id=customer, terms=terms)
    act(ledger, day, s.activate, id)


def use(ledger: OpsLedger, event_id: str, day: str, quantity: str, id: str = "S-1") -> metering.Metered:
    return metering.meter(ledger, "svc", [metering.Event(event_id, "C-1", id, "calls", Decimal(quantity), on(day))], source="gate")


def select(ledger: OpsLedger, table: str, *columns: str, **where: Any) -> list[tuple[Any, ...]]:
    found = ledger.tables.select(table, at_least=ledger.store.head().position, **where)
    return [tuple(each[column] for column in columns) for each in found]


def row(ledger: OpsLedger, table: str = "subscription_current", **where: Any) -> dict[str, Any]:
    (found,) = ledger.tables.select(table, at_least=ledger.store.head().position, **(where or {"subscription_id": "S-1"}))
    return found


def rebuilt_as_it_stood(ledger: OpsLedger) -> bool:
    return sum(difference.rows for difference in ledger.tables.rebuild()) == 0
