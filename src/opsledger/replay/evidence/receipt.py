"""The receipt of a replay: what was replayed, as of when, by what, and the digests of what came out. A text for people, read strictly.

    opsledger/receipt/v1
    origin opsledger/5f0c...                        the log
    simulated no
    position 8247                                   known at, and when that fact was recorded
    recorded_at 2026-04-01T00:00:00.000000Z
    effective_at 2026-04-01T00:00:00.000000Z
    log 8247 9xfzjR/UCKkb...=                       Merkle root over the facts up to that position
    checkpoint 8247 9xfzjR/UCKkb...=                the newest that was signed; none: there was none
    program opsledger 0.1.0
    source 41d0...                                  SHA-256 over the files of the program
    python 3.11.7
    log_database SQLite 3.40.1
    table_database SQLite 3.40.1
    tz_data 2025b
    topics 0d3c...                                  SHA-256 over the stored forms of all kinds of facts, by topic and revision
    plugin refunds 1.0                              where the host has added concepts or projections
    governed 4 policy:operating-model 9d22...       policies and calendars that were known: position, stream, digest
    projection ticket 1 8a04...                     with its version and the shape of its tables
    table ticket 2190 7be1...                       with its number of rows
    parts ticket AAAB... AAEC...                    digests of its parts and of those across, which lead to the row that differs

It may be signed, as a note. Each line can be written in one way only.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from opsledger.audit.merkle import HASH_SIZE
from opsledger.audit.note import Note, decimal, unbase64
from opsledger.errors import BadInput, OpsledgerError
from opsledger.policies.instants import iso, parse
from opsledger.replay.digest import PARTS, Parted

__all__ = ["Governed", "Receipt", "TableResult", "Tree", "Versions", "read_receipt"]

_HEAD: Final = "opsledger/receipt/v1"
_PART_SIZE: Final = 6  # bytes of a part's digest; the digest of the whole table is whole
_SIGNED: Final = "\n\n\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Tree:
    """How many facts, and the Merkle root over them."""

    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.size} {base64.b64encode(self.root).decode()}"


@dataclass(frozen=True, slots=True)
class Governed:
    """A version of a policy or calendar: where it was published or corrected, and the digest of what it says."""

    position: int
    stream: str
    digest: str


@dataclass(frozen=True, slots=True)
class Versions:
    """By what a replay was made."""

    program: str
    source: str
    python: str
    log_database: str
    table_database: str
    tz_data: str
    topics: str
    plugins: tuple[str, ...]
    projections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableResult:
    """What came out for one table. Digests of parts that are not empty, by their number."""

    name: str
    rows: int
    digest: str
    parts: dict[int, bytes]
    across: dict[int, bytes]

    @classmethod
    def of(cls, name: str, parted: Parted) -> TableResult:
        """Return the digests of a table as a receipt keeps them."""
        return cls(name, parted.rows, parted.digest, _kept(parted.parts), _kept(parted.across))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was replayed, and what came out. Times in microseconds. `str` gives the text that is signed."""

    origin: str
    simulated: bool
    position: int
    recorded_at: int
    effective_at: int
    log: Tree
    checkpoint: Tree | None
    versions: Versions
    governed: tuple[Governed, ...]
    tables: tuple[TableResult, ...]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        made = self.versions
        yield _HEAD
        yield f"origin {self.origin}"
        yield f"simulated {'yes' if self.simulated else 'no'}"
        yield f"position {self.position}"
        yield f"recorded_at {iso(self.recorded_at)}"
        yield f"effective_at {iso(self.effective_at)}"
        yield f"log {self.log}"
        yield f"checkpoint {self.checkpoint or 'none'}"
        yield f"program {made.program}"
        yield f"source {made.source}"
        yield f"python {made.python}"
        yield f"log_database {made.log_database}"
        yield f"table_database {made.table_database}"
        yield f"tz_data {made.tz_data}"
        yield f"topics {made.topics}"
        yield from (f"plugin {each}" for each in made.plugins)
        yield from (f"governed {each.position} {each.stream} {each.digest}" for each in self.governed)
        yield from (f"projection {each}" for each in made.projections)
        yield from (f"table {each.name} {each.rows} {each.digest}" for each in self.tables)
        yield from (f"parts {each.name} {_written(each.parts)} {_written(each.across)}" for each in self.tables)

    @classmethod
    def parse(cls, text: str) -> Receipt:
        """Return the receipt that a text says. Raises BadInput where it is none, or is written otherwise than we write it."""
        try:
            found = _parsed(_Lines(text))
        except (ValueError, OpsledgerError):
            raise _malformed() from None
        if str(found) != text:
            raise _malformed()
        return found


def read_receipt(written: bytes) -> tuple[Receipt, Note | None]:
    """Return the receipt that a file holds, and the note where it is signed; no signature is verified here. Raises BadInput."""
    try:
        text = written.decode()
    except UnicodeDecodeError:
        raise _malformed() from None
    if _SIGNED not in text:
        return Receipt.parse(text), None
    note = Note.parse(text)
    return Receipt.parse(note.text), note


class _Lines:
    """The lines of a text, taken one after the other by their first word."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0
        if self._lines.pop() or self._lines[:1] != [_HEAD]:
            raise ValueError
        self._at = 1

    def one(self, word: str) -> str:
        """Return the rest of the next line, which must begin with a word."""
        found = self.many(word, most=1)
        if not found:
            raise ValueError
        return found[0]

    def many(self, word: str, most: int | None = None) -> list[str]:
        """Return the rests of the next lines that begin with a word."""
        found: list[str] = []
        while self._at < len(self._lines) and self._lines[self._at].startswith(f"{word} ") and (most is None or len(found) < most):
            found.append(self._lines[self._at].removeprefix(f"{word} "))
            self._at += 1
        return found


def _parsed(lines: _Lines) -> Receipt:
    origin, simulated = lines.one("origin"), lines.one("simulated") == "yes"
    position = _number(lines.one("position"))
    recorded_at, effective_at = parse(lines.one("recorded_at")), parse(lines.one("effective_at"))
    log, checkpoint = _tree(lines.one("log")), lines.one("checkpoint")
    said = {word: lines.one(word) for word in ("program", "source", "python", "log_database", "table_database", "tz_data", "topics")}
    plugins = tuple(lines.many("plugin"))
    governed = tuple(_governed(each) for each in lines.many("governed"))
    versions = Versions(**said, plugins=plugins, projections=tuple(lines.many("projection")))
    tables = [each.split(" ") for each in lines.many("table")]
    parts = {name: (one, other) for name, one, other in (each.split(" ") for each in lines.many("parts"))}
    return Receipt(
        origin=origin,
        simulated=simulated,
        position=position,
        recorded_at=recorded_at,
        effective_at=effective_at,
        log=log,
        checkpoint=None if checkpoint == "none" else _tree(checkpoint),
        versions=versions,
        governed=governed,
        tables=tuple(TableResult(name, _number(rows), digest, *map(_read, parts.get(name, ("", "")))) for name, rows, digest in tables),
    )


def _governed(text: str) -> Governed:
    position, _, rest = text.partition(" ")
    stream, _, digest = rest.rpartition(" ")
    return Governed(_number(position), stream, digest)


def _tree(text: str) -> Tree:
    size, _, root = text.partition(" ")
    value = unbase64(root)
    if value is None or len(value) != HASH_SIZE:
        raise ValueError
    return Tree(_number(size), value)


def _number(text: str) -> int:
    number = decimal(text)
    if number is None:
        raise ValueError
    return number


def _kept(digests: tuple[bytes, ...]) -> dict[int, bytes]:
    """Return the digests of the parts that hold rows, cut short."""
    empty = sha256().digest()
    return {number: digest[:_PART_SIZE] for number, digest in enumerate(digests) if digest != empty}


def _written(parts: dict[int, bytes]) -> str:
    """Return parts as text: the number and the digest of each, in base64; a dash where there are none."""
    return base64.b64encode(b"".join(bytes([number]) + digest for number, digest in sorted(parts.items()))).decode() or "-"


def _read(text: str) -> dict[int, bytes]:
    value = b"" if text == "-" else unbase64(text)
    if value is None or len(value) % (1 + _PART_SIZE) or len(value) > PARTS * (1 + _PART_SIZE):
        raise ValueError
    each = range(0, len(value), 1 + _PART_SIZE)
    return {value[at]: value[at + 1 : at + 1 + _PART_SIZE] for at in each}


def _malformed() -> BadInput:
    return BadInput("receipt.malformed", "This is no receipt of a replay, or one that was edited; take it again from where it was made.")
