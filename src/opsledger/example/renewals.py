"""A year of looking ahead: forecasts and opportunities that customer success managers see, the health model, and whom they know better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Final

from opsledger.domain import health_model, health_override, renewal
from opsledger.example import hazard
from opsledger.example.hazard import Customer
from opsledger.example.simulation import Desk, Life
from opsledger.policies import documents
from opsledger.policies.health import DEFAULT
from opsledger.policies.instants import at

__all__ = ["judge_health", "look_ahead"]

ROLE: Final = "customer success"
LEAD, HEAD, MANAGER = "u-pia", "u-uma", "u-ria"
MODEL: Final = "opsledger-health-1"
PUBLISHED: Final = at("2025-10-15T14:00:00Z")
SCORES_FROM: Final = date(2025, 11, 16)


def look_ahead(desk: Desk, random: Random, day: datetime, around: list[Customer]) -> None:
    """On a day of every second month say how likely each customer is to stay, and look for what more they might buy."""
    if day.day != 14 or day.month % 2:
        return
    for each in around:
        if each.stage == "paying":
            desk.begin(day + timedelta(seconds=random.randrange(30_000, 60_000)), _look(desk, random, each))


def _look(desk: Desk, random: Random, who: Customer) -> Life:
    id = f"{who.id}/{desk.now.year}"
    probability = hazard.forecasts(who.mood, random)
    note = "I spoke with their head of office." if random.random() < 0.3 else None
    desk.record(
        MANAGER,
        ROLE,
        renewal.forecast,
        id,
        customer_id=who.id,
        probability_bp=probability,
        forecast_by=MANAGER,
        subscription_id=who.subscription_id,
        note=note,
    )
    if desk.now.month % 4:
        return
    desk.record(MANAGER, ROLE, renewal.assess_expansion, id, customer_id=who.id, assessed_by=MANAGER)
    if random.random() < 0.7 * who.mood - 0.2:
        more = f"X-{who.id[2:]}-{desk.now:%m}"
        worth = 4900 * max(1, who.seats // 10)
        desk.record(
            MANAGER,
            ROLE,
            renewal.identify_expansion,
            id,
            customer_id=who.id,
            opportunity_id=more,
            mrr_minor=worth,
            currency=who.currency,
            identified_by=MANAGER,
        )
        yield random.uniform(20, 70) * 86_400
        if random.random() < 0.5 * who.mood:
            desk.record(MANAGER, ROLE, renewal.win_expansion, id, opportunity_id=more)
        else:
            desk.record(MANAGER, ROLE, renewal.lose_expansion, id, opportunity_id=more, reason="Not this year.")


def judge_health(desk: Desk, begins: datetime, around: Callable[[], list[Customer]]) -> None:
    """Publish the health model in October, to score from the middle of November on; and put three scores right by hand, one for a week."""
    desk.schedule(PUBLISHED, lambda: _publish(desk))
    for number, days in enumerate((325, 335, 345)):
        desk.begin(begins + timedelta(days=days, hours=15), _override(desk, around, number))


def _publish(desk: Desk) -> None:
    document = documents.canonical(DEFAULT)
    people = {"proposed_by": LEAD, "approved_by": HEAD}
    desk.record(LEAD, ROLE, health_model.publish, MODEL, document=document, scores_from=SCORES_FROM, **people)


def _override(desk: Desk, around: Callable[[], list[Customer]], number: int) -> Life:
    """Say of one of the least content customers that they stay all the same."""
    paying = sorted((each for each in around() if each.stage == "paying"), key=lambda each: (each.mood, each.id))
    if number < len(paying):
        who, until = paying[number].id, desk.now + timedelta(days=30)
        reason = "They have promised to stay, and have begun to train their people."
        desk.record(LEAD, ROLE, health_override.override, who, score_x10=700, expires_at=until, reason=reason)
        if number == 0:
            yield 7 * 86_400
            desk.record(LEAD, ROLE, health_override.clear, who)
