"""Corrections of error budgets: some of what was used up is given back, or more is taken, apart from what was measured.

One stream per service level objective, `error_budget:api-uptime`. Measurements stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Adjusted", "ErrorBudget", "Fact", "Unit", "adjust", "evolve"]

Unit = Literal["us", "events"]
"""Of a budget of time, microseconds of downtime; of a budget of requests, bad requests."""


@fact("error_budget.adjusted", at="adjusted_at", corrects=lambda _: None)
class Adjusted:
    """It was decided to count more or less against the budget of an objective than was measured."""

    adjusted_at: At
    slo_id: str
    applies_at: At  # the instant at which it counts: for the month, or for the windows, that hold it
    unit: Unit
    given_back: int  # less counts against the budget by this much; negative: more
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Adjusted


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """What was adjusted last, of an objective."""

    last: Adjusted


@concept("error_budget")
def evolve(budget: ErrorBudget | None, event: Fact) -> ErrorBudget:
    """Return the budget after `event`."""
    match event:
        case Adjusted():
            return ErrorBudget(event)
        case _:
            assert_never(event)


@starts
def adjust(
    budget: ErrorBudget | None,
    now: Moment,
    /,
    *,
    applies_at: datetime,
    unit: Unit,
    given_back: int,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record that `given_back` counts less (negative: more) against the budget at `applies_at`. Needs another person's approval.

    Adjustments add up, so a mistaken one is taken back by its opposite. The same one at the same instant adds nothing.
    """
    another(approved_by, requested_by, "this adjustment")
    if given_back == 0:
        raise Refused("error_budget.nothing", "An adjustment by 0 changes nothing; say by how much.")
    if applies_at > now.at:
        raise Refused("error_budget.future", f"{applies_at.isoformat()} has not come yet; what is adjusted has been measured.")
    if not reason.strip():
        raise Refused("error_budget.no_reason", "An adjustment changes what is reported; say why.")
    if budget is not None:
        last = budget.last
        if (last.adjusted_at, last.applies_at, last.unit, last.given_back) == (now.at, applies_at, unit, given_back):
            return ()
    adjusted = Adjusted(
        adjusted_at=now.at,
        slo_id=now.id,
        applies_at=applies_at,
        unit=unit,
        given_back=given_back,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (adjusted,)
