"""The leaf of a fact: every column of its row in the log, and the SHA-256 of its stored bytes.

    opsledger/leaf/v1 LF                    18 bytes of ASCII
    origin                                  4 bytes of length, then UTF-8: the log's name, the same for its life
    position, version, revision,
    occurred_at, recorded_at                8 bytes each; times in microseconds since 1970-01-01T00:00:00Z
    lengths of the nine texts below         4 bytes each; -1 where there is none, which is not an empty one
    stream, topic, recorded_by, role, command_id,
    correlation_id, causation_id, source, source_id       UTF-8, one after the other
    SHA-256 of the stored bytes             32 bytes

Numbers are signed and big-endian. The leaf's index in the tree is its position less one. What was recorded can thus be shown
and proved without the stored bytes, and these can be removed while the tree still verifies. Personal fields are in the stored
bytes as digests of their sealed parts: nothing here is made of what they say. These bytes never change; another form of the
leaf would begin with another tag.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import repeat
from typing import Any, Final, NamedTuple

from opsledger.errors import BadInput
from opsledger.ledger.envelope import Row

__all__ = ["Leaf", "LeafWriter", "read_leaf"]

_TAG: Final = b"opsledger/leaf/v1\n"
_LENGTH: Final = struct.Struct(">i")
_FIXED: Final = struct.Struct(">5q9i")
_BARE: Final = struct.Struct(">5q5i16s")  # the same where the last four texts are missing
_MISSING: Final = b"\xff" * 16
_NUMBERS: Final = 5
_REQUIRED: Final = 5  # texts that every fact has; the other four may be missing
_DIGEST_SIZE: Final = 32
_digest: Final = type(sha256()).digest

Columns = Row | tuple[Any, ...]
"""A row of the log, or its columns in their order."""


class Leaf(NamedTuple):
    """What a leaf says of a fact."""

    origin: str
    position: int
    version: int
    revision: int
    occurred_at: int
    recorded_at: int
    stream: str
    topic: str
    recorded_by: str
    role: str
    command_id: str
    correlation_id: str | None
    causation_id: str | None
    source: str | None
    source_id: str | None
    digest: bytes  # SHA-256 of the stored bytes


class LeafWriter:
    """Makes the leaves of one log, which is named by its origin."""

    def __init__(self, origin: str) -> None:
        name = origin.encode()
        self._prefix = _TAG + _LENGTH.pack(len(name)) + name
        self._hashed = b"\x00" + self._prefix

    def data(self, row: Columns) -> bytes:
        """Return the bytes of a row's leaf. Raises BadInput where a column holds what cannot be in it."""
        return self._prefix + self._body(row)

    def hash(self, row: Columns) -> bytes:
        """Return the hash of a row's leaf, as it stands in the tree."""
        return sha256(self._hashed + self._body(row)).digest()

    def hashes(self, rows: Sequence[Columns]) -> list[bytes]:
        """Return the hashes of the leaves of rows, which may be plain tuples. Raises BadInput where one of them has none.

        Column by column, which takes half the time: what is done for each row is done by functions written in C.
        """
        if not rows:
            return []
        position, stream, version, topic, revision, state, happened, recorded, actor, role, command, *optional = zip(*rows, strict=True)
        texts: list[Iterable[str]] = [stream, topic, actor, role, command]
        lengths: list[Iterable[Any]] = [map(len, text) for text in texts]
        form = _FIXED if any(column.count(None) < len(rows) for column in optional) else _BARE
        try:
            for column in optional if form is _FIXED else ():
                texts.append(["" if text is None else text for text in column])
                lengths.append([-1 if text is None else len(text) for text in column])
            if form is _BARE:
                lengths.append(repeat(_MISSING))
            joined = list(map("".join, zip(*texts, strict=True)))
            if not "".join(joined).isascii():  # a character is not a byte
                return list(map(self.hash, rows))
            fixed = map(form.pack, position, version, revision, happened, recorded, *lengths)
            digests = map(_digest, map(sha256, state))
            bodies = zip(repeat(self._hashed), fixed, map(str.encode, joined), digests, strict=False)
            return list(map(_digest, map(sha256, map(b"".join, bodies))))
        except (TypeError, struct.error):
            return list(map(self.hash, rows))  # which says of which row

    def _body(self, row: Columns) -> bytes:
        position, stream, version, topic, revision, state, happened, recorded, actor, role, command, correlation, cause, source, named = row
        try:
            text = "".join(
                (
                    stream,
                    topic,
                    actor,
                    role,
                    command,
                    "" if correlation is None else correlation,
                    "" if cause is None else cause,
                    "" if source is None else source,
                    "" if named is None else named,
                )
            )
            fixed = _FIXED.pack(
                position,
                version,
                revision,
                happened,
                recorded,
                len(stream),
                len(topic),
                len(actor),
                len(role),
                len(command),
                -1 if correlation is None else len(correlation),
                -1 if cause is None else len(cause),
                -1 if source is None else len(source),
                -1 if named is None else len(named),
            )
            if not text.isascii():  # a character is not a byte
                fixed = fixed[: 8 * _NUMBERS] + b"".join(
                    map(_length, (stream, topic, actor, role, command, correlation, cause, source, named))
                )
            return fixed + text.encode() + sha256(state).digest()
        except (TypeError, struct.error, UnicodeEncodeError):
            raise BadInput(
                "leaf.misfit", f"Position {position!r} holds in a column what does not belong there, and has no leaf; verify continuity."
            ) from None


def _length(text: str | None) -> bytes:
    return _LENGTH.pack(-1 if text is None else len(text.encode()))


def read_leaf(data: bytes) -> tuple[Leaf, bytes]:
    """Return what the leaf at the beginning of `data` says, and the bytes after it. Raises BadInput where it is no whole leaf.

    What it says is as good as the proof that the log has this leaf: nothing.
    """
    try:
        return _read(data)
    except (struct.error, UnicodeDecodeError):
        raise _malformed() from None


def _read(data: bytes) -> tuple[Leaf, bytes]:
    if not data.startswith(_TAG):
        raise _malformed()
    at = len(_TAG)
    (length,) = _LENGTH.unpack_from(data, at)
    origin, at = _text(data, at + _LENGTH.size, length)
    values = _FIXED.unpack_from(data, at)
    at += _FIXED.size
    texts: list[str | None] = []
    for i, length in enumerate(values[_NUMBERS:]):
        if length == -1 and i >= _REQUIRED:
            texts.append(None)
            continue
        text, at = _text(data, at, length)
        texts.append(text)
    digest = data[at : at + _DIGEST_SIZE]
    if len(digest) != _DIGEST_SIZE:
        raise _malformed()
    return Leaf._make((origin, *values[:_NUMBERS], *texts, digest)), data[at + _DIGEST_SIZE :]


def _text(data: bytes, at: int, length: int) -> tuple[str, int]:
    end = at + length
    if length < 0 or end > len(data):
        raise _malformed()
    return data[at:end].decode(), end


def _malformed() -> BadInput:
    return BadInput("leaf.malformed", "These bytes are no leaf of this program, or not a whole one; take them from `opsledger prove`.")
