"""Automation runs: work that a program did, or tried to do, in place of a person.

    ended ──> corrected          one stream per automation and UTC month, `automation_run:restart-worker/2026-03`

Facts may enter by `ledger.by(...).observe`; the decisions are for those who record few, and for corrections.
Source: Operating Model, "SRE Responsibilities": infrastructure as code, automated deployment and rollback, self-healing, operational tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Corrected", "Ended", "Fact", "Kind", "Outcome", "Runs", "Trigger", "correct", "end", "evolve", "stream_of"]

Kind = Literal["infrastructure", "deployment", "rollback", "self_healing", "task"]
Outcome = Literal["succeeded", "failed", "handed_over"]
Trigger = Literal["alert", "schedule", "change", "person"]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("automation_run.ended", at="ended_at")
class Ended:
    """A program ended what it was there for, or gave up."""

    ended_at: At
    started_at: At
    automation_id: str  # which program or rule it was
    run_id: str
    kind: Kind
    outcome: Outcome  # handed_over: a person had to go on
    trigger: Trigger
    service_id: str | None = None  # the service that it served
    incident_id: str | None = None
    change_id: str | None = None


@fact("automation_run.corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class Corrected:
    """A run had another outcome than an earlier fact says."""

    corrected_at: At
    corrects: int  # position of that fact
    was: Outcome
    now: Outcome
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Ended | Corrected


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of an automation in a month, by their ids."""

    ended: Mapping[str, Ended] = field(default_factory=dict)


@concept("automation_run", observed=True)
def evolve(runs: Runs | None, event: Fact) -> Runs:
    """Return the runs after `event`. The first fact that says how a run ended counts."""
    known = runs or Runs()
    match event:
        case Ended():
            return replace(known, ended={event.run_id: event, **known.ended})
        case Corrected():
            return known
        case _:
            assert_never(event)


def stream_of(automation_id: str, ended_at: datetime) -> str:
    """Return the stream of the runs of an automation that end in the UTC month of an instant."""
    return f"automation_run:{automation_id}/{ended_at.astimezone(UTC):%Y-%m}"


@starts
def end(
    runs: Runs | None,
    now: Moment,
    /,
    *,
    automation_id: str,
    run_id: str,
    started_at: datetime,
    kind: Kind,
    outcome: Outcome,
    trigger: Trigger,
    service_id: str | None = None,
    incident_id: str | None = None,
    change_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record that a run ended now, and how."""
    own = stream_of(automation_id, now.at)
    if now.stream != own:
        raise Refused("automation_run.stream", f"A run of {automation_id} ended then has the id {own.partition(':')[2]}, not {now.id}.")
    if started_at > now.at:
        raise Refused("automation_run.backwards", f"A run from {started_at.isoformat()} to {now.at.isoformat()} does not run forwards.")
    ended = Ended(
        ended_at=now.at,
        started_at=started_at,
        automation_id=automation_id,
        run_id=run_id,
        kind=kind,
        outcome=outcome,
        trigger=trigger,
        service_id=service_id,
        incident_id=incident_id,
        change_id=change_id,
    )
    known = runs.ended.get(run_id) if runs else None
    if known == ended:
        return ()
    if known is not None:
        raise Refused("automation_run.exists", f"{run_id} is recorded with other values already; correct it, or choose another id.")
    return (ended,)


def correct(
    runs: Runs, now: Moment, /, *, corrects: int, was: Outcome, to: Outcome, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the run at position `corrects` had the outcome `to`, not `was`. Another person approves."""
    another(approved_by, requested_by, "this correction")
    named = now.recorded(corrects).fact
    if not isinstance(named, Ended):
        raise Refused("correction.not_a_run", f"Position {corrects} is no run; name the one whose outcome was another.")
    said = [each.fact.now for each in now.history if isinstance(each.fact, Corrected) and each.fact.corrects == corrects]
    check_held(corrects, said[-1] if said else named.outcome, was)
    if to == was:
        return ()
    corrected = Corrected(
        corrected_at=now.at,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)
