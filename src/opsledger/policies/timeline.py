"""A service's time, cut where its state changes: what several sources say laid over each other, and what each stretch counts as.

    sources ── laid, corrected ──> Stretch ── judged ──> Judged ── cells ──> Cells

Every instant of [begin, end) lies in one stretch, so that the cells of a period add up to it. Instants and lengths are integer
microseconds, intervals half-open. Stretches go by in the order of time, so that a million of them need no more memory than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, merge
from itertools import chain
from typing import Final, Literal, NamedTuple, TypeVar

from opsledger.policies.instants import SECOND

__all__ = ["MINUTE", "Cells", "Judged", "Planned", "State", "Stretch", "cells", "corrected", "judged", "laid", "within"]

MINUTE: Final = 60 * SECOND

State = Literal["up", "unknown", "degraded", "down"]
_RANKS: Final[dict[State, int]] = {"up": 0, "unknown": 1, "degraded": 2, "down": 3}


class Stretch(NamedTuple):
    """A service in one state in [start, stop), with the fact that made it so and, after a vote, who said what at its start."""

    start: int
    stop: int
    state: State
    cause: str | None = None  # stream of that fact; None: no fact says otherwise
    position: int | None = None
    vote: str | None = None


class Planned(NamedTuple):
    """Time of maintenance, or of which it was decided what it counts as, and whether it is taken out of what is measured."""

    start: int
    stop: int
    rank: int  # where several lie at one instant the highest counts
    excluded: bool
    window_id: str | None  # None: it is no maintenance
    reason: str  # why it is taken out, or is not


class Judged(NamedTuple):
    """A stretch and what it counts as. Downtime that is forgiven counts as up."""

    start: int
    stop: int
    state: State
    counts_as: State
    scheduled: bool  # within time that is taken out
    window_id: str | None  # the maintenance that went on, taken out or not
    reason: str | None  # why it is taken out, is not though it was maintenance, or is forgiven
    cause: str | None
    position: int | None
    vote: str | None


Piece = TypeVar("Piece", Stretch, Planned)
Timed = TypeVar("Timed", Stretch, Judged)


def laid(begin: int, end: int, base: State, layers: Sequence[Iterable[Stretch]]) -> Iterator[Stretch]:
    """Yield [begin, end) in the worst state that any layer says at each instant, `base` where none says anything.

    Stretches of a layer come in the order of their starts and may overlap. Of equally bad ones the first to start is the cause.
    """
    here = begin
    for stretch in _on_top(merge(*layers, key=lambda each: each.start), lambda each: _RANKS[each.state], begin, end):
        if here < stretch.start:
            yield Stretch(here, stretch.start, base)
        yield stretch
        here = stretch.stop
    if here < end:
        yield Stretch(here, end, base)


def corrected(stretches: Iterable[Stretch], corrections: Iterable[Stretch], begin: int, end: int) -> Iterator[Stretch]:
    """Yield stretches as corrections say where there are any; of several at one instant the one recorded last counts."""
    marks = list(_on_top(iter(sorted(corrections)), lambda each: each.position or 0, begin, end))
    for start, stop, stretch, mark in _crossed(stretches, marks):
        yield (stretch if mark is None else mark)._replace(start=start, stop=stop)


def judged(
    stretches: Iterable[Stretch], planned: Iterable[Planned], begin: int, end: int, *, minimum: int = 0, whole_minutes: bool = False
) -> Iterator[Judged]:
    """Yield stretches with what each counts as.

    Outages, from going down to the next other state, that are shorter than `minimum` microseconds are forgiven; with
    `whole_minutes` so is the part of each that does not fill a minute. Maintenance is taken out after that.
    """
    marks = list(_on_top(iter(sorted(planned)), lambda each: each.rank, begin, end))
    for start, stop, stretch, mark in _crossed(_forgiven(stretches, minimum, whole_minutes), marks):
        forgiven, (_, _, state, cause, position, vote) = stretch.reason, stretch.stretch
        window_id, why = (None, forgiven) if mark is None else (mark.window_id, mark.reason)
        counts_as: State = "up" if forgiven else state
        yield Judged(start, stop, state, counts_as, mark is not None and mark.excluded, window_id, why, cause, position, vote)


@dataclass(frozen=True, slots=True)
class Cells:
    """The time of a period by what it counts as, and whether it lies in maintenance that is taken out. Microseconds.

    Degraded time is up, too: it stands in `up` and again in `degraded`, as far as it lies outside that maintenance.
    """

    up: int = 0
    up_scheduled: int = 0
    down: int = 0
    down_scheduled: int = 0
    unknown: int = 0
    unknown_scheduled: int = 0
    degraded: int = 0
    forgiven: int = 0  # down, and counted as up; in `up`, too
    maintenance_counted: int = 0  # maintenance that is not taken out; in the other cells, too

    @property
    def period(self) -> int:
        """The whole period."""
        return self.up + self.up_scheduled + self.down + self.down_scheduled + self.unknown + self.unknown_scheduled

    @property
    def scheduled(self) -> int:
        """The maintenance that is taken out."""
        return self.up_scheduled + self.down_scheduled + self.unknown_scheduled


def cells(stretches: Iterable[Judged]) -> Cells:
    """Return how long each cell is."""
    found = dict.fromkeys(Cells.__dataclass_fields__, 0)
    for each in stretches:
        length = each.stop - each.start
        cell = "up" if each.counts_as == "degraded" else each.counts_as
        found[f"{cell}_scheduled" if each.scheduled else cell] += length
        if each.scheduled:
            continue
        if each.counts_as == "degraded":
            found["degraded"] += length
        if each.state != each.counts_as:
            found["forgiven"] += length
        if each.window_id is not None:
            found["maintenance_counted"] += length
    return Cells(**found)


def within(stretches: Iterable[Timed], begin: int, end: int) -> Iterator[Timed]:
    """Yield what of stretches lies in [begin, end)."""
    for each in stretches:
        if each.start < end and each.stop > begin:
            yield each._replace(start=max(each.start, begin), stop=min(each.stop, end))


class _Forgiven(NamedTuple):
    start: int
    stop: int
    stretch: Stretch
    reason: str | None


def _forgiven(stretches: Iterable[Stretch], minimum: int, whole_minutes: bool) -> Iterator[_Forgiven]:
    """Yield stretches, parts of outages that are not counted with the reason."""
    outage: list[Stretch] = []
    for stretch in stretches:
        if stretch.state == "down":
            outage.append(stretch)
            continue
        yield from _outage(outage, minimum, whole_minutes)
        outage.clear()
        yield _Forgiven(stretch.start, stretch.stop, stretch, None)
    yield from _outage(outage, minimum, whole_minutes)


def _outage(parts: Sequence[Stretch], minimum: int, whole_minutes: bool) -> Iterator[_Forgiven]:
    if not parts:
        return
    start, stop = parts[0].start, parts[-1].stop
    counted, why = stop, ""
    if stop - start < minimum:
        counted, why = start, f"shorter than the least outage of {minimum // SECOND} s"
    elif whole_minutes:
        counted, why = stop - (stop - start) % MINUTE, "no whole minute"
    for part in parts:
        if part.start < counted:
            yield _Forgiven(part.start, min(part.stop, counted), part, None)
        if part.stop > counted:
            yield _Forgiven(max(part.start, counted), part.stop, part, why)


def _on_top(pieces: Iterator[Piece], rank: Callable[[Piece], int], begin: int, end: int) -> Iterator[Piece]:
    """Yield what of pieces, given in the order of their starts, is not under one of a higher rank, or of the same and begun before."""
    waiting: list[tuple[int, int, Piece]] = []
    here = begin
    shown: tuple[Piece, Piece] | None = None  # the last part that was on top, not yielded yet, and the piece that it is of
    ends: Iterable[None] = (None,)
    for order, piece in enumerate(chain(pieces, ends)):
        limit = end if piece is None else min(piece.start, end)
        while waiting and here < limit:
            top = waiting[0][-1]
            if top.stop <= here:
                heappop(waiting)
                continue
            stop = min(top.stop, limit)
            if shown is not None and shown[1] is top and shown[0].stop == here:
                shown = shown[0]._replace(stop=stop), top
            else:
                if shown is not None:
                    yield shown[0]
                shown = top._replace(start=here, stop=stop), top
            here = stop
        here = max(here, limit)
        if piece is not None and piece.start < piece.stop:
            heappush(waiting, (-rank(piece), order, piece))
    if shown is not None:
        yield shown[0]


Crossed = TypeVar("Crossed", Stretch, _Forgiven)


def _crossed(stretches: Iterable[Crossed], marks: Sequence[Piece]) -> Iterator[tuple[int, int, Crossed, Piece | None]]:
    """Yield stretches cut by marks that do not overlap, each part with the mark in which it lies."""
    place = 0
    for stretch in stretches:
        here = stretch.start
        while place < len(marks) and marks[place].stop <= here:
            place += 1
        at = place
        while at < len(marks) and marks[at].start < stretch.stop:
            mark = marks[at]
            if mark.start > here:
                yield here, mark.start, stretch, None
                here = mark.start
            stop = min(mark.stop, stretch.stop)
            yield here, stop, stretch, mark
            here, at = stop, at + 1
        if here < stretch.stop:
            yield here, stretch.stop, stretch, None
