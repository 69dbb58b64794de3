"""Percentiles as others compute them, exactly: nearest rank of values, and what Prometheus reads off a classic histogram.

What a histogram's buckets show of a percentile is where it lies; the point that is interpolated between is invented. So the bounds
are given beside it, and a promise about a share of requests is judged by counting: `share_met`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from opsledger.errors import BadInput
from opsledger.policies.tally import rank

__all__ = ["Bucket", "averaged", "bounds", "interpolated", "nearest_rank", "relative_bucket", "share_met", "summed"]

Bucket = tuple[Fraction | None, int]
"""(upper bound, how many values are not above it); None is without bound, and the last of a classic histogram."""


def nearest_rank(values: Iterable[int], share_pct: int | Fraction) -> int | None:
    """Return the value at place ceil(share * n), from 1, in order; None of no values."""
    ordered = sorted(values)
    return ordered[rank(share_pct, len(ordered)) - 1] if ordered else None


def share_met(within: int, total: int, share_pct: Decimal) -> bool | None:
    """Return whether at least a share of all requests was within a bound; exactly the share is met. None of no requests."""
    return 100 * within >= total * Fraction(share_pct) if total else None


def averaged(values: Sequence[int]) -> Fraction:
    """Return the mean of values, which for percentiles means nothing: merge counts instead."""
    return Fraction(sum(values), len(values))


def summed(histograms: Iterable[Sequence[Bucket]]) -> list[Bucket]:
    """Return classic histograms of the same bounds as one."""
    found: list[Bucket] = []
    for columns in zip(*histograms, strict=True):
        if len({bound for bound, _ in columns}) > 1:
            raise BadInput("histogram.bounds", "Histograms of different bounds have no sum; sum those that have the same ones.")
        found.append((columns[0][0], sum(count for _, count in columns)))
    return found


def bounds(buckets: Sequence[Bucket], share: Fraction) -> tuple[Fraction | None, Fraction | None] | None:
    """Return the bounds of the bucket that holds a quantile; None of no values. A bound of None is not known."""
    place = _place(buckets, share)
    return None if place is None else (buckets[place - 1][0] if place else None, buckets[place][0])


def interpolated(buckets: Sequence[Bucket], share: Fraction) -> Fraction | None:
    """Return the quantile as `histogram_quantile` computes it of a classic histogram: as if values lay evenly in their bucket.

    Above the last bound it is that bound; below the first one values lie from 0 on, unless the bound is not above 0. None of
    no values.
    """
    place = _place(buckets, share)
    if place is None:
        return None
    high, up_to = buckets[place]
    if high is None:
        return buckets[place - 1][0] if place else None
    if place == 0 and high <= 0:
        return high
    low, before = buckets[place - 1] if place else (Fraction(0), 0)
    assert low is not None  # only the last bucket is without bound
    held = up_to - before
    return low + (high - low) * (share * buckets[-1][1] - before) / held if held else low


def relative_bucket(value: Fraction, accuracy: Fraction) -> tuple[int, Fraction]:
    """Return the bucket of a value, and the estimate, of a sketch whose estimates are off by no more than a share (DDSketch).

    Bucket i holds (g**(i-1), g**i] with g = (1 + accuracy) / (1 - accuracy). Exact: g is raised, no logarithm is taken.
    """
    if value <= 0 or not 0 < accuracy < 1:
        raise BadInput("bucket.relative", f"A value of {value} has no bucket of relative accuracy {accuracy}; give one above 0.")
    growth = (1 + accuracy) / (1 - accuracy)
    index = 0
    while growth**index < value:
        index += 1
    while growth ** (index - 1) >= value:
        index -= 1
    return index, 2 * growth**index / (growth + 1)


def _place(buckets: Sequence[Bucket], share: Fraction) -> int | None:
    if not buckets or not buckets[-1][1]:
        return None
    wanted = share * buckets[-1][1]
    return next(place for place, (_, up_to) in enumerate(buckets) if up_to >= wanted)
