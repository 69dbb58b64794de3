"""Ranges of the log: the Merkle root over them, and a checkpoint held against the log as it stands.

Both are computed from the rows themselves, not from what was sealed: they say what the log is now.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Final

from opsledger.audit.checkpoints import Introduced, Notes
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import Frontier
from opsledger.audit.note import Checkpoint, Note, open_checkpoint
from opsledger.audit.sealing import origin_of
from opsledger.errors import BadInput, Unproven
from opsledger.ledger.store import Store, pages

__all__ = ["fitting_checkpoint", "own_checkpoint", "root_between", "told_root"]

_PAGE: Final = 5000


def root_between(store: Store, first: int, last: int, progress: Callable[[int, int], None] | None = None) -> bytes:
    """Return the root, RFC 6962, over the leaves of the positions `first` to `last`, in order. From 1 on it is a checkpoint's."""
    writer, frontier = LeafWriter(origin_of(store)), Frontier()
    for rows in pages(store, first - 1, last, _PAGE):
        frontier.extend(writer.hashes(rows))
        if progress is not None:
            progress(frontier.size, last - first + 1)
    if frontier.size != last - first + 1:
        raise Unproven("range.missing", f"The log holds {frontier.size} facts of the positions {first} to {last}; verify its continuity.")
    return frontier.root()


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
