"""Decisions on legal holds: placed by one, since they keep; released by two, since then data may go."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.concept import Moment, another, starts
from opsledger.domain.subject import facts as f
from opsledger.domain.subject.state import Hold, Subject
from opsledger.errors import Refused
from opsledger.policies.instants import iso, micros

__all__ = ["place_hold", "release_hold", "review_hold"]


@starts
def place_hold(
    subject: Subject | None, now: Moment, /, *, hold_id: str, reason: str, review_by: datetime, placed_by: str
) -> tuple[f.Fact, ...]:
    """Record that a person's data must be kept, why, and by when somebody looks at it again."""
    _reviewed(now, reason, review_by)
    if subject is not None:
        if subject.erased:
            raise Refused("subject.erased", f"The erasure of subject {now.id} was granted already; there is nothing left to hold.")
        known = subject.holds.get(hold_id)
        if known == Hold(reason, review_by, placed_by):
            return ()
        if known is not None or hold_id in subject.released:
            raise Refused("subject.hold_exists", f"There is, or was, a hold {hold_id} of this person; review it, or choose another id.")
    return (f.HoldPlaced(placed_at=now.at, hold_id=hold_id, reason=reason, review_by=review_by, placed_by=placed_by),)


def review_hold(
    subject: Subject, now: Moment, /, *, hold_id: str, reason: str, review_by: datetime, reviewed_by: str
) -> tuple[f.Fact, ...]:
    """Record that a hold was looked at and stays, why, and when it is looked at next."""
    hold = _lasting(subject, hold_id)
    _reviewed(now, reason, review_by)
    if hold.review_by == review_by:
        return ()
    return (f.HoldReviewed(reviewed_at=now.at, hold_id=hold_id, reason=reason, review_by=review_by, reviewed_by=reviewed_by),)


def release_hold(subject: Subject, now: Moment, /, *, hold_id: str, reason: str, requested_by: str, approved_by: str) -> tuple[f.Fact, ...]:
    """Record that a hold has ended. One person asks for it and another approves."""
    if hold_id in subject.released:
        return ()
    _lasting(subject, hold_id)
    another(approved_by, requested_by, "the release of this hold")
    if not reason.strip():
        raise Refused("subject.no_reason", "A hold ends for a reason; give reason (--reason).")
    released = f.HoldReleased(released_at=now.at, hold_id=hold_id, reason=reason, requested_by=requested_by, approved_by=approved_by)
    return (released,)


def _lasting(subject: Subject, hold_id: str) -> Hold:
    hold = subject.holds.get(hold_id)
    if hold is None:
        known = ", ".join(sorted(subject.holds)) or "none"
        raise Refused("subject.no_hold", f"No hold {hold_id} of this person lasts; those that do are: {known}.")
    return hold


def _reviewed(now: Moment, reason: str, review_by: datetime) -> None:
    """Refuse a hold without a reason, or whose review lies in the past or further off than the operating model allows."""
    if not reason.strip():
        raise Refused("subject.no_reason", "Data are held for a reason; give reason (--reason), without personal content.")
    if review_by <= now.at:
        raise Refused("subject.review_past", f"The review, {iso(micros(review_by))}, must lie in the future.")
    rules = now.policies.in_force.model.personal_data
    latest = rules.latest_review(micros(now.at))
    if latest is not None and micros(review_by) > latest:
        raise Refused(
            "subject.review_far",
            f"The operating model has a hold reviewed within {rules.review_hold_within}, by {iso(latest)}; "
            f"{iso(micros(review_by))} is later.",
        )
