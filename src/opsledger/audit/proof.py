"""The proof of one fact, as a text that needs no ledger to be checked: C2SP tlog-proof.

    c2sp.org/tlog-proof@v1
    extra b3BzbGVkZ2VyL2xlYWYvdjEKAAAAFm9w...      the leaf, and the stored bytes where they are shown
    index 73894                                     the fact's position less one
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=    the hashes from the leaf's neighbour up to the root's
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

    ops.example.com/ledger                          a checkpoint of the log, signed

Nothing in the text is believed before the checkpoint's signature and the way from the leaf to its root have been checked; the
size of the tree comes from the checkpoint alone. `check_proof` does all of it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from opsledger.audit.leaf import Leaf, read_leaf
from opsledger.audit.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from opsledger.audit.note import Checkpoint, Note, VerifierKey, decimal, open_checkpoint, unbase64
from opsledger.errors import BadInput, Unproven

__all__ = ["Proof", "Proven", "check_proof"]

_TITLE: Final = "c2sp.org/tlog-proof@v1"
_LONGEST: Final = 64  # no tree of less than 2 ** 64 leaves is higher


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof, none of which is checked by being here. `str` gives the text as it is stored, in a file named *.tlog-proof."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes = b""

    def __str__(self) -> str:
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        path = "".join(f"{base64.b64encode(each).decode()}\n" for each in self.path)
        return f"{_TITLE}\n{extra}index {self.index}\n{path}\n{self.checkpoint}"

    @classmethod
    def parse(cls, written: str | bytes) -> Proof:
        """Return the proof that was written. Raises BadInput where it is none."""
        try:
            whole = written.decode() if isinstance(written, bytes) else written
        except UnicodeDecodeError:
            raise _malformed("it is not UTF-8") from None
        above, empty_line, checkpoint = whole.partition("\n\n")
        lines = above.split("\n")
        if not empty_line or lines.pop(0) != _TITLE:
            raise _malformed(f"it does not begin with {_TITLE}, or has no checkpoint after an empty line")
        extra = _extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else b""
        index = decimal(lines[0].removeprefix("index ")) if lines and lines[0].startswith("index ") else None
        if index is None:
            raise _malformed("it has no line such as index 73894")
        path = [_hash(line) for line in lines[1:]]
        if len(path) > _LONGEST:
            raise _malformed(f"it has {len(path)} hashes; no tree needs more than {_LONGEST}")
        note = Note.parse(checkpoint)
        Checkpoint.parse(note.text)
        return cls(index, tuple(path), note, extra)


class Proven(NamedTuple):
    """What a proof shows: this leaf is in the log as it was at this checkpoint. `state` are its stored bytes, where they were shown."""

    leaf: Leaf
    checkpoint: Checkpoint
    state: bytes | None


def check_proof(proof: Proof, keys: Sequence[VerifierKey], origin: str, *, leaf: bytes = b"", state: bytes | None = None) -> Proven:
    """Check the proof of a fact with keys and a name of the log that came from elsewhere. Raises BadInput or Unproven.

    The leaf, and after it the stored bytes where they are shown, are in the proof, or are given beside it.
    """
    given = leaf or proof.extra
    said, after = read_leaf(given)
    data = given[: len(given) - len(after)]
    checkpoint = open_checkpoint(proof.checkpoint, keys, origin)
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(data), proof.path, checkpoint.root)
    if said.origin != origin or said.position != proof.index + 1:
        raise Unproven(
            "proof.other_place",
            f"Leaf {proof.index} of {origin} says that it is position {said.position} of {said.origin}; the log was put together wrongly.",
        )
    shown = state if state is not None else after or None
    if shown is not None and sha256(shown).digest() != said.digest:
        raise Unproven(
            "proof.other_state",
            f"The stored bytes that were given are not those that were recorded at position {said.position}; somebody changed them.",
        )
    return Proven(said, checkpoint, shown)


def _extra(line: str) -> bytes:
    value = unbase64(line.removeprefix("extra "))
    if not value:
        raise _malformed("its extra data are not base64, or empty")
    return value


def _hash(line: str) -> bytes:
    value = unbase64(line)
    if value is None or len(value) != HASH_SIZE:
        raise _malformed(f"the line {line[:60]!r} is no hash")
    return value


def _malformed(why: str) -> BadInput:
    return BadInput("proof.malformed", f"This is no proof of a leaf: {why}; make it again from the log.")
