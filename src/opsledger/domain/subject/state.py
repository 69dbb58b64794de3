"""What the decisions on a data subject need to know, and what the key store is measured by.

The log's word is final: a key that a granted erasure named is never opened again, whatever a key store still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, assert_never

from opsledger.domain.concept import Moment, concept
from opsledger.domain.subject import facts as f
from opsledger.errors import Refused
from opsledger.policies.instants import iso, micros

__all__ = ["OPEN", "Hold", "Request", "State", "Subject", "evolve", "not_before", "open_request"]

State = Literal[
    "requested",
    "restricted",
    "refused",
    "granted",
    "keys_destroyed",
    "derived_purged",
    "completed",
    "purge_decided",
    "purged",
    "given",
]
OPEN: Final[tuple[State, ...]] = ("requested", "restricted")
"""The person waits for an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and how far it is."""

    number: int
    kind: Literal["erasure", "access"]
    jurisdiction: str
    policy: str
    handled_by: str
    requested_at: datetime
    answer_by: datetime
    state: State = "requested"
    extended: bool = False
    decided_by: str = ""
    keep_until: datetime | None = None  # after access was refused
    keys: tuple[f.KeyNamed, ...] = ()  # that were named when it was granted
    purge_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that lasts."""

    reason: str
    review_by: datetime
    placed_by: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A data subject as the log knows it."""

    requests: Mapping[int, Request] = field(default_factory=dict)  # by number
    holds: Mapping[str, Hold] = field(default_factory=dict)  # by id
    released: frozenset[str] = frozenset()  # ids of holds that have ended
    exports: tuple[tuple[str, datetime], ...] = ()
    destroyed: frozenset[str] = frozenset()  # ids of keys that the key store destroyed

    @property
    def erasure(self) -> Request | None:
        """The newest request for erasure."""
        return next((each for _, each in sorted(self.requests.items(), reverse=True) if each.kind == "erasure"), None)

    @property
    def named(self) -> Mapping[str, f.KeyNamed]:
        """The keys that granted erasures named, by id."""
        return {key.key_id: key for request in self.requests.values() for key in request.keys}

    @property
    def forgotten(self) -> frozenset[str]:
        """The ids of the keys that the log says are destroyed, or are about to be: nothing under them is ever opened again."""
        return self.destroyed | self.named.keys()

    @property
    def restricted(self) -> bool:
        """Whether what is held is kept and not opened."""
        return self.erasure is not None and self.erasure.state == "restricted"

    @property
    def erased(self) -> bool:
        """Whether an erasure was granted: the keys are destroyed, or about to be."""
        return bool(self.forgotten) or (self.erasure is not None and self.erasure.state not in (*OPEN, "refused"))


def open_request(subject: Subject, kind: Literal["erasure", "access"]) -> Request | None:
    """Return the request of a kind that waits for an answer."""
    return next((each for each in subject.requests.values() if each.kind == kind and each.state in OPEN), None)


@concept("subject")
def evolve(subject: Subject | None, event: f.Fact) -> Subject:
    """Return the subject after `event`, for every history ever recorded."""
    subject = subject or Subject()
    match event:
        case f.ErasureRequested() | f.AccessRequested():
            return _with(subject, _requested(event))
        case f.AnswerExtended():
            return _changed(subject, event.number, answer_by=event.answer_by, extended=True)
        case f.ErasureDecided():
            return _decided(subject, event)
        case f.AccessRefused():
            return _changed(subject, event.number, state="refused", decided_by=event.decided_by, keep_until=event.keep_until)
        case f.AccessGiven():
            subject = replace(subject, exports=(*subject.exports, (event.name, event.given_at)))
            return subject if event.number is None else _changed(subject, event.number, state="given", decided_by=event.given_by)
        case f.KeysDestroyed():
            subject = replace(subject, destroyed=subject.destroyed | {key.key_id for key in event.keys})
            return _added(subject, event) if event.again else _changed(subject, event.number, state="keys_destroyed")
        case f.DerivedPurged():
            return _changed(subject, event.number, state="derived_purged")
        case f.ErasureCompleted():
            return _changed(subject, event.number, state="completed", purge_from=event.purge_from)
        case f.PurgeDecided():
            return _changed(subject, event.number, state="purge_decided")
        case f.PartsPurged():
            return _changed(subject, event.number, state="purged")
        case f.HoldPlaced():
            return _held(subject, event.hold_id, Hold(event.reason, event.review_by, event.placed_by))
        case f.HoldReviewed():
            hold = subject.holds.get(event.hold_id)
            return subject if hold is None else _held(subject, event.hold_id, replace(hold, review_by=event.review_by))
        case f.HoldReleased():
            left = {id: hold for id, hold in subject.holds.items() if id != event.hold_id}
            return replace(subject, holds=left, released=subject.released | {event.hold_id})
        case _:
            assert_never(event)


def _requested(event: f.ErasureRequested | f.AccessRequested) -> Request:
    return Request(
        number=event.number,
        kind="erasure" if isinstance(event, f.ErasureRequested) else "access",
        jurisdiction=event.jurisdiction,
        policy=event.policy,
        handled_by=event.handled_by,
        requested_at=event.requested_at,
        answer_by=event.answer_by,
    )


def _decided(subject: Subject, event: f.ErasureDecided) -> Subject:
    states: dict[f.Outcome, State] = {"granted": "granted", "refused": "refused", "restricted": "restricted"}
    return _changed(subject, event.number, state=states[event.outcome], decided_by=event.decided_by, keys=event.keys)


def _added(subject: Subject, event: f.KeysDestroyed) -> Subject:
    """Return the subject with keys that had not been named when erasure was granted: they were found later, and destroyed too."""
    request = subject.requests.get(event.number)
    if request is None:
        return subject
    known = {key.key_id for key in request.keys}
    return _changed(subject, event.number, keys=(*request.keys, *(key for key in event.keys if key.key_id not in known)))


def _with(subject: Subject, request: Request) -> Subject:
    return replace(subject, requests={**subject.requests, request.number: request})


def _changed(subject: Subject, number: int, **values: object) -> Subject:
    request = subject.requests.get(number)
    return subject if request is None else _with(subject, replace(request, **values))  # type: ignore[arg-type]  # names of its fields


def _held(subject: Subject, id: str, hold: Hold) -> Subject:
    return replace(subject, holds={**subject.holds, id: hold})


def not_before(now: Moment, begin: datetime, what: str) -> None:
    """Refuse what claims to have happened before the thing that it belongs to."""
    if now.at < begin:
        raise Refused("subject.too_early", f"{what} was at {iso(micros(begin))}; {iso(micros(now.at))} lies before it.")
