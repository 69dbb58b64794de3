"""Tiles, against what C2SP tlog-tiles says they are; and proofs made from them, against those made from leaves."""

from __future__ import annotations

from functools import cache

import pytest
import slow_tree
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_tree import MemoryTiles

from opsledger.audit import merkle
from opsledger.audit.tiles import Tile, TileBuilder, TileTree, tiles_of
from opsledger.errors import BadInput, Unknown, Unproven

FULL = 256
SQUARE = 256 * 256
LEAVES = slow_tree.leaves(SQUARE + 600)


@cache
def hashes(level: int) -> list[bytes]:
    """MTH(D[i * 256**level : (i + 1) * 256**level]) of all i, straight from the leaves."""
    step = FULL**level
    return [slow_tree.root(LEAVES[at : at + step]) for at in range(0, len(LEAVES) - step + 1, step)]


def direct(tile: Tile) -> bytes:
    """Return what a tile must hold."""
    return b"".join(hashes(tile.level)[tile.index * FULL : tile.index * FULL + tile.width])


def grown(size: int) -> tuple[TileBuilder, MemoryTiles]:
    """Return a tree of that size and where its tiles are."""
    builder, tiles = TileBuilder(), MemoryTiles()
    tiles.add(builder.extend(LEAVES[:size]))
    tiles.add(builder.partial())
    return builder, tiles


@pytest.fixture(scope="module")
def all_tiles() -> MemoryTiles:
    """Give the tiles of all leaves."""
    return grown(len(LEAVES))[1]


# Which tiles there are.


def test_a_tree_of_70_000_leaves_has_the_tiles_that_the_specification_counts() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile.width for tile in tiles if tile.level == 0] == [FULL] * 273 + [112]
    assert [tile for tile in tiles if tile.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]


@pytest.mark.parametrize(
    ("size", "tiles"),
    [
        (0, []),
        (1, [Tile(0, 0, 1)]),
        (255, [Tile(0, 0, 255)]),
        (256, [Tile(0, 0), Tile(1, 0, 1)]),
        (257, [Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1)]),
    ],
)
def test_small_trees_have_these_tiles(size: int, tiles: list[Tile]) -> None:
    assert list(tiles_of(size)) == tiles


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(1, 255, 255), "tile/1/255.p/255"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(3, 1_000_000, 8), "tile/3/x001/x000/000.p/8"),
        (Tile(63, 5), "tile/63/005"),
    ],
)
def test_a_tile_stands_at_its_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.of_path(path) == tile


@given(st.integers(0, 63), st.integers(0, 2**56), st.integers(1, FULL))
def test_every_path_leads_back_to_its_tile(level: int, index: int, width: int) -> None:
    assert Tile.of_path(Tile(level, index, width).path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/000",
        "/tile/0/000",
        "tile/0/../000",
    ],
)
def test_any_other_text_is_no_path_of_a_tile(path: str) -> None:
    with pytest.raises(BadInput, match=r"names no tile; .*\[tile\.path\]"):
        Tile.of_path(path)


# Building.


def test_a_tree_that_grows_leaf_by_leaf_has_the_right_tiles_at_every_size_up_to_1_000() -> None:
    builder, written = TileBuilder(), dict[Tile, bytes]()
    for size in range(1, 1001):
        written.update({each.tile: each.hashes for each in builder.extend(LEAVES[size - 1 : size])})
        there = {**written, **{each.tile: each.hashes for each in builder.partial()}}
        assert list(tiles_of(size)) == sorted(there)
        assert there == {tile: direct(tile) for tile in tiles_of(size)}
        assert builder.root() == merkle.root(LEAVES[:size])
    assert builder.size == 1000


@pytest.mark.parametrize(
    "size", [0, 1, 255, 256, 257, 511, 512, 513, SQUARE - 256, SQUARE - 1, SQUARE, SQUARE + 1, SQUARE + 256, SQUARE + 599]
)
def test_a_tree_has_the_right_tiles_around_full_ones(size: int) -> None:
    builder, tiles = grown(size)
    assert tiles.stored == {tile: direct(tile) for tile in tiles_of(size)}
    assert builder.root() == TileTree(tiles, size).root() == merkle.root(LEAVES[:size])


def test_a_tile_comes_out_after_those_that_it_stands_on() -> None:
    full = [each.tile for each in TileBuilder().extend(LEAVES[:SQUARE])]
    assert full[-1] == Tile(1, 0)
    assert full[:-1] == [Tile(0, index) for index in range(FULL)]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 700), max_size=6))
def test_how_leaves_are_parted_into_batches_makes_no_difference(batches: list[int]) -> None:
    builder, tiles, size = TileBuilder(), MemoryTiles(), 0
    for batch in batches:
        tiles.add(builder.extend(LEAVES[size : size + batch]))
        size += batch
    tiles.add(builder.partial())
    assert tiles.stored == {tile: direct(tile) for tile in tiles_of(size)}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 300, 1000, SQUARE - 1, SQUARE, SQUARE + 1])
def test_a_builder_goes_on_from_the_partial_tiles(size: int) -> None:
    before, tiles = grown(size)
    again = TileBuilder.resume(tiles, size)
    assert (again.size, again.root(), again.partial()) == (size, before.root(), before.partial())
    assert all(tile.width < FULL for tile in tiles.read_tiles), "full tiles are not needed to go on"
    more = LEAVES[size : size + 600]
    assert again.extend(more) == before.extend(more)
    assert again.root() == merkle.root(LEAVES[: size + 600])


def test_a_builder_goes_on_from_a_size_that_its_tiles_have_outgrown() -> None:
    """What another process added meanwhile is not taken for what was there."""
    _, tiles = grown(700)
    again = TileBuilder.resume(tiles, 300)
    assert (again.root(), again.partial()) == (grown(300)[0].root(), grown(300)[0].partial())


def test_a_builder_takes_hashes_only() -> None:
    with pytest.raises(BadInput, match=r"its hash of 32 bytes"):
        TileBuilder().extend([b"a leaf"])


# Reading.


def test_roots_and_leaves_are_read_at_every_size_up_to_600(all_tiles: MemoryTiles) -> None:
    for size in range(601):
        tree = TileTree(all_tiles, size)
        assert tree.root() == merkle.root(LEAVES[:size])
        if size:
            assert tree.leaf(size - 1) == LEAVES[size - 1]


@given(st.integers(1, 1000), st.integers(0, 999))
def test_proofs_from_tiles_are_those_from_leaves(size: int, index: int) -> None:
    index %= size
    tree = TileTree(grown(size)[1], size)
    assert tree.inclusion_proof(index) == merkle.inclusion_proof(LEAVES[:size], index)
    assert tree.consistency_proof(index + 1) == merkle.consistency_proof(LEAVES[:size], index + 1)


@settings(max_examples=20)
@given(st.integers(SQUARE - 300, SQUARE + 600), st.integers(0, SQUARE + 599))
def test_proofs_from_tiles_of_three_levels_are_those_from_leaves(all_tiles: MemoryTiles, size: int, index: int) -> None:
    index %= size
    tree = TileTree(all_tiles, size)
    assert tree.inclusion_proof(index) == merkle.inclusion_proof(LEAVES[:size], index)
    assert tree.consistency_proof(index + 1) == merkle.consistency_proof(LEAVES[:size], index + 1)


def test_a_proof_reads_two_tiles_of_a_level_at_most() -> None:
    _, tiles = grown(66_000)
    for index in (0, 30_000, 65_535, 65_536, 65_999):
        tiles.read_tiles.clear()
        TileTree(tiles, 66_000).inclusion_proof(index)
        for level in range(3):
            assert len([tile for tile in tiles.read_tiles if tile.level == level]) <= 2


def test_an_older_tree_is_read_from_the_tiles_of_a_newer_one() -> None:
    """A partial tile may be gone once the full one is there."""
    _, tiles = grown(1024)
    tree = TileTree(tiles, 700)
    assert tree.root() == merkle.root(LEAVES[:700])
    assert tree.inclusion_proof(650) == merkle.inclusion_proof(LEAVES[:700], 650)


def test_a_proof_made_from_a_tile_that_was_changed_is_refused() -> None:
    builder, tiles = grown(1000)
    tiles.stored[Tile(0, 1)] = slow_tree.flipped(tiles.stored[Tile(0, 1)], 77 * 256)
    proof = TileTree(tiles, 1000).inclusion_proof(300)
    with pytest.raises(Unproven):
        merkle.verify_inclusion(300, 1000, LEAVES[300], proof, builder.root())


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(43 * 32), bytes(45 * 32 - 1), bytes(257 * 32)])
def test_a_tile_of_another_size_is_refused(content: bytes) -> None:
    _, tiles = grown(300)
    tiles.stored[Tile(0, 1, 44)] = content
    with pytest.raises(Unproven, match=r"tile/0/001\.p/44 holds \d+ bytes where 1408 belong.*\[tile\.size\]"):
        TileTree(tiles, 300).root()


def test_a_tile_that_is_missing_is_told_by_who_keeps_them() -> None:
    _, tiles = grown(300)
    del tiles.stored[Tile(0, 0)]
    with pytest.raises(Unknown, match=r"There is no tile/0/000\."):
        TileTree(tiles, 300).inclusion_proof(299 - 250)


def test_there_is_no_leaf_beyond_the_end() -> None:
    _, tiles = grown(300)
    for index in (-1, 300):
        with pytest.raises(BadInput, match=rf"has none of index {index};"):
            TileTree(tiles, 300).leaf(index)
