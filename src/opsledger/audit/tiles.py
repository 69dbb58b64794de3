"""Tiles: the hashes of a tree, 256 side by side, in the layout of C2SP tlog-tiles.

    tile/0/x001/x234/067        leaf hashes 256 * 1234067 and the 255 after it
    tile/1/000.p/17             the roots of the first 17 tiles below it; partial, the tree goes no further yet

A tile is written once when it is full. Only the rightmost of each level is partial, and says by its width how far it goes; it
is part of no tile above. From tiles any proof is made by reading a few: two of each level at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from opsledger.audit.merkle import (
    HASH_SIZE,
    Frontier,
    Range,
    consistency_ranges,
    inclusion_ranges,
    join_subtrees,
    subtree_root,
)
from opsledger.errors import BadInput, Unproven

__all__ = ["WIDTH", "StoredTile", "Tile", "TileBuilder", "TileReader", "TileTree", "tiles_of"]

WIDTH: Final = 256
"""Hashes of a full tile."""

_HEIGHT: Final = 8  # 256 = 2 ** 8
_CACHED: Final = 256  # full tiles of 8 kB: 2 MB
_PATH: Final = re.compile(r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Which tile: its level, its index within the level, and how many hashes it has."""

    level: int  # 0 holds leaf hashes, 1 the roots of tiles of level 0, ...
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where C2SP tlog-tiles puts it: tile/<level>/<index>[.p/<width>]."""
        parts = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            parts.append(f"x{rest % 1000:03d}")
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{'/'.join(reversed(parts))}{partial}"

    @classmethod
    def of_path(cls, path: str) -> Tile:
        """Return the tile that a path names. Raises BadInput for any other text, also for a second way to write a number."""
        found = _PATH.fullmatch(path)
        if found is not None:
            tile = cls(int(found[1]), int(found[2].replace("x", "").replace("/", "")), int(found[3] or WIDTH))
            if tile.path == path and tile.level < 64 and tile.width <= WIDTH:
                return tile
        raise BadInput("tile.path", f"'{path}' names no tile; one is named like tile/0/x001/x234/067 or tile/1/000.p/17.")


class StoredTile(NamedTuple):
    """A tile and its hashes, one after the other."""

    tile: Tile
    hashes: bytes


class TileReader(Protocol):
    """Where tiles are read from."""

    def read(self, tile: Tile) -> bytes:
        """Return a tile's hashes; for a partial one also the fuller tile that took its place. Raises Unknown where it is missing."""


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield the tiles of a tree of `size` leaves, level by level, the partial one of a level last."""
    level = 0
    while size:
        full, rest = divmod(size, WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, size = level + 1, full


# Building.


class _Edge:
    """The rightmost tile of a level: its hashes, and the roots of the whole subtrees over them."""

    __slots__ = ("frontier", "hashes", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.hashes: list[bytes] = []
        self.frontier = Frontier()

    def extend(self, hashes: Sequence[bytes]) -> None:
        self.frontier.extend(hashes)
        self.hashes += hashes


class TileBuilder:
    """A tree that grows tile by tile: leaves in, full tiles out. It holds the rightmost tile of each level, nothing else.

    A leaf costs one node hash on average, and the root of the tree as it stands a node hash per subtree, at any size.
    """

    def __init__(self) -> None:
        self.size = 0
        self._edges: list[_Edge] = [_Edge(0)]

    @classmethod
    def resume(cls, reader: TileReader, size: int) -> TileBuilder:
        """Return the builder of a tree of `size` leaves, from its partial tiles. Compare its root with a checkpoint of that size."""
        made = cls()
        made.size = size
        made._edges = []
        while size or not made._edges:
            edge = _Edge(size // WIDTH)
            if width := size % WIDTH:
                edge.extend(_split(_read(reader, Tile(len(made._edges), edge.index, width))))
            made._edges.append(edge)
            size //= WIDTH
        return made

    def extend(self, leaves: Sequence[bytes]) -> list[StoredTile]:
        """Add leaves by their hashes, in order; return the tiles that are full now, each after those that it stands on."""
        full: list[StoredTile] = []
        done = 0
        while done < len(leaves):
            edge = self._edges[0]
            some = leaves[done : done + WIDTH - len(edge.hashes)]
            edge.extend(some)
            done += len(some)
            self.size += len(some)
            if len(edge.hashes) == WIDTH:
                full += self._close()
        return full

    def partial(self) -> list[StoredTile]:
        """Return the partial tiles of the tree as it stands, lowest level first."""
        return [
            StoredTile(Tile(level, edge.index, len(edge.hashes)), b"".join(edge.hashes))
            for level, edge in enumerate(self._edges)
            if edge.hashes
        ]

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return join_subtrees([node for edge in reversed(self._edges) for node in edge.frontier.nodes])

    def _close(self) -> Iterator[StoredTile]:
        """Yield the tiles that filled up, and begin the next ones."""
        level = 0
        while len((edge := self._edges[level]).hashes) == WIDTH:
            yield StoredTile(Tile(level, edge.index), b"".join(edge.hashes))
            if level + 1 == len(self._edges):
                self._edges.append(_Edge(0))
            self._edges[level + 1].extend(edge.frontier.nodes)
            self._edges[level] = _Edge(edge.index + 1)
            level += 1


# Reading.


class TileTree:
    """The tree of a checkpoint's size, read from tiles. What tiles say is not checked here: a proof made of them is, by its verifier."""

    def __init__(self, reader: TileReader, size: int) -> None:
        self.size = size
        self._hashes = lru_cache(_CACHED)(lambda tile: _read(reader, tile))

    def leaf(self, index: int) -> bytes:
        """Return the hash of a leaf."""
        if not 0 <= index < self.size:
            raise BadInput(
                "proof.no_leaf", f"A tree of {self.size} leaves has none of index {index}; indexes run from 0 to below its size."
            )
        return self._range((index, index + 1))

    def root(self) -> bytes:
        """Return the root."""
        return self._range((0, self.size))

    def nodes(self) -> list[bytes]:
        """Return the roots of the whole subtrees, largest first: what a frontier of this size holds."""
        return self._subtrees((0, self.size))

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the proof that leaf `index` is in this tree."""
        return [self._range(each) for each in inclusion_ranges(index, self.size)]

    def consistency_proof(self, first: int) -> list[bytes]:
        """Return the proof that this tree begins with the tree of its first `first` leaves."""
        return [self._range(each) for each in consistency_ranges(first, self.size)]

    def _range(self, leaves: Range) -> bytes:
        """Return the root over a range that begins where a subtree of its size may."""
        return join_subtrees(self._subtrees(leaves))

    def _subtrees(self, leaves: Range) -> list[bytes]:
        """Return the roots of the whole subtrees over such a range, each smaller than the one before."""
        start, stop = leaves
        subtrees = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            subtrees.append(self._subtree(start, height))
            start += 1 << height
        return subtrees

    def _subtree(self, start: int, height: int) -> bytes:
        """Return the root of the whole subtree of 2 ** height leaves from `start`."""
        level, within = divmod(height, _HEIGHT)
        first = start >> level * _HEIGHT  # counted in hashes of that level
        index, at = divmod(first, WIDTH)
        width = min((self.size >> level * _HEIGHT) - index * WIDTH, WIDTH)
        hashes = self._hashes(Tile(level, index, width))
        return subtree_root(_split(hashes[at * HASH_SIZE : (at + (1 << within)) * HASH_SIZE]))


def _read(reader: TileReader, tile: Tile) -> bytes:
    hashes, size = reader.read(tile), tile.width * HASH_SIZE
    if not size <= len(hashes) <= WIDTH * HASH_SIZE or len(hashes) % HASH_SIZE:
        raise Unproven("tile.size", f"{tile.path} holds {len(hashes)} bytes where {size} belong; make it again from the log.")
    return hashes[:size]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
