"""Probes: a year of changes of state that three locations see of one service, rebuilt to its availability, beside the stock runner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from statistics import median
from typing import Final

from benchmarks.measuring import profile, ratios, spread, timed
from benchmarks.place import Place
from benchmarks.report import Row, Section, rate, rounds
from benchmarks.stock import Desk, InMemory, InPostgres, environment, fill, project
from opsledger.app import OpsLedger, Taken
from opsledger.domain import monitor, probe, service, slo
from opsledger.policies.instants import at

__all__ = ["measure"]

_BEGAN: Final = at("2025-01-01T00:00:00Z")
_YEAR_S: Final = 365 * 86_400
_LOCATIONS: Final = ("asia", "eu", "us")
_TOGETHER: Final = 5000  # observed in one call
_SHARED: Final = 200  # of so many outages of a location one is seen by all of them, and is one of the service
_DOWN: Final = 0.05  # of the time between two changes that a location sees the service down


def measure(place: Place) -> Section:
    """Measure one rebuild of all tables over the probes; the stock runner goes before it and after it."""
    count = place.sizes.probes
    with OpsLedger.create(place.url("sqlite")) as ledger:
        _describe(ledger)
        actor = ledger.by("monitor:external", role="monitoring")
        recorded = timed(lambda: [actor.observe(some, source="external") for some in _together(count)])
        built = timed(ledger.catch_up)
        stock = {view: [_stock(place, view)] for view in (InMemory, InPostgres)}
        rebuilt = [timed(lambda: _rebuild(ledger)) for _ in range(place.sizes.probe_rebuilds)]
        for view, each in stock.items():
            each.append(_stock(place, view))
        stretches = len(ledger.tables.select("availability_interval")) if count <= _TOGETHER else None
        where = profile(lambda: _rebuild(ledger)) if count <= _TOGETHER else None
    speeds = [count / each for each in rebuilt]
    rows = [
        Row(
            f"rebuild of all tables, {count:,} changes of state, SQLite, 1 process",
            against,
            rate(median(speeds)),
            rate(median(stock[view])),
            ratios(speeds, [median(stock[view])] * len(speeds)),
            remark="no target",
        )
        for view, against in (
            (InPostgres, "the stock runner on a view in PostgreSQL"),
            (InMemory, "the stock runner on a dictionary in memory"),
        )
    ]
    rows.append(
        Row(
            f"changes of state recorded by `observe`, {_TOGETHER:,} at a time",
            "",
            rate(count / recorded),
            "",
            spread([count / recorded]),
            unit="events/s",
            remark="no target",
        )
    )
    notes = [f"The tables were built for the first time, while nothing stood there, at {rate(count / built)}."]
    notes += [] if stretches is None else [f"They become {stretches:,} rows of availability_interval."]
    notes += [] if where is None else [f"Where the time of a rebuild goes: {where}."]
    return Section(
        "Probes rebuilt",
        f"{count:,} changes of state of one service, as {len(_LOCATIONS)} locations see them in a year, with its objective and the vote of "
        f"two; one outage in {_SHARED} is seen by all of them. All tables are built anew where they stand; "
        f"{rounds(place.sizes.probe_rebuilds)}. The stock runner projects {place.sizes.stock_events:,} events before and after.",
        rows,
        notes,
    )


def _describe(ledger: OpsLedger) -> None:
    actor = ledger.by("u-1", role="sre", at=_BEGAN)
    actor.record(service.register, "platform", name="Platform", kind="platform", owner_id="t-1")
    actor.record(monitor.register, "external", category="application", tool="t", check="http", services=("platform",), locations=_LOCATIONS)
    ledger.by("u-1", role="sre").record(
        slo.publish,
        "platform-uptime",
        service_id="platform",
        effective_from=_BEGAN,
        reason="As the contract says",
        proposed_by="u-1",
        approved_by="u-2",
    )


def _together(count: int) -> Iterator[list[Taken]]:
    """Yield changes of state in the order of time, many at once."""
    some: list[Taken] = []
    for number, (when, location, state) in enumerate(_changes(count)):
        fact = probe.StateChanged(changed_at=when, service_id="platform", location=location, state=state)
        some.append(Taken(str(number), ((probe.stream_of("platform", location, when), fact),)))
        if len(some) == _TOGETHER:
            yield some
            some = []
    if some:
        yield some


def _changes(count: int) -> Iterator[tuple[datetime, str, probe.State]]:
    """Yield when which location saw what: down for a short while, each by itself, and now and then all of them together."""
    dice, each = Random(7), -(-count // len(_LOCATIONS))
    step_s = _YEAR_S / (each + 1)
    for number in range(each):
        down, shared = number % 2 == 0, number // 2 % _SHARED == 0
        for place, location in enumerate(_LOCATIONS[: count - number * len(_LOCATIONS)]):
            apart_s = 0 if shared else step_s * place / len(_LOCATIONS)
            shift_s = step_s * (number - (0 if down else 1 - _DOWN)) + apart_s + dice.random() * _DOWN * step_s / 2
            yield _BEGAN + timedelta(seconds=round(shift_s, 3)), location, "down" if down else "up"


def _rebuild(ledger: OpsLedger) -> None:
    differences = ledger.tables.rebuild()
    assert not any(each.rows for each in differences), "the tables were not equal to the log"


def _stock(place: Place, view: type) -> float:
    """Return how many events the stock runner projects in a second."""
    settings, events = environment(place, "postgresql"), place.sizes.stock_events
    with Desk(env=settings) as desk:
        fill(desk, events)
    return events / project(place, settings, view, events)
