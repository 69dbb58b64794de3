"""Calendar months of a zone, by the instants at which they begin: a month of New York may have 743 or 721 hours.

Decisions keep the beginnings in their facts, so that no table asks a tz database for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from opsledger.errors import BadInput
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.zones import local_time

__all__ = ["Month", "Months", "months"]

_YEARS: Final = (2000, 2051)


class Month(NamedTuple):
    """A calendar month, for example 2026-03. `start` is part of it and `stop` is not; microseconds."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Months:
    """Months one after the other: the name of the first, and when each begins, in UTC seconds; one more than there are months."""

    zone: str
    first: str
    starts: tuple[int, ...]

    def named(self, name: str) -> Month:
        """Return a month by its name."""
        try:
            year, month = (int(part) for part in name.split("-"))
        except ValueError:
            raise BadInput("month.malformed", f"'{name}' is not a month; write it like 2026-03.") from None
        place = year * 12 + month - 1 - self._before()
        if not (1 <= month <= 12 and 0 <= place < len(self.starts) - 1):
            raise BadInput("month.unknown", f"The months of {self.zone} are known from {self.first} to {self._name(len(self.starts) - 2)}.")
        return self._at(place)

    def between(self, start: int, stop: int) -> Iterator[Month]:
        """Yield the months that have time in [start, stop), in microseconds."""
        place = max(0, bisect_right(self.starts, start // SECOND) - 1)
        while place < len(self.starts) - 1 and self.starts[place] * SECOND < stop:
            yield self._at(place)
            place += 1

    def _at(self, place: int) -> Month:
        return Month(self._name(place), self.starts[place] * SECOND, self.starts[place + 1] * SECOND)

    def _name(self, place: int) -> str:
        year, month = divmod(self._before() + place, 12)
        return f"{year:04d}-{month + 1:02d}"

    def _before(self) -> int:
        year, month = self.first.split("-")
        return int(year) * 12 + int(month) - 1


@lru_cache(maxsize=64)
def months(zone: str) -> Months:
    """Return the months of an IANA zone from 2000 to 2050, by the tz database of the program."""
    edges = [datetime(year, month, 1, tzinfo=UTC) for year in range(*_YEARS) for month in range(1, 13)]
    readings = [int(edge.timestamp()) for edge in [*edges, datetime(_YEARS[1], 1, 1, tzinfo=UTC)]]
    local = local_time(zone, readings[0] - 2 * DAY_S, readings[-1] + 2 * DAY_S)
    return Months(zone, f"{_YEARS[0]}-01", tuple(map(local.first, readings)))
