"""The database itself refuses to change what stands in the log, whoever asks and with whatever statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledger_rows import MARCH, append, fact

from opsledger.ledger.envelope import Part, Request, Source
from opsledger.ledger.erasures import Erasures
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl

SQL = Callable[[str], list[tuple[Any, ...]]]

EDITED = {
    "ledger_meta": ("value", "'edited'"),
    "ledger_event": ("state", "'edited'"),
    "ledger_request": ("mac", "'edited'"),
    "ledger_source": ("mac", "'edited'"),
    "ledger_part": ("sealed", "'edited'"),
    "ledger_erasure": ("position", "77"),
    "ledger_hash": ("hashes", "'edited'"),
    "ledger_checkpoint": ("note", "'edited'"),
}
"""Each table of the log, and a column that an attacker might edit."""

KEYS = {
    "ledger_meta": ["key"],
    "ledger_event": ["position", "stream, version", "source, source_id"],
    "ledger_request": ["key, decision, stream"],
    "ledger_source": ["source, source_id"],
    "ledger_part": ["digest"],
    "ledger_erasure": ["key_id, act"],
    "ledger_hash": ["level, first"],
    "ledger_checkpoint": ["size"],
}


@pytest.fixture
def written(store: Store, where: LedgerUrl, sql: SQL) -> Iterator[SQL]:
    """Give SQL on a ledger with a row in each table, and see afterwards that all stand as they did."""
    rows = [
        fact("ticket:T-1", 1, recorded_at=MARCH, source="sn", source_id="1"),
        fact("ticket:T-1", 2, recorded_at=MARCH, source="sn", source_id="2"),
    ]
    answered = Request(key="k-1", decision="ticket.respond", stream="ticket:T-1", mac="m", version=2, first=0, facts=2)
    store.append(append(*rows, parts=[Part("d-1", "k", b"sealed")], requests=[answered], sources=[Source("sn", "1", "m")]))
    with Seals(where) as seals:
        assert seals.add({0: (0, b"h" * 64), 1: (0, b"h" * 32)})
        assert seals.keep(StoredCheckpoint(2, "note", MARCH))
    with Erasures(where) as erasures:
        erasures.mark(["k-2"], "destroyed", 2)
    before = {table: sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in EDITED}
    assert all(before.values())
    yield sql
    assert {table: sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in EDITED} == before
    assert store.append(append(fact("ticket:T-1", 3))).first_position == 3


def test_no_row_is_changed(written: SQL) -> None:
    for table, (column, value) in EDITED.items():
        _refused(written, f"UPDATE {table} SET {column} = {value}", f"{table}.* never changed")


def test_no_row_is_removed(written: SQL) -> None:
    for table in EDITED:
        _refused(written, f"DELETE FROM {table}", f"{table}.* never (changed or )?removed")


def test_no_row_is_replaced_on_conflict(written: SQL) -> None:
    for table, (column, value) in EDITED.items():
        statement = f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({KEYS[table][0]}) DO UPDATE SET {column} = {value}"
        _refused(written, statement, f"{table}.*(taken|never changed)")


# Statements that only one of the databases has.


class TestSQLite:
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/ops.db"

    def test_no_row_is_replaced_by_any_of_its_keys(self, written: SQL, where: LedgerUrl) -> None:
        for table, keys in KEYS.items():
            with closing(sqlite3.connect(where.path)) as connection:
                columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            for key in keys:
                _refused(written, _replacement(table, columns, key.split(", ")), f"{table}: key . taken")

    def test_recursive_triggers_are_not_needed(self, written: SQL, where: LedgerUrl) -> None:
        """REPLACE fires no trigger on DELETE unless the connection asks for it; ours do not depend on that."""
        with closing(sqlite3.connect(where.path)) as connection:
            for setting in ("ON", "OFF"):
                connection.execute(f"PRAGMA recursive_triggers = {setting}")
                with pytest.raises(sqlite3.IntegrityError, match="ledger_meta"):
                    connection.execute("REPLACE INTO ledger_meta VALUES ('format', 'edited')")


class TestPostgreSQL:
    @pytest.fixture
    def url(self, pg_url: str) -> str:
        return pg_url

    def test_no_table_is_emptied(self, written: SQL) -> None:
        for table in EDITED:
            _refused(written, f"TRUNCATE {table}", "never changed or removed")
            _refused(written, f"TRUNCATE {table} CASCADE", "never changed or removed")

    def test_an_attempt_is_refused_though_it_names_no_row(self, written: SQL) -> None:
        for table, (column, value) in EDITED.items():
            _refused(written, f"UPDATE {table} SET {column} = {value} WHERE false", "never changed or removed")
            if table != "ledger_part":  # of which rows may go, so that each is looked at
                _refused(written, f"DELETE FROM {table} WHERE false", "never changed or removed")

    def test_no_row_is_merged(self, written: SQL) -> None:
        merge = "MERGE INTO ledger_meta AS m USING (SELECT 'format' AS key) AS n ON m.key = n.key WHEN MATCHED THEN "
        for act in ("UPDATE SET value = '2'", "DELETE"):
            _refused(written, merge + act, "never changed or removed")


def _refused(run: SQL, statement: str, sentence: str) -> None:
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.InsufficientPrivilege), match=sentence):
        run(statement)


def _replacement(table: str, columns: list[str], key: list[str]) -> str:
    """Return a statement that replaces a row by one with the same `key` and other values in all other keys."""
    others = {name for names in KEYS[table] for name in names.split(", ")} - set(key)
    edited = {name: "'other'" if name not in ("position", "version") else "77" for name in others}
    column, value = EDITED[table]
    edited[column] = value
    return f"INSERT OR REPLACE INTO {table} SELECT {', '.join(edited.get(name, name) for name in columns)} FROM {table} LIMIT 1"
