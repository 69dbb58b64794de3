"""Attacks on the policies of the log, on the way in, and on its clock. Numbers as in docs/explanation/proof.md."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attacked import World, check_of, found

from opsledger.app import OpsLedger, Taken
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.domain import policy, ticket
from opsledger.domain.fact import encode
from opsledger.errors import OpsledgerError, Refused, Unfoldable
from opsledger.ledger.codec import read
from opsledger.policies import documents
from opsledger.policies.instants import at, moment
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


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


def test_30_a_number_that_no_double_holds_is_kept_exactly(world: World) -> None:
    many = 2**53 + 1
    receipt = world.ledger.review_audit_trail("u-eve", findings=many, conclusion="More than can be counted")
    assert receipt.position is not None
    assert world.ledger.history("audit_trail:self")[0].fact.findings == many
    (row,) = world.ledger.tables.select("audit_trail_review", at_least=receipt.position)
    assert row["findings"] == many


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


@pytest.fixture(params=["sqlite", "postgresql"])
def timely(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a ledger that takes its times of recording from the database's clock, with one ticket in it."""
    url = f"sqlite:///{tmp_path}/timely.db"
    if request.param == "postgresql":
        monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
        server = str(request.getfixturevalue("opsledger_postgres_url"))
        schema = f"t_{secrets.token_hex(8)}"
        url = f"{server}{'&' if '?' in server else '?'}schema={schema}"
    with OpsLedger.create(url) as ledger:
        made = World(ledger, Clock(), SigningKey.generate(origin_of(ledger.store)), url)
        made.register("T-1")
        yield made
    if request.param == "postgresql":
        with psycopg.connect(server, autocommit=True) as connection:
            for name in (schema, f"{schema}_tables", f"{schema}_keys"):
                connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))


def test_17_after_a_clock_was_put_back_the_ledger_says_that_it_stood_still(timely: World) -> None:
    """The ticket was registered by a clock an hour ahead, which is right again now."""
    timely.attack("UPDATE ledger_event SET recorded_at = recorded_at + 3600000000 WHERE position = 5")
    timely.record(ticket.respond, "T-1")
    before, after, noticed = timely.ledger.store.page(4, 9)
    assert before.recorded_at == after.recorded_at == noticed.recorded_at, "the time of recording never falls"
    assert (noticed.topic, noticed.stream) == ("ledger.clock_regressed", "ledger:self")
    assert timely.verify("continuity").code == 0


def test_18_a_clock_that_was_ahead_is_told_by_when_the_note_came(world: World) -> None:
    """In a June that had not come yet a fact was recorded and signed; the note came on 2 March by the auditor's clock."""
    world.clock.set("2026-06-02T09:00:00Z")
    world.ledger.by("u-7").record(ticket.close, "T-1")
    world.keep()
    world.received["kept-12.note"] = at("2026-03-02T09:10:00Z")
    kept = world.verify_kept("integrity", "checkpoints")
    assert kept.code == 0, "without another clock nothing shows it"
    assert kept.assurance is not None
    assert kept.assurance.level == "L1", "nor is a level claimed that would need one"
    timed = world.verify_timed("integrity", "checkpoints")
    (finding,) = check_of(timed, "checkpoints").findings
    assert finding.sentence == (
        "kept-12.note came at 2026-03-02T09:10:00.000000Z, and position 12, which it covers, claims to have been recorded at "
        "2026-06-02T09:00:00.000000Z: the ledger's clock was ahead."
    )
    assert (finding.position, finding.column) == (12, "recorded_at")
    assert timed.assurance is not None
    assert timed.assurance.level == "L1"


def test_18_a_note_may_come_five_minutes_before_what_it_covers_as_clocks_differ(world: World) -> None:
    recorded_at = moment(world.ledger.store.page(8, 1)[0].recorded_at)
    for early_s, level in ((300, "L2"), (300.000001, "L1")):
        world.received["kept-9.note"] = recorded_at - timedelta(seconds=early_s)
        assured = world.verify_timed("checkpoints").assurance
        assert assured is not None
        assert (assured.level, assured.covered) == (level, 9)


def test_18_a_time_for_a_note_that_was_not_given_is_refused(world: World) -> None:
    report = world.ledger.verify("checkpoints", kept=world.kept, received={"kept-8.note": world.clock()})
    assert check_of(report, "checkpoints").undecided == [
        "No note 'kept-8.note' was given, and so none came then; those given are: kept-7.note, kept-9.note. [checkpoint.not_given]"
    ]
