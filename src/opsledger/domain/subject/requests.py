"""Decisions on what a person asks for: erasure, access, and the time in which they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from opsledger.domain.concept import Moment, another, starts
from opsledger.domain.subject import facts as f
from opsledger.domain.subject.state import Request, Subject, not_before, open_request
from opsledger.errors import Refused
from opsledger.policies.instants import iso, micros, moment

__all__ = ["extend_answer", "give_access", "refuse_access", "request_access", "request_erasure", "the_request"]

Kind = Literal["erasure", "access"]


@starts
def request_erasure(subject: Subject | None, now: Moment, /, *, jurisdiction: str, handled_by: str) -> tuple[f.Fact, ...]:
    """Record that a person asked for erasure, at the time of receipt, and by when they must be answered."""
    if subject is not None and subject.erased:
        raise Refused("subject.erased", f"The data of subject {now.id} were erased already; `opsledger erasure-status` says when.")
    stands = None if subject is None else open_request(subject, "erasure")
    if stands is not None:
        return _same(stands, now, jurisdiction)
    ref, answer_by = _answer_by(now, jurisdiction)
    requested = f.ErasureRequested(
        requested_at=now.at, number=_next(subject), jurisdiction=jurisdiction, answer_by=answer_by, policy=ref, handled_by=handled_by
    )
    return (requested,)


@starts
def request_access(subject: Subject | None, now: Moment, /, *, jurisdiction: str, handled_by: str) -> tuple[f.Fact, ...]:
    """Record that a person asked what is held on them. Until it is answered nothing of theirs is erased."""
    stands = None if subject is None else open_request(subject, "access")
    if stands is not None:
        return _same(stands, now, jurisdiction)
    ref, answer_by = _answer_by(now, jurisdiction)
    requested = f.AccessRequested(
        requested_at=now.at, number=_next(subject), jurisdiction=jurisdiction, answer_by=answer_by, policy=ref, handled_by=handled_by
    )
    return (requested,)


def extend_answer(subject: Subject, now: Moment, /, *, number: int, reason: str, handled_by: str) -> tuple[f.Fact, ...]:
    """Record that the person was told, before the time was over, that the answer takes longer. Once, by what the model allows."""
    request = the_request(subject, number)
    if request.state not in ("requested", "restricted"):
        raise Refused("subject.answered", f"Request {number} was {request.state} already and waits for no answer.")
    if request.extended:
        raise Refused("subject.extended", f"The answer to request {number} was put off once already, to {iso(micros(request.answer_by))}.")
    if not now.at < request.answer_by:
        raise Refused("subject.late", f"The person had to be told before {iso(micros(request.answer_by))}; answer the request now.")
    if not reason.strip():
        raise Refused("subject.no_reason", "An answer is put off for a reason, which the person is told; give reason (--reason).")
    rule = now.policies.of(request.policy).personal_data.jurisdictions[request.jurisdiction]
    if rule.extension is None:
        raise Refused("subject.no_extension", f"Under {request.jurisdiction} an answer cannot be put off.")
    answer_by = moment(rule.answer_by(micros(request.requested_at), extended=True))
    return (f.AnswerExtended(extended_at=now.at, number=number, answer_by=answer_by, reason=reason, handled_by=handled_by),)


def refuse_access(subject: Subject, now: Moment, /, *, number: int, basis: str, decided_by: str) -> tuple[f.Fact, ...]:
    """Record that access was refused. What was asked for is kept until the person can complain no more."""
    request = the_request(subject, number)
    if request.kind != "access" or request.state != "requested":
        raise Refused("subject.no_request", f"Request {number} is no request for access that waits for an answer.")
    another(decided_by, request.handled_by, "this refusal")
    not_before(now, request.requested_at, f"Request {number}")
    if not basis.strip():
        raise Refused("subject.no_basis", "Access is refused on a basis, which the person is told; give basis (--basis).")
    rule = now.policies.of(request.policy).personal_data.jurisdictions[request.jurisdiction]
    keep_until = moment(rule.keep_until(micros(now.at)))
    return (f.AccessRefused(refused_at=now.at, number=number, basis=basis, decided_by=decided_by, keep_until=keep_until),)


@starts
def give_access(subject: Subject | None, now: Moment, /, *, name: str, facts: int, opened: int, given_by: str) -> tuple[f.Fact, ...]:
    """Record an export of all that is held on a person; it answers the open request for access, if there is one."""
    if not name.strip():
        raise Refused("subject.unnamed", "An export has a name, by which an erasure can tell where copies are; give it one.")
    if subject is not None and (name, now.at) in subject.exports:
        return ()
    request = None if subject is None else open_request(subject, "access")
    number = None if request is None or now.at < request.requested_at else request.number
    return (f.AccessGiven(given_at=now.at, number=number, name=name, facts=facts, opened=opened, given_by=given_by),)


def the_request(subject: Subject, number: int) -> Request:
    """Return a request by its number."""
    if number not in subject.requests:
        known = ", ".join(map(str, subject.requests)) or "none"
        raise Refused("subject.no_request", f"There is no request {number} of this person; their requests are: {known}.")
    return subject.requests[number]


def _next(subject: Subject | None) -> int:
    return 1 if subject is None else len(subject.requests) + 1


def _same(stands: Request, now: Moment, jurisdiction: str) -> tuple[f.Fact, ...]:
    """Return nothing where the request is recorded already; refuse another one while it is open."""
    if (stands.requested_at, stands.jurisdiction) == (now.at, jurisdiction):
        return ()
    raise Refused(
        f"subject.{stands.kind}_open",
        f"Request {stands.number} of this person for {stands.kind}, received at {iso(micros(stands.requested_at))}, is not answered yet; "
        "answer it first.",
    )


def _answer_by(now: Moment, jurisdiction: str) -> tuple[str, datetime]:
    """Return the model in force, by reference, and by when it has the person answered."""
    published = now.policies.in_force
    known = published.model.personal_data.jurisdictions
    if jurisdiction not in known:
        named = ", ".join(sorted(known)) or "none"
        raise Refused("subject.jurisdiction", f"The operating model in force knows no jurisdiction '{jurisdiction}'; it knows: {named}.")
    return published.ref, moment(known[jurisdiction].answer_by(micros(now.at)))
