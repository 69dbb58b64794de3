"""Personal fields are sealed before anything is stored, open only where they belong, and can be forgotten."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from ledger_rows import MARCH

from opsledger.app import OpsLedger
from opsledger.app.taking import Taken
from opsledger.domain import ticket
from opsledger.domain.fact import Sealed
from opsledger.domain.recorded import Recorded
from opsledger.errors import KeysError
from opsledger.ledger.keys import LocalKeys
from opsledger.ledger.personal import Sealer
from opsledger.ledger.url import LedgerUrl
from opsledger.policies.instants import moment
from opsledger.policies.support import Priority

SQL = Callable[[str], list[tuple[Any, ...]]]
SUMMARY = "Frau Özdemir cannot open invoice 4711"
DETAILS = "It says that the file is damaged"
MESSAGE = "Dear Ms Özdemir, we are looking into it"
NAME = "Ayşe Özdemir"
WORDS = ("zdemir", "open invoice 4711", "file is damaged", "looking into it")


@pytest.fixture
def ledger(url: str) -> Iterator[OpsLedger]:
    with OpsLedger.create(url, simulated=True, clock=lambda: moment(MARCH)) as made:
        yield made


@pytest.fixture
def keys(ledger: OpsLedger) -> LocalKeys:
    assert isinstance(ledger.keys, LocalKeys)
    return ledger.keys


@pytest.fixture
def keys_sql(where: LedgerUrl) -> Callable[[str], None]:
    """Give a function that runs SQL on the key store, as an administrator would."""

    def run(statement: str) -> None:
        if where.kind == "sqlite":
            with closing(sqlite3.connect(where.beside("keys.db"))) as connection, connection:
                assert connection.execute(statement).rowcount > 0
        else:
            with psycopg.connect(where.conninfo) as foreign:
                foreign.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(f"{where.schema}_keys")))
                assert foreign.execute(statement.encode()).rowcount > 0

    return run


def register(ledger: OpsLedger, id: str, *, of: str = "p-1", key: str | None = None) -> Recorded:
    """Record a ticket in somebody's words."""
    said = {"customer_id": "C-1", "requester_id": of, "channel": "email", "priority": Priority.HIGH}
    ledger.by("u-7", role="support", key=key).record(ticket.register, id, **said, summary=SUMMARY, details=DETAILS)
    return ledger.history(f"ticket:{id}")[0]


@pytest.fixture
def registered(ledger: OpsLedger) -> Recorded:
    return register(ledger, "T-1", key="k-1")


def opens(ledger: OpsLedger, recorded: Recorded) -> None:
    assert ledger.reveal(recorded) == {"summary": SUMMARY, "details": DETAILS}


def tampered(ledger: OpsLedger, recorded: Recorded) -> None:
    with pytest.raises(KeysError, match=r"changed or moved it\. \[personal\.tampered\]"):
        ledger.reveal(recorded)


# What is stored.


def test_the_words_of_a_person_stand_nowhere_but_in_the_directory(
    ledger: OpsLedger, keys: LocalKeys, registered: Recorded, where: LedgerUrl, tmp_path: Path
) -> None:
    ledger.by("u-7", role="support", key="k-2").record(ticket.respond, "T-1", message=MESSAGE)
    keys.name("p-1", NAME)
    ledger.catch_up()
    stored = every_byte(where, tmp_path)
    written = [place for place, content in stored.items() if b"ticket.registered" in content]
    assert written, "the search looks where the facts are"
    found = {place for place, content in stored.items() for word in WORDS for form in forms(word) if form in content}
    assert found
    assert all("keys" in place for place in found), "the directory of names belongs to the key store"
    assert not any(form in content for content in stored.values() for word in WORDS[1:] for form in forms(word))
    assert keys.names() == {"p-1": NAME}


def forms(word: str) -> Iterator[bytes]:
    """Yield what text may look like where it is stored."""
    for coding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield word.encode(coding)
    yield word.encode().hex().encode()
    for start in range(3 if len(word) > 10 else 0):  # in base64 a text has three looks, by where it starts; short ones match by chance
        yield base64.b64encode(word.encode()[start:])[:-4]
    yield hashlib.sha256(word.encode()).digest()


def every_byte(where: LedgerUrl, folder: Path) -> dict[str, bytes]:
    """Return all that a ledger stores, by the file or table that holds it."""
    if where.kind == "sqlite":
        return {file.name: file.read_bytes() for file in folder.iterdir()}
    with psycopg.connect(where.conninfo) as connection:
        query = "SELECT schemaname, tablename FROM pg_tables WHERE starts_with(schemaname, %s)"
        return {f"{schema}.{table}": copied(connection, schema, table) for schema, table in connection.execute(query, (where.schema,))}


def copied(connection: psycopg.Connection[Any], schema: str, table: str) -> bytes:
    name = psycopg.sql.Identifier(schema, table)
    with connection.cursor().copy(psycopg.sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(name)) as copy:
        return b"".join(bytes(block) for block in copy)


def test_a_fact_holds_seals_and_revealing_gives_the_words(ledger: OpsLedger, registered: Recorded) -> None:
    assert isinstance(registered.fact.summary, Sealed)
    assert isinstance(registered.fact.details, Sealed)
    opens(ledger, registered)


def test_the_same_words_are_sealed_differently_each_time(ledger: OpsLedger, registered: Recorded) -> None:
    one, other = registered.fact.summary, register(ledger, "T-2").fact.summary
    assert one.key == other.key
    assert one.part != other.part
    assert ledger.store.part(one.part) != ledger.store.part(other.part)


# A part opens only where it belongs.


def test_a_part_moved_to_another_event_does_not_open(ledger: OpsLedger, registered: Recorded) -> None:
    opens(ledger, registered)
    tampered(ledger, msgspec.structs.replace(registered, stream="ticket:T-2"))
    tampered(ledger, msgspec.structs.replace(registered, version=2))


def test_a_part_moved_to_another_field_does_not_open(ledger: OpsLedger, registered: Recorded) -> None:
    moved = replace(registered.fact, summary=registered.fact.details, details=None)
    tampered(ledger, msgspec.structs.replace(registered, fact=moved))


def test_a_part_moved_to_another_subject_does_not_open(ledger: OpsLedger, registered: Recorded) -> None:
    of_another = register(ledger, "T-2", of="p-2").fact.summary
    moved = replace(registered.fact, summary=Sealed(part=registered.fact.summary.part, key=of_another.key))
    tampered(ledger, msgspec.structs.replace(registered, fact=moved))


def test_a_part_moved_to_another_ledger_does_not_open(ledger: OpsLedger, keys: LocalKeys, registered: Recorded) -> None:
    with pytest.raises(KeysError, match=r"personal\.tampered"):
        dict(Sealer("f" * 32, keys).reveal(registered, ledger.store.part))


@pytest.mark.parametrize(
    "edited", [lambda part: part[:-1], lambda part: part[:9], lambda part: b"", lambda part: part[:-1] + bytes([part[-1] ^ 1])]
)
def test_a_part_that_was_edited_does_not_open(
    ledger: OpsLedger, keys: LocalKeys, registered: Recorded, edited: Callable[[bytes], bytes]
) -> None:
    def part(digest: str) -> bytes:
        stands = ledger.store.part(digest)
        assert stands is not None
        return edited(stands)

    with pytest.raises(KeysError, match=r"personal\.tampered"):
        dict(Sealer(ledger.meta["ledger_id"], keys).reveal(registered, part))


# Forgetting.


def test_a_key_destroyed_without_a_word_of_the_log_is_lost_and_not_erased(
    ledger: OpsLedger, registered: Recorded, url: str, keys_sql: Callable[[str], None]
) -> None:
    other = register(ledger, "T-2", of="p-2")
    keys_sql("UPDATE subject_key SET wrapped = NULL WHERE subject = 'p-1'")
    with pytest.raises(KeysError, match=r"lost, not erased.*\[keys\.lost\]"):
        ledger.reveal(registered)
    opens(ledger, other)
    with OpsLedger.open(url, clock=lambda: moment(MARCH)) as again, pytest.raises(KeysError, match=r"\[keys\.lost\]"):
        register(again, "T-3", of="p-1")


def test_a_part_that_is_gone_without_a_word_of_the_log_is_missing_and_not_erased(
    ledger: OpsLedger, keys: LocalKeys, registered: Recorded
) -> None:
    sealer = Sealer(ledger.meta["ledger_id"], keys)
    with pytest.raises(KeysError, match=r"\[personal\.missing\]"):
        dict(sealer.reveal(registered, lambda digest: None))


def test_a_key_shows_itself_without_its_bytes(keys: LocalKeys, registered: Recorded) -> None:
    key = keys.for_subject("p-1")
    assert repr(key) == str(key) == f"DataKey({key.key_id})"
    assert repr(keys).startswith("<opsledger.ledger.keys.LocalKeys object")


def test_a_key_that_never_was_is_an_error(ledger: OpsLedger, registered: Recorded) -> None:
    unknown = replace(registered.fact, summary=Sealed(part=registered.fact.summary.part, key="0" * 32))
    with pytest.raises(KeysError, match=r"\[keys\.unknown\]"):
        ledger.reveal(msgspec.structs.replace(registered, fact=unknown))


def test_keys_that_changed_places_are_noticed(ledger: OpsLedger, registered: Recorded, keys_sql: Callable[[str], None]) -> None:
    register(ledger, "T-2", of="p-2")
    keys_sql("UPDATE subject_key SET wrapped = (SELECT other.wrapped FROM subject_key AS other WHERE other.subject = 'p-2')")
    with pytest.raises(KeysError, match=r"restore the key store\. \[keys\.commitment\]"):
        ledger.reveal(registered)


# The key-encryption key.


@pytest.fixture
def kek(where: LedgerUrl, tmp_path: Path) -> Path:
    return where.beside("kek") if where.kind == "sqlite" else tmp_path / "kek"


def test_the_key_file_is_the_owners_alone(ledger: OpsLedger, keys: LocalKeys, kek: Path, where: LedgerUrl, tmp_path: Path) -> None:
    assert len(kek.read_bytes()) == 32
    private = [kek, *tmp_path.glob("*.keys.db*")]
    assert len(private) == (4 if where.kind == "sqlite" else 1), "the key store and its write-ahead files too"
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}


def test_without_the_key_file_nothing_personal_is_sealed_or_read(ledger: OpsLedger, registered: Recorded, url: str, kek: Path) -> None:
    ledger.close()
    kept = kek.rename(kek.with_name("kept"))
    with OpsLedger.open(url, clock=lambda: moment(MARCH)) as again:
        for asks in (lambda: again.reveal(registered), lambda: register(again, "T-2")):
            with pytest.raises(KeysError, match=r"OPSLEDGER_KEK_FILE.*\[keys\.no_kek\]"):
                asks()
        assert again.by("u-7").record(ticket.acknowledge, "T-1", automatic=True).version == 2, "what is not personal goes on"
        kept.rename(kek)
        opens(again, registered)


def test_creating_a_ledger_that_lost_its_key_file_makes_no_other(ledger: OpsLedger, registered: Recorded, url: str, kek: Path) -> None:
    ledger.close()
    kek.rename(kek.with_name("kept"))
    with (
        OpsLedger.create(url, simulated=True, clock=lambda: moment(MARCH)) as again,
        pytest.raises(KeysError, match=r"\[keys\.no_kek\]"),
    ):
        again.reveal(registered)
    assert not kek.exists()


@pytest.mark.parametrize("wrong", [b"\x07" * 32, b"short", b""])
def test_a_wrong_key_file_opens_nothing(ledger: OpsLedger, registered: Recorded, url: str, kek: Path, wrong: bytes) -> None:
    ledger.close()
    kek.write_bytes(wrong)
    with (
        OpsLedger.open(url, clock=lambda: moment(MARCH)) as again,
        pytest.raises(KeysError, match=r"give the right one\. \[keys\.wrong_kek\]"),
    ):
        again.reveal(registered)


# MACs.


def test_requests_and_sources_are_kept_as_keyed_macs(ledger: OpsLedger, keys: LocalKeys, registered: Recorded, sql: SQL) -> None:
    """Content that can be guessed is not given away by its digest."""
    said = ticket.Acknowledged(acknowledged_at=moment(MARCH), automatic=True)
    content = b"name: Ayse, number: 4711"
    taken = ledger.by("importer").observe([Taken("INC1", (("ticket:T-1", said),), content)], source="sn")
    assert (taken.new, taken.facts) == (1, 1)
    assert ledger.store.taken("sn", ["INC1"]) == {"INC1": keys.mac("source", content)}
    macs = [mac for table in ("ledger_request", "ledger_source") for (mac,) in sql(f"SELECT mac FROM {table}")]
    assert len(macs) == 2
    unkeyed = {hashlib.sha256(content).hexdigest(), hmac.new(b"", b"source\x00" + content, hashlib.sha256).hexdigest()}
    assert not unkeyed & set(macs)


def test_a_mac_depends_on_the_ledgers_key_and_the_purpose(keys: LocalKeys, tmp_path: Path) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/other.db") as other:
        assert other.keys.mac("source", b"1") == other.keys.mac("source", b"1")
        assert len({keys.mac("source", b"1"), keys.mac("request", b"1"), keys.mac("source", b"2"), other.keys.mac("source", b"1")}) == 4
