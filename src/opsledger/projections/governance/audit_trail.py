"""audit_trail: who recorded what, when did it happen, when was it written? ticket_timeline and actor are views on it.

Grain: one row per fact. The summary names what changed without personal content.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from opsledger.domain.fact import FactType, fact_type
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import iso, micros
from opsledger.projections.kinds import Entry, Rows, Sql, View
from opsledger.projections.table import Table, instant, integer, text

__all__ = ["ACTOR", "AUDIT_TRAIL", "PROJECTIONS", "TICKET_TIMELINE", "summary"]

_WHO_AND_WHEN = (
    text("topic", "What kind of fact: ticket.responded."),
    instant("occurred_at", "When it happened, as the caller said."),
    instant("recorded_at", "When it was written, by the store's clock; it never falls."),
    text("recorded_by", "Opaque id of the actor who recorded it."),
    text("role", "Role in which the actor did."),
    text("summary", "What the fact says, without personal content."),
)

AUDIT_TRAIL = Table(
    "audit_trail",
    "One row per fact of the ledger.",
    key=("position",),
    columns=(
        integer("position", "Place in the ledger, from 1, without gaps."),
        text("stream", "What it is about: ticket:T-1042."),
        integer("version", "Place in its stream, from 1, without gaps."),
        *_WHO_AND_WHEN,
        text("source", "Imported from; null: recorded here."),
        text("source_id", "Its id there."),
    ),
    indexes=(("stream", "version"), ("recorded_by",), ("occurred_at",)),
)

_LONGEST = 240


def _rows(recorded: Recorded) -> Rows:
    row = (
        recorded.position,
        recorded.stream,
        recorded.version,
        recorded.topic,
        recorded.occurred_at,
        recorded.recorded_at,
        recorded.recorded_by,
        recorded.role,
        summary(recorded.fact),
        recorded.source,
        recorded.source_id,
    )
    return {"audit_trail": [row]}


def summary(fact: Any) -> str:
    """Return a fact's fields as text: no personal ones, none that are null, not the time in the envelope, cut to 240 characters."""
    said = ", ".join([f"{name} {_show(value)}" for name in _shown(fact.__class__) if (value := getattr(fact, name)) is not None])
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


@cache
def _shown(made: type[Any]) -> tuple[str, ...]:
    kind: FactType[Any] = fact_type(made)
    hidden = {*kind.personal, kind.at, kind.subject, *(name for name, _ in kind.promises)}
    return tuple(field.name for field in fields(made) if field.name not in hidden)


def _show(value: Any) -> str:
    if value.__class__ is str:
        return str(value)
    if hasattr(value, "tzinfo"):
        return iso(micros(value))
    if hasattr(value, "__dataclass_fields__"):
        return "..."
    return str(value)


def _timeline(sql: Sql) -> str:
    return """
        SELECT substr(stream, 8) AS ticket_id, version, position, topic, occurred_at, recorded_at, recorded_by, role, summary
        FROM audit_trail WHERE stream >= 'ticket:' AND stream < 'ticket;'
    """


TICKET_TIMELINE = View(
    "ticket_timeline",
    "One row per fact of a ticket.",
    key=("ticket_id", "version"),
    columns=(
        text("ticket_id", "Id of the ticket."),
        integer("version", "Place in the ticket's history, from 1."),
        integer("position", "Place in the ledger."),
        *_WHO_AND_WHEN,
    ),
    sql=_timeline,
)


def _actor(sql: Sql) -> str:
    return """
        SELECT recorded_by AS actor_id, min(recorded_at) AS first_recorded_at, max(recorded_at) AS last_recorded_at, count(*) AS facts
        FROM audit_trail GROUP BY recorded_by
    """


ACTOR = View(
    "actor",
    "One row per actor who has recorded anything. Names live in the key store's directory, not here.",
    key=("actor_id",),
    columns=(
        text("actor_id", "Opaque id of the actor."),
        instant("first_recorded_at", "When the actor first recorded a fact."),
        instant("last_recorded_at", "When the actor last did."),
        integer("facts", "How many facts the actor recorded."),
    ),
    sql=_actor,
)

PROJECTIONS = (Entry("audit_trail", 1, tables=(AUDIT_TRAIL,), rows=_rows), TICKET_TIMELINE, ACTOR)
