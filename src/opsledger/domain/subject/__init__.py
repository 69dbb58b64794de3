"""Data subjects: what a person asked for, why their data were kept, and that they were erased. `subject:p-1`.

    erasure requested ──> decided: granted ──> keys destroyed ──> derived purged ──> completed ──> purge decided ──> parts purged
                             │      └ refused, restricted
    access requested ──> given, refused                hold placed ──> reviewed ──> released

Source: Operating Model, "Compliance Management" (data subject rights management). The person is an opaque id, which names the
stream; nothing else in these facts is about them. What is done besides recording is done by `opsledger.app.erasing`.
"""

from opsledger.domain.subject.erasure import (
    complete_erasure,
    decide_erasure,
    decide_purge,
    record_derived_purged,
    record_keys_destroyed,
    record_parts_purged,
)
from opsledger.domain.subject.facts import (
    AccessGiven,
    AccessRefused,
    AccessRequested,
    AnswerExtended,
    DerivedPurged,
    ErasureCompleted,
    ErasureDecided,
    ErasureRequested,
    Export,
    Fact,
    Held,
    HoldPlaced,
    HoldReleased,
    HoldReviewed,
    KeyNamed,
    KeysDestroyed,
    Outcome,
    PartsPurged,
    Purged,
    PurgeDecided,
)
from opsledger.domain.subject.holds import place_hold, release_hold, review_hold
from opsledger.domain.subject.requests import extend_answer, give_access, refuse_access, request_access, request_erasure
from opsledger.domain.subject.state import Hold, Request, Subject, evolve, open_request

__all__ = [
    "AccessGiven",
    "AccessRefused",
    "AccessRequested",
    "AnswerExtended",
    "DerivedPurged",
    "ErasureCompleted",
    "ErasureDecided",
    "ErasureRequested",
    "Export",
    "Fact",
    "Held",
    "Hold",
    "HoldPlaced",
    "HoldReleased",
    "HoldReviewed",
    "KeyNamed",
    "KeysDestroyed",
    "Outcome",
    "PartsPurged",
    "PurgeDecided",
    "Purged",
    "Request",
    "Subject",
    "complete_erasure",
    "decide_erasure",
    "decide_purge",
    "evolve",
    "extend_answer",
    "give_access",
    "open_request",
    "place_hold",
    "record_derived_purged",
    "record_keys_destroyed",
    "record_parts_purged",
    "refuse_access",
    "release_hold",
    "request_access",
    "request_erasure",
    "review_hold",
]
