"""What the decisions on a change need to know.

Facts are evolved in the order in which they were recorded; where the order of happening matters, a decision asks for the change
as it was at its own time (`now.then`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from opsledger.domain.change import facts as f
from opsledger.domain.concept import Moment, concept
from opsledger.errors import Refused
from opsledger.policies.change_control import Approval, Authority


@dataclass(frozen=True, slots=True)
class Change:
    """A change as its decisions see it."""

    requested_by: str
    category: f.Category
    ci_ids: tuple[str, ...]
    policy: str
    authority: Authority
    assessed_first: bool
    assessed: tuple[datetime, f.Degree, f.Degree] | None = None
    approvals: tuple[tuple[datetime, Approval], ...] = ()
    sign_offs: tuple[tuple[datetime, Approval], ...] = ()
    rejected_at: datetime | None = None  # the last time
    window: tuple[datetime, datetime, str | None] | None = None  # start, end, assignee
    communicated: frozenset[tuple[datetime, f.Audience]] = frozenset()
    started_at: datetime | None = None
    implementer_id: str | None = None
    completed_at: datetime | None = None
    outcome: f.Outcome | None = None
    verified: tuple[datetime, str, bool] | None = None
    backed_out_at: datetime | None = None
    reviewed_at: datetime | None = None
    review_asked: bool = False
    closed_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def standing(self) -> tuple[Approval, ...]:
        """The approvals that nobody has said no to since."""
        return tuple(approval for at, approval in self.approvals if self.rejected_at is None or at > self.rejected_at)

    @property
    def rejected(self) -> bool:
        """Whether somebody said no to it, and nobody has approved it since."""
        return self.rejected_at is not None and not self.standing

    @property
    def authorised(self) -> bool:
        """Whether it has the approvals and sign-offs that its rules ask for."""
        signed = [approval for _, approval in self.sign_offs]
        return not self.rejected and self.authority.given(self.requested_by, self.standing, signed)


def under_way(change: Change, now: Moment, what: str) -> None:
    """Refuse what a closed or cancelled change does not take; what happened before its end and comes late is let through."""
    for ended_at, how in ((change.closed_at, "closed"), (change.cancelled_at, "cancelled")):
        if ended_at is not None and now.at >= ended_at:
            raise Refused(f"change.{how}", f"A {how} change takes no {what}; request another one.")


def not_started(change: Change, now: Moment, what: str) -> None:
    """Refuse what belongs before the work; what happened before it and comes late is let through."""
    under_way(change, now, what)
    if change.started_at is not None and now.at >= change.started_at:
        began = change.started_at.isoformat()
        raise Refused("change.started", f"Work on this change began at {began}, so it takes no {what}; complete it or back it out.")


def has_started(change: Change, now: Moment, what: str) -> None:
    """Refuse what belongs after the start of the work while it has not begun."""
    if change.started_at is None or now.at < change.started_at:
        raise Refused("change.not_started", f"Work on this change had not begun, so there is no {what}; record its start first.")


@concept("change")
def evolve(change: Change | None, event: f.Fact) -> Change:
    """Return the change after `event`, for every history ever recorded."""
    if change is None:
        if not isinstance(event, f.Requested):
            raise Refused("change.unrequested", f"A change begins with its request, not with {type(event).__name__}.")
        return _requested(event)
    match event:
        case f.Requested():
            return change
        case f.Assessed():
            return replace(change, assessed=(event.assessed_at, event.impact, event.risk))
        case f.Approved():
            return replace(change, approvals=(*change.approvals, (event.approved_at, Approval(event.approved_by, event.role))))
        case f.Rejected():
            return replace(change, rejected_at=max(event.rejected_at, change.rejected_at or event.rejected_at))
        case f.SignedOff():
            return replace(change, sign_offs=(*change.sign_offs, (event.signed_off_at, Approval(event.signed_off_by, event.role))))
        case f.Scheduled():
            return replace(change, window=(event.starts_at, event.ends_at, event.assignee_id))
        case f.Communicated():
            return replace(change, communicated=change.communicated | {(event.communicated_at, event.audience)})
        case f.Started():
            return replace(change, started_at=event.started_at, implementer_id=event.implementer_id)
        case f.Completed():
            asked = change.review_asked or event.review_by is not None
            return replace(change, completed_at=event.completed_at, outcome=event.outcome, review_asked=asked)
        case f.Verified():
            return replace(change, verified=(event.verified_at, event.verified_by, event.holds))
        case f.BackedOut():
            return replace(change, backed_out_at=event.backed_out_at, review_asked=change.review_asked or event.review_by is not None)
        case f.Reviewed():
            return replace(change, reviewed_at=event.reviewed_at)
        case f.Closed():
            return replace(change, closed_at=event.closed_at)
        case f.Cancelled():
            return replace(change, cancelled_at=event.cancelled_at)
        case f.TimeCorrected():
            return _retimed(change, event)
        case _:
            assert_never(event)


def _requested(event: f.Requested) -> Change:
    return Change(
        requested_by=event.requested_by,
        category=event.category,
        ci_ids=event.ci_ids,
        policy=event.policy,
        authority=Authority(event.approvals, event.approver_roles, event.sign_off_roles),
        assessed_first=event.assessed_first,
    )


def _retimed(change: Change, event: f.TimeCorrected) -> Change:
    match event.milestone:
        case "approved":
            moved = tuple((event.now if at == event.was else at, approval) for at, approval in change.approvals)
            return replace(change, approvals=moved)
        case "rejected":
            return replace(change, rejected_at=event.now) if change.rejected_at == event.was else change
        case "started":
            return replace(change, started_at=event.now)
        case "completed":
            return replace(change, completed_at=event.now)
        case "backed_out":
            return replace(change, backed_out_at=event.now)
        case "reviewed":
            return replace(change, reviewed_at=event.now)
        case "closed":
            return replace(change, closed_at=event.now)
        case "cancelled":
            return replace(change, cancelled_at=event.now)
        case _:
            return change  # no decision asks when it happened
