"""What is counted against the budgets of a service: windows of its requests, by day. No table of its own.

A measure is what an objective asks of requests: `errors`, that they do not fail, or `below_150000_us`, that they are strictly quicker.
Requests of windows that do not have a bound as an edge are not judged by it; how many they are is said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from opsledger.domain.measurement import WindowRecorded, WindowWithdrawn
from opsledger.domain.recorded import Recorded
from opsledger.policies.burning import Point, Rule, Turn, of_requests
from opsledger.policies.instants import DAY_S, SECOND, micros

__all__ = ["Counted", "Judged", "Measure", "Spent", "Stream", "burnt", "days_of", "fold", "start"]

_DAY = DAY_S * SECOND

_at = attrgetter("at")

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


class Judged(NamedTuple):
    """A window as a measure judges it. `position` is that of its fact."""

    started: int
    ended: int
    total: int
    bad: int
    position: int


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
    withdrawn: set[int]
    windows: dict[tuple[int, str], _Window] = field(default_factory=dict)
    facts: int = 0
    last_position: int = 0
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """When the next day begins."""
        return self.begin + _DAY

    def hear(self, position: int) -> None:
        """Count a fact that says something of the day."""
        self.facts += 1
        self.last_position = max(self.last_position, position)
        self.kept.clear()

    def add(self, key: tuple[int, str], window: _Window) -> None:
        """Add a window, unless a higher revision of it is there."""
        known = self.windows.get(key)
        if known is None or known < window:
            self.windows[key] = window

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

    def judged(self, measure: Measure) -> Iterator[Judged]:
        """Yield the windows that count and have the bound, each with what was bad of it."""
        for started, window in self._counting():
            if (bad := _bad(window, measure)) is not None:
                yield Judged(started, window.ended, window.total, bad, window.position)

    def _counting(self) -> Iterator[tuple[int, _Window]]:
        return ((started, window) for (started, _), window in self.windows.items() if window.position not in self.withdrawn)


@dataclass(slots=True)
class Stream:
    """The days of one stream, by series and midnight: one day of one series, where windows stand where `stream_of` puts them."""

    days: dict[tuple[str, int], Counted] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)  # positions of windows; shared by the days
    services: tuple[str, ...] = ()


def start(stream: str) -> Stream:
    """Return a stream before its first fact."""
    return Stream()


def fold(stream: Stream, recorded: Recorded) -> Stream:
    """Return the stream after one fact more, in any order: of windows with one start and source the highest revision counts."""
    event = recorded.fact
    if isinstance(event, WindowWithdrawn):
        stream.withdrawn.add(event.withdraws)
        for day in stream.days.values():
            day.hear(recorded.position)
    elif isinstance(event, WindowRecorded):
        started = micros(event.started_at)
        begin = started // _DAY * _DAY
        held = stream.days.get((event.series_id, begin))
        if held is None:
            held = stream.days[event.series_id, begin] = Counted(event.series_id, begin, stream.withdrawn)
        held.hear(recorded.position)
        edges = tuple((edge.at_most_us, edge.count) for edge in event.edges)
        held.add(
            (started, event.source), _Window(event.revision, recorded.position, micros(event.ended_at), event.total, event.errors, edges)
        )
        if event.service_id not in stream.services:
            stream.services = tuple(sorted({*stream.services, event.service_id}))
    return stream


def days_of(streams: Iterable[Stream]) -> list[Counted]:
    """Return the days of all series in order. Those that several streams tell of are put together."""
    found: dict[tuple[int, str], Counted] = {}
    for stream in streams:
        for (series_id, begin), day in stream.days.items():
            known = found.get((begin, series_id))
            found[begin, series_id] = day if known is None else _together(known, day)
    return [day for _, day in sorted(found.items(), key=lambda each: each[0])]


def _together(one: Counted, other: Counted) -> Counted:
    last_position = max(one.last_position, other.last_position)
    both = Counted(one.series_id, one.begin, one.withdrawn | other.withdrawn, {**one.windows}, one.facts + other.facts, last_position)
    for key, window in other.windows.items():
        both.add(key, window)
    return both


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
            first, here, last = (bisect_right(known, at, key=_at) for at in (begin - rule.long, begin, begin + _DAY))
            kept = home.kept[key] = (marks, of_requests(known[first:here], known[here:last], rule))
        yield from kept[1]


def _bad(window: _Window, measure: Measure) -> int | None:
    """Return how many requests were bad; None where the window does not say."""
    if measure is None:
        return window.errors
    within: Mapping[int, int] = dict(window.edges)
    if measure in within:
        return window.total - within[measure]
    return None if window.total else 0
