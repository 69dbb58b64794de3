"""What was known of policies and calendars at each position, and which instants each calendar fact made count differently."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from opsledger.domain.governance import CONCEPTS, learn
from opsledger.domain.recorded import Recorded
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store
from opsledger.policies.calendar import difference
from opsledger.policies.known import Known
from opsledger.projections.kinds import CalendarChange

__all__ = ["Timeline", "governance", "timeline"]


class Timeline:
    """Everything known, by position. Grows with each fact of a policy or a calendar."""

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._known: list[Known] = [Known()]
        self.changes: list[CalendarChange] = []

    def learn(self, recorded: Recorded) -> CalendarChange | None:
        """Take one more fact; return what it changes for clocks, if it changes instants that counted before."""
        before, after = self._known[-1], learn(self._known[-1], recorded)
        self._positions.append(recorded.position)
        self._known.append(after)
        if recorded.concept != "calendar" or recorded.id not in before.calendars():
            return None
        apart = difference(before.calendar(recorded.id), after.calendar(recorded.id))
        if apart is None:
            return None
        change = CalendarChange(recorded.position, recorded.id, *apart, after)
        self.changes.append(change)
        return change

    def known_at(self, position: int) -> Known:
        """Return what was known when the fact at `position` was recorded."""
        if not self._positions or position > self._positions[-1]:
            return self._known[-1]
        return self._known[bisect_left(self._positions, position)]

    def changes_in(self, after: int, until: int) -> list[CalendarChange]:
        """Return the changes at positions in (after, until]."""
        return [change for change in self.changes if after < change.position <= until]


def timeline(store: Store, until: int) -> Timeline:
    """Return what was known at each position up to `until`."""
    found = Timeline()
    for recorded in governance(store, until):
        found.learn(recorded)
    return found


def governance(store: Store, until: int) -> Iterable[Recorded]:
    """Return the facts of all policies and calendars up to a position, in the order of the ledger."""
    rows = [row for concept in CONCEPTS for row in store.streams(f"{concept}:") if row.position <= until]
    return read_all(sorted(rows, key=lambda row: row.position))
