"""Integrity over many facts: the log is looked at in stretches, and roots and findings do not depend on how long these are."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_tree import leaves

from opsledger.audit.findings import Checked
from opsledger.audit.integrity import CHUNK, STRETCH, integrity
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.looking import Looked, Stretch
from opsledger.audit.merkle import root, subtree_root
from opsledger.audit.sealing import add_leaves, origin_of
from opsledger.ledger.application import create_store, open_store
from opsledger.ledger.envelope import Append, NewFact
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.ledger.url import parse_url

FACTS = CHUNK + STRETCH + 300
MARCH = 1_772_442_000_000_000


class Log:
    """A log in a file of its own, without triggers, and its seals."""

    def __init__(self, path: Path) -> None:
        self.path = path
        where = parse_url(f"sqlite:///{path}")
        self.store, self.seals = open_store(where), Seals(where)

    def sql(self, *statements: str) -> None:
        """Change the file as its owner can; each statement must change something."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, statement

    def check(
        self, until: int = FACTS, *, sizes: Iterable[int] = (), since: int = 0, stretch: int = STRETCH
    ) -> tuple[Checked, dict[int, bytes]]:
        """Return what the check finds, and the roots."""
        result = Checked("integrity")
        return result, integrity(self.store, self.seals, until, result, sizes=set(sizes), since=since, stretch=stretch)

    def close(self) -> None:
        self.store.close()
        self.seals.close()


def filled(store: Store, count: int) -> None:
    """Record so many facts of some streams, with every optional column used now and then, and a text that is not ASCII."""
    numbers = iter(range(count))
    while some := list(islice(numbers, 8192)):
        store.append(Append(facts=[each(number) for number in some]))


def each(number: int) -> NewFact:
    said = b'{"n":%d}' % number
    optional = {
        "correlation_id": f"k-{number}" if number % 5 == 0 else None,
        "causation_id": "" if number % 7 == 0 else None,
        "source": "elsewhere" if number % 3 == 0 else None,
        "source_id": f"row-{number}" if number % 3 == 0 else None,
    }
    actor = "u-Zoë" if number % 1000 == 0 else "u-7"
    stream, version = f"ticket:T-{number % 97}", number // 97 + 1
    return NewFact(stream, version, "test.happened", 1, said, MARCH + number, MARCH + number, actor, "support", f"c-{number}", **optional)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a log of more than 65,536 facts, of which the last 100 are not sealed."""
    path = tmp_path_factory.mktemp("sealed") / "ops.db"
    where = parse_url(f"sqlite:///{path}")
    store = create_store(where, {"ledger_id": "0" * 32, "simulated": "true"})
    filled(store, FACTS)
    with Seals(where) as seals:
        for size in (700, 40_000, FACTS - 100):
            add_leaves(store, seals, until=size)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="module")
def whole(sealed: Path) -> Iterator[Log]:
    """Give the log, for tests that change nothing in it."""
    log = Log(sealed)
    yield log
    log.close()


@pytest.fixture
def log(sealed: Path, tmp_path: Path) -> Iterator[Log]:
    """Give a copy of the log, to do to it what one likes."""
    shutil.copy(sealed, tmp_path / "ops.db")
    made = Log(tmp_path / "ops.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def hashes(whole: Log) -> list[bytes]:
    """Give the leaf hashes of all facts, each made alone."""
    writer = LeafWriter(origin_of(whole.store))
    return [writer.hash(row) for row in whole.store.page(0, FACTS)]


SIZES = st.sets(
    st.integers(0, FACTS + 10) | st.sampled_from([1, 255, 256, 257, STRETCH, STRETCH + 1, CHUNK - 1, CHUNK, CHUNK + 1, FACTS]), max_size=6
)


@settings(max_examples=8)
@given(sizes=SIZES, stretch=st.sampled_from([256, 1024, STRETCH, CHUNK]))
def test_the_roots_of_trees_of_any_sizes_are_those_of_rfc_6962(whole: Log, hashes: list[bytes], sizes: set[int], stretch: int) -> None:
    result, roots = whole.check(sizes=sizes, stretch=stretch)
    assert (result.verdict, result.looked_at) == ("clean", {"facts": FACTS, "not sealed": 100})
    assert roots == {size: root(hashes[:size]) for size in sizes if 0 < size <= FACTS}


DAMAGE = {
    "a column": ("UPDATE ledger_event SET role = 'admin' WHERE position = 500", {500}),
    "a column of a fact that is not ASCII": ("UPDATE ledger_event SET recorded_by = 'u-Zoé' WHERE position = 1001", {1001}),
    "a text cut short by a character that ends texts": ("UPDATE ledger_event SET role = role || char(0) WHERE position = 66000", {66000}),
    "nothing where there was a text": ("UPDATE ledger_event SET causation_id = NULL WHERE position = 71", {71}),
    "bytes in the place of the same text": ("UPDATE ledger_event SET role = CAST(role AS BLOB) WHERE position = 9", {9}),
    "text in the place of the same bytes": ("UPDATE ledger_event SET state = CAST(state AS TEXT) WHERE position = 65537", {65537}),
    "a fact that is gone": ("DELETE FROM ledger_event WHERE position = 16385", {16385}),
    "many facts that are gone": ("DELETE FROM ledger_event WHERE position BETWEEN 300 AND 900", set(range(300, 400))),
    "a sealed hash of leaves": (
        "UPDATE ledger_hash SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND first = 0",
        set(range(1, 101)),
    ),
    "a sealed hash over 256 leaves": ("UPDATE ledger_hash SET hashes = zeroblob(32) WHERE level = 1 AND first = 0", {1, 257}),
    "a sealed hash over 65,536 leaves": ("UPDATE ledger_hash SET hashes = zeroblob(32) WHERE level = 2", {1}),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_found_does_not_depend_on_how_the_log_is_parted(log: Log, what: str) -> None:
    statement, positions = DAMAGE[what]
    if what == "a sealed hash over 256 leaves":
        statement = "UPDATE ledger_hash SET hashes = zeroblob(64) WHERE level = 1 AND first = 0 AND length(hashes) = 64"
    log.sql(statement)
    found, roots = log.check(sizes={700, FACTS})
    assert {finding.position for finding in found.findings} == positions, found
    for stretch in (1024, CHUNK):
        assert log.check(sizes={700, FACTS}, stretch=stretch) == (found, roots)


def test_a_hash_over_leaves_that_are_wrong_is_not_blamed_on_the_seals(log: Log) -> None:
    log.sql("UPDATE ledger_event SET role = 'admin' WHERE position = 500", "UPDATE ledger_hash SET hashes = zeroblob(32) WHERE level = 2")
    found, _ = log.check()
    assert [finding.position for finding in found.findings] == [500]


# From a position on.


def test_what_lies_before_the_chunk_of_a_position_is_left_out(log: Log) -> None:
    log.sql("UPDATE ledger_event SET role = 'admin' WHERE position IN (500, 65536, 65537)")
    for since in (0, 1, CHUNK - 1):
        assert [finding.position for finding in log.check(since=since)[0].findings] == [500, CHUNK, CHUNK + 1], since
    for since in (CHUNK, CHUNK + 1, FACTS, 10 * FACTS):
        found, _ = log.check(since=since)
        assert [finding.position for finding in found.findings] == [CHUNK + 1], since
        assert found.looked_at["facts"] == FACTS - CHUNK
        assert found.noted == [
            f"Positions 1 to {CHUNK} were not looked at, as was asked for: what was sealed of them was taken as it stands."
        ]


def test_roots_of_trees_that_end_after_it_are_those_of_the_whole_log(whole: Log, hashes: list[bytes]) -> None:
    _, roots = whole.check(sizes={700, CHUNK, CHUNK + 1, FACTS}, since=CHUNK)
    assert roots == {size: root(hashes[:size]) for size in (CHUNK + 1, FACTS)}


def test_seals_that_lack_what_lies_before_are_no_ground_to_begin_from(log: Log) -> None:
    log.sql("DELETE FROM ledger_hash WHERE level = 2")
    found, roots = log.check(since=CHUNK, sizes={FACTS})
    assert (found.verdict, roots) == ("undecided", {})
    assert found.undecided == [f"The seals lack hashes of the facts before position {CHUNK + 1}; verify without a position to begin from."]


# High up.


def test_a_hash_over_more_than_sixteen_million_leaves_is_compared_too(tmp_path: Path) -> None:
    """As the leaves themselves would take minutes, what is looked at is told here: tiles, in stretches."""
    where = parse_url(f"sqlite:///{tmp_path}/ops.db")
    store = create_store(where, {"ledger_id": "0" * 32, "simulated": "true"})
    tiles = leaves(CHUNK + 3)
    level_2 = [subtree_root(tiles[at : at + 256]) for at in range(0, CHUNK, 256)]
    told: list[int] = []

    def looking(store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
        for stretch in stretches:
            yield Looked(stretch.stop, Checked("integrity"), tiles[stretch.first // 256 : stretch.stop // 256])

    def check(seals: Seals) -> list[str]:
        result = Checked("integrity")
        integrity(store, seals, 256 * len(tiles), result, looking=looking, progress=lambda done, of: told.append(done), stretch=CHUNK)
        return [finding.sentence for finding in result.findings]

    above = {1: (0, b"".join(tiles)), 2: (0, b"".join(level_2)), 3: (0, subtree_root(level_2))}
    with Seals(where) as seals:
        assert seals.add(above)
        assert check(seals) == []
        assert told[-1] == 256 * len(tiles)
    with closing(sqlite3.connect(where.path)) as connection, connection:
        connection.execute("DROP TRIGGER ledger_hash_update")
        connection.execute("UPDATE ledger_hash SET hashes = ? WHERE level = 3", (sha256(b"another").digest(),))
    with Seals(where) as seals:
        assert check(seals) == [
            "The sealed hash 0 of level 3, over positions 1 to 16777216, is not that of its leaves: the seals were changed."
        ]
    store.close()
