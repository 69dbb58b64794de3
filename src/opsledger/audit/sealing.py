"""Sealing: the facts of the log become leaves of the tree, and a size and root are signed. Two acts, behind the append.

`add_leaves` needs no key and may be done by whoever watches the log. `sign` makes the checkpoint that binds the log's owner; it
is done by who holds the signing key, which no host process needs. Both may be repeated, or done by several at once, or be
cut off at any point: what is there is gone on with, and nothing is ever made twice.

What is sealed protects nobody by itself: an owner of the database can make all of it anew. A checkpoint that has left
the machine can not be made unsaid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import HASH_SIZE
from opsledger.audit.note import Checkpoint, Note, Signer, sign_note
from opsledger.audit.tiles import WIDTH, StoredTile, Tile, TileBuilder, TileTree
from opsledger.errors import KeysError, Unknown, Unproven
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.ledger.store import Store

__all__ = ["Progress", "SealedTiles", "add_leaves", "origin_of", "sealed_tree", "sign"]

_AT_ONCE: Final = 1 << 16
"""Leaves of one transaction."""

Progress = Callable[[int, int], None]
"""Told (done, of) in facts."""


def origin_of(store: Store) -> str:
    """Return the name by which checkpoints know the log, the same for its whole life, whatever the database is called."""
    return f"opsledger/{store.meta()['ledger_id']}"


class SealedTiles:
    """The tiles of the tree, read from the seals."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    def read(self, tile: Tile) -> bytes:
        """Return a tile's hashes. Raises Unknown where they are not there."""
        first = tile.index * WIDTH
        found = self._seals.hashes(tile.level, first, first + tile.width)
        if len(found) != tile.width * HASH_SIZE:
            raise Unknown("seals.missing", f"The seals lack hashes of {tile.path}; verify the integrity of the log.")
        return found


def sealed_tree(seals: Seals, size: int) -> TileTree:
    """Return the tree of the first `size` facts, all of them sealed."""
    return TileTree(SealedTiles(seals), size)


def add_leaves(store: Store, seals: Seals, *, until: int | None = None, progress: Progress | None = None) -> int:
    """Add the facts that are not sealed yet, up to position `until` (default: the head). Returns how many facts are sealed then.

    Raises Unproven where a position is missing: a tree over the others would say that they stand where they do not.
    """
    writer = LeafWriter(origin_of(store))
    head = store.head().position if until is None else until
    while (size := seals.size()) < head:
        builder = TileBuilder.resume(SealedTiles(seals), size)
        for first in range(size, head, _AT_ONCE):
            stop = min(first + _AT_ONCE, head)
            leaves = [leaf for rows in store.scan(first, stop) for leaf in writer.hashes(rows)]
            if len(leaves) != stop - first:
                raise Unproven(
                    "seal.missing",
                    f"The log holds {len(leaves)} facts of the positions {first + 1} to {stop}, so they are not sealed; verify it.",
                )
            before = {stored.tile.level: stored for stored in builder.partial()}
            full = builder.extend(leaves)
            if not seals.add(_added(before, full, builder.partial())):
                break  # somebody else seals: see how far they are
            if progress is not None:
                progress(builder.size, head)
    return size


def sign(seals: Seals, signer: Signer, origin: str, now: int) -> StoredCheckpoint | None:
    """Sign what is sealed, and keep the checkpoint; `now` in microseconds. Returns the newest one; None where nothing is sealed.

    Signs no tree that does not begin with the one that was signed before: that would be a fork, and proof of it. Raises Unproven.
    """
    if signer.verifier.name != origin:
        raise KeysError(
            "signing.other_log", f"The signing key is of {signer.verifier.name}, and this log is {origin}; give the log's own key."
        )
    size, newest = seals.size(), seals.newest()
    if newest is not None:
        before = Checkpoint.parse(Note.parse(newest.note).text)
        if size < before.size or sealed_tree(seals, before.size).root() != before.root:
            raise Unproven(
                "seal.forked",
                f"What is sealed does not begin with what was signed at position {before.size}, so nothing is signed; "
                "keep that checkpoint and run `opsledger verify`.",
            )
    if size == 0 or (newest is not None and newest.size == size):
        return newest
    note = sign_note(str(Checkpoint(origin, size, sealed_tree(seals, size).root())), signer)
    seals.keep(StoredCheckpoint(size, str(note), now))
    return seals.newest()


def _added(before: dict[int, StoredTile], full: list[StoredTile], after: list[StoredTile]) -> dict[int, tuple[int, bytes]]:
    """Return what is new at each level: the index of the first hash, and the hashes."""
    levels: dict[int, tuple[int, bytes]] = {}
    for stored in sorted([*full, *after], key=lambda stored: stored.tile):
        level, first = stored.tile.level, stored.tile.index * WIDTH
        if level in levels:
            levels[level] = (levels[level][0], levels[level][1] + stored.hashes)
            continue
        stands = before.get(level)
        known = stands.tile.width if stands is not None and stands.tile.index == stored.tile.index else 0
        levels[level] = (first + known, stored.hashes[known * HASH_SIZE :])
    return {level: each for level, each in levels.items() if each[1]}
