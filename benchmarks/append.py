"""One append: recorded by a decision, or written by the bare store, beside the stock recorder on the same disk and server.

Every append waits for the disk. The stock recorder and our bare store write the same bytes; `OpsLedger.record` also loads the
ticket, decides, seals the message for its customer, and writes a fact of the same size with the sealed message beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from statistics import median
from typing import Final
from uuid import uuid4

import psycopg
from eventsourcing.persistence import StoredEvent

from benchmarks.measuring import flushing, interleave, profile, ratios, spread, typical
from benchmarks.place import KINDS, Kind, Place, named
from benchmarks.report import Row, Section, Target, duration
from benchmarks.stock import Desk, Ticket, environment, fill
from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.ledger.application import create_store
from opsledger.ledger.envelope import Append, NewFact
from opsledger.ledger.store import Store
from opsledger.ledger.url import parse_url
from opsledger.policies.support import Priority

__all__ = ["appending", "measure"]

_TARGETS: Final = {"sqlite": Target("at most", 1.5), "postgresql": Target("at most", 0.6)}
_HELD: Final = Target("at most", 1.3)
_TICKETS: Final = 50
_WINDOWS: Final = 5
_MESSAGE: Final = "We are still on it, and tell you more before the evening."


def measure(place: Place) -> Section:
    """Measure appends on both databases, and on PostgreSQL without waiting for the disk and under a foreign snapshot."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        found, spent = _beside_stock(place, kind)
        rows += _rows(found, f"one append, {{}}, {named(kind)}", _TARGETS[kind])
        notes.append(
            f"Where the time goes on {named(kind)}. Writing 4 kB and waiting for the disk, in turn with the appends, took "
            f"{duration(median(found['disk']))}. The bare store: {spent['bare']}. `OpsLedger.record`: {spent['record']}. "
            f"The stock recorder: {spent['stock']}."
        )
    with place.hasty() as hasty:
        found, _ = _beside_stock(hasty, "postgresql")
    rows += _rows(found, "one append, {}, PostgreSQL, not waiting for the disk", None)
    rows.append(_held(place))
    return Section(
        "One append, durable",
        f"The median of {place.sizes.appends} appends in each of {place.sizes.rounds} rounds, in which the contenders take turns append "
        "by append. The stock recorder is that of the library's SQLite or PostgreSQL module, with its own pool and settings. What both "
        "must wait for, the disk, makes them the more alike the slower it is; so PostgreSQL is measured without it too "
        "(`synchronous_commit = off`).",
        rows,
        notes,
    )


def _beside_stock(place: Place, kind: Kind) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return the seconds of an append by each way in each round, and where each spends them."""
    sizes = place.sizes
    with OpsLedger.create(place.url(kind)) as ledger, Desk(env=environment(place, kind)) as desk, flushing(place.folder) as flush:
        record, state = _recording(ledger)
        store = create_store(parse_url(place.url(kind)), {"ledger_id": "0" * 32, "simulated": "false"})
        try:
            acts = {"bare": appending(store, state), "stock": _inserting(desk, state), "record": record, "save": _saving(desk)}
            interleave(acts, 1, 5)  # connections, statements and caches
            found = interleave({**acts, "disk": flush}, sizes.rounds, sizes.appends)
            return found, {name: profile(_repeated(act, sizes.appends)) for name, act in acts.items()}
        finally:
            store.close()


def _rows(found: dict[str, list[float]], what: str, target: Target | None) -> list[Row]:
    compared = (
        ("bare", "the bare store", "stock", "the stock recorder's `insert_events` of one event", target),
        ("record", "`OpsLedger.record`", "stock", "the stock recorder's `insert_events` of one event", target),
        ("record", "`OpsLedger.record`", "save", "the stock `repository.get`, a command, `save`", None),
    )
    return [
        Row(
            what.format(which),
            against,
            duration(median(found[ours])),
            duration(median(found[theirs])),
            ratios(found[ours], found[theirs]),
            target=asked,
            remark="" if asked else "no target",
        )
        for ours, which, theirs, against, asked in compared
    ]


def _repeated(act: Callable[[], object], times: int) -> Callable[[], None]:
    def acts() -> None:
        for _ in range(times):
            act()

    return acts


def _recording(ledger: OpsLedger) -> tuple[Callable[[], object], bytes]:
    """Return an act that records on one ticket after the other, and the stored bytes of what it records."""
    actor = ledger.by("u-7", role="support")
    for number in range(_TICKETS):
        actor.record(
            ticket.register,
            f"T-{number}",
            customer_id="C-1",
            requester_id=f"p-{number}",
            channel="email",
            priority=Priority.HIGH,
            summary=_MESSAGE,
        )
    numbers = count()

    def act() -> object:
        return actor.record(ticket.update_customer, f"T-{next(numbers) % _TICKETS}", message=_MESSAGE)

    act()
    return act, ledger.store.page(ledger.store.head().position - 1, 1)[0].state


def appending(store: Store, state: bytes) -> Callable[[], object]:
    """Return an act that appends to one stream after the other."""
    numbers = count()

    def act() -> object:
        number = next(numbers)
        fact = NewFact(
            stream=f"ticket:T-{number % _TICKETS}",
            version=number // _TICKETS + 1,
            topic="ticket.update_published",
            revision=1,
            state=state,
            occurred_at=time.time_ns() // 1000,
            recorded_at=None,
            recorded_by="u-7",
            role="support",
            command_id=f"{number:032x}",
        )
        return store.append(Append(facts=[fact]))

    return act


def _inserting(desk: Desk, state: bytes) -> Callable[[], object]:
    """Return the same by the stock recorder."""
    numbers = count()
    streams = [uuid4() for _ in range(_TICKETS)]

    def act() -> object:
        number = next(numbers)
        stream, version = streams[number % _TICKETS], number // _TICKETS + 1
        return desk.recorder.insert_events([StoredEvent(stream, version, "ticket.update_published", state)])

    return act


def _saving(desk: Desk) -> Callable[[], object]:
    """Return the stock way of what `record` does: load a ticket, have it respond, save it."""
    numbers = count()
    ids = fill(desk, _TICKETS, steps=1)

    def act() -> object:
        ticket: Ticket = desk.repository.get(ids[next(numbers) % _TICKETS])
        ticket.respond(text=_MESSAGE)
        return desk.save(ticket)

    return act


def _held(place: Place) -> Row:
    """Append beside a transaction that was begun before all of it and still reads its first snapshot."""
    sizes = place.sizes
    window = max(1, min(500, sizes.held // (2 * _WINDOWS)))
    store = create_store(parse_url(place.url("postgresql")), {"ledger_id": "0" * 32, "simulated": "false"})
    try:
        act = appending(store, b'{"published_at":"2026-03-02T09:00:00Z","message":"' + b"x" * 150 + b'"}')
        typical(act, window)
        before = [typical(act, window) for _ in range(_WINDOWS)]
        with psycopg.connect(place.server) as foreign:
            foreign.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            foreign.execute("SELECT count(*) FROM pg_class")
            for _ in range(sizes.held - window * _WINDOWS):
                act()
            during = [typical(act, window) for _ in range(_WINDOWS)]
            foreign.rollback()
        after = [typical(act, window) for _ in range(_WINDOWS)]
    finally:
        store.close()
    return Row(
        f"one append after {sizes.held:,} under a foreign snapshot, PostgreSQL",
        "itself, before and after the snapshot",
        duration(median(during)),
        f"{duration(median(before))} before, {duration(median(after))} after",
        spread([each / median([*before, *after]) for each in during]),
        target=_HELD,
    )
