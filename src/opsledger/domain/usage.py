"""Usage: what a subscription used of a meter, event by event, each counted once for ever.

    recorded ──> corrected, voided                 one stream per subscription and UTC month of use, `usage:S-1/2026-03`
        └─ conflict found: its id came again with other content
    period closed: what was counted by a knowledge cut-off, as it was billed

An event is identified by its source and its id there, and that identity never expires. Events enter at a high rate by
`opsledger.app.metering.meter`; the decisions are for corrections and closes. Quantities are exact decimals.
Source: Operating Model, "Billing Operations": usage tracking and billing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.domain.recorded import Recorded
from opsledger.errors import Refused
from opsledger.policies.instants import micros
from opsledger.policies.usage import Entry

__all__ = [
    "ConflictFound",
    "Corrected",
    "Fact",
    "PeriodClosed",
    "Usage",
    "Used",
    "Voided",
    "close_period",
    "correct",
    "entries",
    "evolve",
    "stream_of",
    "void",
]

Quantity = Annotated[Decimal, Field(ge=0, max_digits=38)]
Delta = Annotated[Decimal, Field(max_digits=38)]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("usage.recorded", at="used_at")
class Used:
    """A subscription used some of what a meter counts."""

    used_at: At
    customer_id: str
    subscription_id: str
    meter: str
    quantity: Quantity
    event_id: str  # of the event in its source
    event_source: str


@fact("usage.conflict_found", at="found_at")
class ConflictFound:
    """The id of an event that is known came again with other content, which was not counted."""

    found_at: At
    customer_id: str
    subscription_id: str
    meter: str
    used_at: At
    quantity: Quantity
    event_id: str
    event_source: str


@fact("usage.corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class Corrected:
    """More or less was used than an event says, by `quantity_delta`; several corrections of one event add up."""

    corrected_at: At
    customer_id: str
    subscription_id: str
    corrects: int  # position of the event
    event_id: str
    quantity_delta: Delta
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("usage.voided", at="voided_at", corrects=lambda _: None)
class Voided:
    """An event and its corrections count for nothing."""

    voided_at: At
    customer_id: str
    subscription_id: str
    voids: int  # position of the event
    event_id: str
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("usage.period_closed", at="closed_at")
class PeriodClosed:
    """What was used of a meter in [starts_at, ends_at) was counted, by what was recorded before the cut-off, and is billed so."""

    closed_at: At
    customer_id: str
    subscription_id: str
    meter: str
    starts_at: At
    ends_at: At
    knowledge_cutoff_at: At  # what was recorded at it or later is not counted
    quantity: Delta  # as counted; below 0 only where corrections took more than was used
    invoice_line_id: str | None = None


Fact = Used | ConflictFound | Corrected | Voided | PeriodClosed

# State. What decisions need beside the facts themselves, which they find by position.


@dataclass(frozen=True, slots=True)
class Usage:
    """The closes of periods that begin in the month."""

    closes: tuple[PeriodClosed, ...] = ()


@concept("usage", observed=True)
def evolve(usage: Usage | None, event: Fact) -> Usage:
    """Return the usage after `event`."""
    known = usage or Usage()
    match event:
        case PeriodClosed():
            return Usage((*known.closes, event))
        case Used() | ConflictFound() | Corrected() | Voided():
            return known
        case _:
            assert_never(event)


def stream_of(subscription_id: str, at: datetime) -> str:
    """Return the stream of what a subscription used at an instant in UTC, for example usage:S-1/2026-03."""
    return f"usage:{subscription_id}/{at.year:04d}-{at.month:02d}"


def entries(facts: Iterable[Recorded], meter: str) -> list[Entry]:
    """Return what facts say of a meter, as `policies.usage.counted` takes it: events and, at the events' time, their corrections."""
    events: dict[int, Entry] = {}
    found: list[Entry] = []
    changes: list[Recorded] = []
    for recorded in facts:
        event = recorded.fact
        if isinstance(event, Used) and event.meter == meter:
            events[recorded.position] = Entry(micros(event.used_at), recorded.recorded_at, event.quantity)
        elif isinstance(event, Corrected | Voided):
            changes.append(recorded)
    standing = {position: entry.quantity for position, entry in events.items()}
    found += events.values()
    for recorded in sorted(changes, key=lambda each: each.position):
        event = recorded.fact
        position = event.corrects if isinstance(event, Corrected) else event.voids
        if position in standing:
            delta = event.quantity_delta if isinstance(event, Corrected) else -standing[position]
            standing[position] += delta
            found.append(Entry(events[position].used_at, recorded.recorded_at, delta))
    return found


# Decisions. Return the facts to record; `()` when there is nothing to add.


def correct(
    usage: Usage, now: Moment, /, *, corrects: int, quantity_delta: Decimal, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the event at position `corrects` was of more, or less, by `quantity_delta`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    used = _event(now, corrects)
    if _voided(now, corrects):
        raise Refused("usage.voided", f"The event at position {corrects} was voided and counts for nothing; record what is right anew.")
    if quantity_delta == 0:
        raise Refused("usage.nothing", "A correction by 0 changes nothing; say by how much.")
    corrected = Corrected(
        corrected_at=now.at,
        customer_id=used.customer_id,
        subscription_id=used.subscription_id,
        corrects=corrects,
        event_id=used.event_id,
        quantity_delta=quantity_delta,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    if any(_same(each.fact, corrected) for each in now.history):
        return ()
    return (corrected,)


def void(usage: Usage, now: Moment, /, *, voids: int, reason: str, requested_by: str, approved_by: str) -> tuple[Fact, ...]:
    """Record that the event at position `voids` counts for nothing. Needs another person's approval."""
    another(approved_by, requested_by, "this voiding")
    used = _event(now, voids)
    if _voided(now, voids):
        return ()
    voided = Voided(
        voided_at=now.at,
        customer_id=used.customer_id,
        subscription_id=used.subscription_id,
        voids=voids,
        event_id=used.event_id,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (voided,)


@starts
def close_period(
    usage: Usage | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    subscription_id: str,
    meter: str,
    starts_at: datetime,
    ends_at: datetime,
    knowledge_cutoff_at: datetime,
    quantity: Decimal,
    invoice_line_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record what was counted for a period by a cut-off. `opsledger.app.metering.close` counts it and records this.

    A period may be closed again with a later cut-off; the same cut-off again adds nothing.
    """
    if now.stream != stream_of(subscription_id, starts_at):
        expected = stream_of(subscription_id, starts_at).partition(":")[2]
        raise Refused("usage.stream", f"That period of {subscription_id} belongs to the id {expected}, not {now.id}.")
    if not starts_at < ends_at:
        raise Refused("usage.backwards", f"A period from {starts_at.isoformat()} to {ends_at.isoformat()} does not run forwards.")
    if knowledge_cutoff_at > now.at:
        raise Refused(
            "usage.future", f"What is recorded up to {knowledge_cutoff_at.isoformat()} is not known yet; give an earlier cut-off."
        )
    same = [
        each
        for each in (usage.closes if usage is not None else ())
        if (each.meter, each.starts_at, each.ends_at) == (meter, starts_at, ends_at)
    ]
    if same and knowledge_cutoff_at <= same[-1].knowledge_cutoff_at:
        if knowledge_cutoff_at == same[-1].knowledge_cutoff_at:
            return ()
        cutoff = same[-1].knowledge_cutoff_at.isoformat()
        raise Refused("usage.closed", f"That period was closed with what was known at {cutoff}; close it again with a later cut-off only.")
    closed = PeriodClosed(
        closed_at=now.at,
        customer_id=customer_id,
        subscription_id=subscription_id,
        meter=meter,
        starts_at=starts_at,
        ends_at=ends_at,
        knowledge_cutoff_at=knowledge_cutoff_at,
        quantity=quantity,
        invoice_line_id=invoice_line_id,
    )
    return (closed,)


def _event(now: Moment, position: int) -> Used:
    used = now.recorded(position).fact
    if not isinstance(used, Used):
        raise Refused("usage.no_event", f"Position {position} is no event of usage; name the one that is wrong.")
    return used


def _voided(now: Moment, position: int) -> bool:
    return any(isinstance(each.fact, Voided) and each.fact.voids == position for each in now.history)


def _same(told: object, made: Corrected) -> bool:
    return isinstance(told, Corrected) and (told.corrected_at, told.corrects, told.quantity_delta) == (
        made.corrected_at,
        made.corrects,
        made.quantity_delta,
    )
