"""Looking: the leaves of a stretch of the log, made anew from its rows and compared one by one with those that were sealed.

A stretch can be looked at by any process that has the log. What comes back is small, however long the stretch is: the roots over its
tiles, from which whoever asked goes on to the roots that checkpoints sign, and what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from opsledger.audit.findings import Checked
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import HASH_SIZE, Frontier, subtree_root
from opsledger.errors import BadInput
from opsledger.ledger.envelope import Row
from opsledger.ledger.store import Store

__all__ = ["TILE", "Looked", "Stretch", "look", "look_at_all", "short", "subtrees"]

TILE: Final = 256
"""Leaves of a tile, as `opsledger.audit.tiles` has it: the width of the tree's stored levels."""

_NOTHING: Final = bytes(HASH_SIZE)  # in the place of a leaf that cannot be made, so that no root above it fits
_SHOWN: Final = 16


class Stretch(NamedTuple):
    """The leaves from index `first`, where a tile begins, to before `stop`; what was sealed of them; which trees end within."""

    first: int
    stop: int
    sealed: bytes  # hashes, one after the other; fewer where fewer were sealed
    sizes: Sequence[int]


@dataclass(slots=True)
class Looked:
    """What was found in a stretch.

    `roots` are, for each size asked for, those of the whole subtrees over the leaves of the stretch that its tree has, largest first:
    with the tiles before they join to its root.
    """

    stop: int
    result: Checked
    tiles: Sequence[bytes]  # the roots of its whole tiles
    roots: dict[int, Sequence[bytes]] = field(default_factory=dict)


def look_at_all(store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
    """Look at one stretch after the other in this process."""
    writer = LeafWriter(origin)
    for stretch in stretches:
        yield look(store, writer, stretch)


def look(store: Store, writer: LeafWriter, stretch: Stretch) -> Looked:
    """Compare the facts of one stretch with what was sealed of them, and hash them up."""
    result = Checked("integrity")
    tree = _as_sealed(store, writer, stretch, result) or _one_by_one(store, writer, stretch, result)
    return Looked(stretch.stop, result, tree.tiles, tree.roots())


class _Tree:
    """The tree over a stretch, as it grows. Of its leaves it keeps those alone that are in no whole tile yet."""

    def __init__(self, stretch: Stretch) -> None:
        self.tiles: list[bytes] = []
        self.size = stretch.first
        self._first = stretch.first
        self._rest: list[bytes] = []
        self._sizes = stretch.sizes
        self._ends: dict[int, tuple[bytes, ...]] = {}  # of trees that end within a tile: the subtrees over its leaves

    def extend(self, leaves: list[bytes]) -> None:
        """Add leaves by their hashes, in order."""
        self.size += len(leaves)
        self._rest += leaves
        while len(self._rest) >= TILE:
            tile, self._rest = self._rest[:TILE], self._rest[TILE:]
            self._end(tile)
            self.tiles.append(subtree_root(tile))

    def roots(self) -> dict[int, Sequence[bytes]]:
        """Return, for each size asked for, the roots of the whole subtrees over the leaves that its tree has here, largest first."""
        self._end(self._rest)
        return {size: [*subtrees(self.tiles[: (size - self._first) // TILE]), *self._ends.get(size, ())] for size in self._sizes}

    def _end(self, tile: list[bytes]) -> None:
        begin = self._first + TILE * len(self.tiles)
        for size in self._sizes:
            if begin < size < begin + TILE:
                self._ends[size] = subtrees(tile[: size - begin])


def _as_sealed(store: Store, writer: LeafWriter, stretch: Stretch, result: Checked) -> _Tree | None:
    """Return the tree; None where a row is missing, has no leaf, or is not what was sealed."""
    tree = _Tree(stretch)
    for rows in store.scan(stretch.first, stretch.stop):
        if not rows or (rows[0][0], rows[-1][0]) != (tree.size + 1, tree.size + len(rows)):
            return None
        try:
            leaves = writer.hashes(rows)
        except BadInput:
            return None
        at = (tree.size - stretch.first) * HASH_SIZE
        if not b"".join(leaves).startswith(stretch.sealed[at : at + len(rows) * HASH_SIZE]):
            return None
        tree.extend(leaves)
    if tree.size != stretch.stop:
        return None
    result.count("facts", stretch.stop - stretch.first)
    return tree


def _one_by_one(store: Store, writer: LeafWriter, stretch: Stretch, result: Checked) -> _Tree:
    """Return the tree; a finding for each leaf that is not as it was sealed."""
    by_position = {row.position: row for row in store.page(stretch.first, stretch.stop - stretch.first, until=stretch.stop)}
    result.count("facts", len(by_position))
    leaves = []
    for index in range(stretch.first, stretch.stop):
        at = (index - stretch.first) * HASH_SIZE
        expected = stretch.sealed[at : at + HASH_SIZE] or None
        leaves.append(_leaf(writer, by_position.get(index + 1), index + 1, expected, result))
    tree = _Tree(stretch)
    tree.extend(leaves)
    return tree


def _leaf(writer: LeafWriter, row: Row | None, position: int, expected: bytes | None, result: Checked) -> bytes:
    if row is None:
        said = ", and it was sealed" if expected is not None else ""
        result.find(f"Position {position} is missing{said}.", position=position, column="position", expected=short(expected), found=None)
        return _NOTHING
    try:
        made = writer.hash(row)
    except BadInput as error:
        result.find(error.sentence, position=position, stream=str(row.stream)[:200], expected=short(expected), found=None)
        return _NOTHING
    if expected is not None and made != expected:
        result.find(
            f"Position {position} ({row.topic} in {row.stream}) is not what was sealed: a column of it or its stored bytes were changed.",
            position=position,
            stream=row.stream,
            expected=short(expected),
            found=short(made),
        )
    return made


def subtrees(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the roots of the whole subtrees over hashes that stand side by side, largest first."""
    frontier = Frontier()
    frontier.extend(hashes)
    return frontier.nodes


def short(hash: bytes | None) -> str | None:
    """Return as much of a hash as a finding shows."""
    return None if hash is None else hash.hex()[:_SHOWN]
