"""One clock: a promise with a target, how much business time has run against it, and what it shows at an instant.

    running <──> paused ──> stopped ──(reopened)──> running
                   └──────> cancelled

What it shows: met and breached when stopped (elapsed <= target, elapsed > target); overdue when still open at or after
`breach_at`; else running, paused or cancelled. All times and lengths are integer microseconds; nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from opsledger.errors import Uncovered
from opsledger.policies.calendar import BusinessTime
from opsledger.policies.metric import Metric, Signal

__all__ = ["Clock", "Mode", "Outcome", "Reading", "Segment"]

Mode = Literal["running", "paused"]
Outcome = Literal["running", "paused", "overdue", "met", "breached", "cancelled"]


class Reading(NamedTuple):
    """What a clock shows at an instant.

    `due_at` is the earliest instant by which the target has run, closing time when it ends exactly there; `breach_at` the
    first instant at which one moment more runs. They are None while a pause or the calendar's horizon leaves them open.
    """

    outcome: Outcome
    due_at: int | None
    breach_at: int | None
    elapsed: int
    paused: int


class Segment(NamedTuple):
    """A stretch [start, stop): counted, paused (business time held), closed (outside hours) or stopped (resolved meanwhile)."""

    kind: Literal["counted", "paused", "closed", "stopped"]
    start: int
    stop: int
    position: int  # of the fact that began it


class _Piece(NamedTuple):
    """A finished stretch in one mode, before opening hours are laid over it."""

    start: int
    stop: int
    mode: Literal["running", "paused", "stopped"]
    calendar: BusinessTime
    position: int
    known_from: int  # a stretch that counts only since a reopening was not known before it


@dataclass(slots=True)
class Clock:
    """One metric on one thing, one cycle of it. `target` is None where the calendar's horizon hides it."""

    metric: Metric
    cycle: int
    policy: str
    priority: str
    level: str
    calendar_name: str
    calendar: BusinessTime
    target: int | None
    earlier_breach_stands: bool
    mode: Mode
    started_at: int
    since: int  # start of the present stretch
    position: int  # of the fact that began the present stretch
    counted: int = 0  # in finished stretches
    held: int = 0  # paused, in finished stretches
    pieces: list[_Piece] = field(default_factory=list)
    stopped_at: int | None = None
    cancelled: bool = False
    resolved: bool = False  # stopped by a resolution, so that a reopening concerns it
    breach_floor: int = 0  # a breach is not dated before the change of target that made it one
    earlier_breaches: list[tuple[int, int]] = field(default_factory=list)  # (target, breach_at) of replaced targets
    turns: int = 0  # how often something happened to the clock
    _due: tuple[int | None, int | None] | None = None  # of the target, until something happens to the clock

    @property
    def live(self) -> bool:
        """Whether the clock is running or paused."""
        return self.stopped_at is None

    def reading(self, as_of: int) -> Reading:
        """Return what the clock shows at `as_of`, an instant at or after the last signal that it heard."""
        elapsed, paused = self.counted, self.held
        if self.stopped_at is None:
            length = self.calendar.elapsed(self.since, as_of)
            elapsed, paused = (elapsed + length, paused) if self.mode == "running" else (elapsed, paused + length)
        if self.cancelled:
            return Reading("cancelled", None, None, elapsed, paused)
        due_at, breach_at = self.due()
        outcome: Outcome = self.mode
        if self.stopped_at is not None:
            late = self.target is not None and elapsed > self.target
            outcome = "breached" if late or (self.earlier_breach_stands and self.earlier_breaches) else "met"
        elif breach_at is not None and breach_at <= as_of:
            outcome = "overdue"
        return Reading(outcome, due_at, breach_at, elapsed, paused)

    def due(self, length: int | None = None) -> tuple[int | None, int | None]:
        """Return (due_at, breach_at) for a length, by default the target.

        A stopped clock is read as if it had gone on; a paused one has no due time before it resumes.
        """
        if length is None:
            if self._due is None:
                self._due = (None, None) if self.target is None else self._falls(self.target)
            return self._due
        return self._falls(length)

    def _falls(self, length: int) -> tuple[int | None, int | None]:
        due_at, breach_at = self._consumed(length) if self.counted >= length else (None, None)
        if self.mode == "running":
            here = self.since if self.stopped_at is None else self.stopped_at
            try:
                if due_at is None:
                    due_at, breach_at = self.calendar.both(here, length - self.counted)
                elif breach_at is None:
                    breach_at = self.calendar.breach(here, length - self.counted)
            except Uncovered:
                return due_at, None
        return due_at, None if breach_at is None else max(breach_at, self.breach_floor)

    def _consumed(self, length: int) -> tuple[int, int | None]:
        """Return (due_at, breach_at) of a length that had run by the end of the finished stretches."""
        due_at, run = self.started_at if length == 0 else None, 0
        for piece in self.pieces:
            if piece.mode != "running":
                continue
            here = piece.calendar.elapsed(piece.start, piece.stop)
            if due_at is None and run + here >= length:
                due_at = piece.calendar.due(piece.start, length - run)
            if due_at is not None and run + here > length:
                return due_at, max(piece.known_from, piece.calendar.breach(piece.start, max(0, length - run)))
            run += here
        assert due_at is not None  # the pieces have run it
        return due_at, None

    def segments(self, as_of: int) -> list[Segment]:
        """Return the stretches up to `as_of` that explain every moment since the start, in order, none of length zero."""
        pieces = self.pieces
        if self.stopped_at is None and as_of > self.since:
            pieces = [*pieces, _Piece(self.since, as_of, self.mode, self.calendar, self.position, 0)]
        found: list[Segment] = []
        for piece in pieces:
            if piece.mode == "stopped":
                found.append(Segment("stopped", piece.start, piece.stop, piece.position))
                continue
            cursor = piece.start
            for low, high in piece.calendar.spans(piece.start, piece.stop):
                if low > cursor:
                    found.append(Segment("closed", cursor, low, piece.position))
                found.append(Segment("counted" if piece.mode == "running" else "paused", low, high, piece.position))
                cursor = high
            if cursor < piece.stop:
                found.append(Segment("closed", cursor, piece.stop, piece.position))
        return found

    # What happens to a clock.

    def turn(self, signal: Signal, mode: Mode) -> None:
        """End the present stretch at the signal and go on in `mode`."""
        self._finish(signal)
        self._touch()
        self.mode, self.since, self.position = mode, signal.at, signal.position

    def stop(self, signal: Signal, *, resolved: bool) -> None:
        """Stop the hand; the mode that it had stays, for what it would have shown."""
        self._finish(signal)
        self._touch()
        self.stopped_at, self.resolved, self.position = signal.at, resolved, signal.position

    def cancel(self, signal: Signal) -> None:
        """End the clock without a verdict; one that stopped before keeps its time of stopping."""
        if self.live:
            self.stop(signal, resolved=False)
        self.cancelled, self.resolved = True, False
        self._touch()

    def resume(self, signal: Signal, mode: Mode, *, counting: bool) -> None:
        """Go on after a reopening. With `counting` the time since the resolution counts as if it had never stopped."""
        assert self.stopped_at is not None
        if signal.at > self.stopped_at:
            stretch: Literal["running", "stopped"] = "running" if counting else "stopped"
            self.pieces.append(_Piece(self.stopped_at, signal.at, stretch, self.calendar, self.position, signal.at if counting else 0))
            self.counted += self.calendar.elapsed(self.stopped_at, signal.at) if counting else 0
        self.stopped_at, self.resolved = None, False
        self.mode, self.since, self.position = mode, signal.at, signal.position
        self._touch()

    def retarget(self, signal: Signal, name: str, calendar: BusinessTime, target: int | None) -> None:
        """Keep the elapsed time and go on against another target; a breach of the one before stays known."""
        before = self.reading(signal.at)
        if self.target is not None and before.elapsed > self.target and before.breach_at is not None:
            self.earlier_breaches.append((self.target, before.breach_at))
        self.turn(signal, self.mode)
        self.calendar_name, self.calendar, self.target, self.breach_floor = name, calendar, target, signal.at

    def _touch(self) -> None:
        self.turns, self._due = self.turns + 1, None

    def _finish(self, signal: Signal) -> None:
        if signal.at > self.since:
            length = self.calendar.elapsed(self.since, signal.at)
            if self.mode == "running":
                self.counted += length
            else:
                self.held += length
            self.pieces.append(_Piece(self.since, signal.at, self.mode, self.calendar, self.position, 0))
