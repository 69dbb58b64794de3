"""Ranges of the log: the Merkle root over them, and a checkpoint held against the log as it stands.

Both are computed from the rows themselves, not from what was sealed: they say what the log is now.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence

from opsledger.audit.checkpoints import Introduced, Notes
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import Frontier
from opsledger.audit.note import Checkpoint, Note, open_checkpoint
from opsledger.audit.sealing import origin_of
from opsledger.errors import BadInput, Unproven
from opsledger.ledger.store import Store

__all__ = ["Positions", "fitting_checkpoint", "own_checkpoint", "root_between", "roots_between", "told_root"]

Positions = tuple[int, int]
"""A range of positions, with its last."""

Progress = Callable[[int, int], None]
"""Told (done, of) in positions."""


def root_between(store: Store, first: int, last: int, progress: Progress | None = None) -> bytes:
    """Return the root, RFC 6962, over the leaves of the positions `first` to `last`, in order. From 1 on it is a checkpoint's."""
    frontier = _grown(store, {(first, last)}, progress)[first, last]
    if frontier.size != last - first + 1:
        raise Unproven("range.missing", f"The log holds {frontier.size} facts of the positions {first} to {last}; verify its continuity.")
    return frontier.root()


def roots_between(store: Store, ranges: Collection[Positions], progress: Progress | None = None) -> dict[Positions, bytes | None]:
    """Return the root over each of some ranges; None where a position of it is missing. The log is read once for all of them."""
    found = _grown(store, ranges, progress)
    return {(first, last): each.root() if each.size == last - first + 1 else None for (first, last), each in found.items()}


def _grown(store: Store, ranges: Collection[Positions], progress: Progress | None) -> dict[Positions, Frontier]:
    """Return the tree over the facts that there are of each range."""
    writer, frontiers = LeafWriter(origin_of(store)), {each: Frontier() for each in ranges}
    begin, end = min((first - 1 for first, _ in ranges), default=0), max((last for _, last in ranges), default=0)
    for rows in store.scan(begin, end):
        leaves, positions = writer.hashes(rows), [row[0] for row in rows]
        for (first, last), frontier in frontiers.items():
            frontier.extend(leaves[bisect_left(positions, first) : bisect_right(positions, last)])
        if progress is not None and rows:
            progress(positions[-1] - begin, end - begin)
    return frontiers


def own_checkpoint(store: Store, written: str | bytes, introduced: Sequence[Introduced]) -> Checkpoint:
    """Return the checkpoint that a note says, when it is of this log, and signed by the key that was the newest at its size.

    Raises BadInput where it is no checkpoint, or the log has no key, and Unproven where the log did not sign it.
    """
    if not introduced:
        raise BadInput("checkpoint.no_keys", "The ledger has introduced no signing key, so no checkpoint can be its own; make one first.")
    note = Note.parse(written)
    size = Checkpoint.parse(note.text).size
    return open_checkpoint(note, Notes(origin_of(store), (), (), introduced).keys(size), origin_of(store))


def fitting_checkpoint(store: Store, written: str | bytes, introduced: Sequence[Introduced]) -> Checkpoint:
    """Return the checkpoint that a note says, as `own_checkpoint` does, when the log begins with it as it stands; else Unproven."""
    checkpoint, head = own_checkpoint(store, written, introduced), store.head().position
    if checkpoint.size > head:
        raise Unproven(
            "checkpoint.longer",
            f"The checkpoint covers {checkpoint.size} facts, and the ledger has {head}: its end was cut off; verify it.",
        )
    if root_between(store, 1, checkpoint.size) != checkpoint.root:
        raise Unproven(
            "checkpoint.other_facts",
            f"The first {checkpoint.size} facts of the ledger are not those that were signed; verify it with this checkpoint.",
        )
    return checkpoint


def told_root(root: bytes) -> str:
    """Return a root as checkpoints write it, in base64."""
    return base64.b64encode(root).decode()
