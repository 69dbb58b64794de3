"""Decisions on the work and after it: start, complete, verify, back out, review, close, and corrections with two people."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from opsledger.domain.change import facts as f
from opsledger.domain.change.state import Change, has_started, under_way
from opsledger.domain.concept import Moment, another
from opsledger.domain.recorded import corrections
from opsledger.errors import Refused
from opsledger.policies.instants import micros


def start(
    change: Change, now: Moment, /, *, implementer_id: str | None = None, already_happened: bool = False, reason: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that the actor, or `implementer_id`, begins the work.

    Refuses a change that is not authorised by then, unless the work has `already_happened`: that is recorded whatever it was, and
    becomes a control finding. Where the operating model lets approval follow, it is due within its time.
    """
    if change.started_at == now.at:
        return ()
    if change.started_at is not None:
        raise Refused("change.started", f"Work on this change began at {change.started_at.isoformat()}; correct that time instead.")
    if not already_happened:
        under_way(change, now, "work")
    authorised = now.then(change).authorised
    rules = now.policies.of(change.policy).changes
    if not authorised and not already_happened:
        raise Refused("change.unauthorised", f"This change may not start: {_missing(now.then(change))}.")
    follows = not authorised and change.category in rules.retroactive_approval_for
    started = f.Started(
        started_at=now.at,
        implementer_id=implementer_id or now.actor,
        authorised=authorised,
        approve_by=now.at + timedelta(seconds=rules.retroactive_approval_within) if follows else None,
        subject_id=now.stream,
        reason=reason,
    )
    return (started,)


def complete(change: Change, now: Moment, /, *, outcome: f.Outcome, remark: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the work ended, and how it went. Said again, the last word counts."""
    if (change.completed_at, change.outcome) == (now.at, outcome):
        return ()
    under_way(change, now, "outcome")
    has_started(change, now, "outcome")
    review_by = _review_by(change, now, outcome)
    return (f.Completed(completed_at=now.at, outcome=outcome, review_by=review_by, subject_id=now.stream, remark=remark),)


def verify(change: Change, now: Moment, /, *, holds: bool, verified_by: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the actor, or `verified_by`, looked whether it does what it should."""
    verifier = verified_by or now.actor
    if change.verified == (now.at, verifier, holds):
        return ()
    has_started(change, now, "verification")
    return (f.Verified(verified_at=now.at, verified_by=verifier, holds=holds),)


def back_out(
    change: Change, now: Moment, /, *, restored: bool = True, backed_out_by: str | None = None, reason: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that it was taken back, also after it was completed; `restored` says whether all is as it was before."""
    if change.backed_out_at == now.at:
        return ()
    under_way(change, now, "back-out")
    has_started(change, now, "back-out")
    backed_out = f.BackedOut(
        backed_out_at=now.at,
        backed_out_by=backed_out_by or now.actor,
        restored=restored,
        review_by=_review_by(change, now, "backed_out"),
        subject_id=now.stream,
        reason=reason,
    )
    return (backed_out,)


def review(
    change: Change, now: Moment, /, *, achieved: bool | None = None, findings: str | None = None, reviewed_by: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that those concerned looked back at it. Its work must have ended."""
    if change.reviewed_at == now.at:
        return ()
    _over(change, now, "review")
    reviewed = f.Reviewed(
        reviewed_at=now.at, reviewed_by=reviewed_by or now.actor, achieved=achieved, subject_id=now.stream, findings=findings
    )
    return (reviewed,)


def close(change: Change, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that nothing more is expected: the work has ended, it was approved or rejected, and reviewed where that is asked for."""
    if change.closed_at is not None and now.at >= change.closed_at:
        return ()
    under_way(change, now, "closure")
    _over(change, now, "closure")
    if not change.authorised and not change.rejected:
        raise Refused("change.unauthorised", f"This change cannot be closed: {_missing(change)}. Approve it afterwards, or reject it.")
    if change.review_asked and change.reviewed_at is None:
        raise Refused("change.unreviewed", "This change cannot be closed: its review is still asked for. Hold it, then close.")
    return (f.Closed(closed_at=now.at),)


def correct_time(
    change: Change, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[f.Fact, ...]:
    """Record that the fact at position `corrects`, which says `was`, happened at `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    recorded = now.recorded(corrects)
    held = corrections(now.history).get(corrects, recorded.occurred_at)
    if isinstance(recorded.fact, f.TimeCorrected):
        raise Refused("correction.of_correction", f"Position {corrects} is a correction itself; correct position {recorded.fact.corrects}.")
    if held != micros(was):
        raise Refused("correction.was", f"Position {corrects} does not say {was.isoformat()}; look at it again with its history.")
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; a fact has happened when it is recorded.")
    if held == micros(to):
        return ()
    corrected = f.TimeCorrected(
        corrected_at=now.at,
        corrects=corrects,
        milestone=recorded.topic.partition(".")[2],
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _over(change: Change, now: Moment, what: str) -> None:
    ends = [at for at in (change.completed_at, change.backed_out_at) if at is not None]
    if not ends or now.at < min(ends):
        raise Refused("change.not_over", f"Work on this change had not ended, so there is no {what}; complete it or back it out first.")


def _review_by(change: Change, now: Moment, end: Literal["successful", "partially", "failed", "backed_out"]) -> datetime | None:
    rules = now.policies.of(change.policy).changes
    asked = change.category in rules.review_for or end in rules.review_after
    return now.at + timedelta(seconds=rules.review_within) if asked else None


def _missing(change: Change) -> str:
    """Say what keeps a change from being authorised."""
    if change.rejected:
        return "it was rejected, and nobody has approved it since"
    authority, others = change.authority, [each for each in change.standing if each.by != change.requested_by]
    roles = [role for role in authority.roles if role not in {each.role for each in others}]
    if roles:
        return f"it needs the approval of the role {roles[0]}"
    if len({each.by for each in others}) < authority.approvals:
        return f"it needs {authority.approvals} approvals and has {len({each.by for each in others})}"
    signed = {each.role for _, each in change.sign_offs if each.by != change.requested_by}
    return f"it needs the sign-off of the role {next(role for role in authority.sign_off_roles if role not in signed)}"
