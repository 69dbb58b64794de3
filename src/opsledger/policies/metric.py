"""SLA metrics as data: what a clock hears, when it starts, stops and pauses, and how long it may run.

Nothing here knows tickets. A concept turns its facts into `Signal`s; a policy holds `Metric`s and `Target`s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, Protocol

from opsledger.policies.calendar import BusinessTime

__all__ = ["CONCERN_ALL", "Knows", "Metric", "Rules", "Signal", "Target"]


CONCERN_ALL: Final = ("policy", "priority_changed", "resolved", "closed", "reopened", "cancelled", "voided")
"""Kinds of signals that concern every clock."""


class Signal(NamedTuple):
    """Something that clocks may hear, at an instant in microseconds.

    These kinds say something about the thing itself: policy (value: reference), created and priority_changed (value:
    priority), level_entered (value: level), paused (value: reason), resumed, resolved, closed, reopened, cancelled (open
    clocks end) and voided (all clocks end). Any other kind is heard by the metrics that name it, for example agent_reply.
    """

    at: int
    position: int
    kind: str
    value: str = ""


class Target(NamedTuple):
    """How much business time a clock may run: `seconds`, or whole `business_days` frozen into a length at its start."""

    calendar: str
    seconds: int = 0
    business_days: int = 0
    end_of_day: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """When a clock starts, stops and pauses. Of one signal, stop goes before start."""

    name: str
    start_on: frozenset[str]
    stop_on: frozenset[str]
    pause_while: frozenset[str] = frozenset()  # reasons of a pause that hold this clock
    repeats: bool = False  # a new cycle may start after the last one stopped
    after: str = ""  # starts only once a signal of this kind has been heard; it may be the starting one
    reopen: Literal["resume", "new_cycle", "first_only", "count_through"] = "resume"
    purpose: Literal["promise", "escalation"] = "promise"
    warn_at_pct: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What one version of a policy says about clocks.

    `targets` is keyed by (metric, priority, level); a key with an empty level serves every level, and one with an empty
    priority too serves everything. No key: nothing is promised.
    """

    metrics: tuple[Metric, ...]  # those for which something has a target
    targets: Mapping[tuple[str, str, str], Target]
    priority_change: Literal["keep_elapsed", "restart"] = "keep_elapsed"
    earlier_breach: Literal["stands", "erased"] = "stands"

    @cached_property
    def hearing(self) -> Mapping[str, tuple[Metric, ...]]:
        """Which metrics a kind of signal concerns at all; kinds that are missing concern none."""
        pausing = tuple(metric for metric in self.metrics if metric.pause_while)
        found: dict[str, tuple[Metric, ...]] = dict.fromkeys(CONCERN_ALL, self.metrics) | {"paused": pausing, "resumed": pausing}
        for kind in {kind for metric in self.metrics for kind in (*metric.start_on, *metric.stop_on)} - found.keys():
            found[kind] = tuple(metric for metric in self.metrics if kind in metric.start_on or kind in metric.stop_on)
        return found

    def target(self, metric: str, priority: str, level: str) -> Target | None:
        """Return the target, or None where nothing is promised."""
        targets = self.targets
        return targets.get((metric, priority, level)) or targets.get((metric, priority, "")) or targets.get((metric, "", ""))


class Knows(Protocol):
    """Rules and calendars as known at some position of the ledger."""

    def rules(self, ref: str) -> Rules:
        """Return the rules of a policy by its reference."""

    def calendar(self, name: str) -> BusinessTime:
        """Return a calendar, each instant counted by the version in force there."""
