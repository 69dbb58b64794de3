"""incident_service, incident_role, incident_milestone, action_item: what was hit, who did what, what was passed when, what comes of it?

Grain: one row per incident and what the names say. Rows are made of what happened in one incident, put in order by `incidents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opsledger.domain import incident as i
from opsledger.policies.instants import micros
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = [
    "ACTION_ITEM",
    "ID",
    "INCIDENT_MILESTONE",
    "INCIDENT_ROLE",
    "INCIDENT_SERVICE",
    "Corrected",
    "Happening",
    "action_items",
    "milestones",
    "roles",
    "services",
]

ID = text("incident_id", "Id of the incident, the host's.")

INCIDENT_SERVICE = Table(
    "incident_service",
    "One row per incident, service and stretch in which the incident affected it.",
    key=("incident_id", "service_id", "stated_position"),
    columns=(
        ID,
        text("service_id", "Id of the service."),
        integer("stated_position", "Position of the fact that says that it was affected."),
        instant("affected_at", "When it was drawn in; for one named at the declaration the start of the impact; null: not known."),
        instant("restored_at", "When it worked again; null: nobody has said so."),
    ),
    indexes=(("service_id",),),
)

INCIDENT_ROLE = Table(
    "incident_role",
    "One row per incident, role, person and stretch in which the person had it.",
    key=("incident_id", "role", "stated_position"),
    columns=(
        ID,
        text("role", "commander, communications, scribe, liaison or responder; but for the last, one person has it at a time."),
        integer("stated_position", "Position of the fact that assigned it."),
        text("person_id", "Opaque id of the person."),
        instant("assigned_at", "When the person took it."),
        instant("released_at", "When the person gave it up or was relieved; null: neither was said."),
    ),
    indexes=(("person_id",),),
)

INCIDENT_MILESTONE = Table(
    "incident_milestone",
    "One row per incident and milestone passed, each time that it was.",
    key=("incident_id", "milestone", "stated_position"),
    columns=(
        ID,
        text(
            "milestone",
            "impact_started, detected, declared, acknowledged, triaged, war_room_opened, root_cause_identified, mitigated, "
            "fix_validated, resolved, reopened, closed or review_held.",
        ),
        integer("stated_position", "Position of the fact that states it."),
        instant("at", "When it was passed, corrected."),
        instant("was_at", "What was held before the newest correction; null: it was never corrected."),
        integer("cause_position", "Position of the newest correction; null: it was never corrected."),
    ),
)

ACTION_ITEM = Table(
    "action_item",
    "One row per action item of an incident.",
    key=("incident_id", "item_id"),
    columns=(
        ID,
        text("item_id", "Id of the item within its incident."),
        text("owner_id", "Opaque id of who shall do it; null: nobody was named."),
        instant("opened_at", "When it was asked for."),
        instant("due_at", "By when it shall be done; null: no time was named."),
        instant("completed_at", "When it was done; null: not said."),
        instant("dropped_at", "When it was decided not to do it; null: not said."),
        text("status", "open, completed or dropped; one that was done is completed, whatever else was said."),
    ),
    indexes=(("owner_id",), ("status", "due_at")),
)

_SHOWN: Final = frozenset(
    {
        *("impact_started", "detected", "declared", "acknowledged", "triaged", "war_room_opened", "root_cause_identified"),
        *("mitigated", "fix_validated", "resolved", "reopened", "closed", "review_held"),
    }
)

Corrected = Mapping[tuple[int, str], tuple[int, i.MilestoneCorrected]]
"""The newest correction, with its position, of each milestone by the position of the fact that states it."""


class Happening(NamedTuple):
    """A fact at the time that is held now. `times` are those of all milestones that it states. Microseconds."""

    at: int
    position: int
    event: i.Fact
    times: Mapping[str, int]


def services(id: str, happened: Sequence[Happening], impact_started_at: int | None) -> list[Row]:
    """Return the rows of incident_service. Services named at the declaration are affected from the start of the impact on."""
    made: list[list[Any]] = []
    affected: dict[str, list[Any]] = {}

    def begin(service_id: str, position: int, at: int | None) -> None:
        if service_id not in affected:
            affected[service_id] = [id, service_id, position, at, None]
            made.append(affected[service_id])

    for each in happened:
        if isinstance(each.event, i.Declared):
            for service_id in each.event.services:
                begin(service_id, each.position, impact_started_at)
    for each in happened:
        if isinstance(each.event, i.ServiceAffected):
            begin(each.event.service_id, each.position, each.at)
        elif isinstance(each.event, i.ServiceRestored) and each.event.service_id in affected:
            affected.pop(each.event.service_id)[-1] = each.at
    return [tuple(row) for row in made]


def roles(id: str, happened: Iterable[Happening]) -> list[Row]:
    """Return the rows of incident_role."""
    made: list[list[Any]] = []
    held: dict[tuple[str, str | None], list[Any]] = {}
    for each in happened:
        event = each.event
        if not isinstance(event, i.RoleAssigned | i.RoleReleased):
            continue
        post = (event.role, event.person_id if event.role == "responder" else None)
        holder = held[post][3] if post in held else None
        if (holder == event.person_id) is isinstance(event, i.RoleAssigned):
            continue  # the person has it already, or does not have it
        if holder is not None:
            held.pop(post)[-1] = each.at
        if isinstance(event, i.RoleAssigned):
            held[post] = [id, event.role, each.position, event.person_id, each.at, None]
            made.append(held[post])
    return [tuple(row) for row in made]


def milestones(id: str, happened: Iterable[Happening], corrected: Corrected) -> Iterator[Row]:
    """Yield the rows of incident_milestone."""
    for each in happened:
        for name, at in each.times.items():
            if name in _SHOWN:
                correction = corrected.get((each.position, name))
                moved = (None, None) if correction is None else (micros(correction[1].was), correction[0])
                yield (id, name, each.position, at, *moved)


def action_items(id: str, happened: Sequence[Happening]) -> list[Row]:
    """Return the rows of action_item."""
    opened = {each.event.item_id: (each.at, each.event) for each in happened if isinstance(each.event, i.ActionItemOpened)}
    completed: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for each in happened:
        if isinstance(each.event, i.ActionItemCompleted):
            completed.setdefault(each.event.item_id, each.at)
        elif isinstance(each.event, i.ActionItemDropped):
            dropped.setdefault(each.event.item_id, each.at)
    made: list[Row] = []
    for item_id, (at, event) in opened.items():
        status = "completed" if item_id in completed else "dropped" if item_id in dropped else "open"
        due_at = None if event.due_at is None else micros(event.due_at)
        made.append((id, item_id, event.owner_id, at, due_at, completed.get(item_id), dropped.get(item_id), status))
    return made
