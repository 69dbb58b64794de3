"""Marks beside the log: nothing more comes under a destroyed key, and sealed parts go only once a fact decided so."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledger_rows import MARCH, append, fact

from opsledger.errors import KeysError
from opsledger.ledger.envelope import Mark, Part
from opsledger.ledger.erasures import Erasures
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl

SQL = Callable[[str], list[tuple[Any, ...]]]
REFUSED = (sqlite3.IntegrityError, psycopg.errors.InsufficientPrivilege)


def part(name: str, key: str) -> Part:
    return Part(name, key, f"sealed {name}, long enough to be found again".encode())


@pytest.fixture
def erasures(store: Store, where: LedgerUrl) -> Iterator[Erasures]:
    """Give what writes marks, on a log that holds two parts under k-1 and one under k-2."""
    parts = [part("d-1", "k-1"), part("d-2", "k-1"), part("d-3", "k-2")]
    store.append(append(fact("ticket:T-1", 1, recorded_at=MARCH), fact("ticket:T-1", 2, recorded_at=MARCH), parts=parts))
    with Erasures(where) as made:
        yield made


def test_parts_are_read_by_their_digests_and_counted_by_their_keys(store: Store, erasures: Erasures) -> None:
    assert store.parts(["d-1", "d-3", "d-9"]) == {"d-1": part("d-1", "k-1"), "d-3": part("d-3", "k-2")}
    assert store.parts([]) == {}
    assert store.part_keys() == {"k-1": 2, "k-2": 1}
    assert store.marks() == []


def test_a_mark_says_by_which_fact_and_stays_as_it_was_first(store: Store, erasures: Erasures) -> None:
    erasures.mark(["k-1", "k-2"], "destroyed", 1)
    erasures.mark(["k-1"], "destroyed", 2)
    erasures.mark(["k-1"], "purged", 2)
    erasures.mark([], "purged", 2)
    assert store.marks() == [Mark("k-1", "destroyed", 1), Mark("k-1", "purged", 2), Mark("k-2", "destroyed", 1)]


def test_nothing_more_is_appended_under_a_destroyed_key(store: Store, erasures: Erasures) -> None:
    erasures.mark(["k-1"], "destroyed", 2)
    with pytest.raises(KeysError, match=r"nothing was written.*\[keys\.destroyed\]"):
        store.append(append(fact("ticket:T-1", 3), parts=[part("d-4", "k-2"), part("d-5", "k-1")]))
    assert store.head().position == 2
    assert store.parts(["d-4", "d-5"]) == {}
    assert store.append(append(fact("ticket:T-1", 3), parts=[part("d-4", "k-2")])).first_position == 3


def test_a_mark_waits_for_appends_that_are_on_their_way(store: Store, erasures: Erasures, where: LedgerUrl) -> None:
    """What is appended is either there before the mark, or refused: nothing comes in between."""
    written, refused = [], []
    begun = threading.Event()

    def writer() -> None:
        for i in range(3, 3000):
            try:
                store.append(append(fact("ticket:T-1", i), parts=[part(f"e-{i}", "k-1")]))
            except KeysError:
                refused.append(i)
                return
            written.append(i)
            begun.set()
            time.sleep(0.002)

    thread = threading.Thread(target=writer)
    thread.start()
    assert begun.wait(60)
    erasures.mark(["k-1"], "destroyed", 2)
    there = store.part_keys()["k-1"]
    thread.join(60)
    assert refused, "the writer was still at it when the key was marked"
    assert store.part_keys()["k-1"] == there == 2 + len(written)


def test_no_part_goes_before_a_fact_decided_so(store: Store, erasures: Erasures, sql: SQL) -> None:
    erasures.mark(["k-1"], "destroyed", 2)
    for statement in ("DELETE FROM ledger_part", "DELETE FROM ledger_part WHERE key_id = 'k-1'"):
        with pytest.raises(REFUSED, match=r"ledger_part.*never (changed or )?removed"):
            sql(statement)
    assert store.part_keys() == {"k-1": 2, "k-2": 1}


def test_decided_the_parts_of_that_key_go_and_no_others(store: Store, erasures: Erasures, sql: SQL) -> None:
    erasures.mark(["k-1"], "purged", 2)
    with pytest.raises(REFUSED, match=r"never (changed or )?removed"):
        sql("DELETE FROM ledger_part WHERE key_id IN ('k-1', 'k-2')")
    with pytest.raises(REFUSED, match=r"never changed"):
        sql("UPDATE ledger_part SET sealed = 'x' WHERE key_id = 'k-1'")
    assert store.part_keys() == {"k-1": 2, "k-2": 1}
    assert erasures.purge(["k-1"]) == 2
    assert erasures.purge(["k-1"]) == 0
    assert store.part_keys() == {"k-2": 1}


def test_an_act_that_is_none_is_no_mark(erasures: Erasures, sql: SQL) -> None:
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.CheckViolation)):
        sql("INSERT INTO ledger_erasure VALUES ('k-1', 'forgotten', 1)")


class TestSQLite:
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/ops.db"

    def test_purged_bytes_are_in_no_file(self, store: Store, erasures: Erasures, tmp_path: Path) -> None:
        rows = [fact("ticket:T-2", version) for version in range(1, 301)]
        sealed = [Part(f"{i * 7919 % 1000:03}", f"k-{3 + i % 10}", f"sealed words of number {i:04}".encode() * 5) for i in range(300)]
        store.append(append(*rows, parts=sealed))
        gone = [each.sealed for each in sealed if each.key_id == "k-5"]

        def found() -> tuple[int, int]:
            content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            return sum(each in content for each in gone), sum(each.sealed in content for each in sealed if each.sealed not in gone)

        assert found() == (30, 270), "the search looks where the parts are"
        erasures.mark(["k-5"], "purged", 2)
        assert erasures.purge(["k-5"]) == 30
        assert "copies and backups" in erasures.wipe()
        assert found() == (0, 270)
        assert (tmp_path / "ops.db-wal").stat().st_size == 0
        assert [row.position for row in store.page(0, 999)] == list(range(1, 303)), "positions are as they were"


class TestPostgreSQL:
    @pytest.fixture
    def url(self, pg_url: str) -> str:
        return pg_url

    def test_purged_rows_are_vacuumed_and_what_remains_is_said(self, store: Store, erasures: Erasures, sql: SQL) -> None:
        erasures.mark(["k-1"], "purged", 2)
        erasures.purge(["k-1"])
        said = erasures.wipe()
        assert said == "free space of the table's pages, until it is written over; the server's write-ahead log, its replicas and backups"
        for _ in range(50):  # statistics follow a little later
            ((vacuums,),) = sql("SELECT vacuum_count FROM pg_stat_user_tables WHERE relid = 'ledger_part'::regclass")
            if vacuums:
                return
            time.sleep(0.1)
        pytest.fail("ledger_part was not vacuumed")
