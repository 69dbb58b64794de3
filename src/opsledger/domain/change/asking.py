"""Decisions before the work is planned: request, assess, approve, reject, sign off, cancel."""

from __future__ import annotations

from opsledger.domain.change import facts as f
from opsledger.domain.change.state import Change, not_started, under_way
from opsledger.domain.concept import Moment, another, starts
from opsledger.errors import Refused


@starts
def request(
    change: Change | None,
    now: Moment,
    /,
    *,
    category: f.Category,
    title: str,
    details: str | None = None,
    ci_ids: tuple[str, ...] = (),
    services: tuple[str, ...] = (),
    incident_id: str | None = None,
    release_id: str | None = None,
    requested_by: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that somebody, by default the actor, asks for a change; the rules in force are pinned with it."""
    if change is not None:
        raise Refused("change.exists", "This change is requested already; record on it, or choose another id.")
    policy = now.policies.in_force
    rules = policy.model.changes
    if category not in rules.itil_type or category not in rules.approvals:
        raise Refused("change.category", f"The operating model in force says nothing of {category} changes; publish one that does.")
    requested = f.Requested(
        requested_at=now.at,
        requested_by=requested_by or now.actor,
        category=category,
        itil_type=rules.itil_type[category],
        ci_ids=tuple(dict.fromkeys(ci_ids)),
        services=tuple(dict.fromkeys(services)),
        incident_id=incident_id,
        release_id=release_id,
        policy=policy.ref,
        approvals=rules.approvals[category],
        approver_roles=rules.approver_roles.get(category, ()),
        sign_off_roles=rules.sign_off_roles.get(category, ()),
        assessed_first=category in rules.assessment_for,
        subject_id=now.stream,
        title=title,
        details=details,
    )
    return (requested,)


def assess(
    change: Change,
    now: Moment,
    /,
    *,
    impact: f.Degree,
    risk: f.Degree,
    backout_planned: bool,
    tested: bool = False,
    analysis: str | None = None,
    backout_plan: str | None = None,
    assessed_by: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record what the change may do and how likely it goes wrong, as the actor or `assessed_by` judges; the last word counts."""
    if change.assessed == (now.at, impact, risk):
        return ()
    under_way(change, now, "assessment")
    assessed = f.Assessed(
        assessed_at=now.at,
        assessed_by=assessed_by or now.actor,
        impact=impact,
        risk=risk,
        backout_planned=backout_planned,
        tested=tested,
        subject_id=now.stream,
        analysis=analysis,
        backout_plan=backout_plan,
    )
    return (assessed,)


def approve(
    change: Change, now: Moment, /, *, approved_by: str | None = None, in_role: str | None = None, remark: str | None = None
) -> tuple[f.Fact, ...]:
    """Record an approval by the actor, or by `approved_by` in a role, also one given after the work was done.

    Refuses who asked for the change, whatever its category, and what must be assessed first and was not by then.
    """
    approver, role = approved_by or now.actor, in_role or now.role
    another(approver, change.requested_by, "this change")
    if any(at == now.at and each.by == approver and each.role == role for at, each in change.approvals):
        return ()
    under_way(change, now, "approval")
    if change.assessed_first and now.then(change).assessed is None:
        raise Refused("change.unassessed", f"Impact and risk of a {change.category} change are assessed before it is approved; assess it.")
    return (f.Approved(approved_at=now.at, approved_by=approver, role=role, subject_id=now.stream, remark=remark),)


def reject(
    change: Change, now: Moment, /, *, reason: str, rejected_by: str | None = None, in_role: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that the actor, or `rejected_by` in a role, says no. Approvals given by then count no more."""
    rejecter = rejected_by or now.actor
    if change.rejected_at == now.at:
        return ()
    under_way(change, now, "rejection")
    rejected = f.Rejected(rejected_at=now.at, rejected_by=rejecter, role=in_role or now.role, subject_id=now.stream, reason=reason)
    return (rejected,)


def sign_off(
    change: Change, now: Moment, /, *, signed_off_by: str | None = None, in_role: str | None = None, remark: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that a stakeholder, the actor or `signed_off_by`, agrees. Refuses who asked for the change."""
    stakeholder, role = signed_off_by or now.actor, in_role or now.role
    another(stakeholder, change.requested_by, "this change")
    if any(at == now.at and each.by == stakeholder and each.role == role for at, each in change.sign_offs):
        return ()
    under_way(change, now, "sign-off")
    return (f.SignedOff(signed_off_at=now.at, signed_off_by=stakeholder, role=role, subject_id=now.stream, remark=remark),)


def cancel(change: Change, now: Moment, /, *, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record that it will not be done. What has begun is completed or backed out instead."""
    if change.cancelled_at is not None and now.at >= change.cancelled_at:
        return ()
    not_started(change, now, "cancellation")
    return (f.Cancelled(cancelled_at=now.at, subject_id=now.stream, reason=reason),)
