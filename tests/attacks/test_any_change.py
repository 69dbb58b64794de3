"""Whatever is changed in whatever column of whatever fact: the integrity check names that very position."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.audit.findings import Checked
from opsledger.audit.integrity import integrity
from opsledger.audit.sealing import add_leaves
from opsledger.ledger.application import create_store, open_store
from opsledger.ledger.envelope import Append, NewFact, Row
from opsledger.ledger.seals import Seals
from opsledger.ledger.url import parse_url

FACTS = 700
TEXTS = ("stream", "topic", "recorded_by", "role", "command_id")
OPTIONAL = ("correlation_id", "causation_id", "source", "source_id")
NUMBERS = ("version", "revision", "occurred_at", "recorded_at")
CHANGES = st.one_of(
    st.tuples(st.sampled_from(TEXTS), st.text(max_size=5)),
    st.tuples(st.sampled_from(OPTIONAL), st.none() | st.text(max_size=5)),
    st.tuples(st.sampled_from(NUMBERS), st.integers(0, 2**62)),
    st.tuples(st.just("state"), st.binary(max_size=40)),
)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a log of 700 facts, sealed in three parts."""
    path = tmp_path_factory.mktemp("sealed") / "ops.db"
    where = parse_url(f"sqlite:///{path}")
    store = create_store(where, {"ledger_id": "0" * 32, "simulated": "true"})
    rows = [
        NewFact(f"ticket:T-{i % 7}", i // 7 + 1, "test.happened", 1, b'{"n":%d}' % i, 10**15 + i, 10**15 + i, "u-7", "support", f"c-{i}")
        for i in range(FACTS)
    ]
    store.append(Append(facts=rows))
    with Seals(where) as seals:
        for size in (3, 300, FACTS):
            add_leaves(store, seals, until=size)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@settings(max_examples=80)
@given(position=st.integers(1, FACTS), change=CHANGES)
def test_any_one_change_is_named(sealed: Path, position: int, change: tuple[str, Any]) -> None:
    column, value = change
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ops.db"
        shutil.copy(sealed, path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            before = connection.execute(f"SELECT {column} FROM ledger_event WHERE position = ?", (position,)).fetchone()[0]
            try:
                connection.execute(f"UPDATE ledger_event SET {column} = ? WHERE position = ?", (value, position))
            except sqlite3.IntegrityError:
                return  # that would be two facts of one version
        where = parse_url(f"sqlite:///{path}")
        store = open_store(where)
        result = Checked("integrity")
        with Seals(where) as seals:
            integrity(store, seals, FACTS, result)
        store.close()
    assert {finding.position for finding in result.findings} == (set() if value == before else {position})


def test_every_column_of_the_log_can_be_changed_by_the_test_above() -> None:
    assert {*TEXTS, *OPTIONAL, *NUMBERS, "state", "position"} == set(Row._fields)
