"""Availability as exact shares of time: error budget, uptime, verdict, planned maintenance, service credit.

Lengths are integers (seconds where a name says so, else any one unit), shares are `Fraction`s, percentages `Decimal`s; nothing is
rounded before it is compared. Intervals are half-open (start, stop) in UTC seconds and are unioned where they overlap: two
monitors, one outage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Literal, NamedTuple

from opsledger.policies.instants import DAY_S
from opsledger.policies.intervals import Interval, overlap, union
from opsledger.policies.timeline import Cells
from opsledger.policies.zones import LocalTime

__all__ = [
    "Measured",
    "Reckoning",
    "Uptime",
    "budget",
    "by_month",
    "credit_pct",
    "excluded_maintenance",
    "in_series",
    "measured",
    "meets",
    "uptime",
]

UnknownTime = Literal["excluded", "up", "down"]


def budget(total_s: int, target_pct: Decimal) -> Fraction:
    """Return the seconds that may be down in a period of `total_s`, for example 2592 of 30 days at 99.9."""
    return total_s * (100 - Fraction(target_pct)) / 100


@dataclass(frozen=True, slots=True)
class Uptime:
    """A period in seconds: `down_s` is what counts as down, `maintenance_s` what was excluded. No share of no time: None."""

    total_s: int
    down_s: int
    maintenance_s: int

    @property
    def excluded_from_both(self) -> Fraction | None:
        """The share that was up when planned maintenance leaves numerator and denominator."""
        measured = self.total_s - self.maintenance_s
        return Fraction(measured - self.down_s, measured) if measured else None

    @property
    def excluded_from_downtime_only(self) -> Fraction | None:
        """The share that was up when planned maintenance counts as up."""
        return Fraction(self.total_s - self.down_s, self.total_s) if self.total_s else None


def uptime(total_s: int, outages: Iterable[Interval], maintenance: Iterable[Interval] = ()) -> Uptime:
    """Return the cells of a period: outages outside planned maintenance count as down, each moment once."""
    down, planned = union(outages), union(maintenance)
    counted = sum(high - low for low, high in down) - overlap(down, planned)
    return Uptime(total_s, counted, sum(high - low for low, high in planned))


def meets(total_s: int, down_s: int, target_pct: Decimal) -> bool:
    """Return whether a period met its target; exactly on the target is met."""
    return down_s <= budget(total_s, target_pct)


@dataclass(frozen=True, slots=True)
class Measured:
    """What of a period is measured, and what of that counts as down, in any unit of time. No share of no time: None."""

    total: int
    down: Fraction

    @property
    def share(self) -> Fraction | None:
        """The share that was up."""
        return 1 - self.down / self.total if self.total else None

    def budget(self, target_pct: Decimal) -> Fraction:
        """What may be down of it."""
        return budget(self.total, target_pct)

    def met(self, target_pct: Decimal) -> bool | None:
        """Whether the target is met; exactly on the target is met. None: nothing is measured."""
        return self.down <= self.budget(target_pct) if self.total else None


class Reckoning(NamedTuple):
    """A period by either denominator."""

    removed: Measured  # maintenance leaves numerator and denominator
    counted: Measured  # maintenance counts as up


def measured(cells: Cells, *, unknown_time: UnknownTime = "excluded", degraded_weight_pct: Decimal = Decimal(0)) -> Reckoning:
    """Return what counts as down of the cells of a period, by either denominator.

    Time that nobody knows leaves both numbers, or counts as up or down. Of degraded time the weight counts as down.
    """
    down = cells.down + cells.degraded * Fraction(degraded_weight_pct) / 100 + (cells.unknown if unknown_time == "down" else 0)
    total = cells.period - (cells.unknown if unknown_time == "excluded" else 0)
    return Reckoning(Measured(total - cells.scheduled, down), Measured(total, down))


def in_series(shares: Iterable[Fraction]) -> Fraction:
    """Return the share in which services that fail independently, all of them needed, are up together."""
    return prod(shares, start=Fraction(1))


def by_month(interval: Interval, local: LocalTime) -> dict[str, int]:
    """Return the seconds of an interval by calendar month of a zone, for example {"2024-10": 1800, "2024-11": 2700}."""
    low, high = interval
    cuts = [low]
    while cuts[-1] < high:
        year, month = _month(local.read(cuts[-1]))
        following = local.first(_first_day(year + month // 12, month % 12 + 1) * DAY_S)
        cuts.append(min(high, following))
    found: dict[str, int] = {}
    for since, until in pairwise(cuts):
        year, month = _month(local.read(since))
        key = f"{year:04d}-{month:02d}"
        found[key] = found.get(key, 0) + until - since
    return found


def excluded_maintenance(window: Interval, announced: int, notice_s: int) -> int:
    """Return the seconds of a window that count as planned: all of it with enough notice, none with less."""
    return window[1] - window[0] if window[0] - announced >= notice_s else 0


def credit_pct(table: Sequence[tuple[Decimal, Decimal]], uptime_pct: Fraction) -> Decimal:
    """Return the credit of the best tier reached, the highest one below all tiers, and nothing without a table.

    Rows are (inclusive lower bound of uptime, credit), both in percent.
    """
    reached = [(bound, credit) for bound, credit in table if uptime_pct >= Fraction(bound)]
    return max(reached)[1] if reached else max((credit for _, credit in table), default=Decimal(0))


def _month(reading: int) -> tuple[int, int]:
    day = date.fromordinal(date(1970, 1, 1).toordinal() + reading // DAY_S)
    return day.year, day.month


def _first_day(year: int, month: int) -> int:
    return date(year, month, 1).toordinal() - date(1970, 1, 1).toordinal()
