"""Tally: the times of many requests as counts, merged from windows exactly and in any order; quantiles of it with their bounds.

A quantile of a histogram is not a time but an interval that holds one. Nearest rank: of n times, the p-quantile is the one at
place ceil(p * n). Where each of the n lies in a known interval, that time lies between the lower bound and the upper bound
at this place, each in its own order. So windows measured in buckets of different kinds are taken together without converting any.

Whether a share of requests was quick enough is never a quantile: it is a count at an edge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from operator import add
from typing import Final, NamedTuple

from opsledger.policies.buckets import LIMIT, Ladder, Steps, indexes, interval

__all__ = ["Quantile", "Tally", "Times", "Within", "quantiles_of", "rank"]

_SLOTS: Final = 2 * LIMIT + 1  # indexes below zero lie at the end of a list, as Python counts
_ENDLESS: Final = 1 << 128

_Bounds = tuple[int, int | None]


class Quantile(NamedTuple):
    """An estimate and the bounds that hold the true value, in microseconds. None: no upper bound is known."""

    estimate_us: int | None
    lower_us: int
    upper_us: int | None


class Within(NamedTuple):
    """How many requests took at most a time: between two counts, which are equal where the time is an edge of all windows."""

    fewest: int
    most: int


class Times(NamedTuple):
    """What one window says of times. `edges` are (at most so many microseconds, how many), rising; `ladder` None: only they are known."""

    timed: int
    edges: tuple[tuple[int, int], ...] = ()
    ladder: Ladder | None = None
    zero: int = 0
    steps: Steps = ()
    counts: tuple[int, ...] = ()
    min_us: int | None = None
    max_us: int | None = None


@dataclass(slots=True)
class Tally:
    """Times of many windows. `timed` is how many there are."""

    timed: int = 0
    zero: int = 0
    ladders: dict[Ladder, list[int]] = field(default_factory=dict)
    cells: dict[tuple[int, int | None], int] = field(default_factory=dict)  # (above, up to), of windows known by their edges
    edges: dict[int, tuple[int, int]] = field(default_factory=dict)  # at most -> how many, of how many times
    ranged: int = 0  # of how many times the shortest and the longest are known
    min_us: int | None = None
    max_us: int | None = None

    def add(self, times: Times) -> None:
        """Add what a window says."""
        if not times.timed:
            return
        self.timed += times.timed
        for at_most, count in times.edges:
            known, of = self.edges.get(at_most, (0, 0))
            self.edges[at_most] = known + count, of + times.timed
        if times.ladder is None:
            for cell, count in _cells(times):
                self.cells[cell] = self.cells.get(cell, 0) + count
        else:
            self.zero += times.zero
            held = self._held(times.ladder)
            for index, count in zip(indexes(times.steps), times.counts, strict=True):
                held[index] += count
        if times.min_us is not None and times.max_us is not None:
            self._range(times.timed, times.min_us, times.max_us)

    def merge(self, other: Tally) -> None:
        """Add another tally."""
        self.timed += other.timed
        self.zero += other.zero
        for ladder, counts in other.ladders.items():
            self.ladders[ladder] = list(map(add, self._held(ladder), counts))
        for cell, count in other.cells.items():
            self.cells[cell] = self.cells.get(cell, 0) + count
        for at_most, (count, of) in other.edges.items():
            known, known_of = self.edges.get(at_most, (0, 0))
            self.edges[at_most] = known + count, known_of + of
        if other.min_us is not None and other.max_us is not None:
            self._range(other.ranged, other.min_us, other.max_us)

    def counts(self, ladder: Ladder) -> dict[int, int]:
        """Return how many times lie in each bucket of a ladder."""
        held = self.ladders.get(ladder, [])
        return {_index(slot): count for slot, count in enumerate(held) if count}

    def by_edge(self) -> dict[int, int]:
        """Return how many requests took at most so many microseconds, at the edges that all windows have."""
        return {at_most: count for at_most, (count, of) in sorted(self.edges.items()) if of == self.timed}

    def within(self, at_most_us: int) -> Within:
        """Return how many requests took at most a time."""
        count, of = self.edges.get(at_most_us, (0, 0))
        if of == self.timed:
            return Within(count, count)
        held = list(self._intervals())
        fewest = sum(count for _, high, count in held if high is not None and high <= at_most_us)
        return Within(fewest, sum(count for low, _, count in held if low <= at_most_us))

    def quantiles(self, *shares_pct: int | Fraction) -> list[Quantile | None]:
        """Return the quantiles at shares in percent, for example 95; None where there is no time."""
        if not self.timed:
            return [None] * len(shares_pct)
        places = [rank(share, self.timed) for share in shares_pct]
        if len(self.ladders) == 1 and not self.cells:
            ((ladder, _),) = self.ladders.items()
            held = sorted(self.counts(ladder).items())
            found: Sequence[_Bounds] = _in_buckets(ladder, self.zero, [index for index, _ in held], [count for _, count in held], places)
        else:
            found = _in_any(list(self._intervals()), places)
        known = (self.min_us, self.max_us) if self.ranged == self.timed else (None, None)
        return [_quantile(bounds, *known) for bounds in found]

    def _intervals(self) -> Iterator[tuple[int, int | None, int]]:
        """Yield (lowest, highest, how many) in whole microseconds."""
        if self.zero:
            yield 0, 0, self.zero
        for ladder, counts in self.ladders.items():
            for slot, count in enumerate(counts):
                if count:
                    yield *interval(ladder, _index(slot)), count
        for (above, up_to), count in self.cells.items():
            yield above + 1, up_to, count

    def _held(self, ladder: Ladder) -> list[int]:
        held = self.ladders.get(ladder)
        if held is None:
            held = self.ladders[ladder] = [0] * _SLOTS
        return held

    def _range(self, of: int, min_us: int, max_us: int) -> None:
        self.ranged += of
        self.min_us = min_us if self.min_us is None else min(self.min_us, min_us)
        self.max_us = max_us if self.max_us is None else max(self.max_us, max_us)


def quantiles_of(times: Times, *shares_pct: int | Fraction) -> list[Quantile | None]:
    """Return what `Tally.quantiles` returns of a single window, sooner."""
    if times.ladder is None or not times.timed:
        tally = Tally()
        tally.add(times)
        return tally.quantiles(*shares_pct)
    places = [rank(share, times.timed) for share in shares_pct]
    found = _in_buckets(times.ladder, times.zero, list(indexes(times.steps)), times.counts, places)
    return [_quantile(bounds, times.min_us, times.max_us) for bounds in found]


def _in_buckets(ladder: Ladder, zero: int, held: Sequence[int], counts: Sequence[int], places: Sequence[int]) -> list[_Bounds]:
    """Return the bounds at places, where all times but those of 0 lie in buckets of one ladder, whose indexes rise."""
    up_to = list(accumulate(counts, initial=zero))
    found = [bisect_left(up_to, place) for place in places]
    return [interval(ladder, held[after - 1]) if after else (0, 0) for after in found]


def _in_any(intervals: Sequence[tuple[int, int | None, int]], places: Sequence[int]) -> list[_Bounds]:
    """Return the bounds at places, where times lie in intervals of any kind: lower and upper bounds each in their own order."""
    lows = sorted((low, count) for low, _, count in intervals)
    highs = sorted((_ENDLESS if high is None else high, count) for _, high, count in intervals)
    lows_up_to, highs_up_to = (list(accumulate(count for _, count in each)) for each in (lows, highs))
    found: list[_Bounds] = []
    for place in places:
        high = highs[bisect_left(highs_up_to, place)][0]
        found.append((lows[bisect_left(lows_up_to, place)][0], None if high == _ENDLESS else high))
    return found


def _quantile(bounds: _Bounds, min_us: int | None, max_us: int | None) -> Quantile:
    low, high = bounds
    low = low if min_us is None else max(low, min_us)
    if max_us is not None:
        high = max_us if high is None else min(high, max_us)
    if high is None:
        return Quantile(None, low, None)
    # No other estimate is less wrong at worst, relative to the true value: (high - low) / (high + low).
    return Quantile(2 * low * high // (low + high) if high else 0, low, high)


def rank(share_pct: int | Fraction, count: int) -> int:
    """Return the place of a quantile among `count` values in order, from 1: nearest rank, ceil(share * count), exactly."""
    return max(1, -(-share_pct * count // 100))


def _cells(times: Times) -> Iterator[tuple[tuple[int, int | None], int]]:
    """Yield what lies between the edges of a window, and above the last."""
    above, before = -1, 0
    for at_most, count in times.edges:
        if count > before:
            yield (above, at_most), count - before
        above, before = at_most, count
    if times.timed > before:
        yield (above, None), times.timed - before


def _index(slot: int) -> int:
    return slot if slot <= LIMIT else slot - _SLOTS
