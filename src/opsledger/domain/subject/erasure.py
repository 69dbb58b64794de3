"""Decisions on erasing, each recorded before or after the act that it is about, so that whoever was cut off can be gone on from.

The act itself, in the key store and beside the log, is done by `opsledger.app.erasing`.
"""

from __future__ import annotations

from opsledger.domain.concept import SYSTEM, Moment, another
from opsledger.domain.subject import facts as f
from opsledger.domain.subject.state import OPEN, Request, Subject, not_before
from opsledger.errors import Refused
from opsledger.policies.instants import iso, micros, moment

__all__ = [
    "complete_erasure",
    "decide_erasure",
    "decide_purge",
    "record_derived_purged",
    "record_keys_destroyed",
    "record_parts_purged",
]


def decide_erasure(
    subject: Subject,
    now: Moment,
    /,
    *,
    outcome: f.Outcome,
    basis: str,
    decided_by: str,
    keys: tuple[f.KeyNamed, ...] = (),
    held: tuple[f.Held, ...] = (),
) -> tuple[f.Fact, ...]:
    """Record what was decided on the open request for erasure, by another person than the one who took it in.

    A granted one names the keys that will be destroyed. It is refused while a hold lasts, while access was asked for and not
    given, until a complaint about refused access has had its time, and as long as the operating model retains what is held.
    """
    request = subject.erasure
    if request is None or request.state not in OPEN:
        said = "is none" if request is None else f"was {request.state} already"
        raise Refused("subject.no_request", f"There is no request for erasure to decide on: it {said}.")
    another(decided_by, request.handled_by, "this erasure")
    not_before(now, request.requested_at, f"Request {request.number}")
    if not basis.strip():
        raise Refused("subject.no_basis", "A decision on erasure has a basis, which the person is told; give basis (--basis).")
    published = now.policies.in_force
    if outcome == "granted":
        _free_to_go(subject, now, held)
    elif outcome == request.state:
        return ()
    decided = f.ErasureDecided(
        decided_at=now.at,
        number=request.number,
        outcome=outcome,
        basis=basis,
        decided_by=decided_by,
        keys=keys if outcome == "granted" else (),
        held=held,
        policy=published.ref,
    )
    return (decided,)


def _free_to_go(subject: Subject, now: Moment, held: tuple[f.Held, ...]) -> None:
    for id, hold in subject.holds.items():
        raise Refused(
            "subject.held",
            f"A legal hold, {id} ({hold.reason}), keeps the data of subject {now.id}; its review is due by {iso(micros(hold.review_by))}. "
            "Release it, or decide that they are restricted: outcome restricted (--outcome).",
        )
    for request in subject.requests.values():
        if request.kind != "access":
            continue
        if request.state in OPEN:
            raise Refused(
                "subject.access_open",
                f"Subject {now.id} asked at {iso(micros(request.requested_at))} what is held on them; "
                f"answer request {request.number} first.",
            )
        if request.keep_until is not None and now.at < request.keep_until:
            raise Refused(
                "subject.recourse",
                f"Access was refused to subject {now.id}, who may complain; what was asked for is kept until "
                f"{iso(micros(request.keep_until))}.",
            )
    rules = now.policies.in_force.model.personal_data
    for each in held:
        category = rules.category_of(each.concept)
        if category is None:
            continue
        name, rule = category
        until = rule.keep_from(micros(each.newest_at))
        if micros(now.at) < until:
            raise Refused(
                "subject.retained",
                f"The operating model keeps {name} for {rule.keep_at_least}: what is held of subject {now.id} in streams of {each.concept} "
                f"until {iso(until)}. Until then decide refused or restricted: outcome (--outcome).",
            )


def record_keys_destroyed(
    subject: Subject, now: Moment, /, *, keys: tuple[f.KeyNamed, ...], receipt: str, remains: str, again: bool = False
) -> tuple[f.Fact, ...]:
    """Record that the key store destroyed the keys that the decision named; again, where they had come back."""
    request = _granted(subject)
    if not again and request.state != "granted":
        return ()
    left = sorted({key.key_id for key in request.keys} - {key.key_id for key in keys})
    if left:
        raise Refused("subject.keys_left", f"Key {left[0]} was to be destroyed too, and the key store does not say that it was; repeat.")
    destroyed = f.KeysDestroyed(destroyed_at=now.at, number=request.number, keys=keys, receipt=receipt, remains=remains, again=again)
    return (destroyed,)


def record_derived_purged(
    subject: Subject,
    now: Moment,
    /,
    *,
    tables: tuple[str, ...],
    caches: tuple[str, ...],
    others: tuple[f.Purged, ...] = (),
) -> tuple[f.Fact, ...]:
    """Record what was cleared of what is made from a person's data, and name the exports that were made before."""
    request = _granted(subject)
    if request.state != "keys_destroyed":
        return _already(request, ("granted",), "its keys must be destroyed first")
    exports = tuple(
        f.Export(name=recorded.fact.name, position=recorded.position)
        for recorded in now.history
        if isinstance(recorded.fact, f.AccessGiven)
    )
    purged = f.DerivedPurged(purged_at=now.at, number=request.number, tables=tables, caches=caches, others=others, exports=exports)
    return (purged,)


def complete_erasure(subject: Subject, now: Moment, /, *, parts: int, missing: int, opened: int) -> tuple[f.Fact, ...]:
    """Record that every sealed part of the person was tried and none opened. Refuses while one still does."""
    request = _granted(subject)
    if request.state != "derived_purged":
        return _already(request, ("granted", "keys_destroyed"), "keys are destroyed and what is derived is purged first")
    if opened:
        raise Refused(
            "subject.still_opens",
            f"{opened} of {parts} sealed parts of subject {now.id} still open, so their key is still there; "
            "see to the key store, and repeat.",
        )
    purge_from = moment(now.policies.in_force.model.personal_data.purge_from(micros(now.at)))
    done = f.ErasureCompleted(completed_at=now.at, number=request.number, parts=parts, missing=missing, purge_from=purge_from)
    return (done,)


def decide_purge(
    subject: Subject, now: Moment, /, *, keys: tuple[str, ...], parts: int, decided_by: str, reason: str = ""
) -> tuple[f.Fact, ...]:
    """Record that the sealed parts of an erased person may go. Before it is time a person decides so, with a reason."""
    request = _granted(subject)
    if request.state != "completed":
        return _already(request, ("granted", "keys_destroyed", "derived_purged"), "complete the erasure first")
    assert request.purge_from is not None
    strange = sorted(set(keys) - subject.destroyed)
    if strange:
        raise Refused("subject.key_alive", f"Key {strange[0]} is not known to be destroyed; what is sealed under it cannot be purged.")
    if now.at < request.purge_from and (decided_by == SYSTEM or not reason.strip()):
        raise Refused(
            "subject.purge_early",
            f"The sealed parts of subject {now.id} stay until {iso(micros(request.purge_from))}; "
            "to remove them now, say who decides so, and why: give decided_by and reason (--approver, --reason).",
        )
    return (f.PurgeDecided(decided_at=now.at, number=request.number, keys=keys, parts=parts, reason=reason, decided_by=decided_by),)


def record_parts_purged(subject: Subject, now: Moment, /, *, parts: int, remains: str) -> tuple[f.Fact, ...]:
    """Record that the sealed parts are gone."""
    request = _granted(subject)
    if request.state != "purge_decided":
        return _already(request, ("granted", "keys_destroyed", "derived_purged", "completed"), "decide on it first")
    return (f.PartsPurged(purged_at=now.at, number=request.number, parts=parts, remains=remains),)


def _granted(subject: Subject) -> Request:
    request = subject.erasure
    if request is None or not subject.erased:
        raise Refused(
            "subject.not_granted", "No erasure of this person was granted; decide on their request first, with `opsledger erase`."
        )
    return request


def _already(request: Request, before: tuple[str, ...], first: str) -> tuple[f.Fact, ...]:
    """Return nothing where the step was taken already; refuse where one before it was not."""
    if request.state in before:
        raise Refused("subject.order", f"The erasure stands at '{request.state}'; {first}.")
    return ()
