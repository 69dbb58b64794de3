"""A year of being watched and of bearing the load: monitors and their signs of life, users at once, uploads, load tests, a weekly batch.

Its chance is its own, so that the rest of the story does not depend on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsledger.app.measuring import Accumulator, taken
from opsledger.app.taking import Taken
from opsledger.domain import batch, load_test, monitor, slo
from opsledger.domain.measurement import gauge
from opsledger.example.changes import CTO, ENGINEERS, MANAGER
from opsledger.example.platform import OPERATIONS
from opsledger.example.simulation import Desk, Life

__all__ = ["Load"]

EASTERN: Final = ZoneInfo("America/New_York")
WEEK_S: Final = 8 * 86_400  # a monitor that is heard weekly may be a day late
WATCHING: Final[dict[str, tuple[monitor.Category, str, tuple[str, ...]]]] = {
    "prometheus": ("infrastructure", "Prometheus", ("api", "database", "platform", "web")),
    "host-1": ("application", "the gateway's counters", ("api", "web")),
    "dashboards": ("business", "dashboards of the business", ("platform",)),
    "siem": ("security", "SIEM", ("platform", "api", "database")),
}
SILENT: Final = range(18, 22)  # weeks in which nothing was heard of the SIEM
LATE, TWICE, NEVER, BURIED = 10, 20, 30, 26  # weeks: the batch took too long, failed and was repeated, was not done; uploads waited
TESTS: Final = {  # by day of the year: what was offered in a minute, and served
    52: (40_000, 40_000),
    143: (55_000, 48_200),
    234: (60_000, 53_900),
    325: (60_000, 58_800),
}


class Load:
    """What is watched, and what is borne, week by week."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._random = Random(f"{desk.seed} load")  # noqa: S311  # chance for a story, not for a secret

    def begin(self) -> None:
        """Say what watches what, when the weekly work is to be done, and what is promised of requests."""
        desk = self._desk
        for id, (category, tool, services) in WATCHING.items():
            desk.record(
                MANAGER,
                OPERATIONS,
                monitor.register,
                id,
                category=category,
                tool=tool,
                check="series" if id == "host-1" else "metrics",
                services=services,
                locations=(),
                silent_after_s=None if id == "host-1" else WEEK_S,
            )
        desk.record(
            MANAGER,
            OPERATIONS,
            batch.define,
            "weekly-index",
            service_id="documents",
            zone="America/New_York",
            weekdays=("sun",),
            opens="22:00",
            closes="02:00",
            proposed_by=MANAGER,
            approved_by=CTO,
        )
        desk.record(
            MANAGER,
            OPERATIONS,
            slo.publish,
            "api-requests",
            service_id="api",
            objective="requests",
            series_id="api-requests",
            target_pct=Decimal("99.5"),
            latency=(slo.LatencyBound(share_pct=Decimal(95), below_us=150_000),),
            proposed_by=MANAGER,
            approved_by=CTO,
        )

    def plan(self, day: datetime) -> None:
        """Let the load of a day be tried, and the weekly work be done."""
        number = day.timetuple().tm_yday
        if number in TESTS:
            self._desk.begin(day + timedelta(hours=8), self._try(f"LT-{number:03d}", *TESTS[number]))
        if day.weekday() == 6 and (week := _week(day)) != NEVER:
            opens = datetime(day.year, day.month, day.day, 22, tzinfo=EASTERN)
            self._desk.begin(opens.astimezone(day.tzinfo), self._index(f"{day:%Y-%m-%d}", week))

    def count(self, day: datetime) -> None:
        """At the end of a day the probes' monitor is heard; at the end of a Monday so are the others, and what they counted comes in."""
        desk, week = self._desk, _week(day)
        desk.record("monitor:external", "monitoring", monitor.hear, "external")
        if day.weekday() == 0:
            desk.record("monitor:dashboards", "monitoring", monitor.hear, "dashboards")
            desk.record("monitor:prometheus", "monitoring", monitor.hear, "prometheus")
            if week not in SILENT:
                desk.record("monitor:siem", "monitoring", monitor.hear, "siem")
            desk.commit()
            desk.ledger.by("prometheus", role="monitoring", at=desk.now).observe([self._users(day)], source="prometheus")
            desk.ledger.by("host-2", role="monitoring", at=desk.now).observe([self._uploads(day, week)], source="host-2")

    def _try(self, id: str, offered: int, served: int) -> Life:
        began = self._desk.now
        yield 5400
        self._desk.record(
            ENGINEERS[2],
            OPERATIONS,
            load_test.complete,
            id,
            service_id="api",
            quantity="requests_per_minute",
            started_at=began,
            offered=offered,
            served=served,
            tool="k6",
        )

    def _index(self, name: str, week: int) -> Life:
        random = self._random
        yield random.uniform(60, 1200)
        began = self._desk.now
        yield 5.2 * 3600 if week == LATE else random.uniform(3600, 9000)
        self._done(name, began, outcome="failed" if week == TWICE else "succeeded")
        if week == TWICE:
            yield 7 * 3600
            began = self._desk.now
            yield 5400
            self._done(f"{name} again", began, outcome="succeeded")

    def _done(self, run_id: str, began: datetime, *, outcome: batch.Outcome) -> None:
        items: Any = self._random.randrange(2000, 6000)
        self._desk.record(
            "scheduler", "automation", batch.complete, "weekly-index", run_id=run_id, started_at=began, outcome=outcome, items=items
        )

    def _users(self, day: datetime) -> Taken:
        start = day + timedelta(hours=14)
        users = gauge(
            "users",
            service_id="web",
            kind="web",
            source="prometheus",
            started_at=start,
            ended_at=start + timedelta(hours=1),
            concurrent_peak=self._random.randrange(60, 120),
        )
        return taken(users)

    def _uploads(self, day: datetime, week: int) -> Taken:
        """Return the uploads of the week's busiest hour."""
        now = day + timedelta(hours=14)
        counted = Accumulator(
            "uploads", service_id="documents", kind="documents", source="host-2", below_us=(10_000_000,), clock=lambda: now
        )
        for _ in range(self._random.randrange(20, 40)):
            counted.add(round(2_500_000 * self._random.lognormvariate(0, 0.6)))
        counted.observe_backlog(14 if week == BURIED else 0)
        now += timedelta(hours=1)
        return counted.flush()


def _week(day: datetime) -> int:
    return day.isocalendar().week
