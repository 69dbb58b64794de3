"""Roles in PostgreSQL: each may do what it is for, and the database refuses it the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.errors import KeysError, OpsledgerError
from opsledger.ledger.grants import ROLES, grants
from opsledger.ledger.url import parse_url
from opsledger.policies.support import Priority

PERSON = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.HIGH, "summary": "It is broken"}
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def roles(pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Give a function from a role to the URL by which it opens the ledger; the ledger holds T-1."""
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    with OpsLedger.create(pg_url) as ledger:
        ledger.by("u-7").record(ticket.register, "T-1", **PERSON)
        ledger.catch_up()
    where = parse_url(pg_url)
    with psycopg.connect(where.conninfo, autocommit=True) as owner:
        for _ in range(2):  # they may be run again
            for statement in grants(where.schema):
                owner.execute(statement)
    yield lambda role: f"{pg_url}&options={quote(f'-c role={where.schema}_{role}')}"
    with psycopg.connect(where.conninfo, autocommit=True) as owner:
        for role in ROLES:
            owner.execute(psycopg.sql.SQL("DROP OWNED BY {} CASCADE").format(psycopg.sql.Identifier(f"{where.schema}_{role}")))
            owner.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(f"{where.schema}_{role}")))


def refused(url: str, *statements: str) -> None:
    """Check that the database denies a role these statements."""
    where = parse_url(url)
    with psycopg.connect(where.conninfo, autocommit=True) as connection:
        for statement in statements:
            text = psycopg.sql.SQL(statement).format(
                log=psycopg.sql.Identifier(where.schema),
                tables=psycopg.sql.Identifier(f"{where.schema}_tables"),
                keys=psycopg.sql.Identifier(f"{where.schema}_keys"),
            )
            with pytest.raises(DENIED):
                connection.execute(text)


CHANGES = ("UPDATE {log}.ledger_event SET role = 'x'", "DELETE FROM {log}.ledger_event", "TRUNCATE {log}.ledger_event")
INSERTS = ("INSERT INTO {log}.ledger_event SELECT * FROM {log}.ledger_event", "INSERT INTO {log}.ledger_meta VALUES ('a', 'b')")
SEALS = ("INSERT INTO {log}.ledger_hash VALUES (0, 0, 'x')", "INSERT INTO {log}.ledger_checkpoint VALUES (1, 'x', 0)")
APPENDS = ("SELECT {log}.ledger_append('{{}}')",)
KEYS = ("SELECT * FROM {keys}.subject_key",)
TABLES = ("UPDATE {tables}.ticket SET status = 'closed'", "DELETE FROM {tables}.ticket_sla", "DROP VIEW {tables}.support_queue")


def test_a_writer_records_and_changes_nothing(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("writer")) as ledger:
        assert ledger.by("u-7").record(ticket.register, "T-2", **PERSON).position == 6
        assert ledger.reveal(ledger.history("ticket:T-2")[0])["summary"] == "It is broken"
        assert ledger.tables.select("ticket", ticket_id="T-1")
    refused(
        roles("writer"),
        *CHANGES,
        *INSERTS,
        *SEALS,
        *TABLES,
        "DELETE FROM {keys}.subject_key",
        "UPDATE {keys}.subject_key SET wrapped = NULL",
    )


def test_a_projector_builds_the_tables_and_touches_nothing_of_the_log(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("writer")) as writer:
        writer.by("u-7").record(ticket.register, "T-2", **PERSON)
    with OpsLedger.open(roles("projector")) as ledger:
        assert ledger.catch_up() == 6
        assert [each.rows for each in ledger.tables.rebuild() if each.rows] == []
        with pytest.raises(OpsledgerError, match="permission denied"):
            ledger.by("u-7").record(ticket.respond, "T-2")
    refused(roles("projector"), *CHANGES, *INSERTS, *SEALS, *APPENDS, *KEYS)


def test_a_sealer_adds_leaves_and_checkpoints_and_nothing_else(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("sealer")) as ledger:
        assert ledger.seal().size == 5
    changes = ("UPDATE {log}.ledger_hash SET level = 9", "DELETE FROM {log}.ledger_hash", "DELETE FROM {log}.ledger_checkpoint")
    refused(roles("sealer"), *CHANGES, *INSERTS, *APPENDS, *KEYS, *TABLES, *changes)


def test_a_reader_reads_and_verifies_and_writes_nothing(roles: Callable[[str], str]) -> None:
    with OpsLedger.open(roles("sealer")) as sealer:
        sealer.seal()
    with OpsLedger.open(roles("reader")) as ledger:
        assert [row["ticket_id"] for row in ledger.tables.select("ticket")] == ["T-1"]
        assert len(ledger.history("ticket:T-1")) == 1
        report = ledger.verify("integrity", "checkpoints", "continuity", "fold", "promises")
        assert report.code == 0, list(report.lines())
        with pytest.raises(KeysError, match="The key store cannot be used"):
            ledger.reveal(ledger.history("ticket:T-1")[0])
    refused(roles("reader"), *CHANGES, *INSERTS, *SEALS, *APPENDS, *KEYS, *TABLES)


def test_what_a_projector_makes_later_readers_may_read(roles: Callable[[str], str], pg_url: str) -> None:
    where = parse_url(pg_url)
    with psycopg.connect(where.conninfo, autocommit=True) as owner:
        owner.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(psycopg.sql.Identifier(f"{where.schema}_tables")))
        for statement in grants(where.schema):
            owner.execute(statement)
    with OpsLedger.open(roles("projector")) as ledger:
        ledger.catch_up()
    with OpsLedger.open(roles("reader")) as ledger:
        assert [row["ticket_id"] for row in ledger.tables.select("support_queue")] == ["T-1"]
