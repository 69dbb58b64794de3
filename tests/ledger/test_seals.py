"""Sealing: whatever comes between, the tree that is stored is the tree of the log, and no leaf is added twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ledger_processes import Worker
from ledger_rows import append, facts

from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import EMPTY_ROOT, root, verify_consistency, verify_inclusion
from opsledger.audit.sealing import add_leaves, origin_of, sealed_tree
from opsledger.audit.tiles import Tile
from opsledger.errors import StoreError, Unknown
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.ledger.store import Store, pages
from opsledger.ledger.url import LedgerUrl

SQL = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def seals(where: LedgerUrl, store: Store) -> Iterator[Seals]:
    with Seals(where) as made:
        yield made


def record(store: Store, count: int) -> None:
    version = store.heads(["ticket:T-1"]).get("ticket:T-1", 0)
    store.append(append(*facts("ticket:T-1", version + 1, version + count)))


def leaves(store: Store) -> list[bytes]:
    """Return the hashes of all leaves, made anew."""
    writer = LeafWriter(origin_of(store))
    return [leaf for rows in pages(store, 0, store.head().position) for leaf in writer.hashes(rows)]


def test_an_empty_log_has_the_empty_tree(store: Store, seals: Seals) -> None:
    assert add_leaves(store, seals) == seals.size() == 0
    assert sealed_tree(seals, 0).root() == EMPTY_ROOT
    assert seals.newest() is None


@pytest.mark.parametrize("steps", [[1, 1, 1], [255, 1, 1], [256, 256], [257, 300], [700, 5, 60], [1, 600, 55]])
def test_the_stored_tree_is_that_of_the_log_however_often_it_was_sealed(store: Store, seals: Seals, steps: list[int]) -> None:
    sizes = []
    for step in steps:
        record(store, step)
        sizes.append(add_leaves(store, seals))
        assert add_leaves(store, seals) == seals.size() == store.head().position, "a second time adds nothing"
    made = leaves(store)
    newest = root(made)
    for size in {1, *sizes}:
        tree = sealed_tree(seals, size)
        assert tree.root() == root(made[:size])
        verify_inclusion(size - 1, size, made[size - 1], tree.inclusion_proof(size - 1), tree.root())
        verify_consistency(size, len(made), tree.root(), newest, sealed_tree(seals, len(made)).consistency_proof(size))


def test_only_what_is_new_is_written(store: Store, seals: Seals, sql: SQL) -> None:
    for count in (3, 2, 300):
        record(store, count)
        add_leaves(store, seals)
    rows = sql("SELECT level, first, length(hashes) / 32 FROM ledger_hash ORDER BY level, first")
    assert [tuple(row) for row in rows] == [(0, 0, 3), (0, 3, 2), (0, 5, 300), (1, 0, 1)]


def test_sealing_stops_where_it_is_told(store: Store, seals: Seals) -> None:
    record(store, 20)
    assert add_leaves(store, seals, until=7) == 7
    assert add_leaves(store, seals, until=3) == 7


def test_progress_is_told_in_facts(store: Store, seals: Seals) -> None:
    record(store, 20)
    told: list[tuple[int, int]] = []
    add_leaves(store, seals, progress=lambda done, of: told.append((done, of)))
    assert told == [(20, 20)]


def test_hashes_that_are_gone_are_missed(store: Store, seals: Seals) -> None:
    record(store, 20)
    add_leaves(store, seals, until=10)
    with pytest.raises(Unknown, match=r"lack hashes of tile/0/000\.p/20"):
        sealed_tree(seals, 20).root()
    assert seals.hashes(0, 256, 512) == b""
    assert len(seals.hashes(0, 3, 8)) == 5 * 32
    assert Tile(0, 0, 20).path == "tile/0/000.p/20"


def test_a_second_sealer_that_comes_too_late_adds_nothing(store: Store, seals: Seals) -> None:
    record(store, 5)
    add_leaves(store, seals)
    assert not seals.add({0: (0, b"x" * 32)})
    assert not seals.add({0: (5, b"x" * 32), 1: (0, b"y" * 32), 2: (0, b"")} | {0: (0, b"z" * 32)})
    assert sealed_tree(seals, 5).root() == root(leaves(store))


def test_a_checkpoint_is_kept_once_for_each_size(seals: Seals) -> None:
    assert seals.keep(StoredCheckpoint(5, "first", 1))
    assert not seals.keep(StoredCheckpoint(5, "second", 2))
    assert seals.keep(StoredCheckpoint(9, "third", 3))
    assert seals.checkpoints() == [StoredCheckpoint(5, "first", 1), StoredCheckpoint(9, "third", 3)]
    assert seals.checkpoints(after=5) == [StoredCheckpoint(9, "third", 3)]
    assert seals.newest() == StoredCheckpoint(9, "third", 3)


def test_several_sealers_and_writers_at_once_make_the_tree_of_the_log(store: Store, seals: Seals, start: Callable[..., Worker]) -> None:
    writers = [start("write", f"w-{i}", "40") for i in range(2)]
    sealers = [start("seal", "150") for _ in range(2)]
    for worker in (*writers, *sealers):
        assert worker.line() == ["ready"]
    for worker in (*writers, *sealers):
        worker.go()
    for worker in writers:
        worker.finished()
    for sealer in sealers:
        sizes = [int(size) for (size,) in sealer.finished()]
        assert sizes == sorted(sizes)
    add_leaves(store, seals)
    assert seals.size() == store.head().position == 158
    assert sealed_tree(seals, seals.size()).root() == root(leaves(store))


def test_a_killed_sealer_leaves_nothing_half_made(store: Store, seals: Seals, start: Callable[..., Worker]) -> None:
    writer = start("flood", "w")
    sealer = start("seal", "1000000")
    for worker in (writer, sealer):
        assert worker.line() == ["ready"]
        worker.go()
    while int(sealer.line()[0]) < 300:
        pass
    sealer.kill()
    writer.kill()
    size = seals.size()
    assert sealed_tree(seals, size).root() == root(leaves(store)[:size])
    assert add_leaves(store, seals) == store.head().position
    assert sealed_tree(seals, seals.size()).root() == root(leaves(store))


def test_a_database_that_cannot_seal_says_so_in_a_sentence(store: Store, where: LedgerUrl, seals: Seals, sql: SQL) -> None:
    record(store, 2)
    sql("ALTER TABLE ledger_hash RENAME TO ledger_hidden")
    with pytest.raises(StoreError, match=r"The database (could not|refused to) read the seals: .*ledger_hash") as caught:
        add_leaves(store, seals)
    assert str(caught.value).count("\n") == 0
