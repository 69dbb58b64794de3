"""Bulk import: records of another system, each known by its id there, beside one stock `save` for each event.

Ours goes by `observe`, in batches of the size that the importer takes: every record is looked up by its id, its content kept as
a MAC, its fact numbered and stored. The stock application has no batches across aggregates that come one after the other, so
it saves each event as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice
from statistics import median
from typing import Any, Final

from benchmarks.measuring import alternate, profile, ratios, timed
from benchmarks.place import KINDS, Kind, Place, named
from benchmarks.report import Row, Section, Target, rate, rounds
from benchmarks.stock import Desk, Ticket, environment, state_bytes
from opsledger.app import OpsLedger, Taken
from opsledger.domain import ticket
from opsledger.policies.support import Priority

__all__ = ["measure"]

_TARGET: Final = Target("at least", 20)
_BATCH: Final = 3000  # facts; the ServiceNow importer's batches have about as many
_BEGAN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)


def measure(place: Place) -> Section:
    """Measure an import on both databases."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        row, note = _import(place, kind)
        rows.append(row)
        notes.append(note)
    return Section(
        "Bulk import with source ids",
        f"{place.sizes.imported:,} records of one fact each by `observe`, {_BATCH:,} in a transaction, against {place.sizes.saved:,} "
        f"events saved one by one; {rounds(place.sizes.imports)}. Durable, both.",
        rows,
        notes,
    )


def _import(place: Place, kind: Kind) -> tuple[Row, str]:
    sizes = place.sizes
    with OpsLedger.create(place.url(kind)) as ledger, Desk(env=environment(place, kind)) as desk:
        actor, records, tickets = ledger.by("import:bench", role="import"), _records(ledger.known.in_force(_micros()).ref), _tickets()

        def observe() -> None:
            left = sizes.imported
            while left > 0:
                taken = actor.observe(list(islice(records, min(left, _BATCH))), source="bench")
                assert taken.new == taken.facts == min(left, _BATCH)
                left -= _BATCH

        def save() -> None:
            for each in islice(tickets, sizes.saved):
                desk.save(each)

        found = alternate({"ours": lambda: sizes.imported / timed(observe), "stock": lambda: sizes.saved / timed(save)}, sizes.imports)
        spent = profile(observe)
        rows = ledger.store.page(ledger.store.head().position - 200, 200)
        note = (
            f"On {named(kind)} a state of ours has {sum(len(row.state) for row in rows) // len(rows)} bytes, a stock one "
            f"{state_bytes(desk)}. Where our time goes: {spent}."
        )
    row = Row(
        f"bulk import, {named(kind)}",
        "one stock `save` for each event",
        rate(median(found["ours"]), "facts"),
        rate(median(found["stock"])),
        ratios(found["ours"], found["stock"]),
        target=_TARGET,
    )
    return row, note


def _micros() -> int:
    return round(_BEGAN.timestamp()) * 1_000_000


def _records(policy: str) -> Iterator[Taken]:
    """Yield records of tickets without end: registered, then seven changes."""
    for number in count():
        at = _BEGAN + timedelta(seconds=number)
        said: list[Any] = [
            ticket.Registered(
                registered_at=at,
                customer_id=f"C-{number % 300}",
                requester_id=f"p-{number % 900}",
                channel="import",
                priority=Priority.MEDIUM,
                summary=None,
                policy=policy,
            ),
            ticket.Classified(classified_at=at + timedelta(minutes=1), category="software", subcategory="login"),
            ticket.Assigned(assigned_at=at + timedelta(minutes=2), group="desk", assignee_id="u-ana"),
            ticket.InvestigationStarted(started_at=at + timedelta(minutes=9), agent_id="u-ana"),
            ticket.Paused(paused_at=at + timedelta(minutes=20), reason="awaiting_customer", requester_id=f"p-{number % 900}"),
            ticket.Resumed(resumed_at=at + timedelta(hours=3)),
            ticket.Resolved(resolved_at=at + timedelta(hours=4), code="fixed", agent_id="u-ana", requester_id=f"p-{number % 900}"),
            ticket.Closed(closed_at=at + timedelta(days=5), code="confirmed"),
        ]
        for place, fact in enumerate(said):
            yield Taken(f"INC{number}/{place}", ((f"ticket:INC{number}", fact),))


def _tickets() -> Iterator[Ticket]:
    """Yield tickets with one event to save, without end: a new one, then the same with seven changes."""
    while True:
        made = Ticket(customer_id="C-1", text="A request, in as many words.")
        yield made
        for act in islice(cycle((made.respond, made.pause)), 7):
            act(text="What was done then.")
            yield made
