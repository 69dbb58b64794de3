"""A year of changes: releases, patches and emergencies; one in a freeze, one that nobody approved, some that failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from opsledger.domain import change, freeze
from opsledger.example.simulation import Desk, Life
from opsledger.policies.change_control import Booking, FreezeWindow
from opsledger.policies.instants import at, micros

__all__ = ["CTO", "ENGINEERS", "MANAGER", "Calendar", "mend"]

ENGINEERS: Final = ("u-hal", "u-ida", "u-jon", "u-kim")
MANAGER, CTO, STAKEHOLDER = "u-lea", "u-max", "u-nia"
ITEMS: Final = ("ci-api", "ci-database", "ci-documents", "ci-gateway", "ci-web")
FREEZE: Final = (at("2025-12-20T00:00:00Z"), at("2026-01-02T00:00:00Z"))
TITLES: Final[dict[change.Category, tuple[str, ...]]] = {
    "standard": ("Release of the month", "New settings for the queue", "Larger machines"),
    "normal": ("Patches of the week", "Newer version of the log viewer"),
    "emergency": ("Fix of a hole in a library", "Roll back the index"),
}


class Calendar:
    """What is planned when, as a host keeps it to look for conflicts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._booked: dict[str, Booking] = {}
        self._number = 0

    def declare_freeze(self) -> None:
        """Say that nothing is changed over the holidays."""
        self._desk.record(
            MANAGER,
            "operations manager",
            freeze.declare,
            "holidays",
            starts_at=FREEZE[0],
            ends_at=FREEZE[1],
            reason="Nobody is here to help.",
        )

    def plan(self, day: datetime) -> None:
        """Let some changes be asked for on a day; one of the year's 300th day is made without asking."""
        random, number = self._desk.random, day.timetuple().tm_yday
        for category, chance in (("standard", 0.16), ("normal", 0.2), ("emergency", 0.03)):
            if random.random() < chance:
                self._begin(day + timedelta(seconds=random.randrange(30_000, 60_000)), category)  # type: ignore[arg-type]  # one of the three
        if number == 300:
            self._desk.begin(day + timedelta(hours=11), self._unasked())

    def _begin(self, when: datetime, category: change.Category) -> None:
        self._number += 1
        self._desk.begin(when, self._life(f"CHG-{self._number:04d}", category))

    def _life(self, id: str, category: change.Category) -> Life:
        desk, random = self._desk, self._desk.random
        asking, doing = random.sample(ENGINEERS, 2)
        items = tuple(random.sample(ITEMS, random.choice((1, 1, 2))))
        desk.record(asking, "engineer", change.request, id, category=category, title=random.choice(TITLES[category]), ci_ids=items)
        if category == "emergency":
            yield from self._at_once(id, doing)
        else:
            yield from self._planned(id, category, doing, items)
        yield random.uniform(1, 3) * 86_400
        desk.record(MANAGER, "operations manager", change.review, id, achieved=True)
        desk.record(asking, "engineer", change.close, id)

    def _at_once(self, id: str, doing: str) -> Life:
        """Nobody waits for a signature; it follows, most times within its time."""
        desk, random = self._desk, self._desk.random
        before = random.random() < 0.4
        if before:
            desk.record(CTO, "cto", change.approve, id)
        yield random.uniform(600, 3600)
        desk.record(doing, "engineer", change.start, id, already_happened=not before)
        yield random.uniform(900, 5400)
        desk.record(doing, "engineer", change.complete, id, outcome="successful")
        desk.record(doing, "engineer", change.verify, id, holds=True)
        if not before:
            yield random.choice((0.5, 0.5, 1, 2, 5)) * 86_400
            desk.record(CTO, "cto", change.approve, id)

    def _planned(self, id: str, category: change.Category, doing: str, items: tuple[str, ...]) -> Life:
        desk, random = self._desk, self._desk.random
        yield random.uniform(3600, 30_000)
        if category == "standard":
            risk: Any = random.choices(("low", "moderate", "high"), weights=(5, 3, 1))[0]
            desk.record(doing, "engineer", change.assess, id, impact="moderate", risk=risk, backout_planned=True, tested=True)
            if random.random() < 0.08:
                desk.record(MANAGER, "operations manager", change.reject, id, reason="Not before the audit.")
                return
            desk.record(MANAGER, "operations manager", change.approve, id)
            desk.record(STAKEHOLDER, "product owner", change.sign_off, id)
        starts = desk.now.replace(minute=0, second=0) + timedelta(days=random.choice((1, 2, 3)), hours=random.randrange(12))
        self._schedule(id, items, doing, starts, starts + timedelta(hours=2))
        desk.record(doing, "engineer", change.communicate, id, audience="customers", channel="email")
        yield max(60.0, (starts - desk.now).total_seconds())
        desk.record(doing, "engineer", change.start, id)
        yield random.uniform(1200, 7200)
        outcome: Any = random.choices(("successful", "partially", "failed"), weights=(16, 1, 2))[0]
        desk.record(doing, "engineer", change.complete, id, outcome=outcome)
        if outcome == "failed":
            yield random.uniform(300, 2400)
            desk.record(doing, "engineer", change.back_out, id, reason="Errors rose.")
        else:
            desk.record(doing, "engineer", change.verify, id, holds=True)

    def _unasked(self) -> Life:
        """Somebody changed something and said so afterwards."""
        desk, id = self._desk, "CHG-9001"
        desk.record(ENGINEERS[0], "engineer", change.request, id, category="standard", title="Another cache", ci_ids=(ITEMS[0],))
        desk.record(ENGINEERS[0], "engineer", change.start, id, already_happened=True, reason="It was urgent, I thought.")
        yield 1800
        desk.record(ENGINEERS[0], "engineer", change.complete, id, outcome="successful")

    def _schedule(self, id: str, items: tuple[str, ...], doing: str, starts: datetime, ends: datetime) -> None:
        """Plan a window; what a freeze forbids is planned for the day after it."""
        desk = self._desk
        if starts < FREEZE[1] and ends > FREEZE[0]:
            ends, starts = FREEZE[1] + (ends - starts), FREEZE[1]
        freezes = [FreezeWindow("holidays", micros(FREEZE[0]), micros(FREEZE[1]))]
        others = [each for each in self._booked.values() if each.end > micros(desk.now)]
        desk.record(
            doing, "engineer", change.schedule, id, starts_at=starts, ends_at=ends, others=others, freezes=freezes, assignee_id=doing
        )
        self._booked[id] = Booking(id, micros(starts), micros(ends), items, doing)


def mend(desk: Desk, number: int, incident_id: str, when: datetime) -> None:
    """Let an emergency change mend what an incident broke."""

    def life() -> Life:
        id = f"CHG-8{number:03d}"
        desk.record("u-hal", "engineer", change.request, id, category="emergency", title="Put it right", incident_id=incident_id)
        desk.record(CTO, "cto", change.approve, id)
        yield 300
        desk.record("u-ida", "engineer", change.start, id)
        yield 1200
        desk.record("u-ida", "engineer", change.complete, id, outcome="successful")

    desk.begin(when, life())
