"""A year of the platform: services and their objectives, what probes see, maintenance that keeps the rules and some that does not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opsledger.domain import maintenance, monitor, outage, probe, service, slo
from opsledger.example.changes import CTO, ENGINEERS, MANAGER
from opsledger.example.simulation import Desk, Life

__all__ = ["OPERATIONS", "begin", "outage_of", "plan_month", "probe_day", "put_right", "see"]

SERVICES: Final = {"platform": "platform", "api": "api", "database": "database", "documents": "documents", "web": "web"}
DEPENDS: Final = {"platform": ("api", "database", "web"), "api": ("database",), "web": ("api",), "documents": ("api",)}
PROMISED: Final = ("platform", "api", "database")
LOCATIONS: Final = ("eu", "us", "asia")
OPERATIONS: Final = "operations"
EASTERN: Final = ZoneInfo("America/New_York")


def begin(desk: Desk) -> None:
    """Say what is run, what is promised of it, and who watches it."""
    for id, kind in SERVICES.items():
        desk.record(
            MANAGER, OPERATIONS, service.register, id, name=id.title(), kind=kind, owner_id="team-platform", depends_on=DEPENDS.get(id, ())
        )
    for id in PROMISED:
        desk.record(MANAGER, OPERATIONS, slo.publish, f"{id}-uptime", service_id=id, proposed_by=MANAGER, approved_by=CTO)
    desk.record(
        MANAGER,
        OPERATIONS,
        monitor.register,
        "external",
        category="application",
        tool="synthetic probes",
        check="http",
        services=PROMISED,
        locations=LOCATIONS,
    )
    for id in PROMISED:
        for location in LOCATIONS:
            _see(desk, id, location, "up")


def probe_day(desk: Desk, day: datetime) -> None:
    """At the end of a day every location says that it has watched; now and then one sees what the others do not."""
    random = desk.random
    for id in PROMISED:
        for location in LOCATIONS:
            if day.day == 1:
                _see(desk, id, location, "up")
            if random.random() < 0.01:
                desk.begin(day + timedelta(seconds=random.randrange(80_000)), _blip(desk, id, location))


def _blip(desk: Desk, id: str, location: str) -> Life:
    _see(desk, id, location, "down", error="timeout")
    yield desk.random.uniform(20, 240)
    _see(desk, id, location, "up")


def outage_of(desk: Desk, services: Iterable[str], began: datetime, lasts: timedelta) -> None:
    """Let the probes see what an incident does to services: each location a little sooner or later."""
    for service_id in services:
        desk.outages.append((service_id, began, began + lasts))
        if service_id in PROMISED:
            for location in LOCATIONS:
                desk.begin(began, _seen(desk, service_id, location, lasts))


def _seen(desk: Desk, service_id: str, location: str, lasts: timedelta) -> Life:
    yield desk.random.randrange(1, 50)
    _see(desk, service_id, location, "down", error="http_503")
    yield lasts.total_seconds()
    _see(desk, service_id, location, "up")


def plan_month(desk: Desk, first: datetime) -> None:
    """Plan the maintenance of a month, on its third Sunday in the slot; each kind of mistake is made once in the year."""
    sundays = [day for day in (first.date() + timedelta(days=number) for number in range(28)) if day.weekday() == 6]
    night = datetime(sundays[2].year, sundays[2].month, sundays[2].day, 2, tzinfo=EASTERN)
    told = timedelta(hours=48) if first.month == 4 else timedelta(days=5)
    desk.begin(night.astimezone(first.tzinfo) - timedelta(days=10), _window(desk, first.month, night.astimezone(first.tzinfo), told))
    if first.month == 9:
        desk.begin(night.astimezone(first.tzinfo) + timedelta(days=3, hours=10), _emergency(desk))


def _window(desk: Desk, month: int, start: datetime, told: timedelta) -> Life:
    """Schedule, tell, and work. April tells too late, June overruns, August is moved, November is called off."""
    random, id = desk.random, f"MW-{month:02d}"
    desk.record(
        MANAGER,
        OPERATIONS,
        maintenance.schedule,
        id,
        services=("platform",),
        start_at=start,
        end_at=start + timedelta(hours=3),
        title="Upgrades",
    )
    if month == 8:
        yield 86_400
        start += timedelta(days=7)
        desk.record(MANAGER, OPERATIONS, maintenance.reschedule, id, start_at=start, end_at=start + timedelta(hours=3), reason="A holiday")
    yield (start - told - desk.now).total_seconds()
    desk.record(MANAGER, OPERATIONS, maintenance.notify, id, audience="customers", channel="email")
    if month == 11:
        yield 86_400
        desk.record(MANAGER, OPERATIONS, maintenance.cancel, id, reason="The supplier is late.")
        return
    yield (start - desk.now).total_seconds()
    desk.record(ENGINEERS[0], OPERATIONS, maintenance.start, id)
    minutes = 230 if month == 6 else random.randrange(40, 120)
    outage_of(desk, ("platform",), desk.now + timedelta(minutes=10), timedelta(minutes=minutes))
    yield 60 * (minutes + 20)
    desk.record(ENGINEERS[0], OPERATIONS, maintenance.complete, id)


def _emergency(desk: Desk) -> Life:
    """A disk must be replaced at once: the CTO says yes, customers are told at once; it counts as downtime all the same."""
    id, start = "MW-09E", desk.now + timedelta(minutes=15)
    desk.record(
        MANAGER,
        OPERATIONS,
        maintenance.schedule,
        id,
        services=("platform",),
        start_at=start,
        end_at=start + timedelta(hours=1),
        title="A disk",
        kind="emergency",
    )
    desk.record(CTO, "cto", maintenance.approve_emergency, id)
    desk.record(MANAGER, OPERATIONS, maintenance.notify, id, audience="customers", channel="status page")
    yield (start - desk.now).total_seconds()
    desk.record(ENGINEERS[1], OPERATIONS, maintenance.start, id)
    outage_of(desk, ("platform",), desk.now + timedelta(minutes=5), timedelta(minutes=20))
    yield 2400
    desk.record(MANAGER, OPERATIONS, maintenance.publish_status, id, audience="customers", message="The disk is replaced.")
    desk.record(ENGINEERS[1], OPERATIONS, maintenance.complete, id)


def see(desk: Desk, id: str, state: probe.State, error: str | None = None) -> None:
    """Let every location see a service go into a state at once."""
    for location in LOCATIONS:
        _see(desk, id, location, state, error)


def _see(desk: Desk, id: str, location: str, state: probe.State, error: str | None = None) -> None:
    stream = probe.stream_of(id, location, desk.now)
    desk.record(
        "monitor:external", "monitoring", probe.report, stream.partition(":")[2], service_id=id, location=location, state=state, error=error
    )


def put_right(desk: Desk, id: str, start: datetime, end: datetime) -> None:
    """Record that an outage was none of ours, as two people agree."""
    desk.record(
        MANAGER,
        OPERATIONS,
        outage.reclassify,
        id,
        start_at=start,
        end_at=end,
        was="down",
        to="up",
        reason="The probes' own network had failed.",
        requested_by=MANAGER,
        approved_by=CTO,
    )
