"""A year of use, as the product counts it: one fact for each customer and day, of people, features or cases in turn.

On Mondays and Thursdays people are counted, on Tuesdays and Fridays cases, on Wednesdays and Saturdays one feature after the other. On
Sundays come the calls of the API with what is metered of them, or what was written to the community. Trainings and feedback
stand in the place of the day's count.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, Final

from opsledger.app.metering import Event, close, meter
from opsledger.app.taking import Taken
from opsledger.domain import activity as a
from opsledger.domain import usage
from opsledger.example import hazard
from opsledger.example.hazard import Customer
from opsledger.example.simulation import Desk
from opsledger.example.subscriptions import FEATURES

__all__ = ["counted_day"]

TRAININGS: Final = ((2, 10), (5, 12), (8, 11), (11, 10))  # month and day of the invitation; held nine days later
METER: Final = "api_calls"
SOURCE: Final = "product"


def counted_day(desk: Desk, random: Random, day: datetime, customers: list[Customer]) -> None:
    """Hand over what was counted of a day that is over. Now and then that of one customer comes five days late."""
    hand = desk.ledger.by("product-counts", role="product", at=desk.now)
    taken = [_taken(_observed(random, each, day, desk.now), each, day) for each in customers]
    if taken and day.toordinal() % 61 == 7:
        desk.schedule(desk.now + timedelta(days=5), partial(hand.observe, [taken.pop()], source=SOURCE))
    hand.observe(taken, source=SOURCE)
    if day.weekday() == 6:
        _metered(desk, day, customers, random)
    if day.day == 3:
        _closed(desk, day, customers)


def _taken(observed: a.Observation, who: Customer, day: datetime) -> Taken:
    return Taken(f"{who.id} {day:%Y-%m-%d}", ((a.stream_of(observed), observed),))


def _observed(random: Random, who: Customer, day: datetime, end: datetime) -> a.Observation:
    """Return what is counted of a customer on a day."""
    when: dict[str, Any] = {"counted_until": end, "customer_id": who.id, "day": day.date()}
    if (other := _instead(random, who, day)) is not None:
        return other
    match day.weekday():
        case 1 | 4:
            return a.CasesCompleted(**when, cases=hazard.works(who, random))
        case 2 | 5:
            rank = (2 * (day.toordinal() // 7) + (day.weekday() == 5)) % len(FEATURES)
            used = hazard.favours(who, rank, random)
            return a.FeatureUsed(**when, feature=FEATURES[rank], users=max(1, who.seats // (4 + rank)) if used else 0)
        case 6 if who.api:
            calls = round(40 * who.seats * (0.5 + who.mood / 2) * random.uniform(0.8, 1.2))
            return a.ApiCalled(**when, calls=calls, errors=round(calls * (0.002 + 0.06 * (1 - who.mood) ** 2)))
        case 6 if who.community and random.random() < 0.5 * who.mood:
            id = f"{who.id}-{day:%Y%m%d}"
            return a.CommunityContributed(contributed_at=_noon(day), customer_id=who.id, contribution_id=id, kind="answer")
        case _:
            users = hazard.uses(who, random)
            return a.UsersActive(**when, daily=users.daily, weekly=users.weekly, monthly=users.monthly)


def _instead(random: Random, who: Customer, day: datetime) -> a.Observation | None:
    """Return what a customer did on a day that stands in the place of the count, if anything."""
    for month, first in TRAININGS:
        session = f"training-{month:02d}"
        if (day.month, day.day) == (month, first):
            held = _noon(day) + timedelta(days=9)
            invited = min(8, 1 + who.seats // 5)
            return a.TrainingInvited(invited_at=_noon(day), customer_id=who.id, session_id=session, session_at=held, invited=invited)
        if (day.month, day.day) == (month, first + 9):
            came = hazard.attends(who, min(8, 1 + who.seats // 5), random)
            return a.TrainingAttended(held_at=_noon(day), customer_id=who.id, session_id=session, attended=came)
    if day.weekday() == 0 and random.random() < 0.12 * who.mood:
        id = f"{who.id}-{day:%Y%m%d}"
        return a.FeedbackSubmitted(submitted_at=_noon(day), customer_id=who.id, feedback_id=id, kind=random.choice(("idea", "praise")))
    return None


def _metered(desk: Desk, day: datetime, customers: list[Customer], random: Random) -> None:
    """Meter what the week's calls were. On one Sunday an event comes again with another quantity, and stands as a conflict."""
    events = [
        Event(f"{each.id} {day:%Y-%m-%d}", each.id, each.subscription_id, METER, Decimal(random.randrange(40, 90) * each.seats), _noon(day))
        for each in customers
        if each.api and each.stage == "paying"
    ]
    if events and day.date() == date(2025, 9, 14):
        events.append(events[0]._replace(quantity=events[0].quantity + 100))
    if events:
        meter(desk.ledger, "meter", events, source="gateway")


def _closed(desk: Desk, day: datetime, customers: list[Customer]) -> None:
    """Close the month before as it was metered, and in June take back what was metered twice."""
    ends = day.replace(day=1)
    starts = (ends - timedelta(days=1)).replace(day=1)
    metered = [each for each in customers if each.api and each.stage == "paying" and ends.month > 1]
    if ends.month == 6 and metered:
        _put_right(desk, usage.stream_of(metered[0].subscription_id, starts))
    for each in metered:
        id = each.subscription_id
        close(desk.ledger, "billing", customer_id=each.id, subscription_id=id, meter=METER, starts_at=starts, ends_at=ends)


def _put_right(desk: Desk, stream: str) -> None:
    history = desk.ledger.history(stream)
    if history:
        desk.ledger.by("u-tom", role="finance").record(
            usage.correct,
            stream.partition(":")[2],
            corrects=history[0].position,
            quantity_delta=Decimal(-25),
            reason="Calls of our own tests.",
            requested_by="u-tom",
            approved_by="u-uma",
        )


def _noon(day: datetime) -> datetime:
    return day + timedelta(hours=12)
