"""Billing periods: each begins a whole number of intervals after the ORIGINAL anchor, in the local time of a zone.

A month after 31 January is 28 February and two months after it is 31 March: each boundary is counted from the anchor, never from
the one before it, which would stay at 28 for good. Periods are half-open and follow each other without a gap.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

from opsledger.errors import BadInput
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.zones import LocalTime, local_time

__all__ = ["UNITS", "Anchor", "Interval", "Period", "Stub", "Unit", "boundary", "offsets", "stubs"]

Unit = Literal["day", "week", "month", "year"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SPAN_S: Final = (-5 * 366 * DAY_S, 81 * 366 * DAY_S)  # offsets of a zone are known from 1965 to 2050; after that the last one holds
_A_YEAR: Final = {"day": 365, "week": 52, "month": 12, "year": 1}
_SHORTEST_DAYS: Final = {"day": 1, "week": 7, "month": 28, "year": 365}


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a billing period is: three months are a quarter, thirty days are no month."""

    unit: Unit
    count: int = 1

    @property
    def months(self) -> int | None:
        """How many months it has; None where it is counted in days."""
        return {"month": self.count, "year": 12 * self.count}.get(self.unit)

    @property
    def in_a_month(self) -> Fraction:
        """How many of it an average month has, exactly: a week 52/12, four weeks 13/12, a quarter 1/3, a year 1/12, a day 365/12."""
        return Fraction(_A_YEAR[self.unit], 12 * self.count)


class Period(NamedTuple):
    """A billing period [start, stop), in microseconds. `number` counts from 0 at the anchor; before it, numbers are negative."""

    number: int
    start: int
    stop: int


class Stub(NamedTuple):
    """Dates of service [start, stop) and the whole period [period_start, period_stop) that they lie in."""

    start: date
    stop: date
    period_start: date
    period_stop: date


def boundary(anchor: date, interval: Interval, number: int) -> date:
    """Return the date `number` intervals after the anchor: the same day of the month, or the month's last where it has none."""
    if interval.count < 1:
        raise BadInput("billing.interval", f"An interval of {interval.count} {interval.unit}s has no length; give 1 or more.")
    months = interval.months
    if months is None:
        return anchor + timedelta(days=number * interval.count * (7 if interval.unit == "week" else 1))
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + number * months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class Anchor:
    """The instant, in microseconds, from which periods are counted, and the IANA zone in whose days and hours."""

    at: int
    zone: str
    interval: Interval

    def period(self, number: int) -> Period:
        """Return the period of a number."""
        return Period(number, self._boundary(number), self._boundary(number + 1))

    def containing(self, at: int) -> Period:
        """Return the period in which an instant lies; a boundary belongs to the period that it begins."""
        number = (at - self.at) // (SECOND * DAY_S * _SHORTEST_DAYS[self.interval.unit] * self.interval.count)
        step = -1 if self._boundary(number) > at else 1
        while not self._boundary(number) <= at < self._boundary(number + 1):
            number += step
        return self.period(number)

    def _boundary(self, number: int) -> int:
        if number == 0:
            return self.at  # the anchor itself, also where the clocks read its hour twice
        local = offsets(self.zone)
        day, second = divmod(local.read(self.at // SECOND), DAY_S)
        last = boundary(date.fromordinal(_EPOCH + day), self.interval, number).toordinal() - _EPOCH
        return local.first(last * DAY_S + second) * SECOND + self.at % SECOND


def stubs(start: date, stop: date, bill_day: int) -> list[Stub]:
    """Return service over [start, stop) cut at the bill day of each month, each part with the whole month that it lies in."""
    if not 1 <= bill_day <= 31:
        raise BadInput("billing.day", f"Day {bill_day} is in no month; give one from 1 to 31.")
    anchor, month = date(start.year - 1, 12, bill_day), Interval("month")
    number, found = 0, []
    while (low := boundary(anchor, month, number)) < stop:
        high = boundary(anchor, month, number + 1)
        if high > start:
            found.append(Stub(max(low, start), min(high, stop), low, high))
        number += 1
    return found


@lru_cache(maxsize=64)
def offsets(zone: str) -> LocalTime:
    """Return the offsets of an IANA zone for all years in which something is billed. Raises BadInput where there is no such zone."""
    return local_time(zone, *_SPAN_S)
