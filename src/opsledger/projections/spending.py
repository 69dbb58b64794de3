"""What is counted against the budgets of a service: windows of its requests, by day. No table of its own.

A measure is what an objective asks of requests: `errors`, that they do not fail, or `below_150000_us`, that they are strictly quicker.
Requests of windows that do not have a bound as an edge are not judged by it; how many they are is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from opsledger.domain.measurement import WindowRecorded, WindowWithdrawn
from opsledger.domain.recorded import Recorded
from opsledger.policies.burning import Point, Rule, Turn, of_requests
from opsledger.policies.instants import DAY_S, SECOND, micros

__all__ = ["Counted", "Measure", "Spent", "burnt", "fold", "start"]

_DAY = DAY_S * SECOND

Measure = int | None
"""At most so many microseconds; None: it did not fail."""


class _Window(NamedTuple):
    """One window. `edges` are (at most so many microseconds, how many)."""

    revision: int
    position: int
    ended: int
    total: int
    errors: int
    edges: tuple[tuple[int, int], ...]


class Spent(NamedTuple):
    """Requests that were judged, those of them that were bad, and those that could not be judged."""

    total: int = 0
    bad: int = 0
    unjudged: int = 0

    def plus(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(self.total + other.total, self.bad + other.bad, self.unjudged + other.unjudged)


@dataclass(slots=True)
class Counted:
    """The windows of a series that start on one UTC day. `begin` is its midnight; what is worked out is kept until a fact comes."""

    series_id: str
    begin: int
    services: tuple[str, ...] = ()
    windows: dict[tuple[int, str], _Window] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)  # positions of windows
    facts: int = 0
    last_position: int = 0
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """When the next day begins."""
        return self.begin + _DAY

    @property
    def newest(self) -> int:
        """When the last window ends; 0 where none counts."""
        if "newest" not in self.kept:
            self.kept["newest"] = max((window.ended for _, window in self._counting()), default=0)
        found: int = self.kept["newest"]
        return found

    def spent(self, measure: Measure, begin: int, end: int) -> Spent:
        """Return what the windows that start in [begin, end) come to."""
        whole = begin <= self.begin and self.end <= end
        if whole and ("spent", measure) in self.kept:
            found: Spent = self.kept["spent", measure]
            return found
        found = Spent()
        for started, window in self._counting():
            if begin <= started < end:
                bad = _bad(window, measure)
                found = found.plus(Spent(0, 0, window.total) if bad is None else Spent(window.total, bad))
        if whole:
            self.kept["spent", measure] = found
        return found

    def points(self, measure: Measure) -> list[Point]:
        """Return what was judged, by the ends of windows, in order."""
        if ("points", measure) not in self.kept:
            judged = ((window, _bad(window, measure)) for _, window in self._counting())
            self.kept["points", measure] = sorted(Point(window.ended, window.total, bad) for window, bad in judged if bad is not None)
        found: list[Point] = self.kept["points", measure]
        return found

    def _counting(self) -> Iterator[tuple[int, _Window]]:
        return ((started, window) for (started, _), window in self.windows.items() if window.position not in self.withdrawn)


def start(stream: str) -> Counted:
    """Return a day before its first fact; `stream` is `measurement:api-requests/2026-03-14`."""
    series_id, _, name = stream.partition(":")[2].rpartition("/")
    return Counted(series_id, (date.fromisoformat(name).toordinal() - date(1970, 1, 1).toordinal()) * _DAY)


def fold(state: Counted, recorded: Recorded) -> Counted:
    """Return the day after one fact more, in any order: of windows with one start and source the highest revision counts."""
    event = recorded.fact
    state.facts += 1
    state.last_position = max(state.last_position, recorded.position)
    state.kept.clear()
    if isinstance(event, WindowWithdrawn):
        state.withdrawn.add(event.withdraws)
    elif isinstance(event, WindowRecorded):
        edges = tuple((edge.at_most_us, edge.count) for edge in event.edges)
        window = _Window(event.revision, recorded.position, micros(event.ended_at), event.total, event.errors, edges)
        key = (micros(event.started_at), event.source)
        if (known := state.windows.get(key)) is None or known < window:
            state.windows[key] = window
        if event.service_id not in state.services:
            state.services = tuple(sorted({*state.services, event.service_id}))
    return state


def burnt(days: Sequence[Counted], measure: Measure, rule: Rule) -> Iterator[Turn]:
    """Yield where a rule turns, day by day; `days` are those of one series, in order. A day whose windows have not changed is kept."""
    by_day = {day.begin: day for day in days}
    reach = -(-rule.long // _DAY)
    for begin in sorted({begin for day in days for begin in (day.begin, day.end)}):
        around = [by_day.get(begin + off * _DAY) for off in range(-reach - 1, 1)]
        home = around[-1] or around[-2]
        if home is None:
            continue
        key = (begin, measure, rule)
        marks = tuple(None if day is None else (day.facts, day.last_position) for day in around)
        kept = home.kept.get(key)
        if kept is None or kept[0] != marks:
            known = sorted(point for day in around if day is not None for point in day.points(measure))
            before = [point for point in known if point.at <= begin]
            points = [point for point in known if begin < point.at <= begin + _DAY]
            kept = home.kept[key] = (marks, of_requests(before, points, rule))
        yield from kept[1]


def _bad(window: _Window, measure: Measure) -> int | None:
    """Return how many requests were bad; None where the window does not say."""
    if measure is None:
        return window.errors
    within: Mapping[int, int] = dict(window.edges)
    if measure in within:
        return window.total - within[measure]
    return None if window.total else 0
