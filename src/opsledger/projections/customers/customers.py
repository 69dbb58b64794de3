"""customer: who are our customers, what may they use, who looks after them? Beside it, how that was at any time.

Grain: customer, one row per customer as of the newest fact; customer_segment and customer_entitlement, one row per customer and time
in which that held; customer_owner, one row per customer, role and time in which somebody had it. Times are half-open, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from opsledger.domain import customer as c
from opsledger.domain.recorded import Recorded
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = [
    "CUSTOMER",
    "CUSTOMER_ENTITLEMENT",
    "CUSTOMER_OWNER",
    "CUSTOMER_SEGMENT",
    "PROJECTIONS",
    "Since",
    "Told",
    "entitled_at",
    "fold",
    "rows",
    "start",
]

CUSTOMER = Table(
    "customer",
    "One row per customer that was registered, as of the newest fact.",
    key=("customer_id",),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        instant("registered_at", "When they became a customer, paying or not."),
        text("segment", "To which segment they are counted."),
        integer("seats", "Users who may use the product; null: nothing is said."),
        boolean("api", "Whether they may call the API; null: nothing is said."),
        boolean("community", "Whether they may take part in the community; null: nothing is said."),
        text("features", "Core features that they may use, in the order of names, with commas between them; null: nothing is said."),
        integer("feature_count", "How many core features that are."),
        integer("cases_per_28_days", "Cases that the contract expects to be processed in 28 days; null: nothing is agreed."),
        text("customer_success_manager_id", "Opaque id of who is in this role; null: nobody, as in the two below."),
        text("technical_account_manager_id", "Opaque id of who is in this role."),
        text("support_specialist_id", "Opaque id of who is in this role."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("segment",),),
)

CUSTOMER_SEGMENT = Table(
    "customer_segment",
    "One row per customer and time in which they were counted to one segment.",
    key=("customer_id", "seq"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        integer("seq", "Number of the row, from 1."),
        text("segment", "To which segment."),
        instant("valid_from_at", "From when."),
        instant("valid_to_at", "Until when, not part of it; null: it lasts."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

CUSTOMER_ENTITLEMENT = Table(
    "customer_entitlement",
    "One row per customer and time in which they might use the same.",
    key=("customer_id", "seq"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        integer("seq", "Number of the row, from 1."),
        integer("seats", "Users who might use the product."),
        boolean("api", "Whether they might call the API."),
        boolean("community", "Whether they might take part in the community."),
        text("features", "Core features that they might use, in the order of names, with commas between them."),
        integer("feature_count", "How many core features that are."),
        integer("cases_per_28_days", "Cases that the contract expected in 28 days; null: nothing was agreed."),
        instant("valid_from_at", "From when."),
        instant("valid_to_at", "Until when, not part of it; null: it lasts."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

CUSTOMER_OWNER = Table(
    "customer_owner",
    "One row per customer, role and time in which one person looked after them in it; where nobody did, there is no row.",
    key=("customer_id", "role", "seq"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        text("role", "customer_success_manager, technical_account_manager or support_specialist."),
        integer("seq", "Number of the row within the role, from 1."),
        text("owner_id", "Opaque id of the person."),
        instant("valid_from_at", "From when."),
        instant("valid_to_at", "Until when, not part of it; null: it lasts."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("owner_id",),),
)


class Since(NamedTuple):
    """Something said, from when it holds, and the position of the fact that says it. Microseconds."""

    said: Any
    at: int
    position: int


@dataclass(slots=True)
class Told:
    """What is known of one customer, each list in the order in which it happened. An owner that is None was released."""

    customer_id: str
    registered_at: int = 0
    segments: list[Since] = field(default_factory=list)
    entitled: list[Since] = field(default_factory=list)
    owners: dict[c.Role, list[Since]] = field(default_factory=dict)
    last_position: int = 0


def start(stream: str) -> Told:
    """Return the state of a customer before the first fact; `stream` is `customer:C-7`."""
    return Told(stream.partition(":")[2])


def fold(told: Told, recorded: Recorded) -> Told:
    """Return the state after one fact more; times are those of the envelope, corrected."""
    event = recorded.fact
    told.last_position = max(told.last_position, recorded.position)
    match event:
        case c.Registered():
            told.registered_at = recorded.occurred_at
            _say(told.segments, event.segment, recorded)
        case c.SegmentChanged():
            _say(told.segments, event.segment, recorded)
        case c.Entitled():
            _say(told.entitled, event, recorded)
        case c.OwnerAssigned():
            _say(told.owners.setdefault(event.role, []), event.owner_id, recorded)
        case c.OwnerReleased():
            _say(told.owners.setdefault(event.role, []), None, recorded)
        case _:
            pass  # a correction has moved the fact that it names
    return told


def _say(said: list[Since], what: Any, recorded: Recorded) -> None:
    """Add what holds from then on. What is said of the same instant takes the place of what was said before."""
    if said and said[-1].at == recorded.occurred_at:
        said.pop()
    said.append(Since(what, recorded.occurred_at, recorded.position))


def entitled_at(told: Told, instant: int) -> Since | None:
    """Return what a customer might use at an instant; None where nothing was said by then."""
    return next((since for since in reversed(told.entitled) if since.at <= instant), None)


def rows(told: Told) -> Rows:
    """Return the rows of one customer."""
    entitled = _entitled(told.entitled[-1].said) if told.entitled else (None,) * 6
    owners = {role: said[-1].said for role, said in told.owners.items()}
    return {
        "customer": [
            (
                told.customer_id,
                told.registered_at,
                told.segments[-1].said,
                *entitled,
                owners.get("customer_success_manager"),
                owners.get("technical_account_manager"),
                owners.get("support_specialist"),
                told.last_position,
            )
        ],
        "customer_segment": [(told.customer_id, i, segment, *times) for i, (segment, *times) in enumerate(_spans(told.segments), 1)],
        "customer_entitlement": [
            (told.customer_id, i, *_entitled(event), *times) for i, (event, *times) in enumerate(_spans(told.entitled), 1)
        ],
        "customer_owner": [
            (told.customer_id, role, i, owner, *times)
            for role in sorted(told.owners)
            for i, (owner, *times) in enumerate(_spans(told.owners[role]), 1)
        ],
    }


def _entitled(event: c.Entitled) -> Row:
    return event.seats, event.api, event.community, ", ".join(event.features), len(event.features), event.cases_per_28_days


def _spans(said: list[Since]) -> Iterator[tuple[Any, int, int | None, int]]:
    """Yield what held with from when, until when and the newest fact that says so; what was said twice in a row holds on."""
    kept: list[Since] = []
    for since in said:
        if not kept or not _same(kept[-1].said, since.said):
            kept.append(since)
    for i, since in enumerate(kept):
        after = kept[i + 1] if i + 1 < len(kept) else None
        if since.said is not None:
            yield since.said, since.at, after.at if after else None, max(since.position, after.position if after else 0)


def _same(one: Any, other: Any) -> bool:
    return bool(_entitled(one) == _entitled(other) if isinstance(one, c.Entitled) else one == other)


PROJECTIONS = (
    Entity(
        "customer",
        1,
        concept="customer",
        tables=(CUSTOMER, CUSTOMER_SEGMENT, CUSTOMER_ENTITLEMENT, CUSTOMER_OWNER),
        start=Told,
        fold=fold,
        rows=rows,
    ),
)
