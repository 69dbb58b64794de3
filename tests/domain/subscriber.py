"""What tests of subscriptions share: S-1 of customer C-1, ten seats of the plan pro for 10.00 EUR each a month."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from opsledger.domain import subscription as s
from opsledger.domain.billing import Cycle, Discount, Period, ProrationRule, Terms
from opsledger.policies.zones import VERSION
from opsledger.testing import Spec, at

SPEC = Spec("subscription:S-1")
TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
BIG = replace(TERMS, plan_id="big", unit_amount_minor=2000)
YEARLY = replace(TERMS, plan_id="pro-yearly", interval="year", unit_amount_minor=10_000)
RULE = ProrationRule()
FIFTH = Discount(discount_id="D-1", off_bp=2000, ends_at=at("2026-09-01"))


def on(day: str) -> datetime:
    """Return midnight of a day of 2026, written 03-16; or any instant, written whole."""
    return at(f"2026-{day}T00:00:00Z" if len(day) == 5 else day)


def period(number: int, starts: str, ends: str) -> Period:
    return Period(number=number, starts_at=on(starts), ends_at=on(ends))


def cycle(anchor: str) -> Cycle:
    return Cycle(anchor_at=on(anchor), zone="UTC", tzdata=VERSION)


CREATED = s.Created(created_at=on("03-01"), customer_id="C-1", terms=TERMS, proration=RULE, zone="UTC")
TRIED = s.TrialStarted(started_at=on("03-01"), customer_id="C-1", trial_ends_at=on("03-15"))
ACTIVATED = s.Activated(activated_at=on("03-01"), customer_id="C-1", terms=TERMS, cycle=cycle("03-01"), period=period(0, "03-01", "04-01"))
ACTIVE = SPEC.given(CREATED, ACTIVATED)


def held(terms: Terms = TERMS, discount: Discount | None = None) -> dict[str, Any]:
    """What most facts carry: the customer, the terms and the discount that hold from them on."""
    return {"customer_id": "C-1", "terms": terms, "discount": discount}


def past_due(day: str) -> s.MarkedPastDue:
    return s.MarkedPastDue(marked_at=on(day), **held())


def paused(day: str, **how: Any) -> s.Paused:
    return s.Paused(paused_at=on(day), **held(), subject_id="subscription:S-1", **how)


def ended(day: str, reason: s.EndReason = "cancelled_voluntary") -> s.Ended:
    return s.Ended(ended_at=on(day), **held(), end_reason=reason)


def wished(day: str, reason: s.CancellationReason = "price") -> s.CancellationRequested:
    return s.CancellationRequested(
        requested_at=on(day), customer_id="C-1", reason=reason, requested_by="u-7", subject_id="subscription:S-1"
    )


def to_end(day: str, cancel: str) -> s.CancellationScheduled:
    return s.CancellationScheduled(scheduled_at=on(day), **held(), cancel_at=on(cancel))


def counted(day: str, quantity: int, was: int = 10) -> s.QuantityChanged:
    return s.QuantityChanged(changed_at=on(day), was_quantity=was, quantity=quantity, **held(replace(TERMS, quantity=quantity)))
