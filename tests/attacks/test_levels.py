"""Every attack on the log, its seals and its tables at every level: what finds it, and where nothing does, that it was said to be exposed.

    alone     with the database alone
    kept      with the checkpoints that the auditor kept, of 7 and of 9 facts
    timed     with these, and with when they came by a clock of the auditor's
    replayed  the tables and promises compared with the log folded anew

Numbers are those of the list of attacks in docs/explanation/proof.md. What cannot be told by these four is played in the other files
of this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest
from attacked import World, found
from test_log import cut, remove_and_renumber, reseal, resign, restore

from opsledger.audit.note import Checkpoint, sign_note
from opsledger.audit.signing import SigningKey
from opsledger.domain import ticket
from opsledger.ledger.seals import StoredCheckpoint
from opsledger.policies.instants import at

Checks = frozenset[str]

LOG: Final = ("integrity", "checkpoints", "continuity", "reviews", "parts")
REPLAY: Final = ("fold", "promises", "projections", "closes")


class Case(NamedTuple):
    """What is done, the first position that it touches (None: none of the log), and the checks that find it at each level."""

    act: Callable[[World], object]
    touches: int | None
    alone: Checks
    kept: Checks
    replayed: Checks
    timed: Checks | None = None  # where time adds nothing: as kept


def checks(*names: str) -> Checks:
    return frozenset(names)


NONE: Final = checks()
NOTES: Final = checks("checkpoints")
SEALS: Final = checks("integrity", "checkpoints")
ROWS: Final = checks("integrity", "checkpoints", "continuity")
TABLES: Final = checks("projections")
POSITIONS: Final = tuple(f"UPDATE ledger_event SET position = {to} WHERE position = {was}" for was, to in ((8, 99), (9, 8), (99, 9)))


def sql(*statements: str, tables: bool = False) -> Callable[[World], object]:
    """Return an act that runs statements; `{other}` are the stored bytes of position 9, `{spaced}` those of 8 with a blank."""

    def act(world: World) -> None:
        spaced = "'" + world.ledger.store.page(7, 1)[0].state.replace(b",", b", ", 1).hex() + "'"
        values = {"other": world.bytes_of(world.state(9)), "own": world.bytes_of(world.state(8)), "spaced": world.bytes_of(spaced)}
        world.attack(*(statement.format(**values) for statement in statements), tables=tables)

    return act


def edited(change: str, position: int) -> str:
    return f"UPDATE ledger_event SET {change} WHERE position = {position}"


def edit(change: str) -> Callable[[World], object]:
    return sql(edited(change, 8))


def table(statement: str) -> Callable[[World], object]:
    return sql(statement, tables=True)


def renumbered_and_sealed(world: World) -> None:
    remove_and_renumber(world)
    reseal(world)


def renumbered_and_signed(world: World) -> None:
    remove_and_renumber(world)
    resign(world, world.key)
    world.ledger.tables.rebuild()


def replaced(world: World) -> None:
    world.attack("UPDATE ledger_event SET recorded_by = 'u-9' WHERE recorded_by = 'u-7'")
    resign(world, world.key)
    world.ledger.tables.rebuild()


def signed_by_a_thief(world: World) -> None:
    resign(world, SigningKey.generate(world.key.verifier.name))


def back_dated(world: World) -> None:
    """Record in June what is said to have happened in March: a fact like any other."""
    world.clock.set("2026-06-02T09:00:00Z")
    world.ledger.by("u-7", at=at("2026-03-02T09:02:30Z")).record(ticket.pause, "T-1", reason="awaiting_vendor")
    world.ledger.catch_up()


def clock_put_back(world: World) -> None:
    world.clock.set("2026-03-02T08:00:00Z")
    world.ledger.by("u-7").record(ticket.close, "T-1")
    world.ledger.catch_up()


def clock_put_forward(world: World) -> None:
    """Record and sign in a June that has not come yet, and put the clock back; the auditor gets the note on 2 March."""
    world.clock.set("2026-06-02T09:00:00Z")
    world.ledger.by("u-7").record(ticket.close, "T-1")
    world.keep()
    world.clock.set("2026-03-02T09:10:00Z")
    world.received["kept-12.note"] = world.clock()
    world.ledger.catch_up()


def policy_edited(world: World) -> None:
    position = next(row.position for row in world.ledger.store.page(0, 99) if row.topic == "policy.published")
    state = world.ledger.store.page(position - 1, 1)[0].state
    edited = state.replace(rb"\"within\":\"1 h\"", rb"\"within\":\"5 h\"")
    assert edited != state
    world.attack(f"UPDATE ledger_event SET state = {world.bytes_of(repr(edited.hex()))} WHERE position = {position}")


def another_checkpoint(world: World) -> None:
    """Put a checkpoint beside the others that the log's own key signed over other facts."""
    note = sign_note(str(Checkpoint(world.key.verifier.name, 8, b"x" * 32)), world.key)
    assert world.ledger.seals.keep(StoredCheckpoint(8, str(note), 0))


def signed_elsewhere(world: World) -> None:
    """Show the auditor another history of nine facts, signed by the same key; the ledger goes on with its own."""
    note = sign_note(str(Checkpoint(world.key.verifier.name, 9, b"x" * 32)), world.key)
    world.kept["kept-9.note"] = str(note)


CASES: Final = {
    "1 stored bytes": Case(edit("state = {other}"), 8, SEALS, SEALS, checks("fold", "promises")),
    "2 topic": Case(edit("topic = 'ticket.update_published'"), 8, SEALS, SEALS, checks("fold")),
    "3 recorded_at": Case(edit("recorded_at = recorded_at + 1"), 8, SEALS, SEALS, checks("projections")),
    "3 occurred_at": Case(edit("occurred_at = occurred_at - 60000000"), 8, SEALS, SEALS, checks("fold", "promises", "projections")),
    "4 version": Case(edit("version = 9"), 8, ROWS, ROWS, checks("promises", "projections")),
    "4 stream": Case(edit("stream = 'ticket:T-9'"), 8, ROWS, ROWS, checks("fold", "promises")),
    "5 positions": Case(sql(*POSITIONS), 8, ROWS, ROWS, checks("projections")),
    "6 bytes swapped": Case(sql(edited("state = {other}", 8), edited("state = {own}", 9)), 8, SEALS, SEALS, checks("fold", "promises")),
    "7 removed": Case(sql("DELETE FROM ledger_event WHERE position = 8"), 8, ROWS, ROWS, checks("projections")),
    "8 removed and renumbered": Case(remove_and_renumber, 8, SEALS, SEALS, checks("projections")),
    "9 hashed anew": Case(renumbered_and_sealed, 8, NOTES, NOTES, checks("projections")),
    "10 signed anew": Case(renumbered_and_signed, 8, NONE, NOTES, NONE),
    "11 end cut off": Case(lambda world: cut(world, 7), 8, NONE, NOTES, NONE),
    "12 end cut off that nothing covered": Case(lambda world: cut(world, 9), 10, NONE, NONE, NONE),
    "13 replaced": Case(replaced, 6, NONE, NOTES, NONE),
    "13 replaced, by another key": Case(signed_by_a_thief, 1, NOTES, NOTES, NONE),
    "14 two histories": Case(signed_elsewhere, 8, NONE, NOTES, NONE),
    "15 an older backup": Case(restore, 8, NONE, NOTES, NONE),
    "16 recorded with an old date": Case(back_dated, 12, NONE, NONE, NONE),
    "17 clock put back": Case(clock_put_back, 12, NONE, NONE, NONE),
    "18 clock put forward": Case(clock_put_forward, None, NONE, NONE, NONE, timed=NOTES),
    "21 tracking put back": Case(table("UPDATE opsledger_tracking SET position = 6 WHERE name = 'ticket'"), None, NONE, NONE, TABLES),
    "21 tracking put forward": Case(table("UPDATE opsledger_tracking SET position = 99 WHERE name = 'ticket'"), None, NONE, NONE, TABLES),
    "22 a row edited": Case(table("UPDATE ticket_sla SET elapsed_s = 1 WHERE ticket_id = 'T-1'"), None, NONE, NONE, TABLES),
    "23 a row removed": Case(table("DELETE FROM ticket WHERE ticket_id = 'T-2'"), None, NONE, NONE, TABLES),
    "23 a row added": Case(
        table("INSERT INTO incident_service (incident_id, service_id, stated_position) VALUES ('INC-1', 'api', 3)"),
        None,
        NONE,
        NONE,
        TABLES,
    ),
    "24 policy edited": Case(policy_edited, 2, SEALS, SEALS, checks("promises", "projections")),
    "29 a blank in the JSON": Case(edit("state = {spaced}"), 8, SEALS, SEALS, NONE),
    "39 another checkpoint by the key": Case(another_checkpoint, 8, NOTES, NOTES, NONE),
    "40 a checkpoint removed": Case(sql("DELETE FROM ledger_checkpoint WHERE size = 9"), 8, NONE, NOTES, NONE),
}


@pytest.mark.parametrize("name", CASES)
def test_an_attack_is_found_at_the_levels_that_the_list_says_and_is_exposed_at_the_others(world: World, name: str) -> None:
    case = CASES[name]
    case.act(world)
    alone, kept, timed = world.verify(*LOG), world.verify_kept(*LOG), world.verify_timed(*LOG)
    assert set(found(alone)) == case.alone, list(alone.lines())
    assert set(found(kept)) == case.kept, list(kept.lines())
    assert set(found(timed)) == (case.kept if case.timed is None else case.timed), list(timed.lines())
    assert set(found(world.verify(*REPLAY))) == case.replayed
    for report, most in ((alone, "L0"), (kept, "L1"), (timed, "L2")):
        assert report.assurance is not None
        assert report.assurance.level <= most
        assert report.assurance.exposed == report.position - report.assurance.covered
        if report.code == 0 and case.touches is not None:
            assert report.assurance.covered < case.touches, "what nothing finds is not said to be covered"
