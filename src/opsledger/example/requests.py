"""A year of requests, as hosts count them: a window an hour for the API and the pages, slower by day, failing in an outage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from opsledger.app.measuring import Accumulator
from opsledger.app.taking import Taken
from opsledger.example.simulation import Desk

__all__ = ["SERIES", "Series", "measured_day"]


class Series(NamedTuple):
    """What is measured: of which service, its bounds in microseconds, how long a request takes in the middle, how many an hour."""

    id: str
    service_id: str
    kind: str
    below_us: tuple[int, ...]
    typical_us: int
    per_hour: int


SERIES: Final = (
    Series("api-requests", "api", "api", (150_000, 500_000), 45_000, 40),
    Series("web-pages", "web", "web", (2_000_000, 5_000_000), 600_000, 20),
)


def measured_day(desk: Desk, day: datetime) -> None:
    """Hand over the windows of a day that is over. In November a window of the API comes three days late."""
    hand = desk.ledger.by("host-1", role="monitoring", at=desk.now)
    for series in SERIES:
        windows = list(_windows(desk, series, day))
        if series.id == "api-requests" and (day.month, day.day) == (11, 11):
            desk.schedule(desk.now + timedelta(days=3), partial(hand.observe, [windows.pop(12)], source="host-1"))
        hand.observe(windows, source="host-1")


def _windows(desk: Desk, series: Series, day: datetime) -> Iterator[Taken]:
    hours = [day + timedelta(hours=number) for number in range(25)]
    now = hours[0]
    counted = Accumulator(
        series.id, service_id=series.service_id, kind=series.kind, source="host-1", below_us=series.below_us, clock=lambda: now
    )
    for now in hours[1:]:
        busy = 1.0 if 13 <= now.hour < 22 else 0.4
        down = sum(
            max(0.0, (min(until, now) - max(since, now - timedelta(hours=1))).total_seconds())
            for service_id, since, until in desk.outages
            if service_id == series.service_id
        )
        for _ in range(round(series.per_hour * busy)):
            if desk.random.random() < down / 3600 or desk.random.random() < 0.0005:
                counted.add_failed()
            else:
                counted.add(round(series.typical_us * desk.random.lognormvariate(0, 0.55) * (0.8 + busy / 4)))
        counted.observe_concurrent(round(series.per_hour * busy / 6))
        yield counted.flush()
