"""Freeze periods: for some time things shall stay as they are.

    declared ──> changed ──> ... ──> lifted

A freeze that is over is changed no more; one that is lifted ends where it was lifted, or never was, where that was before.

Source: ServiceNow's blackout schedules; Operating Model, "Change Control Process".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused
from opsledger.policies.change_control import FreezeWindow
from opsledger.policies.instants import micros

__all__ = ["Changed", "Declared", "Freeze", "Lifted", "change", "declare", "evolve", "lift"]

# Facts.


@fact("freeze.declared", at="declared_at")
class Declared:
    """From then to then, these configuration items shall stay as they are."""

    declared_at: At
    declared_by: str
    starts_at: At
    ends_at: At  # not part of it
    ci_ids: tuple[str, ...] = ()  # none: all
    subject_id: Subject
    reason: Personal[str]


@fact("freeze.changed", at="changed_at")
class Changed:
    """The freeze holds from then to then, and no more as was said before."""

    changed_at: At
    was_starts_at: At
    was_ends_at: At
    starts_at: At
    ends_at: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("freeze.lifted", at="lifted_at")
class Lifted:
    """The freeze ended before its time."""

    lifted_at: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Declared | Changed | Lifted

# State.


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze as known last."""

    starts_at: datetime
    ends_at: datetime
    ci_ids: tuple[str, ...]
    lifted_at: datetime | None = None

    def window(self, freeze_id: str) -> FreezeWindow:
        """Return when it holds; a freeze that was lifted before it began has no length."""
        starts, ends = micros(self.starts_at), micros(self.ends_at)
        lifted = ends if self.lifted_at is None else micros(self.lifted_at)
        return FreezeWindow(freeze_id, starts, max(starts, min(ends, lifted)), self.ci_ids)


@concept("freeze")
def evolve(freeze: Freeze | None, event: Fact) -> Freeze:
    """Return the freeze after `event`."""
    if freeze is None:
        if not isinstance(event, Declared):
            raise Refused("freeze.undeclared", f"A freeze begins with its declaration, not with {type(event).__name__}.")
        return Freeze(event.starts_at, event.ends_at, event.ci_ids)
    match event:
        case Declared():
            return freeze
        case Changed():
            return replace(freeze, starts_at=event.starts_at, ends_at=event.ends_at)
        case Lifted():
            return replace(freeze, lifted_at=event.lifted_at)
        case _:
            assert_never(event)


# Decisions.


@starts
def declare(
    freeze: Freeze | None,
    now: Moment,
    /,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    ci_ids: tuple[str, ...] = (),
    declared_by: str | None = None,
) -> tuple[Fact, ...]:
    """Record that in [starts_at, ends_at) these configuration items (none: all) shall stay as they are."""
    if freeze is not None:
        raise Refused("freeze.exists", "This freeze is declared already; change it, or choose another id.")
    _has_length(starts_at, ends_at)
    declared = Declared(
        declared_at=now.at,
        declared_by=declared_by or now.actor,
        starts_at=starts_at,
        ends_at=ends_at,
        ci_ids=tuple(dict.fromkeys(ci_ids)),
        subject_id=now.stream,
        reason=reason,
    )
    return (declared,)


def change(
    freeze: Freeze, now: Moment, /, *, starts_at: datetime, ends_at: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that it holds in [starts_at, ends_at) instead. Needs another person's approval: it says what was allowed."""
    another(approved_by, requested_by, "this change of a freeze")
    if (freeze.starts_at, freeze.ends_at) == (starts_at, ends_at):
        return ()
    _has_length(starts_at, ends_at)
    _lasts(freeze, now)
    changed = Changed(
        changed_at=now.at,
        was_starts_at=freeze.starts_at,
        was_ends_at=freeze.ends_at,
        starts_at=starts_at,
        ends_at=ends_at,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (changed,)


def lift(freeze: Freeze, now: Moment, /, *, reason: str, requested_by: str, approved_by: str) -> tuple[Fact, ...]:
    """Record that it ends now, before its time. Needs another person's approval."""
    another(approved_by, requested_by, "the end of a freeze")
    if freeze.lifted_at is not None and now.at >= freeze.lifted_at:
        return ()
    _lasts(freeze, now)
    return (Lifted(lifted_at=now.at, requested_by=requested_by, approved_by=approved_by, subject_id=now.stream, reason=reason),)


def _has_length(starts_at: datetime, ends_at: datetime) -> None:
    if not starts_at < ends_at:
        raise Refused("freeze.window", f"A freeze from {starts_at.isoformat()} to {ends_at.isoformat()} has no length; end it later.")


def _lasts(freeze: Freeze, now: Moment) -> None:
    over_at = freeze.ends_at if freeze.lifted_at is None else min(freeze.ends_at, freeze.lifted_at)
    if now.at >= over_at:
        raise Refused("freeze.over", f"This freeze ended at {over_at.isoformat()}; what was frozen by then stays so.")
