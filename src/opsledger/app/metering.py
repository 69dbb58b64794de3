"""Metering: events of usage enter once each for ever, a conflict surfaces as a fact, and a period closes as it was counted.

An event is known by its source and its id there. The same again is nothing new; the same id with other content is not counted and is
recorded as a conflict, once for each other content. A retry must keep the id: an event that comes with a new one counts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from opsledger.app.recording import Receipt
from opsledger.app.taking import Taken
from opsledger.domain import usage
from opsledger.errors import Refused
from opsledger.ledger.codec import read_all
from opsledger.policies.instants import iso, micros
from opsledger.policies.usage import counted, plain

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["Event", "Metered", "close", "meter"]

_AT_ONCE: Final = 1000


class Event(NamedTuple):
    """One event of usage as its source says it."""

    event_id: str
    customer_id: str
    subscription_id: str
    meter: str
    quantity: Decimal
    used_at: datetime


@dataclass(slots=True)
class Metered:
    """What became of events: how many were new, how many known; ids of those that came with other content than before."""

    new: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list)


def meter(ledger: OpsLedger, actor: str, events: Sequence[Event], *, source: str) -> Metered:
    """Record events of a source, each once; those that contradict an earlier one of the same id as conflicts."""
    first: dict[str, Event] = {}
    again: list[Event] = []
    for event in events:
        if event.event_id in first:
            again.append(event)
        else:
            first[event.event_id] = event
    result = Metered()
    contradicting: list[Event] = []
    known = list(first.values())
    for i in range(0, len(known), _AT_ONCE):
        some = known[i : i + _AT_ONCE]
        taken = ledger.by(actor, role="meter").observe([_taken(event, source) for event in some], source=source)
        result.new, result.known = result.new + taken.new, result.known + taken.known
        contradicting += [first[event_id] for event_id in taken.changed]
    for event in again:
        if _content(event) == _content(first[event.event_id]):
            result.known += 1
        else:
            contradicting.append(event)
    result.conflicts = [event.event_id for event in contradicting]
    _surface(ledger, actor, contradicting, source)
    return result


def close(
    ledger: OpsLedger,
    actor: str,
    *,
    customer_id: str,
    subscription_id: str,
    meter: str,
    starts_at: datetime,
    ends_at: datetime,
    knowledge_cutoff_at: datetime | None = None,
    invoice_line_id: str | None = None,
) -> Receipt:
    """Count what was used in a period, by what was recorded before the cut-off (default: now), and record it as closed."""
    now = ledger.now()
    cutoff = knowledge_cutoff_at or now
    if cutoff > now:
        raise Refused("usage.future", f"What is recorded up to {cutoff.isoformat()} is not known yet; give an earlier cut-off.")
    facts = [recorded for stream in _streams(subscription_id, starts_at, ends_at) for recorded in read_all(ledger.store.stream(stream))]
    quantity = counted(usage.entries(facts, meter), micros(ends_at), micros(cutoff), start=micros(starts_at))
    return ledger.by(actor).record(
        usage.close_period,
        usage.stream_of(subscription_id, starts_at.astimezone(UTC)).partition(":")[2],
        customer_id=customer_id,
        subscription_id=subscription_id,
        meter=meter,
        starts_at=starts_at,
        ends_at=ends_at,
        knowledge_cutoff_at=cutoff,
        quantity=quantity,
        invoice_line_id=invoice_line_id,
    )


def _taken(event: Event, source: str) -> Taken:
    at = event.used_at.astimezone(UTC)
    used = usage.Used(
        used_at=at,
        customer_id=event.customer_id,
        subscription_id=event.subscription_id,
        meter=event.meter,
        quantity=event.quantity,
        event_id=event.event_id,
        event_source=source,
    )
    return Taken(event.event_id, ((usage.stream_of(event.subscription_id, at), used),), _content(event))


def _surface(ledger: OpsLedger, actor: str, events: Sequence[Event], source: str) -> None:
    """Record conflicts, each once: by the id of the event and the other content together."""
    found_at = ledger.now()
    taken = {}
    for event in events:
        at = event.used_at.astimezone(UTC)
        found = usage.ConflictFound(
            found_at=found_at,
            customer_id=event.customer_id,
            subscription_id=event.subscription_id,
            meter=event.meter,
            used_at=at,
            quantity=event.quantity,
            event_id=event.event_id,
            event_source=source,
        )
        said = f"{event.event_id} as {_content(event).decode()}"
        taken[said] = Taken(said, ((usage.stream_of(event.subscription_id, at), found),), said.encode())
    conflicts = list(taken.values())
    for i in range(0, len(conflicts), _AT_ONCE):
        ledger.by(actor, role="meter").observe(conflicts[i : i + _AT_ONCE], source=f"{source} conflicts")


def _content(event: Event) -> bytes:
    """Return what two copies of an event are compared by: 1.0 and 1 are the same quantity, and a time is the same in every zone."""
    said = (event.customer_id, event.subscription_id, event.meter, plain(event.quantity), iso(micros(event.used_at)))
    return " ".join(said).encode()


def _streams(subscription_id: str, starts_at: datetime, ends_at: datetime) -> list[str]:
    """Return the streams of the UTC months that a period touches."""
    at, streams = starts_at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0), []
    while at < ends_at:
        streams.append(usage.stream_of(subscription_id, at))
        at = at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return streams
