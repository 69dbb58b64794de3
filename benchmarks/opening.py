"""Opening a stream of a thousand facts: the state of one ticket from its history, beside the stock repository's aggregate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from statistics import median
from typing import Any, Final

from benchmarks.measuring import interleave, profile, ratios
from benchmarks.place import KINDS, Kind, Place, named
from benchmarks.report import Row, Section, Target, duration
from benchmarks.stock import Desk, environment, fill, state_bytes
from opsledger.app import OpsLedger, Taken
from opsledger.domain import ticket
from opsledger.policies.support import Priority

__all__ = ["measure"]

_TARGET: Final = Target("at least", 10)
_FACTS: Final = 1000
_BEGAN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)


def measure(place: Place) -> Section:
    """Measure on both databases."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        row, note = _opened(place, kind)
        rows.append(row)
        notes.append(note)
    return Section(
        f"Opening a stream of {_FACTS:,} facts",
        f"`ledger.state(...)` reads the whole history from the database, decodes and folds it; nothing of it is kept between two calls. "
        f"So does the stock `repository.get`. The median of {place.sizes.opened} in each of {place.sizes.rounds} rounds, by turns.",
        rows,
        notes,
    )


def _opened(place: Place, kind: Kind) -> tuple[Row, str]:
    with OpsLedger.create(place.url(kind)) as ledger, Desk(env=environment(place, kind)) as desk:
        _write(ledger)
        (id,) = fill(desk, _FACTS, steps=_FACTS)
        states = [row.state for row in ledger.store.stream("ticket:T-1")]
        acts: dict[str, Callable[[], object]] = {
            "ours": lambda: ledger.state(ticket.Ticket, "T-1"),
            "stock": lambda: desk.repository.get(id),
        }
        assert len(states) == desk.repository.get(id).version == _FACTS
        interleave(acts, 1, 1)  # connections and statements
        found = interleave(acts, place.sizes.rounds, place.sizes.opened)
        spent = {name: profile(act) for name, act in acts.items()}
        note = (
            f"On {named(kind)} a state of ours has {sum(map(len, states)) // _FACTS} bytes, a stock one {state_bytes(desk)}. "
            f"Where the time goes, ours: {spent['ours']}; stock: {spent['stock']}."
        )
    row = Row(
        f"the state of a ticket of {_FACTS:,} facts, {named(kind)}",
        "the stock `repository.get`",
        duration(median(found["ours"])),
        duration(median(found["stock"])),
        ratios(found["stock"], found["ours"]),
        target=_TARGET,
    )
    return row, note


def _write(ledger: OpsLedger) -> None:
    """Write one ticket of a thousand facts: a long talk, with pauses."""
    policy = ledger.known.in_force(round(_BEGAN.timestamp()) * 1_000_000).ref
    who, agent = {"requester_id": "p-1"}, {"agent_id": "u-ana"}
    words = "I tried what you wrote, and it is still the same."
    registered = ticket.Registered(
        registered_at=_BEGAN,
        customer_id="C-1",
        requester_id="p-1",
        channel="email",
        priority=Priority.LOW,
        summary=words,
        policy=policy,
    )
    talk: tuple[tuple[type[Any], str, dict[str, Any]], ...] = (
        (ticket.Responded, "responded_at", {**who, **agent, "message": words}),
        (ticket.CustomerReplied, "replied_at", {**who, "message": words}),
        (ticket.UpdatePublished, "published_at", {**who, **agent, "message": words}),
        (ticket.Paused, "paused_at", {**who, "reason": "awaiting_customer"}),
        (ticket.Resumed, "resumed_at", {}),
    )
    facts: list[Any] = [registered]
    for number, (kind, at, said) in enumerate(islice(cycle(talk), _FACTS - 1), 1):
        facts.append(kind(**{at: _BEGAN + timedelta(minutes=number)}, **said))
    ledger.by("import:bench", role="import").observe([Taken("T-1", tuple(("ticket:T-1", fact) for fact in facts))], source="bench")
