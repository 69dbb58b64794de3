"""Deadlines of SLA clocks, seen. Shared by every concept that has clocks; the facts stand in its own streams.

When a clock is due is computed, never polled. What is recorded is that somebody was awake and saw it pass: who was told
what, and when. A later fact that moves a passed deadline makes the observation superseded, never deleted.

    pending ──(passes, a tick sees it)──> observed ──(moved by a later fact)──> superseded
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from opsledger.domain.concept import Moment, clocks_of
from opsledger.domain.fact import At, fact
from opsledger.domain.recorded import Recorded
from opsledger.policies.clock import Clock
from opsledger.policies.instants import micros, moment, whole_seconds

__all__ = ["Deadline", "DeadlineObserved", "DeadlineSuperseded", "Key", "deadlines", "key_of", "observations", "observe", "passed"]

Kind = Literal["warn", "breach", "escalate"]


@fact("sla.deadline_observed", at="observed_at")
class DeadlineObserved:
    """A deadline was seen to have passed. `due_at` is computed, `observed_at` is when somebody looked."""

    observed_at: At
    metric: str
    cycle: int
    kind: Kind
    target_s: int
    threshold_pct: int  # of the target: 100, or less for a warning
    due_at: At


@fact("sla.deadline_superseded", at="superseded_at")
class DeadlineSuperseded:
    """A deadline that was seen to have passed had not: a fact recorded later moved it."""

    superseded_at: At
    observation: int  # position of the observation
    metric: str
    cycle: int
    kind: Kind
    target_s: int
    threshold_pct: int
    was_due_at: At
    due_at: At | None  # null: no longer due


Key = tuple[str, int, Kind, int, int]
"""Which deadline: metric, cycle, kind, target in seconds, threshold in percent."""


class Deadline(NamedTuple):
    """An instant at which a clock wants attention. `passes_at` in microseconds; `open` while the clock has not stopped."""

    metric: str
    cycle: int
    kind: Kind
    target_s: int
    threshold_pct: int
    passes_at: int
    open: bool

    @property
    def key(self) -> Key:
        """Which deadline this is, whenever it passes."""
        return self[:5]


def deadlines(clocks: Iterable[Clock]) -> Iterator[Deadline]:
    """Yield every deadline of the clocks, passed or to come; of stopped clocks those that passed before they stopped."""
    for clock in clocks:
        if clock.cancelled or clock.target is None:
            continue
        name, cycle = clock.metric.name, clock.cycle
        for target, broken_at in clock.earlier_breaches:
            yield Deadline(name, cycle, "breach", whole_seconds(target), 100, broken_at, open=False)
        for kind, pct in _thresholds(clock):
            due_at, breach_at = clock.due(clock.target * pct // 100)
            passes_at = breach_at if kind == "breach" else due_at
            # Stopped at the instant of a breach it is met; a level left at its deadline, by the escalation itself, was due.
            if passes_at is not None and (clock.stopped_at is None or passes_at < clock.stopped_at + (kind != "breach")):
                yield Deadline(name, cycle, kind, whole_seconds(clock.target), pct, max(passes_at, clock.breach_floor), open=clock.live)


def _thresholds(clock: Clock) -> Iterator[tuple[Kind, int]]:
    for pct in clock.metric.warn_at_pct:
        yield "warn", pct
    yield ("escalate" if clock.metric.purpose == "escalation" else "breach"), 100


def key_of(event: DeadlineObserved | DeadlineSuperseded) -> Key:
    """Return which deadline a fact is about."""
    return event.metric, event.cycle, event.kind, event.target_s, event.threshold_pct


def observations(history: Iterable[Recorded]) -> dict[Key, tuple[int, DeadlineObserved]]:
    """Return the observations that stand, with their positions."""
    found: dict[Key, tuple[int, DeadlineObserved]] = {}
    for recorded in history:
        event = recorded.fact
        if isinstance(event, DeadlineObserved):
            found[key_of(event)] = (recorded.position, event)
        elif isinstance(event, DeadlineSuperseded):
            found.pop(key_of(event), None)
    return found


def passed(now: Moment) -> list[Deadline]:
    """Return the deadlines of this stream that have passed at `now.at`, oldest first."""
    found = deadlines(clocks_of(now.history, now.policies.known))
    return sorted((each for each in found if each.passes_at <= micros(now.at)), key=lambda each: (each.passes_at, each.key))


def observe(now: Moment) -> tuple[DeadlineObserved | DeadlineSuperseded, ...]:
    """Return what a look at `now.at` adds: observations that no longer hold, then deadlines newly seen to have passed."""
    due = passed(now)
    standing: set[Key] = set()
    facts: list[DeadlineObserved | DeadlineSuperseded] = []
    for key, (position, event) in observations(now.history).items():
        passes = [each.passes_at for each in due if each.key == key]
        if micros(event.due_at) in passes:
            standing.add(key)
            continue
        superseded = DeadlineSuperseded(
            superseded_at=now.at,
            observation=position,
            metric=event.metric,
            cycle=event.cycle,
            kind=event.kind,
            target_s=event.target_s,
            threshold_pct=event.threshold_pct,
            was_due_at=event.due_at,
            due_at=moment(passes[0]) if passes else None,
        )
        facts.append(superseded)
    facts += [_observed(each, now) for each in due if each.open and each.key not in standing]
    return tuple(facts)


def _observed(deadline: Deadline, now: Moment) -> DeadlineObserved:
    """Return the fact that a deadline was seen to have passed."""
    return DeadlineObserved(
        observed_at=now.at,
        metric=deadline.metric,
        cycle=deadline.cycle,
        kind=deadline.kind,
        target_s=deadline.target_s,
        threshold_pct=deadline.threshold_pct,
        due_at=moment(deadline.passes_at),
    )
