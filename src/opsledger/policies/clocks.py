"""One fold for every SLA clock of a thing: signals in, clocks out.

`Clocks` hears signals in the order in which they happened (ties by position) and keeps the cycles of each metric.
Decisions and projections use this same fold, so that a promise made and a promise checked are one computation.
Who disagrees with these rules, and why we chose them: docs/explanation/clocks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from opsledger.errors import Uncovered
from opsledger.policies.calendar import BusinessTime
from opsledger.policies.clock import Clock, Mode
from opsledger.policies.instants import SECOND
from opsledger.policies.metric import Knows, Metric, Signal, Target

__all__ = ["Clocks", "run"]

_ENDINGS: Final = frozenset({"resolved", "closed"})
_TARGETS_MOVE: Final = frozenset({"priority_changed", "policy"})
_PAUSES: Final = frozenset({"paused", "resumed"})


class Clocks:
    """The clocks of one thing, after the signals heard so far. Iterating gives those with a target, cycles in order."""

    def __init__(self, knows: Knows) -> None:
        self.policy = self.priority = self.level = self.pause = ""
        self.resolved = self.ended = False
        self.knows = knows  # may be replaced by what is known later
        self._heard: set[str] = set()
        self._cycles: dict[str, list[Clock]] = {}
        # A live thing may have no target for a metric yet; then only its turn is kept, so that a target can start later.
        self._unpromised: set[str] = set()

    def __iter__(self) -> Iterator[Clock]:
        for cycles in self._cycles.values():
            yield from cycles

    def recent(self) -> Iterator[Clock]:
        """Yield the last two cycles of each metric: no other can be open, or have been stopped by the signal heard last."""
        for cycles in self._cycles.values():
            yield from cycles[-2:]

    def current(self, metric: str) -> Clock | None:
        """Return the newest cycle of a metric, or None before the first."""
        cycles = self._cycles.get(metric)
        return cycles[-1] if cycles else None

    def hear(self, signal: Signal) -> None:
        """Take one signal that happened at or after all heard before."""
        note = _NOTES.get(signal.kind)
        if note is not None:
            note(self, signal.value)
        if signal.kind == "policy":
            self._drop(signal)
        if self.policy:
            for metric in self.knows.rules(self.policy).hearing.get(signal.kind, ()):
                self._hear(metric, signal)
        self._heard.add(signal.kind)

    def _drop(self, signal: Signal) -> None:
        """End the clocks of metrics that the policy does not know; nothing would stop them any more."""
        known = {metric.name for metric in self.knows.rules(self.policy).metrics}
        self._unpromised &= known
        for name, cycles in self._cycles.items():
            if name not in known and cycles[-1].live:
                cycles[-1].cancel(signal)

    def _hear(self, metric: Metric, signal: Signal) -> None:
        kind, clock = signal.kind, self.current(metric.name)
        if kind in ("cancelled", "voided"):
            self._end(metric, signal)
        elif clock is not None and clock.live:
            self._go_on(metric, clock, signal)
        elif metric.name in self._unpromised:
            self._go_on_unpromised(metric, signal)
        elif kind == "reopened" and clock is not None and clock.resolved:
            self._reopen(metric, clock, signal)
        if kind in metric.start_on:
            self._maybe_start(metric, signal)

    def _go_on(self, metric: Metric, clock: Clock, signal: Signal) -> None:
        if signal.kind in metric.stop_on or signal.kind in _ENDINGS:
            clock.stop(signal, resolved=signal.kind in _ENDINGS)
        elif signal.kind in _PAUSES:
            if clock.mode != (mode := self._mode(metric)):
                clock.turn(signal, mode)
        elif signal.kind in _TARGETS_MOVE:
            self._retarget(metric, clock, signal)

    def _go_on_unpromised(self, metric: Metric, signal: Signal) -> None:
        """Keep the turn of a metric without a target as its clock would be kept, and start the clock once there is a target."""
        if signal.kind in _ENDINGS and metric.reopen == "first_only":
            self._unpromised.discard(metric.name)
        if self.resolved:
            return
        if signal.kind in metric.stop_on:
            self._unpromised.discard(metric.name)
        elif signal.kind in _TARGETS_MOVE or signal.kind == "reopened":
            self._start(metric, signal)

    def _end(self, metric: Metric, signal: Signal) -> None:
        self._unpromised.discard(metric.name)
        for clock in self._cycles.get(metric.name, ()):
            if clock.live or signal.kind == "voided":
                clock.cancel(signal)

    def _maybe_start(self, metric: Metric, signal: Signal) -> None:
        clock = self.current(metric.name)
        if self.resolved or self.ended or metric.name in self._unpromised:
            return
        if clock is not None and (clock.live or not metric.repeats):
            return
        if not metric.after or metric.after in self._heard or metric.after == signal.kind:
            self._start(metric, signal)

    def _start(self, metric: Metric, signal: Signal) -> None:
        rules = self.knows.rules(self.policy)
        target = rules.target(metric.name, self.priority, self.level)
        if target is None:
            self._unpromised.add(metric.name)
            return
        self._unpromised.discard(metric.name)
        cycles = self._cycles.setdefault(metric.name, [])
        calendar = self.knows.calendar(target.calendar)
        clock = Clock(
            metric=metric,
            cycle=len(cycles) + 1,
            policy=self.policy,
            priority=self.priority,
            level=self.level,
            calendar_name=target.calendar,
            calendar=calendar,
            target=_length(target, calendar, signal.at),
            earlier_breach_stands=rules.earlier_breach == "stands",
            mode=self._mode(metric),
            started_at=signal.at,
            since=signal.at,
            position=signal.position,
        )
        cycles.append(clock)

    def _reopen(self, metric: Metric, clock: Clock, signal: Signal) -> None:
        left = "level_entered" in metric.start_on and clock.level != self.level  # went to another level while it was resolved
        if metric.reopen == "new_cycle" or left:
            clock.resolved = False
            self._start(metric, signal)
        elif metric.reopen != "first_only":
            clock.resume(signal, self._mode(metric), counting=metric.reopen == "count_through")
            if (clock.priority, clock.policy) != (self.priority, self.policy):
                self._retarget(metric, clock, signal)

    def _retarget(self, metric: Metric, clock: Clock, signal: Signal) -> None:
        rules = self.knows.rules(self.policy)
        target = rules.target(metric.name, self.priority, self.level)
        if target is None or rules.priority_change == "restart":
            clock.cancel(signal)
            self._start(metric, signal)
            return
        calendar = self.knows.calendar(target.calendar)
        clock.retarget(signal, target.calendar, calendar, _length(target, calendar, clock.started_at))
        clock.priority, clock.policy = self.priority, self.policy

    def _mode(self, metric: Metric) -> Mode:
        return "paused" if self.pause in metric.pause_while else "running"


def _length(target: Target, calendar: BusinessTime, start: int) -> int | None:
    if not target.business_days:
        return target.seconds * SECOND
    try:
        return calendar.elapsed(start, calendar.business_days(start, target.business_days, end_of_day=target.end_of_day))
    except Uncovered:
        return None


def run(signals: Iterable[Signal], knows: Knows) -> Clocks:
    """Return the clocks after all `signals`, taken in the order in which they happened, ties by position."""
    clocks = Clocks(knows)
    for signal in sorted(signals, key=lambda signal: signal[:2]):
        clocks.hear(signal)
    return clocks


# What a signal tells about the thing itself, before any metric hears it.


def _priority(clocks: Clocks, value: str) -> None:
    clocks.priority = value


def _level(clocks: Clocks, value: str) -> None:
    clocks.level = value


def _pause(clocks: Clocks, value: str) -> None:
    clocks.pause = value


def _policy(clocks: Clocks, value: str) -> None:
    clocks.policy = value


def _resolve(clocks: Clocks, _: str) -> None:
    clocks.resolved, clocks.pause = True, ""


def _reopen(clocks: Clocks, _: str) -> None:
    clocks.resolved = False


def _end(clocks: Clocks, _: str) -> None:
    clocks.ended = True


_NOTES: Final[Mapping[str, Callable[[Clocks, str], None]]] = {
    "policy": _policy,
    "created": _priority,
    "priority_changed": _priority,
    "level_entered": _level,
    "paused": _pause,
    "resumed": _pause,
    "resolved": _resolve,
    "closed": _resolve,
    "reopened": _reopen,
    "cancelled": _end,
    "voided": _end,
}
