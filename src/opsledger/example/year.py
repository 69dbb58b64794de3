"""The example's year: what the business decides, day by day, around what happens to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from opsledger.app import OpsLedger
from opsledger.domain import calendar, ledger, policy
from opsledger.domain.concept import SYSTEM
from opsledger.example import platform
from opsledger.example.capacity import Load
from opsledger.example.changes import Calendar
from opsledger.example.credits import settle
from opsledger.example.customers import Crowd
from opsledger.example.incidents import break_down
from opsledger.example.recovery import Recovery
from opsledger.example.requests import measured_day
from opsledger.example.simulation import Clock, Desk
from opsledger.example.tickets import LEADS, Support, arrivals
from opsledger.policies import documents
from opsledger.policies.instants import at
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.policies.support import Priority

__all__ = ["write"]

BEGINS = at("2025-01-01T00:00:00Z")
HOLIDAYS = ("2025-01-20", "2025-02-17", "2025-05-26", "2025-06-19", "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25")


def write(
    url: str,
    *,
    seed: int = 7,
    days: int = 365,
    per_day: float = 6.0,
    customers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OpsLedger:
    """Write a simulated ledger of `days` from 2025-01-01 with some `per_day` tickets each, and return it open.

    There are as many customers as suit the tickets (48 of 6 a day), unless `customers` says how many; with 0 there are tickets alone.
    Deterministic: the same arguments give the same facts at the same times. Refuses a ledger that exists.
    """
    clock = Clock(BEGINS)
    host = OpsLedger.create(url, simulated=True, clock=clock, ledger_id=f"{seed:032x}")
    desk = Desk(host, clock, seed)
    callers = max(10, round(per_day * 8))
    crowd = Crowd(desk, seed, callers if customers is None else customers, BEGINS)
    support = Support(desk, callers, crowd)
    changes, recovery, load = Calendar(desk), Recovery(desk), Load(desk)
    _decide(desk)
    desk.schedule(BEGINS, lambda: platform.begin(desk))
    desk.schedule(BEGINS, load.begin)
    desk.schedule(at("2025-12-01T09:00:00Z"), changes.declare_freeze)
    ends = BEGINS + timedelta(days=days)
    for number in range(days):
        day = BEGINS + timedelta(days=number)
        desk.schedule(day, lambda day=day: _plan(desk, support, changes, crowd, day, per_day))  # type: ignore[misc]  # a loop's own day
        desk.schedule(day, lambda day=day: recovery.plan(day))  # type: ignore[misc]  # a loop's own day
        desk.schedule(day, lambda day=day: load.plan(day))  # type: ignore[misc]  # a loop's own day

    def each_day(now: datetime) -> None:
        desk.commit()
        measured_day(desk, now - timedelta(days=1))
        crowd.count(now - timedelta(days=1))
        load.count(now - timedelta(days=1))
        desk.record(SYSTEM, "system", ledger.close_day, "self")
        if progress is not None:
            progress((now - BEGINS).days, days)

    desk.run(ends, each_day)
    return host


def _plan(desk: Desk, support: Support, changes: Calendar, crowd: Crowd, day: datetime, per_day: float) -> None:
    """Let the requests of a day come in, changes be made, and things break; on a bad day many come with the same request."""
    crowd.live(day)
    platform.probe_day(desk, day)
    changes.plan(day)
    if day.day == 1:
        platform.plan_month(desk, day)
        settle(desk, day)
    for when in arrivals(desk.random, day, per_day):
        support.open(at=when)
    number = (day - BEGINS).days
    if desk.random.random() < 0.12:
        break_down(desk, 100 + number, day + timedelta(seconds=desk.random.randrange(86_400)), severe=False)
    if number % 61 == 40:
        begins = day + timedelta(hours=14)
        break_down(desk, 500 + number, begins, severe=True)
        for _ in range(max(4, round(per_day))):
            late = timedelta(minutes=desk.random.randrange(5, 90))
            support.open(about=1, priority=desk.random.choice((Priority.CRITICAL, Priority.HIGH)), at=begins + late)


def _decide(desk: Desk) -> None:
    """Publish what the business decides in the course of the year."""
    hours = default_calendars()["business"].model_dump(mode="json")

    def publish_hours(*holidays: str, when: str, reason: str) -> None:
        definition = json.dumps({**hours, "holidays": holidays})
        desk.schedule(
            at(when),
            lambda: desk.alone(
                LEADS[0],
                "support lead",
                calendar.publish,
                "business",
                definition=definition,
                proposed_by=LEADS[0],
                approved_by=LEADS[1],
                reason=reason,
            ),
        )

    publish_hours(*HOLIDAYS[:-2], when="2025-01-02T15:00:00Z", reason="holidays of the year")
    publish_hours(*HOLIDAYS, when="2025-11-26T16:00:00Z", reason="Thanksgiving and Christmas were forgotten")
    model = default_model()
    tiers = dict(model.support.tiers)
    high = tiers[Priority.HIGH]
    quicker = high.targets["first_response"].model_copy(update={"within": "30 min"})
    tiers[Priority.HIGH] = high.model_copy(update={"targets": {**high.targets, "first_response": quicker}})
    second = model.model_copy(update={"support": model.support.model_copy(update={"tiers": tiers})})
    desk.schedule(
        at("2025-07-01T12:00:00Z"),
        lambda: desk.alone(
            LEADS[1],
            "support lead",
            policy.publish,
            policy.NAME,
            document=documents.canonical(second),
            proposed_by=LEADS[1],
            approved_by=LEADS[0],
            reason="We promise high priority an answer within half an hour.",
        ),
    )
