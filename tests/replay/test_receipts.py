"""Receipts of replays: written, read strictly, repeated; what differs is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from verified import register

from opsledger.app import OpsLedger
from opsledger.audit.findings import Checked
from opsledger.audit.note import sign_note
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.domain import ticket
from opsledger.errors import BadInput
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.evidence import repeating
from opsledger.replay.evidence.receipt import Receipt, Tree, read_receipt
from opsledger.replay.evidence.repeating import compare_receipts, differing_versions, make_receipt, source_digest
from opsledger.replay.scratch import scratch_tables
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock
from tampering import attack


@pytest.fixture
def scratch() -> Iterator[Tables]:
    with scratch_tables() as tables:
        yield tables


def receipt_of(ledger: OpsLedger, tables: Tables, **cut: Any) -> Receipt:
    """Replay into tables, and return the receipt."""
    shown = as_of(ledger.store, **cut)
    replay(ledger.store, tables, shown)
    return make_receipt(ledger.store, ledger.seals, ledger.url, tables, shown)


def again(ledger: OpsLedger, then: Receipt) -> Checked:
    """Repeat the replay of a receipt, and return what it came to."""
    with scratch_tables() as tables:
        now = receipt_of(ledger, tables, position=then.position, effective_at=then.effective_at)
        return compare_receipts(then, now, ledger.store, tables)


# What a receipt says.


def test_a_receipt_names_the_log_the_axes_the_program_and_what_came_out(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch, position=8)
    lines = str(made).splitlines()
    assert lines[:6] == [
        "opsledger/receipt/v1",
        f"origin {origin_of(history.store)}",
        "simulated yes",
        "position 8",
        "recorded_at 2026-03-02T10:00:00.000000Z",
        "effective_at 2026-03-02T10:00:00.000000Z",
    ]
    assert lines[7] == "checkpoint none"
    assert [line.split()[:3] for line in lines if line.startswith("governed")] == [
        ["governed", "2", "calendar:always"],
        ["governed", "3", "calendar:business"],
        ["governed", "4", "policy:operating-model"],
    ]
    assert {each.name: each.digest for each in made.tables} == digests(scratch)
    assert {each.name: each.rows for each in made.tables}["ticket"] == 2
    assert made.versions.source == source_digest()
    assert made.versions.log_database.startswith("SQLite 3.")


def test_a_receipt_names_the_newest_checkpoint(history: OpsLedger, scratch: Tables) -> None:
    from opsledger.app.sealing import introduce_key

    key = SigningKey.generate(origin_of(history.store))
    introduce_key(history, key, proposed_by="u-sec", approved_by="u-cto")
    history.seal(key)
    made = receipt_of(history, scratch, position=8)
    assert made.checkpoint is not None
    assert (made.checkpoint.size, made.log.size) == (11, 8)
    assert again(history, made).looked_at["checkpoints"] == 1


def test_the_source_digest_is_that_of_the_files_by_the_tools_at_hand() -> None:
    folder = Path(repeating.__file__).parents[1]
    command = "find . -type f ! -name '*.pyc' -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == source_digest()


def test_a_receipt_is_the_same_in_every_process(history: OpsLedger, scratch: Tables) -> None:
    made = str(receipt_of(history, scratch))
    program = (
        "import sys\n"
        "from opsledger.app import OpsLedger\n"
        "from opsledger.replay.asof import as_of, replay\n"
        "from opsledger.replay.evidence.repeating import make_receipt\n"
        "from opsledger.replay.scratch import scratch_tables\n"
        "with OpsLedger.open(sys.argv[1]) as ledger, scratch_tables() as tables:\n"
        "    shown = as_of(ledger.store)\n"
        "    replay(ledger.store, tables, shown)\n"
        "    sys.stdout.write(str(make_receipt(ledger.store, ledger.seals, ledger.url, tables, shown)))\n"
    )
    for zone, seed, locale in (("UTC", "0", "C"), ("Asia/Kathmandu", "4711", "de_DE.UTF-8")):
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale}
        command = [sys.executable, "-c", program, history.url.shown]
        assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == made


# Reading.


def test_a_receipt_reads_back_as_it_was_written(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    assert Receipt.parse(str(made)) == made
    assert read_receipt(str(made).encode()) == (made, None)
    key = SigningKey.generate("auditors.example")
    note = sign_note(str(made), key)
    assert read_receipt(str(note).encode()) == (made, note)


def test_a_receipt_with_plugins_and_without_tables_reads_back(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    odd = replace(made, tables=(), governed=(), versions=replace(made.versions, plugins=("refunds 1.0", "the shop's 2"), projections=()))
    assert Receipt.parse(str(odd)) == odd
    assert Receipt.parse(str(replace(odd, checkpoint=Tree(3, bytes(32))))).checkpoint == Tree(3, bytes(32))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_receipt_that_was_edited_reads_as_another_one_or_not_at_all(data: st.DataObject, written: tuple[Receipt, str]) -> None:
    made, text = written
    at = data.draw(st.integers(0, len(text) - 1))
    edited = (
        text[:at]
        + data.draw(st.sampled_from(["", " ", "\n", "0", "7", "A", "=", "-", "\u00e4", "\x00"]))
        + text[at + data.draw(st.integers(0, 2)) :]
    )
    try:
        found = Receipt.parse(edited)
    except BadInput:
        return
    assert str(found) == edited
    assert (found == made) == (edited == text)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Receipt, str]:
    clock = Clock()
    url = f"sqlite:///{tmp_path_factory.mktemp('receipt')}/ops.db"
    with OpsLedger.create(url, simulated=True, clock=clock, ledger_id="0" * 32) as ledger, scratch_tables() as tables:
        register(ledger, "T-1")
        made = receipt_of(ledger, tables)
    return made, str(made)


@pytest.mark.parametrize("junk", [b"", b"\n", b"\xff\n", b"opsledger/receipt/v1\n", b"opsledger/receipt/v2\norigin x\n", b"{}"])
def test_what_is_no_receipt_is_one_sentence(junk: bytes) -> None:
    with pytest.raises(BadInput, match="This is no receipt of a replay"):
        read_receipt(junk)


# Repeating.


@pytest.mark.parametrize("cut", [{}, {"position": 8}, {"position": 9, "effective_at": 1_772_443_500_000_000}])
def test_a_replay_is_repeated_to_the_byte(history: OpsLedger, scratch: Tables, cut: dict[str, int]) -> None:
    made = receipt_of(history, scratch, **cut)
    register(history, "T-3")
    result = again(history, made)
    assert (result.verdict, result.findings) == ("clean", [])
    assert result.looked_at["tables"] == len(scratch.schema.declared)


def test_both_databases_give_one_receipt_but_for_what_they_are(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    register(opsledger_pg, "T-1")
    opsledger_clock.forward(minutes=5)
    opsledger_pg.by("u-7", role="support").record(ticket.respond, "T-1")
    opsledger_pg.catch_up()
    shown = as_of(opsledger_pg.store)
    with scratch_tables() as tables:
        replay(opsledger_pg.store, tables, shown)
        on_sqlite = make_receipt(opsledger_pg.store, opsledger_pg.seals, opsledger_pg.url, tables, shown)
    on_postgresql = make_receipt(opsledger_pg.store, opsledger_pg.seals, opsledger_pg.url, opsledger_pg.tables.tables, shown)
    assert on_sqlite.versions.log_database.startswith("PostgreSQL ")
    (said,) = differing_versions(on_sqlite.versions, on_postgresql.versions)
    assert said.startswith("table_database was SQLite 3.")
    assert on_postgresql == replace(on_sqlite, versions=on_postgresql.versions)


def test_a_fact_that_was_edited_is_found_by_the_root_and_by_its_rows(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    attack(history, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 7")
    findings = {finding.table: finding for finding in again(history, made).findings}
    assert "their Merkle root is another" in findings[None].sentence
    assert findings["audit_trail"].keys == ((7,),)
    assert findings["audit_trail"].sentence == "audit_trail came out otherwise: 10 rows as before; the row that differs is 7."
    assert set(findings) == {None, "audit_trail"}


@pytest.mark.parametrize("position", range(5, 11))
def test_whichever_single_row_differs_is_named_among_few(history: OpsLedger, scratch: Tables, position: int) -> None:
    made = receipt_of(history, scratch)
    attack(history, f"UPDATE ledger_event SET role = 'lead' WHERE position = {position}")
    assert next(finding.keys for finding in again(history, made).findings if finding.table == "audit_trail") == ((position,),)


def test_rows_that_came_and_rows_that_went_are_told_apart(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    attack(history, "UPDATE ledger_event SET stream = 'ticket:T-7' WHERE stream = 'ticket:T-2'")
    found = {finding.table: finding for finding in again(history, made).findings}
    assert "2 rows as before; the row that differs is T-7" in found["ticket"].sentence


def test_a_row_that_is_gone_is_said_to_be(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    with scratch_tables() as tables:
        receipt_of(history, tables)
        with tables.writing() as connection:
            connection.execute(sa.text("DELETE FROM ticket WHERE ticket_id = 'T-2'"))
        now = make_receipt(history.store, history.seals, history.url, tables, as_of(history.store))
        (found,) = compare_receipts(made, now, history.store, tables).findings
    assert found.sentence == "ticket came out otherwise: 1 row where there were 2; the rows that differ are there no more."


def test_a_policy_that_was_edited_is_named(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    edited = "CAST(replace(state, 'the ledger begins', 'it began') AS BLOB)"
    attack(history, f"UPDATE ledger_event SET state = {edited} WHERE position = 4")
    assert {finding.table for finding in again(history, made).findings} == {None, "policy"}
    other = replace(made, governed=(*made.governed[:-1], replace(made.governed[-1], digest="f" * 64)))
    sentences = [finding.sentence for finding in again(history, other).findings]
    assert any("Position 4 (policy:operating-model) has the digest" in sentence for sentence in sentences)


def test_a_checkpoint_that_the_log_no_longer_has_is_found(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch, position=8)
    for checkpoint, said in ((Tree(10, bytes(32)), "are not those of the checkpoint"), (Tree(11, bytes(32)), "its end was cut off")):
        (found,) = again(history, replace(made, checkpoint=checkpoint)).findings
        assert said in found.sentence


def test_a_table_that_this_program_has_not_is_a_finding(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch)
    other = replace(made, tables=(replace(made.tables[0], name="refund"), *made.tables[1:]))
    assert [finding.sentence for finding in again(history, other).findings] == [
        "The receipt has a table refund, and this program has none."
    ]


def test_by_what_it_was_made_otherwise_is_said(history: OpsLedger, scratch: Tables) -> None:
    made = receipt_of(history, scratch).versions
    other = replace(
        made,
        source="0" * 64,
        tz_data="2020a",
        topics="1" * 64,
        projections=(*made.projections[:-1], "ticket_source 9 abc"),
        plugins=("refunds 1.0",),
    )
    assert [said.partition(" ")[0] for said in differing_versions(other, made)] == ["source", "tz_data", "topics", "plugins", "projections"]
    assert differing_versions(made, made) == []
    assert "plugins was refunds 1.0 and is nothing" in differing_versions(other, made)
