"""Throughput: how much was asked for, and how much of it was served.

A mean over a month hides the minute in which people were turned away; so the peak and the share that was served stand beside it.
A capacity is judged by what it leaves undone: fewer than promised with nothing waiting is little demand, and no breach.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Load", "capacity_met", "load", "per_minute"]

_MINUTE_US = 60_000_000


class Load(NamedTuple):
    """What windows of equal length come to. None: there are none, or nothing was asked for."""

    mean: Fraction | None
    peak: int | None
    peak_served: int | None
    served_share: Fraction | None


def load(asked: Sequence[int], served: Sequence[int]) -> Load:
    """Return mean and peak of what was asked for in each window, the most that was served in one, and the share served of all."""
    total = sum(asked)
    share = Fraction(sum(served), total) if total else None
    return Load(Fraction(total, len(asked)) if asked else None, max(asked, default=None), max(served, default=None), share)


def per_minute(count: int, length_us: int) -> Fraction:
    """Return a count of a window as a rate, in counts a minute."""
    return Fraction(count * _MINUTE_US, length_us)


def capacity_met(processed: int, promised: int, backlog_end: int | None) -> bool | None:
    """Return whether a window kept a capacity; None where fewer were processed and nobody knows whether more waited."""
    if processed >= promised:
        return True
    return None if backlog_end is None else backlog_end == 0
