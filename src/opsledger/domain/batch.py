"""Batch jobs: the windows in which their work is to be done, and the runs in which it was.

    window defined ──> window defined ──> ... ──> retired        versions, effective-dated
        └─ run completed ──> withdrawn, where it was recorded wrongly

One stream per job, `batch:nightly-index`. A definition carries the offsets of its zone, so that no table asks a tz database when a window
opens. Whether a run was in time is worked out, not recorded: a window that is defined later for an earlier time restates it.
Source: Operating Model, "Performance SLAs": batch operations complete within defined windows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.errors import BadInput, Refused
from opsledger.policies.batches import WEEKDAYS, Hours, wall
from opsledger.policies.instants import DAY_S, micros
from opsledger.policies.zones import VERSION, LocalTime, local_time

__all__ = [
    "Batch",
    "Fact",
    "Offsets",
    "Outcome",
    "Retired",
    "RunCompleted",
    "RunWithdrawn",
    "Weekday",
    "WindowDefined",
    "complete",
    "define",
    "evolve",
    "hours_of",
    "retire",
    "withdraw",
]

Outcome = Literal["succeeded", "failed"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Count = Annotated[int, Field(ge=0)]

_WALL: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SPAN_S: Final = tuple(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2051))


@part
class Offsets:
    """A zone's offsets from UTC in seconds, and from which UTC second on each holds."""

    starts: tuple[int, ...]
    offsets: tuple[int, ...]
    tz_version: str


@fact("batch.window_defined", at="defined_at")
class WindowDefined:
    """From `effective_from` on the work of a service is to be done from `opens` to `closes`, wall time of a zone, on some weekdays."""

    defined_at: At
    effective_from: At
    service_id: str
    zone: str
    weekdays: tuple[Weekday, ...]  # local days on which a window opens
    opens: str  # 22:00
    closes: str  # 04:00; on the next day where it is not later than `opens`
    offsets: Offsets
    proposed_by: str
    approved_by: str
    reason: str


@fact("batch.run_completed", at="completed_at")
class RunCompleted:
    """A run of the job ended."""

    completed_at: At
    started_at: At
    run_id: str
    outcome: Outcome
    items: Count | None = None  # how many it processed; null: not known
    left: Count | None = None  # how many it left undone; null: not known


@fact("batch.run_withdrawn", at="withdrawn_at", corrects=lambda _: None)
class RunWithdrawn:
    """A run was recorded wrongly: it counts no more, and its id may be recorded again."""

    withdrawn_at: At
    withdraws: int  # position of the run
    run_id: str
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("batch.retired", at="retired_at")
class Retired:
    """The job is done no longer: no window opens from here on."""

    retired_at: At


Fact = WindowDefined | RunCompleted | RunWithdrawn | Retired


@dataclass(frozen=True, slots=True)
class Batch:
    """The newest definition, the runs that count, and when the job was retired."""

    defined: WindowDefined | None = None
    runs: frozenset[str] = field(default_factory=frozenset)
    retired_at: datetime | None = None


@concept("batch")
def evolve(batch: Batch | None, event: Fact) -> Batch:
    """Return the job after `event`."""
    known = batch or Batch()
    match event:
        case WindowDefined():
            return replace(known, defined=event)
        case RunCompleted():
            return replace(known, runs=known.runs | {event.run_id})
        case RunWithdrawn():
            return replace(known, runs=known.runs - {event.run_id})
        case Retired():
            return replace(known, retired_at=event.retired_at)
        case _:
            assert_never(event)


@starts
def define(
    batch: Batch | None,
    now: Moment,
    /,
    *,
    service_id: str,
    zone: str,
    weekdays: tuple[Weekday, ...],
    opens: str,
    closes: str,
    proposed_by: str,
    approved_by: str,
    effective_from: datetime | None = None,
    reason: str = "",
) -> tuple[Fact, ...]:
    """Record when the work of a job is to be done, from `effective_from` (default: now) on.

    Adds nothing where the newest definition says the same. Refuses an approver who is the proposer, a time in the past without a
    reason, and no weekday. Raises BadInput for a wall time that is none, or a zone that the tz database does not have.
    """
    another(approved_by, proposed_by, "this window")
    effective = effective_from or now.at
    if effective < now.at and not reason:
        raise Refused("batch.retroactive", f"The window would hold from {effective.isoformat()}, before now; say why with a reason.")
    days = tuple(day for day in WEEKDAYS if day in weekdays)
    if not days:
        raise Refused("batch.no_weekday", f"A window of {now.id} opens on one weekday or more; name them, such as mon or sun.")
    for text in (opens, closes):
        if not _WALL.fullmatch(text):
            raise BadInput("batch.wall_time", f"'{text}' is no wall time; write it like 22:00.")
    begin = micros(effective) // 1_000_000
    local = local_time(zone, *_SPAN_S).between(begin - 3 * DAY_S, max(begin, _SPAN_S[1]))
    defined = WindowDefined(
        defined_at=now.at,
        effective_from=effective,
        service_id=service_id,
        zone=zone,
        weekdays=days,
        opens=opens,
        closes=closes,
        offsets=Offsets(starts=local.starts, offsets=local.offsets, tz_version=VERSION),
        proposed_by=proposed_by,
        approved_by=approved_by,
        reason=reason,
    )
    held = None if batch is None else batch.defined
    return () if held is not None and held.effective_from <= effective and _terms(held) == _terms(defined) else (defined,)


@starts
def complete(
    batch: Batch | None,
    now: Moment,
    /,
    *,
    run_id: str,
    started_at: datetime,
    outcome: Outcome = "succeeded",
    items: int | None = None,
    left: int | None = None,
) -> tuple[Fact, ...]:
    """Record that a run ended now, in its window or not, also of a job that has none yet. A run that is recorded already adds nothing."""
    if started_at > now.at:
        raise Refused("batch.backwards", f"The run {run_id} would have begun after it ended at {now.at.isoformat()}; say when it began.")
    if batch is not None and run_id in batch.runs:
        return ()
    return (RunCompleted(completed_at=now.at, started_at=started_at, run_id=run_id, outcome=outcome, items=items, left=left),)


def withdraw(batch: Batch, now: Moment, /, *, withdraws: int, reason: str, requested_by: str, approved_by: str) -> tuple[Fact, ...]:
    """Record that the run at position `withdraws` was recorded wrongly. Another person approves. Record the right one beside it."""
    another(approved_by, requested_by, "this withdrawal")
    said = now.recorded(withdraws).fact
    if not isinstance(said, RunCompleted):
        raise Refused("correction.not_a_run", f"Position {withdraws} is no run; name the one that was recorded wrongly.")
    if not reason.strip():
        raise Refused("batch.no_reason", "A withdrawal changes what is reported; say why.")
    if any(isinstance(each.fact, RunWithdrawn) and each.fact.withdraws == withdraws for each in now.history):
        return ()
    withdrawn = RunWithdrawn(
        withdrawn_at=now.at,
        withdraws=withdraws,
        run_id=said.run_id,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (withdrawn,)


def retire(batch: Batch, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the job is done no longer."""
    if batch.retired_at == now.at:
        return ()
    if batch.retired_at is not None:
        raise Refused("batch.retired", f"{now.id} was retired at {batch.retired_at.isoformat()} already.")
    return (Retired(retired_at=now.at),)


def hours_of(defined: WindowDefined, until: int) -> Hours:
    """Return the windows of a definition that open before `until`, in microseconds, as policies count them."""
    opens_s, closes_s = wall(defined.opens), wall(defined.closes)
    local = LocalTime(defined.offsets.starts, defined.offsets.offsets)
    return Hours(micros(defined.effective_from), until, defined.weekdays, opens_s, closes_s + DAY_S * (closes_s <= opens_s), local)


def _terms(defined: WindowDefined) -> tuple[object, ...]:
    return defined.service_id, defined.zone, defined.weekdays, defined.opens, defined.closes
