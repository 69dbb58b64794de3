"""Throughput: how much was asked for, and how much of it was served.

A mean over a month hides the minute in which people were turned away; so the peak and the share that was served stand beside it.
A capacity is judged by what it leaves undone: fewer than promised with nothing waiting is little demand, and no breach.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal, NamedTuple

__all__ = ["KEPT", "QUANTITIES", "Load", "Quantity", "Stand", "capacity_met", "load", "per_minute", "shown_by_test", "stood"]

_MINUTE_US = 60_000_000

Quantity = Literal["requests_per_minute", "concurrent_users", "documents_per_hour"]
"""What the operating model promises that so much of it is borne."""

QUANTITIES: Final[dict[str, Quantity]] = {"api": "requests_per_minute", "web": "concurrent_users", "documents": "documents_per_hour"}
"""By the kind of the requests that it is promised of."""

Stand = Literal["full", "little_demand", "short", "unknown"]
"""As much as promised was served; less, with nothing left undone; less, though more was asked for; nobody knows."""

KEPT: Final[dict[Stand, bool | None]] = {"full": True, "little_demand": True, "short": False, "unknown": None}
"""Whether that keeps the promise."""


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
    return KEPT[stood(processed, promised, backlog_end)]


def stood(served: int | Fraction | None, promised: int, undone: int | None) -> Stand:
    """Return how a window stood to a capacity, by what was turned away or still waited at its end; None: not known."""
    if served is not None and served >= promised:
        return "full"
    if undone == 0:
        return "little_demand"
    return "unknown" if undone is None or served is None else "short"


def shown_by_test(offered: int, served: int, target: int) -> bool | None:
    """Return whether a load test showed a capacity; None where all was served of less than the target: it shows no limit."""
    if served >= target:
        return True
    return False if served < offered else None
