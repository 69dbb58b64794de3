"""The key store: active, restricted and destroyed keys; what is destroyed never comes back, and its bytes leave the files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from opsledger.errors import KeysError, OpsledgerError, Unavailable
from opsledger.ledger.keys import LocalKeys
from opsledger.ledger.url import LedgerUrl

Rows = list[tuple[Any, ...]]


@pytest.fixture
def keys(where: LedgerUrl) -> Iterator[LocalKeys]:
    made = LocalKeys.create(where, "0" * 32)
    yield made
    made.close()


@pytest.fixture
def sql(where: LedgerUrl) -> Callable[[str], Rows]:
    """Give SQL on the key store, as its administrator has it."""

    def run(statement: str) -> Rows:
        if where.kind == "sqlite":
            with closing(sqlite3.connect(where.beside("keys.db"), isolation_level=None)) as connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(where.conninfo, autocommit=True) as foreign:
            foreign.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(f"{where.schema}_keys")))
            cursor = foreign.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return run


def states(keys: LocalKeys, subject: str | None = None) -> list[tuple[str, str]]:
    return [(key.subject, key.state) for key in keys.held(subject)]


def refused(code: str) -> Any:
    return pytest.raises(OpsledgerError, match=rf"\[{code}\]")


def test_a_key_is_made_once_and_is_the_same_again(keys: LocalKeys) -> None:
    key = keys.for_subject("p-1")
    assert keys.for_subject("p-1") == key == keys.by_id(key.key_id)
    assert keys.for_subject("p-2").key != key.key
    assert states(keys) == [("p-1", "active"), ("p-2", "active")]
    assert keys.held("p-3") == []


def test_many_who_ask_at_once_get_one_key(keys: LocalKeys) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: keys.for_subject("p-1").key_id, range(16)))
    assert len(found) == 1
    assert states(keys) == [("p-1", "active")]


def test_a_restricted_key_still_seals_and_says_that_it_is_restricted(keys: LocalKeys) -> None:
    key = keys.for_subject("p-1")
    keys.for_subject("p-2")
    for _ in range(2):
        keys.restrict("p-1", restricted=True)
    assert states(keys) == [("p-1", "restricted"), ("p-2", "active")]
    assert keys.for_subject("p-1") == key._replace(restricted=True) == keys.by_id(key.key_id)
    keys.restrict("p-1", restricted=False)
    assert states(keys, "p-1") == [("p-1", "active")]


def test_a_destroyed_key_leaves_a_tombstone_and_never_comes_back(keys: LocalKeys) -> None:
    key = keys.for_subject("p-1")
    other = keys.for_subject("p-2")
    keys.name("p-1", "Ayşe Özdemir")
    keys.name("u-7", "Bo")
    first = keys.destroy("p-1", [(key.key_id, key.commitment)])
    assert states(keys) == [("p-1", "destroyed"), ("p-2", "active")]
    assert keys.by_id(key.key_id) is None
    assert keys.by_id(other.key_id) == other
    assert keys.names() == {"u-7": "Bo"}, "the name goes with the key"
    with refused("keys.destroyed"):
        keys.name("p-1", "Ayşe Özdemir")
    for _ in range(2):
        with refused("keys.destroyed"):
            keys.for_subject("p-1")
    keys.restrict("p-1", restricted=True)
    assert keys.destroy("p-1", [(key.key_id, key.commitment)]) == first, "destroying again comes to the same"
    assert states(keys, "p-1") == [("p-1", "destroyed")]


def test_a_receipt_names_the_keys_and_tells_nothing_without_the_key_store(keys: LocalKeys) -> None:
    receipts = [keys.destroy("p-1", [(id, "c")]).receipt for id in ("k-1", "k-2")]
    assert receipts[0] != receipts[1]
    assert receipts[0] == "local:" + keys.mac("destroyed", b"p-1\nk-1")


def test_a_store_that_forgot_a_destroyed_key_remembers_it_as_destroyed(keys: LocalKeys) -> None:
    """As one does that was put back from a copy made before the key was."""
    keys.destroy("p-1", [("k-1", "c-1")])
    assert [tuple(key) for key in keys.held("p-1")] == [("k-1", "p-1", "c-1", "destroyed")]
    assert keys.by_id("k-1") is None
    with refused("keys.destroyed"):
        keys.for_subject("p-1")


def test_every_key_of_a_subject_goes(keys: LocalKeys, sql: Callable[[str], Rows]) -> None:
    """One that an older copy of the store brought along too."""
    key = keys.for_subject("p-1")
    sql("UPDATE subject_key SET key_id = 'k-0'")
    keys.destroy("p-1", [(key.key_id, key.commitment)])
    assert sorted(key.key_id for key in keys.held("p-1") if key.state == "destroyed") == sorted(["k-0", key.key_id])


def test_a_subject_never_has_two_living_keys(keys: LocalKeys, sql: Callable[[str], Rows]) -> None:
    keys.for_subject("p-1")
    copied = "INSERT INTO subject_key SELECT 'k-2', subject, commitment, wrapped, restricted FROM subject_key"
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation)):
        sql(copied)


def test_a_key_nobody_knows_is_an_error(keys: LocalKeys) -> None:
    with refused("keys.unknown"):
        keys.by_id("k-9")


def test_a_key_that_is_not_what_was_committed_to_is_not_used(keys: LocalKeys, sql: Callable[[str], Rows]) -> None:
    key = keys.for_subject("p-1")
    sql("UPDATE subject_key SET commitment = 'other'")
    for asks in (lambda: keys.by_id(key.key_id), lambda: keys.for_subject("p-1")):
        with refused("keys.commitment"):
            asks()


def test_without_its_key_file_a_store_tells_states_and_destroys_nothing(keys: LocalKeys, where: LedgerUrl, tmp_path: Path) -> None:
    key = keys.for_subject("p-1")
    (where.beside("kek") if where.kind == "sqlite" else tmp_path / "kek").unlink()
    with closing(LocalKeys(where, "0" * 32)) as blind:
        assert states(blind) == [("p-1", "active")]
        with refused("keys.no_kek"):
            blind.destroy("p-1", [(key.key_id, key.commitment)])
        assert states(blind) == [("p-1", "active")]


# The bytes.


@pytest.fixture
def many(keys: LocalKeys) -> list[str]:
    """Give a store of so many keys that rows moved between pages; return the ids of those that are destroyed here."""
    ids = [keys.for_subject(f"p-{i}").key_id for i in range(300)]
    for i in range(300):
        keys.name(f"p-{i}", f"Ayşe Özdemir {i:03}")
    return ids[::10]


class TestSQLite:
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/ops.db"

    def test_the_bytes_of_a_destroyed_key_are_in_no_file(
        self, keys: LocalKeys, many: list[str], sql: Callable[[str], Rows], tmp_path: Path
    ) -> None:
        keys._engine.dispose()
        sa.event.listen(
            keys._engine, "connect", lambda connection, _: connection.execute("PRAGMA secure_delete = OFF")
        )  # as some builds are
        wrapped = dict(sql("SELECT subject, wrapped FROM subject_key"))
        gone = [f"p-{i}" for i in range(0, 300, 10)]

        def found() -> tuple[int, int]:
            content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            of_gone = sum(wrapped[subject] in content or f"zdemir {subject[2:]:0>3}".encode() in content for subject in gone)
            return of_gone, sum(bytes(key) in content for subject, key in wrapped.items() if subject not in gone)

        assert found() == (30, 270), "the search looks where the keys are"
        for subject in gone:
            keys.destroy(subject, [])
        assert found() == (0, 270)
        assert (tmp_path / "ops.keys.db-wal").stat().st_size == 0

    def test_while_another_program_reads_the_store_its_bytes_may_stay_and_that_is_said(self, keys: LocalKeys, where: LedgerUrl) -> None:
        key = keys.for_subject("p-1")
        keys.for_subject("p-2")
        with closing(sqlite3.connect(where.beside("keys.db"), isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM subject_key").fetchone()
            keys._engine.dispose()
            sa.event.listen(keys._engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 100"))
            with pytest.raises(Unavailable, match=r"gone from the database, but not yet from its files.*\[wiping\.left\]"):
                keys.destroy("p-1", [(key.key_id, key.commitment)])
        assert keys.by_id(key.key_id) is None
        assert keys.destroy("p-1", [(key.key_id, key.commitment)]).remains, "repeated when the other has ended"
        assert where.beside("keys.db-wal").stat().st_size == 0

    def test_only_to_look_at_a_store_makes_none(self, where: LedgerUrl) -> None:
        with closing(LocalKeys(where, "0" * 32)) as none, refused("keys.missing"):
            none.held()
        assert not where.beside("keys.db").exists()


class TestPostgreSQL:
    @pytest.fixture
    def url(self, pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
        return pg_url

    def test_the_bytes_of_a_destroyed_key_are_not_in_the_table_s_files(
        self, keys: LocalKeys, many: list[str], sql: Callable[[str], Rows]
    ) -> None:
        wrapped = dict(sql("SELECT subject, wrapped FROM subject_key"))

        def found() -> int:
            sql("CHECKPOINT")
            ((content,),) = sql("SELECT pg_read_binary_file(pg_relation_filepath('subject_key'))")
            return sum(key in content for key in wrapped.values())

        assert found() == 300
        for i in range(0, 300, 10):
            said = keys.destroy(f"p-{i}", [])
        assert found() == 270
        assert said.remains == "the server's write-ahead log, its replicas and backups"

    def test_who_does_not_own_the_table_destroys_and_is_told_what_remains(
        self, keys: LocalKeys, where: LedgerUrl, sql: Callable[[str], Rows], pg_url: str
    ) -> None:
        key = keys.for_subject("p-1")
        role = f"{where.schema}_destroyer"
        sql(f"CREATE ROLE {role}")
        try:
            sql(f"GRANT USAGE ON SCHEMA {where.schema}_keys TO {role}")
            sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {where.schema}_keys TO {role}")
            from opsledger.ledger.url import parse_url

            with closing(LocalKeys(parse_url(f"{pg_url}&options=-c%20role%3D{role}"), "0" * 32)) as theirs:
                said = theirs.destroy("p-1", [(key.key_id, key.commitment)])
            assert said.remains.startswith("the pages of subject_key, directory, until their owner vacuums them")
            assert keys.by_id(key.key_id) is None
        finally:
            sql(f"DROP OWNED BY {role}")
            sql(f"DROP ROLE {role}")


def test_a_store_that_cannot_be_used_says_so(keys: LocalKeys, sql: Callable[[str], Rows]) -> None:
    sql("DROP TABLE subject_key")
    with pytest.raises(KeysError, match=r"The key store cannot be used: .*subject_key.*\[keys\.unavailable\]"):
        keys.held()
