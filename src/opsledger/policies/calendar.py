"""Business hours: written by people, compiled to instants, counted in O(log n) whatever the span.

A `CalendarDefinition` is what a person writes: weekly hours in a zone, holidays, dated shifts, breaks. `compile_calendar`
turns it into plain UTC seconds, which is what a fact stores. `BusinessTime` counts on them, in integer microseconds.

Rules, with the cases that decide them in tests/conformance:
- a wall time means the first instant at which the local clock reads at or past it (in a gap the transition, in a fold the
  first occurrence); an interval may run past 24:00 into the next day;
- a holiday closes every instant of that local date, whatever shift it belongs to; shifts replace the weekly hours of their
  date; breaks are taken out of both;
- `weekly: null` means every instant counts, with no wall clock involved.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from opsledger.errors import PolicyError, Uncovered
from opsledger.policies.instants import DAY_S, SECOND, iso
from opsledger.policies.intervals import Interval, union, without
from opsledger.policies.zones import LocalTime, local_time

__all__ = ["FOR_EVER", "BusinessTime", "CalendarDefinition", "Compiled", "compile_calendar", "compose", "difference"]

FOR_EVER: Final = 1 << 62
"""Later than every instant."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH: Final = date(1970, 1, 1)
_TWO_DAYS: Final = 48 * 60


def _minutes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", text)
    minutes = int(found[1]) * 60 + int(found[2]) if found else _TWO_DAYS + 1
    if minutes > _TWO_DAYS:
        raise ValueError(f"'{text}' is not a wall time; write 09:00, or 30:00 for six in the morning of the next day")
    return minutes


def _checked(hours: tuple[str, str]) -> tuple[str, str]:
    if _minutes(hours[0]) >= _minutes(hours[1]):
        raise ValueError(f"{hours[0]} to {hours[1]} does not run forwards; write the end past 24:00 when it lies in the next day")
    return hours


Hours = Annotated[tuple[str, str], AfterValidator(_checked)]


class CalendarDefinition(BaseModel):
    """Business hours as a person writes them. Dates are local to `zone`; hours are half-open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = Field(description="IANA zone in whose wall time the hours are written, for example America/New_York.")
    weekly: dict[Day, tuple[Hours, ...]] | None = Field(
        description="Opening hours by weekday, several a day if wanted; null means that every instant counts (24x7)."
    )
    holidays: tuple[date, ...] = Field(default=(), description="Local dates that are closed from midnight to midnight.")
    shifts: dict[date, tuple[Hours, ...]] = Field(default={}, description="Hours of one date, in place of its weekly hours.")
    breaks: dict[date, tuple[Hours, ...]] = Field(default={}, description="Hours of one date in which nothing counts.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.weekly is None and self.shifts:
            raise ValueError(f"shifts of {min(self.shifts)} replace no weekly hours where weekly is null; write breaks or holidays instead")
        return self


@dataclass(frozen=True, slots=True)
class Compiled:
    """A calendar over [begin, end) in UTC seconds: alternating opening and closing instants, and the offsets of its zone."""

    begin: int
    end: int
    edges: tuple[int, ...]  # open, close, open, close, ...; strictly rising
    local: LocalTime


@lru_cache(maxsize=256)
def _compiled(canonical: str, begin: int, end: int) -> Compiled:
    definition = CalendarDefinition.model_validate_json(canonical)
    local = local_time(definition.zone, begin - 3 * DAY_S, end + 3 * DAY_S)
    spans = [(begin, end)] if definition.weekly is None else _opening(definition, local, begin, end)
    spans = without(spans, _closing(definition, local))
    edges = tuple(edge for low, high in spans for edge in (max(low, begin), min(high, end)) if low < end and high > begin)
    if not edges:
        raise PolicyError("weekly", "the calendar never opens; give it at least one opening hour, or weekly: null for 24x7.")
    return Compiled(begin, end, edges, local.between(begin, end))


def compile_calendar(definition: CalendarDefinition, begin: int, end: int) -> Compiled:
    """Return the calendar over [begin, end), UTC seconds. Refuses a calendar that never opens in that time."""
    return _compiled(definition.model_dump_json(), begin, end)


def _opening(definition: CalendarDefinition, local: LocalTime, begin: int, end: int) -> list[Interval]:
    weekly, spans = definition.weekly or {}, []
    first = local.read(begin) // DAY_S - 2
    last = local.read(end) // DAY_S + 1
    for day in range(first, last + 1):
        hours = definition.shifts.get(_date(day))
        if hours is None:
            hours = weekly.get(_DAYS[(day + 3) % 7], ())  # 1970-01-01 was a Thursday
        spans.extend(_wall(local, day, hours))
    return union(spans)


def _closing(definition: CalendarDefinition, local: LocalTime) -> list[Interval]:
    spans = []
    for holiday in definition.holidays:
        day = (holiday - _EPOCH).days
        spans += local.within(day * DAY_S, (day + 1) * DAY_S)
    for when, hours in definition.breaks.items():
        spans.extend(_wall(local, (when - _EPOCH).days, hours))
    return union(spans)


def _wall(local: LocalTime, day: int, hours: tuple[Hours, ...]) -> list[Interval]:
    return [(local.first(day * DAY_S + _minutes(low) * 60), local.first(day * DAY_S + _minutes(high) * 60)) for low, high in hours]


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


class BusinessTime:
    """Counts on opening hours. Instants and lengths are integer microseconds; every answer costs one or two bisections.

    `w` below is the business time that has run since the calendar begins: elapsed time is a difference of two of them.
    """

    def __init__(self, compiled: Compiled) -> None:
        edges = [edge * SECOND for edge in compiled.edges]
        self._opens, self._closes = edges[0::2], edges[1::2]
        self._before: list[int] = []  # business time run before each opening
        self._through: list[int] = []  # and through each closing
        run = 0
        for opened, closed in zip(self._opens, self._closes, strict=True):
            self._before.append(run)
            run += closed - opened
            self._through.append(run)
        self.begin, self.end = compiled.begin * SECOND, compiled.end * SECOND
        self._compiled = compiled
        self._always = len(self._opens) == 1 and (self._opens[0], self._closes[0]) == (self.begin, self.end)

    def elapsed(self, start: int, stop: int) -> int:
        """Return the business time in [start, stop)."""
        if self._always and self.begin <= start <= stop <= self.end:
            return stop - start
        return self._run(stop) - self._run(start)

    def due(self, start: int, length: int) -> int:
        """Return the earliest instant by which `length` has run since `start`: the closing time when it ends exactly there."""
        return self._due(start, length, self._run(start) + length)

    def breach(self, start: int, length: int) -> int:
        """Return the first instant at or after which more than `length` runs: the next opening when it ends at closing time."""
        return self._breach(start, length, self._run(start) + length)

    def both(self, start: int, length: int) -> tuple[int, int | None]:
        """Return (due, breach) of a length; the breach is None where only it lies beyond the horizon."""
        run = self._run(start) + length
        due = self._due(start, length, run)
        if self._always and due < self.end:
            return due, due
        try:
            return due, self._breach(start, length, run)
        except Uncovered:
            return due, None

    def business_days(self, start: int, days: int, *, end_of_day: bool = False) -> int:
        """Return the instant `days` business days after the clock first opens at or after `start`.

        The same wall time on the n-th following local date that has business hours, rolled forward to an open instant;
        with `end_of_day`, the last closing on that date. Source: reference/sla.md, section 3, "5 business days".
        """
        opened = self.breach(start, 0)
        reading = self._compiled.local.read(opened // SECOND)
        index = bisect_left(self._working_days, reading // DAY_S) + days
        if index >= len(self._working_days):
            raise self._beyond(f"The end of {days} business days", start)
        day = self._working_days[index]
        if end_of_day:
            return self._last_close(day)
        second = self._compiled.local.first(day * DAY_S + reading % DAY_S)
        return self.breach(second * SECOND + opened % SECOND, 0)

    def spans(self, start: int, stop: int) -> list[Interval]:
        """Return the open intervals within [start, stop), in order."""
        self._run(start), self._run(stop)
        first = bisect_right(self._closes, start)
        last = bisect_left(self._opens, stop) if start < stop else first
        return [(max(start, self._opens[i]), min(stop, self._closes[i])) for i in range(first, last)]

    def _due(self, start: int, length: int, run: int) -> int:
        if length == 0:
            return start
        i = bisect_left(self._through, run)
        if i == len(self._through):
            raise self._beyond(f"The end of {length // SECOND} business seconds", start)
        return max(start, self._opens[i] + run - self._before[i])

    def _breach(self, start: int, length: int, run: int) -> int:
        i = bisect_right(self._through, run)
        if i == len(self._through):
            raise self._beyond(f"The end of {length // SECOND} business seconds" if length else "The next opening", start)
        return max(start, self._opens[i] + max(0, run - self._before[i]))

    def open_spans(self) -> list[Interval]:
        """Return all open intervals, in order."""
        return list(zip(self._opens, self._closes, strict=True))

    def _run(self, instant: int) -> int:
        i = bisect_right(self._opens, instant) - 1
        if instant < self.begin or instant > self.end:
            raise Uncovered(
                "calendar.uncovered",
                f"The calendar covers {iso(self.begin)} to {iso(self.end)}, which leaves out {iso(instant)}; "
                "extend it with `opsledger tick`, or publish it from earlier.",
            )
        if i < 0:
            return 0
        return self._before[i] + min(instant, self._closes[i]) - self._opens[i]

    def _last_close(self, day: int) -> int:
        spans = [
            self.spans(max(low * SECOND, self.begin), min(high * SECOND, self.end))
            for low, high in self._compiled.local.within(day * DAY_S, (day + 1) * DAY_S)
        ]
        return max(closed for each in spans for _, closed in each)

    def _beyond(self, what: str, start: int) -> Uncovered:
        return Uncovered(
            "calendar.horizon",
            f"{what} after {iso(start)} lies past {iso(self.end)}, where the calendar's hours end; "
            "extend the calendar with `opsledger tick` or a calendar.extended fact.",
        )

    @cached_property
    def _working_days(self) -> list[int]:
        """Numbers of the local dates that have business hours, rising."""
        local, days = self._compiled.local, set[int]()
        for opened, closed in zip(self._compiled.edges[0::2], self._compiled.edges[1::2], strict=True):
            for low, high in local.stretches(opened, closed):
                days.update(range(local.read(low) // DAY_S, local.read(high - 1) // DAY_S + 1))
        return sorted(days)


def difference(old: BusinessTime, new: BusinessTime) -> Interval | None:
    """Return the first and last instant, in microseconds and half-open, between which two calendars count differently.

    Where one of them ends before the other it ends unknown, not closed, so the difference lasts for ever from there.
    Where their local clocks differ business days do, even if the same instants are open.
    """
    ours, theirs = old.open_spans(), new.open_spans()
    apart = union([*without(ours, theirs), *without(theirs, ours), *_clocks_apart(old, new)])
    if old.end != new.end:
        apart = union([*apart, (min(old.end, new.end), FOR_EVER)])
    return (apart[0][0], apart[-1][1]) if apart else None


def _clocks_apart(old: BusinessTime, new: BusinessTime) -> list[Interval]:
    begin, end = max(old.begin, new.begin) // SECOND, min(old.end, new.end) // SECOND
    ours, theirs = old._compiled.local, new._compiled.local
    cuts = sorted({begin, end, *(start for start in (*ours.starts, *theirs.starts) if begin < start < end)})
    return [(low * SECOND, high * SECOND) for low, high in pairwise(cuts) if ours.read(low) != theirs.read(low)]


def compose(parts: list[tuple[int, Compiled]]) -> Compiled:
    """Return one calendar in which each instant counts by the part in force: (effective from, calendar), rising in time.

    A later part governs from its own start on; the first one also answers for the time before it is effective.
    """
    begin, end = parts[0][1].begin, parts[-1][1].end
    edges: list[int] = []
    starts: list[int] = []
    offsets: list[int] = []
    for i, (effective, part) in enumerate(parts):
        low = begin if i == 0 else max(effective, part.begin)
        high = min(parts[i + 1][0], part.end) if i + 1 < len(parts) else end
        for opened, closed in zip(part.edges[0::2], part.edges[1::2], strict=True):
            opened, closed = max(opened, low), min(closed, high)
            if opened >= closed:
                continue
            if edges and edges[-1] == opened:
                edges[-1] = closed
            else:
                edges += [opened, closed]
        if low < high:
            held = part.local.between(low, high)
            starts += held.starts
            offsets += held.offsets
    return Compiled(begin, end, tuple(edges), LocalTime(tuple(starts), tuple(offsets)))
