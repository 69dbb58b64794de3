"""Batch work in its windows: when they open and close by a zone's clock, and whether a run kept to its own.

A window opens on some local weekdays at a wall time and closes at another, on the next day where that is not later. A wall time that the
clock jumps over is the jump itself, and of one that comes twice the first counts; a window that would close where it opens is none.
Instants are integer microseconds, windows half-open but for the end of a run: exactly at the close is in time.
Source: Operating Model, "Performance SLAs": batch operations complete within defined windows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from opsledger.policies.instants import DAY_S, SECOND, moment
from opsledger.policies.zones import LocalTime

__all__ = ["WEEKDAYS", "Hours", "Kept", "Opening", "Run", "RunVerdict", "kept", "opening_of", "openings", "run_verdict", "wall"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

RunVerdict = Literal["on_time", "late", "outside", "failed"]
"""Within the window; begun in it and ended after it; begun before or after it; not succeeded."""

Kept = Literal["on_time", "late", "outside", "missed"]
"""A run succeeded within the window; only after it; by its end, but begun before it; none did."""

_closes = attrgetter("closes")


class Hours(NamedTuple):
    """Windows that open in [begin, end). Opening and closing are seconds after the local midnight of the day on which they open."""

    begin: int
    end: int
    weekdays: tuple[str, ...]
    opens_s: int
    closes_s: int
    local: LocalTime


class Opening(NamedTuple):
    """One window, of the local day on which it opens, for example 2026-03-08."""

    day: str
    opens: int
    closes: int


class Run(NamedTuple):
    """One run of the work."""

    started: int
    completed: int
    succeeded: bool


def openings(hours: Hours, until: int) -> Iterator[Opening]:
    """Yield the windows that open before `until`, in order."""
    end = min(hours.end, until)
    day = hours.local.read(hours.begin // SECOND) // DAY_S - 1
    while (midnight := day * DAY_S) and hours.local.first(midnight) * SECOND < end:
        if WEEKDAYS[(day + 3) % 7] in hours.weekdays:  # the epoch was a Thursday
            low, high = (hours.local.first(midnight + wall_s) * SECOND for wall_s in (hours.opens_s, hours.closes_s))
            if hours.begin <= low < end and low < high:
                yield Opening(moment(midnight * SECOND).date().isoformat(), low, high)
        day += 1


def opening_of(run: Run, known: Sequence[Opening]) -> Opening | None:
    """Return the first window that was open while a run went on, or the last one before it; None: there was none yet."""
    place = bisect_right(known, run.started, key=_closes)
    if place < len(known) and (known[place].opens <= run.started or known[place].opens < run.completed):
        return known[place]
    return known[place - 1] if place else None


def run_verdict(run: Run, opening: Opening) -> RunVerdict:
    """Return how a run kept to its window."""
    if not run.succeeded:
        return "failed"
    if not opening.opens <= run.started < opening.closes:
        return "outside"
    return "on_time" if run.completed <= opening.closes else "late"


def kept(opening: Opening, runs: Iterable[Run]) -> Kept:
    """Return what became of the work of a window, by the best of its runs."""
    done = [run for run in runs if run.succeeded]
    if any(run_verdict(run, opening) == "on_time" for run in done):
        return "on_time"
    if any(run.completed <= opening.closes for run in done):
        return "outside"
    return "late" if done else "missed"


def wall(text: str) -> int:
    """Return the seconds after midnight of a wall time such as 02:00."""
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60
