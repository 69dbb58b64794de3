"""One SLA clock, walked second by second: what the clock fold is compared with.

A metric like resolution: it starts when the thing is created, stops when it is resolved, is held by some pauses, and knows
four rules of reopening. Each second is looked at by itself: who is in charge now, is the calendar open, does the hand move?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from opsledger.policies.metric import Metric, Rules, Signal

SECOND = 1_000_000
Hours = set[int]
"""The open seconds of a calendar."""


@dataclass
class Cycle:
    """One cycle: which seconds have counted (and since when that was known), how many were held, and how it ended."""

    started: int
    target: int
    calendar: str
    ran: list[tuple[int, int]] = field(default_factory=list)  # (second, known from)
    held: int = 0
    stopped: int | None = None
    by_resolution: bool = False
    cancelled: bool = False
    promised: tuple[str, str] = ("", "")
    floor: int = 0
    breaches: list[tuple[int, int]] = field(default_factory=list)
    mode: str = "running"
    meanwhile: list[int] = field(default_factory=list)  # open seconds since it stopped

    def due(self) -> int | None:
        """Return the end of the second with which the target has run, None when it has not."""
        if self.target == 0:
            return self.started
        return self.ran[self.target - 1][0] + 1 if len(self.ran) >= self.target else None

    def breach(self) -> int | None:
        """Return the start of the first second beyond the target, None when there is none yet."""
        return max(*self.ran[self.target], self.floor) if len(self.ran) > self.target else None


class Slow:
    """All cycles of one metric on one thing."""

    def __init__(self, metric: Metric, rules: Rules, calendars: dict[str, Hours]) -> None:
        self.metric, self.rules, self.calendars = metric, rules, calendars
        self.priority = self.pause = self.policy = ""
        self.resolved = self.ended = self.waiting = False
        self.cycles: list[Cycle] = []

    def walk(self, signals: Sequence[Signal], until: int) -> None:
        """Go second by second up to `until`, hearing what is said at the beginning of each."""
        heard = 0
        for second in range(signals[0].at // SECOND, until + 1):
            while heard < len(signals) and signals[heard].at // SECOND == second:
                self.hear(signals[heard], second)
                heard += 1
            if second < until:
                for cycle in self.cycles:
                    self.tick(cycle, second)

    def tick(self, cycle: Cycle, second: int) -> None:
        """Let one second pass."""
        if second not in self.calendars[cycle.calendar]:
            return
        if cycle.stopped is not None:
            cycle.meanwhile.append(second)
        elif cycle.mode == "running":
            cycle.ran.append((second, second))
        else:
            cycle.held += 1

    def hear(self, signal: Signal, now: int) -> None:
        """Take a signal."""
        cycle = self.cycles[-1] if self.cycles else None
        live = cycle is not None and cycle.stopped is None
        match signal.kind:
            case "policy":
                self.policy = signal.value
            case "created":
                self.priority = signal.value
                self.start(now)
            case "paused" | "resumed":
                self.pause = signal.value
                if live:
                    cycle.mode = self.mode()
            case "priority_changed":
                self.priority = signal.value
                if live:
                    self.retarget(cycle, now)
                elif self.waiting and not self.resolved:
                    self.start(now)
            case "resolved":
                self.pause, self.resolved = "", True
                if live:
                    cycle.stopped, cycle.by_resolution, cycle.meanwhile = now, True, []
                self.waiting = self.waiting and self.metric.reopen != "first_only"
            case "reopened":
                self.resolved = False
                if cycle is not None and cycle.by_resolution and not cycle.cancelled:
                    self.reopen(cycle, now)
                elif self.waiting:
                    self.start(now)
            case "cancelled" | "voided":
                self.ended, self.waiting = True, False
                for each in self.cycles:
                    if each.stopped is None:
                        each.stopped, each.cancelled = now, True
                    each.cancelled = each.cancelled or signal.kind == "voided"
            case _:
                pass

    def start(self, now: int) -> None:
        """Begin a cycle, or wait where nothing is promised."""
        target = self.rules.target(self.metric.name, self.priority, "")
        self.waiting = target is None
        if target is not None:
            self.cycles.append(Cycle(now, target.seconds, target.calendar, mode=self.mode(), promised=(self.priority, self.policy)))

    def reopen(self, cycle: Cycle, now: int) -> None:
        """Go on by the metric's rule."""
        cycle.by_resolution = self.metric.reopen == "first_only"
        if self.metric.reopen == "first_only":
            return
        if self.metric.reopen == "new_cycle":
            self.start(now)
            return
        if self.metric.reopen == "count_through":
            cycle.ran += [(second, now) for second in cycle.meanwhile]
        cycle.stopped, cycle.mode = None, self.mode()
        if cycle.promised != (self.priority, self.policy):
            self.retarget(cycle, now)

    def retarget(self, cycle: Cycle, now: int) -> None:
        """Go on against the target of another priority."""
        target = self.rules.target(self.metric.name, self.priority, "")
        if target is None or self.rules.priority_change == "restart":
            cycle.stopped, cycle.cancelled = now, True
            self.start(now)
            return
        if len(cycle.ran) > cycle.target:
            breach = cycle.breach()
            assert breach is not None
            cycle.breaches.append((cycle.target, breach))
        cycle.target, cycle.calendar, cycle.floor = target.seconds, target.calendar, now
        cycle.promised = (self.priority, self.policy)

    def mode(self) -> str:
        """Return whether a live cycle runs or is held."""
        return "paused" if self.pause in self.metric.pause_while else "running"
