"""Half-open intervals [low, high) of integers: joined where they overlap or touch, and cut out of each other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter

__all__ = ["Interval", "meeting", "overlap", "union", "without"]

Interval = tuple[int, int]

_low, _high = itemgetter(0), itemgetter(1)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the intervals in order, overlapping and touching ones joined, empty ones dropped."""
    joined: list[Interval] = []
    for low, high in sorted(intervals):
        if high <= low:
            continue
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def without(spans: list[Interval], holes: list[Interval]) -> list[Interval]:
    """Return what is left of `spans` outside `holes`; both in order and free of overlap, as `union` gives them."""
    left: list[Interval] = []
    cursor = 0
    for low, high in spans:
        while cursor < len(holes) and holes[cursor][1] <= low:
            cursor += 1
        at, here = cursor, low
        while at < len(holes) and holes[at][0] < high:
            if holes[at][0] > here:
                left.append((here, holes[at][0]))
            here = max(here, holes[at][1])
            at += 1
        if here < high:
            left.append((here, high))
    return left


def overlap(spans: list[Interval], others: list[Interval]) -> int:
    """Return how much of `spans` lies within `others`; both in order and free of overlap."""
    return sum(high - low for low, high in spans) - sum(high - low for low, high in without(spans, others))


def meeting(spans: Sequence[Interval], low: int, high: int) -> slice:
    """Return the place of those of many spans that overlap or touch [low, high], in order and free of overlap as `union` gives them."""
    first = bisect_left(spans, low, key=_high)
    return slice(first, max(first, bisect_right(spans, high, key=_low)))
