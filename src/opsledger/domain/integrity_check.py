"""Integrity checks: data were compared with what they should be, row by row.

    completed ──> repaired: the rows that differed are right again
        └─ corrected: the check itself had counted wrongly

Source: Operating Model, "Platform Availability SLAs": "100% data integrity guarantee"; any mismatch breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Check", "Completed", "Corrected", "Fact", "Repaired", "What", "complete", "correct", "evolve", "repair"]

Count = Annotated[int, Field(ge=0)]
What = Literal["rows", "mismatches"]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("integrity_check.completed", at="completed_at")
class Completed:
    """Rows of a scope were compared, and so many were not as they should be."""

    completed_at: At
    service_id: str
    scope: str  # what was looked at, for example invoices
    against: str  # what it was compared with: checksums, a replica, a backup, the ledger, or a word of one's own
    rows: Count
    mismatches: Count
    digest: str | None  # of what was looked at, as the checker writes it; null: none was made
    policy: str  # the operating model, by version and digest, that was in force


@fact("integrity_check.repaired", at="repaired_at")
class Repaired:
    """The rows in which the check found mismatches are right again."""

    repaired_at: At
    rows: Count
    repaired_by: str
    incident_id: str | None = None
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("integrity_check.corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class Corrected:
    """The check had counted other rows, or mismatches, than an earlier fact says."""

    corrected_at: At
    corrects: int  # position of that fact
    what: What
    was: int
    now: Count
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Completed | Repaired | Corrected


@dataclass(frozen=True, slots=True)
class Check:
    """A check as its decisions see it, counts as they are held now."""

    completed_at: datetime
    rows: int
    mismatches: int
    repaired: Repaired | None = None


@concept("integrity_check")
def evolve(check: Check | None, event: Fact) -> Check:
    """Return the check after `event`."""
    if check is None:
        if not isinstance(event, Completed):
            raise Refused("integrity_check.unknown", f"A check begins with what it counted, not with {type(event).__name__}.")
        return Check(event.completed_at, event.rows, event.mismatches)
    match event:
        case Completed():
            return check
        case Repaired():
            return replace(check, repaired=event)
        case Corrected():
            return replace(check, **{event.what: event.now})  # type: ignore[arg-type]  # each is a count of the state
        case _:
            assert_never(event)


@starts
def complete(
    check: Check | None,
    now: Moment,
    /,
    *,
    service_id: str,
    scope: str,
    against: str,
    rows: int,
    mismatches: int,
    digest: str | None = None,
) -> tuple[Fact, ...]:
    """Record that `rows` of a scope were compared with what they should be, and how many were not."""
    if check is not None:
        raise Refused("integrity_check.exists", f"{now.id} is recorded already; correct it, or choose another id.")
    _add_up(rows, mismatches)
    policy = now.policies.in_force.ref
    completed = Completed(
        completed_at=now.at,
        service_id=service_id,
        scope=scope,
        against=against,
        rows=rows,
        mismatches=mismatches,
        digest=digest,
        policy=policy,
    )
    return (completed,)


def repair(check: Check, now: Moment, /, *, rows: int, incident_id: str | None = None, remark: str | None = None) -> tuple[Fact, ...]:
    """Record that the rows that differed are right again. The breach stays one; it has an end."""
    if check.mismatches == 0:
        raise Refused("integrity_check.sound", f"{now.id} found nothing to repair; correct its count first if it missed something.")
    if now.at < check.completed_at:
        raise Refused(
            "integrity_check.before", f"A repair at {now.at.isoformat()} lies before the check at {check.completed_at.isoformat()}."
        )
    if check.repaired is not None:
        if check.repaired.repaired_at == now.at and check.repaired.rows == rows:
            return ()
        raise Refused("integrity_check.repaired", f"It was repaired at {check.repaired.repaired_at.isoformat()} already; check again.")
    repaired = Repaired(repaired_at=now.at, rows=rows, repaired_by=now.actor, incident_id=incident_id, subject_id=now.stream, remark=remark)
    return (repaired,)


def correct(
    check: Check, now: Moment, /, *, corrects: int, what: What, was: int, to: int, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the check had counted `to`, not `was`. Another person approves."""
    another(approved_by, requested_by, "this correction")
    if not isinstance(now.recorded(corrects).fact, Completed):
        raise Refused("correction.not_counted", f"Position {corrects} counts nothing; name the fact that says what the check counted.")
    check_held(corrects, getattr(check, what), was)
    after = replace(check, **{what: to})  # type: ignore[arg-type]  # each is a count of the state
    _add_up(after.rows, after.mismatches)
    if to == was:
        return ()
    corrected = Corrected(
        corrected_at=now.at,
        corrects=corrects,
        what=what,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _add_up(rows: int, mismatches: int) -> None:
    if mismatches > rows:
        raise Refused("integrity_check.counts", f"Of {rows} rows {mismatches} cannot differ; count them again.")
