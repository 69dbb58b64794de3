"""An audit pack: one file with a range of the log, which others verify without this program.

A plain tar file (POSIX ustar) of text files, of which every byte but their contents follows from their names and sizes. The same
ledger, asked for the same, gives the same bytes.

    README.txt                        what an auditor does with it
    catalogue.jsonl                   what every table, column and fact means
    checkpoint.note                   the checkpoint to which the pack is bound: N facts and their root, signed
    outside/000000000001.jsonl        facts from outside the range, {"fact": ..., "path": [...]}: the ledger's own, its keys, its
                                      policies and calendars so far; each with its inclusion path in the tree of N facts
    facts/000000000001.jsonl          facts of the range, a line each, at most 5,000 in a file, which is named by its first position
    parts/000000000001.txt            sealed parts to which the facts of that file refer, in their order: SHA-256, base64; or -
                                      for one that is no longer in the ledger
    checkpoints/000000000012.jsonl    the checkpoints that cover position A or more, {"note": ..., "proof": [...]}: the proof of
                                      consistency leads from the one before
    manifest.json                     of which log, which range and which checkpoint it is, and how much of everything there is
    SHA256SUMS                        the digests of these files

The range, positions A to B, is proved whole: `left` holds the roots of the whole subtrees over the A - 1 leaves before it, largest
first, and with the leaves of A to B they give the root over the first B; `right` is the proof of consistency (RFC 6962, section
2.1.2) from there to the N of the checkpoint. Both are of logarithmic size, and no leaf can be left out: each says its own position.

A fact's line has the columns of its row, instants as text, the SHA-256 of its stored bytes, and these bytes as text, or null
where they were left out. The leaf is made of the columns and the SHA-256 (`opsledger.audit.leaf`). All of it is JSON as `json_line`
writes it, and read in no other form. `verify_auditpack.py` beside this module reads packs; it shares no code with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, NamedTuple

from opsledger.errors import BadInput
from opsledger.ledger.envelope import Part, Row
from opsledger.policies.instants import iso

__all__ = ["FORMAT", "VERIFIER", "PackWriter", "Reference", "base64s", "fact_of", "file_name", "json_line", "part_line", "references"]

FORMAT: Final = "opsledger/auditpack/v1"
VERIFIER: Final = "verify_auditpack.py"
"""The file beside this module by which packs are verified."""

_BLOCK: Final = 512
_HEADER: Final = struct.Struct("100s8s8s8s12s12s8ss100s8s247x")
_LATE: Final = 315532800  # 1980-01-01: of what time the files say that they are, which is of no meaning
_LARGEST: Final = 8**11
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class PackWriter:
    """Writes the files of a pack one after the other, and their digests at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sums: list[str] = []
        self._whole = hashlib.sha256()

    def add(self, name: str, content: bytes) -> None:
        """Add a file."""
        self._sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        self._write(name, content)

    def close(self) -> str:
        """Add the digests, and return the SHA-256 of the pack. The file itself is left open."""
        self._write("SHA256SUMS", "".join(self._sums).encode())
        self._out(bytes(2 * _BLOCK))
        return self._whole.hexdigest()

    def _write(self, name: str, content: bytes) -> None:
        self._out(_header(name, len(content)))
        self._out(content + bytes(-len(content) % _BLOCK))

    def _out(self, data: bytes) -> None:
        self._whole.update(data)
        self._file.write(data)


def _header(name: str, size: int) -> bytes:
    if size >= _LARGEST:
        raise BadInput("pack.too_large", f"The file {name} of the pack would have {size} bytes; export a smaller range.")
    numbers = (b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"%011o\0" % _LATE, b" " * 8)
    block = _HEADER.pack(name.encode(), *numbers, b"0", b"", b"ustar\x0000")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def file_name(folder: str, first: int, ending: str = ".jsonl") -> str:
    """Return the name of the file of a folder that begins with this position or size."""
    return str(PurePosixPath(folder) / f"{first:012d}{ending}")


def json_line(said: Any) -> bytes:
    """Return what is said as JSON, in the one way in which packs write it, on a line."""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def fact_of(row: Row, *, state: bool) -> dict[str, Any]:
    """Return the columns of a fact as a pack tells them, with its stored bytes or without. Raises BadInput for bytes that are no text."""
    try:
        text = row.state.decode() if state else None
    except UnicodeDecodeError:
        raise BadInput(
            "pack.not_text", f"The stored bytes of position {row.position} are no text; verify the continuity of the log."
        ) from None
    told = row._asdict()
    del told["state"]
    times = {"occurred_at": iso(row.occurred_at), "recorded_at": iso(row.recorded_at)}
    return {**told, **times, "sha256": hashlib.sha256(row.state).hexdigest(), "state": text}


class Reference(NamedTuple):
    """A sealed part to which stored bytes refer."""

    digest: str
    key_id: str


def references(state: bytes) -> list[Reference]:
    """Return the sealed parts to which stored bytes refer: every object {"part": SHA-256, "key": id} in them, by its form alone."""
    found: list[Reference] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        said = dict(pairs)
        if len(pairs) == 2 and isinstance(said.get("part"), str) and isinstance(said.get("key"), str) and _DIGEST.fullmatch(said["part"]):
            found.append(Reference(said["part"], said["key"]))

    if b'"part"' in state:
        try:
            json.loads(state, object_pairs_hook=look, parse_int=str)
        except (ValueError, RecursionError):
            return []
    return found


def part_line(digest: str, part: Part | None) -> bytes:
    """Return the line of a sealed part, or of one that is not there any more."""
    return f"{digest} {'-' if part is None else base64.b64encode(part.sealed).decode()}\n".encode()


def base64s(values: Iterable[bytes]) -> list[str]:
    """Return hashes as text."""
    return [base64.b64encode(each).decode() for each in values]
