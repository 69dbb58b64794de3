"""Business hours, walked step by step: what the calendars are compared with.

The only thing that is known here is what a local clock reads at a UTC second. An instant is open when the clock has reached
an opening and not yet its closing, "reached" meaning that it has read that time or a later one. Nothing is shared with
the product but the definition as a person writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.resources import files
from math import gcd
from zoneinfo import ZoneInfo

from opsledger.policies.calendar import CalendarDefinition

DAY = 86_400
SECOND = 1_000_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def local_clock(zone: str) -> Callable[[int], int]:
    """Return a function from a UTC second to what the local clock reads, in seconds since 1970-01-01T00:00 local."""
    place = files("tzdata").joinpath("zoneinfo", *zone.split("/"))
    with place.open("rb") as file:
        where = ZoneInfo.from_file(file, key=zone)

    def read(second: int) -> int:
        offset = datetime.fromtimestamp(second, UTC).astimezone(where).utcoffset()
        assert offset is not None
        return second + round(offset.total_seconds())

    return read


class Walk:
    """A calendar over [begin, end), in steps that no opening, closing or change of the clock falls into."""

    def __init__(self, definition: CalendarDefinition, begin: int, end: int, *, grain: int, before: int = 3 * DAY) -> None:
        read = local_clock(definition.zone)
        self.begin, self.end = begin, end
        self.step = gcd(grain * 60, begin, *grid(read, begin - before, end))
        self.steps: list[tuple[int, int, bool]] = []  # second, reading, open
        reached = read(begin - before)
        for second in range(begin - before, end, self.step):
            reading = read(second)
            reached = max(reached, reading)
            if second >= begin:
                self.steps.append((second, reading, is_open(definition, reading, reached)))

    def elapsed(self, start: int, stop: int) -> int:
        """Return the open microseconds in [start, stop)."""
        return sum(max(0, min(stop, high) - max(start, low)) for low, high in self._open)

    def due(self, start: int, length: int) -> int | None:
        """Return the first instant by which `length` has run since `start`."""
        if length == 0:
            return start
        for low, high in self._open:
            here = max(0, high - max(start, low))
            if here >= length:
                return max(start, low) + length
            length -= here
        return None

    def breach(self, start: int, length: int) -> int | None:
        """Return the first instant at or after which one more microsecond runs."""
        due = self.due(start, length + 1)
        return None if due is None else due - 1

    def business_days(self, start: int, days: int, *, end_of_day: bool) -> int | None:
        """Return the same wall time on the n-th following date with an open instant, moved on to an open instant."""
        opened = self.breach(start, 0)
        if opened is None:
            return None
        dates = sorted({reading // DAY for _, reading, is_open in self.steps if is_open})
        reading = self._reading(opened)
        wanted = dates.index(reading // (DAY * SECOND)) + days
        if wanted >= len(dates):
            return None
        day = dates[wanted]
        if end_of_day:
            return max((second + self.step) * SECOND for second, reading, is_open in self.steps if is_open and reading // DAY == day)
        first = self._first(day * DAY * SECOND + reading % (DAY * SECOND))
        return None if first is None else self.breach(first, 0)

    @cached_property
    def _open(self) -> list[tuple[int, int]]:
        return [(second * SECOND, (second + self.step) * SECOND) for second, _, is_open in self.steps if is_open]

    def _reading(self, instant: int) -> int:
        second, reading, _ = self.steps[(instant // SECOND - self.begin) // self.step]
        return reading * SECOND + instant - second * SECOND

    def _first(self, wanted: int) -> int | None:
        for second, reading, _ in self.steps:
            if wanted < (reading + self.step) * SECOND:
                return second * SECOND + max(0, wanted - reading * SECOND)
        return None


def grid(read: Callable[[int], int], begin: int, end: int) -> Iterator[int]:
    """Yield the offsets in use over [begin, end) and the seconds at which they change, looking at every hour."""
    for hour in range(begin, end, 3600):
        low, high = hour, min(hour + 3600, end)
        yield read(low) - low
        yield read(high) - high
        if read(low) - low != read(high) - high:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if read(middle) - middle == read(low) - low else (low, middle)
            yield high


def is_open(definition: CalendarDefinition, reading: int, reached: int) -> bool:
    """Return whether a calendar is open where the clock reads `reading` and has read up to `reached`."""
    if reading // DAY in {(day - date(1970, 1, 1)).days for day in definition.holidays}:
        return False
    if definition.weekly is None:
        return not within(definition.breaks, reached)
    today = reached // DAY
    hours = {}
    for day in range(today - 2, today + 1):
        when = date.fromordinal(date(1970, 1, 1).toordinal() + day)
        hours[when] = definition.shifts.get(when, definition.weekly.get(WEEKDAYS[when.weekday()], ()))
    return within(hours, reached) and not within(definition.breaks, reached)


def within(hours: dict[date, tuple[tuple[str, str], ...]], reached: int) -> bool:
    """Return whether some hours have been reached and not passed."""
    for day, spans in hours.items():
        midnight = (day - date(1970, 1, 1)).days * DAY
        for low, high in spans:
            if midnight + seconds(low) <= reached < midnight + seconds(high):
                return True
    return False


def seconds(wall: str) -> int:
    """Return a wall time in seconds since midnight."""
    hour, minute = wall.split(":")
    return int(hour) * 3600 + int(minute) * 60
