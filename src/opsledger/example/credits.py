"""A year of service credits: for each month that broke the promise of the platform, what three customers get back, and who decided it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from opsledger.domain import credit
from opsledger.domain.recorded import in_business_order
from opsledger.example.changes import CTO, MANAGER
from opsledger.example.simulation import Desk, Life
from opsledger.ledger.codec import read_all
from opsledger.projections.availability import intervals as availability
from opsledger.projections.availability.sources import CONCEPTS, fold, start, subjects

__all__ = ["settle"]

BILLING: Final = ("u-bea", "billing")
SERVICE: Final = "platform"
OBJECTIVE: Final = "platform-uptime"
FEES: Final = {"C-001": 480_000, "C-002": 125_000, "C-003": 49_900}
"""What customers pay a month, in cents."""

TERMS: Final = credit.Terms(
    source="contract of 2025, schedule 3",
    tiers=tuple(
        credit.Tier(below_pct=Decimal(below), credit_pct=Decimal(given)) for below, given in (("99.9", "10"), ("99.5", "25"), ("98", "50"))
    ),
    rounding="half_even",
    nothing_up_to_minor=0,
    claim_needed=False,
    claim_within_s=30 * 86_400,
)


def settle(desk: Desk, first: datetime) -> None:
    """Two days after a month has ended, look at what it was, and let credits go their way where it was not enough."""
    desk.begin(first + timedelta(days=2, hours=10), _month(desk, f"{first - timedelta(days=1):%Y-%m}"))


def _month(desk: Desk, month: str) -> Life:
    desk.commit()
    found = _found(desk, month)
    if found is None or found["met"] is not False:
        return
    known = desk.ledger.store.head().position
    for customer_id, fee_minor in FEES.items():
        desk.record(
            *BILLING,
            credit.assess,
            f"{customer_id}/{SERVICE}/{month}",
            customer_id=customer_id,
            service_id=SERVICE,
            slo_id=OBJECTIVE,
            month=month,
            month_ends_at=desk.now - timedelta(days=2, hours=10),
            up_us=found["up_us"],
            measured_us=found["measured_us"],
            known_position=known,
            fee_minor=fee_minor,
            currency="CAD",
            terms=TERMS,
        )
    yield 86_400
    for customer_id in FEES:
        desk.record(MANAGER, "operations manager", credit.review, f"{customer_id}/{SERVICE}/{month}", finding="confirmed")
    yield 2 * 86_400
    for customer_id in FEES:
        desk.record(CTO, "cto", credit.approve, f"{customer_id}/{SERVICE}/{month}")
    yield 3 * 86_400
    for customer_id in FEES:
        desk.record(*BILLING, credit.issue, f"{customer_id}/{SERVICE}/{month}", document_id=f"CN-{month}-{customer_id}")


def _found(desk: Desk, month: str) -> dict[str, Any] | None:
    """Return the row of sla_month, as the tables would show it now; None: the month was not measured."""
    store, states = desk.ledger.store, {}
    for concept in (*CONCEPTS, "ledger"):
        for stream in sorted(store.heads_within(f"{concept}:")):
            state = start(stream)
            for recorded in in_business_order(list(read_all(store.stream(stream)))):
                state = fold(state, recorded)
            if concept == "ledger" or SERVICE in subjects(state):
                states[stream] = state
    names = [column.name for column in availability.SLA_MONTH.columns]
    rows = (dict(zip(names, row, strict=True)) for row in availability.months(SERVICE, dict(sorted(states.items())), desk.ledger.known))
    return next((row for row in rows if (row["slo_id"], row["month"]) == (OBJECTIVE, month)), None)
