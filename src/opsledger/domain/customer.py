"""Customers: who they are to us, what they are entitled to, and who looks after them. The stream is named by the customer's id.

    registered ──> segment changed, entitled, owner assigned, owner released ──> ...

Names of customers are not facts: they stand in the directory of the key store. Whether a customer pays, and how much, is told by
the subscriptions. Source: Operating Model, "Customer Success Team Structure".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_time
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = [
    "Customer",
    "Entitled",
    "Fact",
    "OwnerAssigned",
    "OwnerReleased",
    "Registered",
    "Role",
    "SegmentChanged",
    "TimeCorrected",
    "assign_owner",
    "change_segment",
    "correct_time",
    "entitle",
    "evolve",
    "register",
    "release_owner",
]

Role = Literal["customer_success_manager", "technical_account_manager", "support_specialist"]
Segment = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Field(ge=0)]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("customer.registered", at="registered_at")
class Registered:
    """Somebody became a customer, paying or not."""

    registered_at: At
    segment: Segment  # as the business divides its customers, for example enterprise


@fact("customer.segment_changed", at="changed_at")
class SegmentChanged:
    """A customer is counted to another segment from then on."""

    changed_at: At
    segment: Segment


@fact("customer.entitled", at="entitled_at")
class Entitled:
    """What a customer may use from then on; all of it is said anew."""

    entitled_at: At
    seats: Count  # users who may use it
    api: bool = False
    community: bool = False
    features: tuple[str, ...] = ()  # core features, against which adoption is measured
    cases_per_28_days: Count | None = None  # what the contract expects to be processed; null: nothing is agreed


@fact("customer.owner_assigned", at="assigned_at")
class OwnerAssigned:
    """Somebody looks after the customer in a role, in the place of whoever did."""

    assigned_at: At
    role: Role
    owner_id: str  # opaque id


@fact("customer.owner_released", at="released_at")
class OwnerReleased:
    """Nobody looks after the customer in a role any more."""

    released_at: At
    role: Role


@fact("customer.time_corrected", at="corrected_at", corrects=lambda event: (event.corrects, event.now))
class TimeCorrected:
    """What an earlier fact of this customer says happened at another time than it says."""

    corrected_at: At
    corrects: int  # position of that fact
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Registered | SegmentChanged | Entitled | OwnerAssigned | OwnerReleased | TimeCorrected

# State. What was said last, and since when that holds; what is typed in late changes nothing that a later one says.


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as last described."""

    registered_at: datetime
    segment: str
    segment_at: datetime
    entitled: Entitled | None = None
    owners: Mapping[Role, tuple[str | None, datetime]] = field(default_factory=dict)  # None: released


@concept("customer")
def evolve(customer: Customer | None, event: Fact) -> Customer:
    """Return the customer after `event`, for every history ever recorded."""
    if customer is None:
        if not isinstance(event, Registered):
            raise Refused("customer.unregistered", f"A customer begins with the registration, not with {type(event).__name__}.")
        return Customer(event.registered_at, event.segment, event.registered_at)
    match event:
        case Registered():
            return customer
        case SegmentChanged():
            newer = event.changed_at >= customer.segment_at
            return replace(customer, segment=event.segment, segment_at=event.changed_at) if newer else customer
        case Entitled():
            newer = customer.entitled is None or event.entitled_at >= customer.entitled.entitled_at
            return replace(customer, entitled=event) if newer else customer
        case OwnerAssigned():
            return _owned(customer, event.role, event.owner_id, event.assigned_at)
        case OwnerReleased():
            return _owned(customer, event.role, None, event.released_at)
        case TimeCorrected():
            return _moved(customer, event.was, event.now)
        case _:
            assert_never(event)


def _owned(customer: Customer, role: Role, owner_id: str | None, at: datetime) -> Customer:
    held = customer.owners.get(role)
    return customer if held is not None and at < held[1] else replace(customer, owners={**customer.owners, role: (owner_id, at)})


def _moved(customer: Customer, was: datetime, to: datetime) -> Customer:
    entitled = customer.entitled
    return replace(
        customer,
        registered_at=to if customer.registered_at == was else customer.registered_at,
        segment_at=to if customer.segment_at == was else customer.segment_at,
        entitled=replace(entitled, entitled_at=to) if entitled is not None and entitled.entitled_at == was else entitled,
        owners={role: (owner, to if at == was else at) for role, (owner, at) in customer.owners.items()},
    )


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def register(customer: Customer | None, now: Moment, /, *, segment: str) -> tuple[Fact, ...]:
    """Record that somebody became a customer. Adds nothing where they are known with this segment since then."""
    if customer is not None and (customer.registered_at, now.then(customer).segment) == (now.at, segment):
        return ()
    if customer is not None:
        raise Refused("customer.exists", f"{now.id} is a customer since {customer.registered_at.isoformat()}; record on it.")
    return (Registered(registered_at=now.at, segment=segment),)


def change_segment(customer: Customer, now: Moment, /, *, segment: str) -> tuple[Fact, ...]:
    """Record the segment to which a customer is counted from then on."""
    _since_registered(customer, now.at, "change of segment")
    return () if now.then(customer).segment == segment else (SegmentChanged(changed_at=now.at, segment=segment),)


def entitle(
    customer: Customer,
    now: Moment,
    /,
    *,
    seats: int,
    api: bool = False,
    community: bool = False,
    features: tuple[str, ...] = (),
    cases_per_28_days: int | None = None,
) -> tuple[Fact, ...]:
    """Record all that a customer may use from then on. Features are told apart by their names, whatever their order."""
    _since_registered(customer, now.at, "entitlement")
    entitled = Entitled(
        entitled_at=now.at,
        seats=seats,
        api=api,
        community=community,
        features=tuple(sorted(set(features))),
        cases_per_28_days=cases_per_28_days,
    )
    held = now.then(customer).entitled
    return () if held is not None and replace(held, entitled_at=now.at) == entitled else (entitled,)


def assign_owner(customer: Customer, now: Moment, /, *, role: Role, owner_id: str) -> tuple[Fact, ...]:
    """Record who looks after the customer in a role from then on."""
    _since_registered(customer, now.at, "owner")
    if (held := now.then(customer).owners.get(role)) is not None and held[0] == owner_id:
        return ()
    return (OwnerAssigned(assigned_at=now.at, role=role, owner_id=owner_id),)


def release_owner(customer: Customer, now: Moment, /, *, role: Role) -> tuple[Fact, ...]:
    """Record that nobody looks after the customer in a role any more. Adds nothing where nobody does."""
    _since_registered(customer, now.at, "release of an owner")
    held = now.then(customer).owners.get(role)
    return () if held is None or held[0] is None else (OwnerReleased(released_at=now.at, role=role),)


def correct_time(
    customer: Customer, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that what the fact at position `corrects` says happened at `was` happened at `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    named = check_time(now, corrects, was, to)
    if not isinstance(named.fact, Registered):
        _since_registered(customer, to, "fact")
    if to == was:
        return ()
    corrected = TimeCorrected(
        corrected_at=now.at,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _since_registered(customer: Customer, at: datetime, what: str) -> None:
    if at < customer.registered_at:
        raise Refused(
            "customer.before_registration",
            f"A {what} at {at.isoformat()} lies before the customer was registered at {customer.registered_at.isoformat()}; "
            "correct that time first.",
        )
