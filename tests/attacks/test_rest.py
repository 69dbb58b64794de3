"""Attacks on what is made of the log, on its policies, and on the way in. Numbers as in docs/explanation/proof.md."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attacked import World, check_of, found

from opsledger.app import Taken
from opsledger.domain import policy, ticket
from opsledger.domain.fact import encode
from opsledger.errors import OpsledgerError, Refused, Unfoldable
from opsledger.ledger.codec import read
from opsledger.policies import documents
from opsledger.policies.instants import at
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority

TABLES = {
    "21 tracking put back": ("UPDATE opsledger_tracking SET position = 6 WHERE name = 'ticket'", "projections"),
    "21 tracking put forward": ("UPDATE opsledger_tracking SET position = 99 WHERE name = 'ticket'", "projections"),
    "22 a row edited": (
        "UPDATE ticket_sla SET outcome = 'met', elapsed_s = 1 WHERE ticket_id = 'T-1' AND metric = 'resolution'",
        "projections",
    ),
    "23 a row removed": ("DELETE FROM ticket WHERE ticket_id = 'T-2'", "projections"),
    "23 a row added": ("INSERT INTO incident_service (incident_id, service_id, stated_position) VALUES ('INC-1', 'api', 3)", "projections"),
}


@pytest.mark.parametrize("attack", TABLES)
def test_tables_that_were_changed_differ_from_the_log_folded_anew(world: World, attack: str) -> None:
    statement, check = TABLES[attack]
    world.attack(statement, tables=True)
    report = world.verify_kept("integrity", "checkpoints", "projections")
    assert set(found(report)) == {check}, list(report.lines())
    assert check_of(report, "integrity").verdict == "clean", "the log is as it was"


def test_24_a_policy_edited_in_the_log_is_another_leaf_and_no_longer_gives_the_promises(world: World) -> None:
    position = next(row.position for row in world.ledger.store.page(0, 99) if row.topic == "policy.published")
    state = world.ledger.store.page(position - 1, 1)[0].state
    edited = state.replace(rb"\"within\":\"1 h\"", rb"\"within\":\"5 h\"")
    assert edited != state
    world.attack(f"UPDATE ledger_event SET state = {world.bytes_of(repr(edited.hex()))} WHERE position = {position}")
    report = world.verify("integrity", "promises")
    assert found(report)["integrity"] == {position}
    assert check_of(report, "promises").verdict == "findings"


def test_25_a_policy_for_the_past_is_another_version_with_a_reason_and_judges_no_earlier_ticket(world: World) -> None:
    document = documents.canonical(default_model()).replace('"within":"1 h"', '"within":"5 h"')
    people: dict[str, Any] = {"document": document, "proposed_by": "u-1", "approved_by": "u-2", "effective_from": at("2026-01-01")}
    with pytest.raises(Refused, match="say why with a reason"):
        world.record(policy.publish, policy.NAME, **people)
    before = world.ledger.promises("ticket:T-1")
    world.record(policy.publish, policy.NAME, **people, reason="It was agreed on in January")
    assert [(each.metric, each.due_at, each.outcome) for each in world.ledger.promises("ticket:T-1")] == [
        (each.metric, each.due_at, each.outcome) for each in before
    ]
    assert world.ledger.tables.select("ticket", ticket_id="T-1", at_least=12)[0]["policy_ref"].startswith("operating-model@1:")


NOT_TEXT = {
    "30 a key twice": b'{"responded_at":"2026-03-02T09:00:00Z","responded_at":"2026-03-02T08:00:00Z","message":null}',
    "30 no number": b'{"responded_at":"2026-03-02T09:00:00Z","message":NaN}',
}


def test_30_what_json_cannot_hold_is_refused_before_it_is_recorded(world: World) -> None:
    head = world.ledger.store.head()
    with pytest.raises(OpsledgerError, match="half of a character"):
        world.record(ticket.reopen, "T-2", reason="\ud800")
    assert world.ledger.store.head() == head


@pytest.mark.parametrize("case", NOT_TEXT)
def test_30_stored_bytes_that_a_parser_could_read_in_two_ways_are_not_what_was_sealed(world: World, case: str) -> None:
    world.attack(f"UPDATE ledger_event SET state = {world.bytes_of(repr(NOT_TEXT[case].hex()))} WHERE position = 9")
    assert found(world.verify("integrity"))["integrity"] == {9}
    row = world.ledger.store.page(8, 1)[0]
    try:
        again = encode(read(row).fact)
    except Unfoldable:
        return
    assert json.loads(again) != NOT_TEXT[case], "what is read again is written otherwise"


def test_31_one_id_written_in_two_ways_is_one_id(world: World) -> None:
    composed, decomposed = "C-\u00e9", "C-e\u0301"
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": None}
    position = world.record(ticket.register, decomposed, **person)
    assert world.ledger.store.page(position - 1, 1)[0].stream == f"ticket:{composed}"
    with pytest.raises(Refused, match="already"):
        world.record(ticket.register, composed, **person)


def test_19_and_20_a_file_taken_in_twice_adds_nothing_and_a_changed_record_is_not_taken_in(world: World) -> None:
    importer, fact = world.ledger.by("importer"), ticket.Resumed(resumed_at=at("2026-03-02T09:04:00Z"))
    first = importer.observe([Taken("row-1", (("ticket:T-2", fact),))], source="elsewhere")
    again = importer.observe([Taken("row-1", (("ticket:T-2", fact),))], source="elsewhere")
    other = ticket.Resumed(resumed_at=at("2026-03-02T09:01:00Z"))
    changed = importer.observe([Taken("row-1", (("ticket:T-2", other),))], source="elsewhere")
    assert (first.new, again.new, again.known, changed.new, changed.changed) == (1, 0, 1, 0, ["row-1"])


def test_41_a_statement_over_all_rows_is_refused_by_the_database(world: World) -> None:
    url = world.ledger.url
    statements = (
        "UPDATE ledger_event SET role = 'x'",
        "DELETE FROM ledger_event",
        "UPDATE ledger_hash SET level = 9",
        "DELETE FROM ledger_checkpoint",
    )
    if url.kind == "sqlite":
        import sqlite3

        with sqlite3.connect(url.path) as connection:
            for statement in statements:
                with pytest.raises(sqlite3.IntegrityError, match="never"):
                    connection.execute(statement)
        return
    import psycopg

    for statement in statements:
        with psycopg.connect(url.conninfo) as connection:
            connection.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(url.schema)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or removed"):
                connection.execute(statement.encode())


def test_42_there_are_no_snapshots_to_edit(world: World) -> None:
    assert not [name for name in world.ledger.tables.tables.schema.tables if "snapshot" in name]
    kept = world.ledger.state("ticket", "T-1")
    world.reopen()
    assert world.ledger.state("ticket", "T-1") == kept


def test_18_no_level_is_claimed_that_needs_another_clock(world: World) -> None:
    assured = world.verify_kept("checkpoints").assurance
    assert assured is not None
    assert assured.level == "L1", "level 2, independently timed, is not offered yet"
