"""Changes: somebody asks for one, others judge and approve it, it is planned, done, looked back at.

    requested ──> assessed ──> approved, signed off ──> scheduled ──> started ──> completed ──> reviewed ──> closed
        │                        │                        │             │            └─ verified
        └─ cancelled             └─ rejected              └─ anew       └─ backed out

An emergency may be approved after it was done. What was done without any approval is recorded all the same: `start` refuses it
beforehand, and with `already_happened` it becomes a control finding.

Source: Operating Model, "Change Control Process".
"""

from opsledger.domain.change.asking import approve, assess, cancel, reject, request, sign_off
from opsledger.domain.change.doing import back_out, close, complete, correct_time, review, start, verify
from opsledger.domain.change.facts import (
    CATEGORIES,
    Approved,
    Assessed,
    Audience,
    BackedOut,
    Cancelled,
    Category,
    Closed,
    Communicated,
    Completed,
    Conflict,
    Degree,
    Fact,
    ItilType,
    Outcome,
    Rejected,
    Requested,
    Reviewed,
    Scheduled,
    SignedOff,
    Started,
    TimeCorrected,
    Verified,
)
from opsledger.domain.change.planning import communicate, schedule
from opsledger.domain.change.state import Change, evolve

__all__ = [
    "CATEGORIES",
    "Approved",
    "Assessed",
    "Audience",
    "BackedOut",
    "Cancelled",
    "Category",
    "Change",
    "Closed",
    "Communicated",
    "Completed",
    "Conflict",
    "Degree",
    "Fact",
    "ItilType",
    "Outcome",
    "Rejected",
    "Requested",
    "Reviewed",
    "Scheduled",
    "SignedOff",
    "Started",
    "TimeCorrected",
    "Verified",
    "approve",
    "assess",
    "back_out",
    "cancel",
    "close",
    "communicate",
    "complete",
    "correct_time",
    "evolve",
    "reject",
    "request",
    "review",
    "schedule",
    "sign_off",
    "start",
    "verify",
]
