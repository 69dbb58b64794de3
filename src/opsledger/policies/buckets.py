"""Exponential buckets: how long many requests took, as counts that merge exactly and in any order.

Bucket i of scale s holds the times in (b**(i-1), b**i] units, where b = 2**(2**-s): at scale 5 thirty-two buckets from each power
of two to the next, so that a time is known to 1.1 percent. These are the buckets of Prometheus' native histograms, and those of
OpenTelemetry's ExponentialHistogram, which calls bucket i of ours i - 1.

No logarithm is taken, which could put a time on a bound into the wrong bucket: for a whole time v, b**(i) >= v says the same as
2**i >= v**(2**s), and as isqrt taken s times of 2**i, a whole number, >= v. Those whole bounds are computed once, and a time is
looked up among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import isqrt
from typing import Final, NamedTuple

from opsledger.errors import BadInput

__all__ = ["BOUNDS", "LIMIT", "MICROSECOND", "SCALE", "Ladder", "Steps", "downscaled", "index_of", "indexes", "interval", "packed"]

SCALE: Final = 5
"""Of the buckets that we measure in; those of others may be coarser."""

LIMIT: Final = 64 << SCALE
"""No bucket of scale 5 has an index beyond this: 2**64 microseconds are half a million years."""

MICROSECOND: Final = 1000
"""In nanoseconds, as ladders say their unit."""

Steps = tuple[int, ...]
"""Indexes of buckets, rising: the first, then each as the step from the one before it."""


class Ladder(NamedTuple):
    """How buckets grow, and in which unit. Ladders of different units have no bounds in common."""

    scale: int = SCALE
    unit_ns: int = MICROSECOND


def _root(number: int, halvings: int) -> int:
    """Return the whole part of the 2**halvings-th root."""
    for _ in range(halvings):
        number = isqrt(number)
    return number


BOUNDS: Final = tuple(_root(1 << index, SCALE) for index in range(LIMIT + 1))
"""The largest whole number in bucket i of scale 5, or below it where the bucket holds none."""


def index_of(us: int) -> int:
    """Return the bucket of a time at scale 5, in microseconds from 1 on. Raises BadInput for others."""
    if not 0 < us <= BOUNDS[-1]:
        raise BadInput("bucket.outside", f"{us} microseconds have no bucket; times of 0 are counted apart, and none lasts that long.")
    return bisect_left(BOUNDS, us)


@lru_cache(maxsize=1 << 15)
def interval(ladder: Ladder, index: int) -> tuple[int, int]:
    """Return the lowest and the highest time that a bucket may hold, in whole microseconds rounded up."""
    (below, _), (whole, exact) = _bound(ladder, index - 1), _bound(ladder, index)
    return below + 1, whole if exact else whole + 1


def _bound(ladder: Ladder, index: int) -> tuple[int, bool]:
    """Return the upper bound of a bucket in whole microseconds, cut, and whether nothing was cut."""
    exponent = index << max(0, -ladder.scale)
    halvings = max(0, ladder.scale)
    above = (ladder.unit_ns ** (1 << halvings)) << max(0, exponent)
    below = (MICROSECOND ** (1 << halvings)) << max(0, -exponent)
    whole = _root(above // below, halvings)
    return whole, whole ** (1 << halvings) * below == above


def downscaled(counts: Mapping[int, int], halvings: int) -> dict[int, int]:
    """Return counts by bucket at a scale that is lower by `halvings`: neighbours are added together, exactly."""
    found: dict[int, int] = {}
    for index, count in counts.items():
        lower = -(-index >> halvings)
        found[lower] = found.get(lower, 0) + count
    return found


def packed(counts: Mapping[int, int]) -> tuple[Steps, tuple[int, ...]]:
    """Return counts by bucket as facts keep them: steps between the buckets that hold something, and how much."""
    held = sorted((index, count) for index, count in counts.items() if count)
    steps = [after - before for before, after in pairwise([0, *(index for index, _ in held)])]
    return tuple(steps), tuple(count for _, count in held)


def indexes(steps: Sequence[int]) -> Iterable[int]:
    """Return the indexes of the buckets that steps lead to."""
    return accumulate(steps)
