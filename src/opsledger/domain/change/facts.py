"""What happens to a change. Stored for good: grow by an optional field or by a new fact.

`category` is the operating model's word and `itil_type` the field's: the model's "standard" is ITIL's normal. Free text is
personal and sealed for the change itself: `subject_id` is its stream, `change:CHG-7`. People are opaque ids.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.policies.change_control import ConflictKind

Category = Literal["emergency", "standard", "normal"]
CATEGORIES: Final[tuple[Category, ...]] = ("emergency", "standard", "normal")
ItilType = Literal["emergency", "normal", "standard"]
Degree = Literal["low", "moderate", "high", "very_high"]
Outcome = Literal["successful", "partially", "failed"]
Audience = Literal["internal", "executives", "customers", "public"]

# Asking, judging, approving.


@fact("change.requested", at="requested_at")
class Requested:
    """Somebody asked for a change; what makes it authorised is pinned here."""

    requested_at: At
    requested_by: str
    category: Category
    itil_type: ItilType
    ci_ids: tuple[str, ...] = ()  # configuration items that it works on
    services: tuple[str, ...] = ()  # ids of services that it may touch
    incident_id: str | None = None  # the incident that it shall end, as an emergency often does
    release_id: str | None = None
    policy: str  # the operating model, by version and digest, whose rules this change keeps
    approvals: Annotated[int, Field(ge=0)]  # so many people must approve
    approver_roles: tuple[str, ...] = ()  # and these roles be among them
    sign_off_roles: tuple[str, ...] = ()  # and stakeholders of these roles sign off
    assessed_first: bool = False  # whether impact and risk must be assessed before it is approved
    subject_id: Subject
    title: Personal[str]
    details: Personal[str] | None = None


@fact("change.assessed", at="assessed_at")
class Assessed:
    """Somebody judged what the change may do and how likely it goes wrong."""

    assessed_at: At
    assessed_by: str
    impact: Degree
    risk: Degree
    backout_planned: bool  # whether there is a plan for taking it back
    tested: bool = False  # whether it was tried somewhere else
    subject_id: Subject
    analysis: Personal[str] | None = None
    backout_plan: Personal[str] | None = None


@fact("change.approved", at="approved_at")
class Approved:
    """Somebody other than who asked approved it, before or, in an emergency, after it was done."""

    approved_at: At
    approved_by: str
    role: str  # in which the person approved
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("change.rejected", at="rejected_at")
class Rejected:
    """Somebody said no to it; approvals given before count no more."""

    rejected_at: At
    rejected_by: str
    role: str
    subject_id: Subject
    reason: Personal[str]


@fact("change.signed_off", at="signed_off_at")
class SignedOff:
    """A stakeholder agreed that it is done to what they answer for."""

    signed_off_at: At
    signed_off_by: str
    role: str
    subject_id: Subject
    remark: Personal[str] | None = None


# Planning.


@part
class Conflict:
    """What a planned window was found to collide with when it was planned."""

    kind: ConflictKind
    other_id: str = ""  # the change or the freeze; empty: no maintenance window holds it


@fact("change.scheduled", at="scheduled_at")
class Scheduled:
    """It was planned for a window, for the first time or anew; conflicts were looked for each time."""

    scheduled_at: At
    starts_at: At
    ends_at: At  # not part of the window
    assignee_id: str | None = None
    bound_to_maintenance: bool = False  # whether work on these items belongs into maintenance windows
    conflicts: tuple[Conflict, ...] = ()  # those known then; the table change_conflict shows those known now
    was_starts_at: At | None = None  # null: it was not planned before
    was_ends_at: At | None = None
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("change.communicated", at="communicated_at")
class Communicated:
    """An audience was told of it."""

    communicated_at: At
    audience: Audience
    channel: str | None = None


# Doing.


@fact("change.started", at="started_at")
class Started:
    """Work on it began. What had not been authorised by then is a control finding, not a secret."""

    started_at: At
    implementer_id: str
    authorised: bool  # as far as was known when this was recorded
    approve_by: At | None = None  # approval may follow until then; null: it had to be there before
    subject_id: Subject
    reason: Personal[str] | None = None  # why it began without authority


@fact("change.completed", at="completed_at")
class Completed:
    """Work on it ended, and went as it did."""

    completed_at: At
    outcome: Outcome
    review_by: At | None = None  # a review is held until then; null: none is asked for
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("change.verified", at="verified_at")
class Verified:
    """Somebody looked whether it does what it should."""

    verified_at: At
    verified_by: str
    holds: bool


@fact("change.backed_out", at="backed_out_at")
class BackedOut:
    """It was taken back."""

    backed_out_at: At
    backed_out_by: str
    restored: bool  # whether all is as it was before
    review_by: At | None = None
    subject_id: Subject
    reason: Personal[str] | None = None


# After.


@fact("change.reviewed", at="reviewed_at")
class Reviewed:
    """Those concerned looked back at it: the post-implementation review."""

    reviewed_at: At
    reviewed_by: str
    achieved: bool | None = None  # whether it did what it was asked for; null: not said
    subject_id: Subject
    findings: Personal[str] | None = None


@fact("change.closed", at="closed_at")
class Closed:
    """Nothing more is expected of it."""

    closed_at: At


@fact("change.cancelled", at="cancelled_at")
class Cancelled:
    """It will not be done."""

    cancelled_at: At
    subject_id: Subject
    reason: Personal[str] | None = None


# Corrections.


def _retimes(event: TimeCorrected) -> tuple[int, datetime]:
    return event.corrects, event.now


@fact("change.time_corrected", at="corrected_at", corrects=_retimes)
class TimeCorrected:
    """An earlier fact of this change happened at another time than was recorded."""

    corrected_at: At
    corrects: int  # position of that fact
    milestone: str  # the last word of its topic, as in "started"
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = (
    Requested
    | Assessed
    | Approved
    | Rejected
    | SignedOff
    | Scheduled
    | Communicated
    | Started
    | Completed
    | Verified
    | BackedOut
    | Reviewed
    | Closed
    | Cancelled
    | TimeCorrected
)
