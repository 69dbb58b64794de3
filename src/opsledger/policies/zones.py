"""Local time from the tz database of the installed `tzdata` wheel, never from the machine's own.

Two machines may hold different system databases; the wheel is pinned, and its version is recorded wherever local hours
are turned into instants. A zone is reduced to the offsets that held over a span, as plain numbers that a fact can carry:
reading a fact never asks a tz database again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

from opsledger.errors import BadInput
from opsledger.policies.instants import DAY_S
from opsledger.policies.intervals import Interval, union

__all__ = ["VERSION", "LocalTime", "local_time"]

VERSION: Final = str(tzdata.IANA_VERSION)
_FOREVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The offsets from UTC, in seconds, that hold from each start on (seconds since the epoch; the first holds before, too)."""

    starts: tuple[int, ...]
    offsets: tuple[int, ...]

    def read(self, second: int) -> int:
        """Return what a local clock reads at a UTC second, as seconds since 1970-01-01T00:00 local."""
        return second + self._offset(second)

    def _offset(self, second: int) -> int:
        return self.offsets[max(0, bisect_right(self.starts, second) - 1)]

    def first(self, reading: int) -> int:
        """Return the first UTC second at which the local clock reads `reading` or later.

        In a gap that is the transition itself; in a fold the first of the two occurrences.
        """
        # Offsets lie within a day or so of each other, so only the regimes around the reading can answer.
        index = max(0, bisect_right(self.starts, reading - 2 * DAY_S) - 1)
        for i in range(index, len(self.starts)):
            begin = self.starts[i] if i else -_FOREVER
            end = self.starts[i + 1] if i + 1 < len(self.starts) else _FOREVER
            candidate = max(begin, reading - self.offsets[i])
            if candidate < end:
                return candidate
        raise AssertionError("the last offset holds for ever")

    def within(self, low: int, high: int) -> list[Interval]:
        """Return the UTC seconds at which the local clock reads in [low, high): none in a gap, two spans where a fold parts them."""
        spans = self.stretches(low - 2 * DAY_S, high + 2 * DAY_S)
        return union((max(begin, low - self._offset(begin)), min(end, high - self._offset(begin))) for begin, end in spans)

    def stretches(self, begin: int, end: int) -> list[Interval]:
        """Return [begin, end) cut where the offset changes."""
        cuts = self.starts[bisect_right(self.starts, begin) : bisect_left(self.starts, end)]
        return list(pairwise((begin, *cuts, end)))

    def between(self, begin: int, end: int) -> LocalTime:
        """Return the offsets that hold in [begin, end)."""
        low = max(0, bisect_right(self.starts, begin) - 1)
        high = max(low + 1, bisect_right(self.starts, end - 1))
        return LocalTime(starts=(begin, *self.starts[low + 1 : high]), offsets=self.offsets[low:high])


@lru_cache(maxsize=64)
def local_time(zone: str, begin: int, end: int) -> LocalTime:
    """Return the offsets of an IANA zone over [begin, end), in UTC seconds, exact to the second."""
    where = _load(zone)

    def offset(second: int) -> int:
        found = datetime.fromtimestamp(second, UTC).astimezone(where).utcoffset()
        assert found is not None
        return int(found.total_seconds())

    starts, offsets = [begin], [offset(begin)]
    for day in range(begin, end, DAY_S):
        low, high = day, min(day + DAY_S, end)
        if offset(high) == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        starts.append(high)
        offsets.append(offset(high))
    return LocalTime(tuple(starts), tuple(offsets))


@lru_cache(maxsize=128)
def _load(zone: str) -> ZoneInfo:
    """Return a zone of the pinned wheel. The name is checked part by part: it must not walk out of the wheel."""
    place = files("tzdata") / "zoneinfo"
    for part in zone.split("/"):
        if not part or part.startswith(".") or "\\" in part:
            raise _unknown(zone)
        place = place / part
    try:
        with place.open("rb") as file:
            return ZoneInfo.from_file(file, key=zone)
    except (OSError, ValueError):
        raise _unknown(zone) from None


def _unknown(zone: str) -> BadInput:
    return BadInput("zone.unknown", f"The tz database {VERSION} has no zone '{zone}'; name one like America/New_York.")
