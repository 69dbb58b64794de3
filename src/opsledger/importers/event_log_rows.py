"""The rows of an event log: one line, one event of a ticket, checked and in UTC, as a mapping says.

A line that cannot be read is yielded as a `BadRow`, so that nothing is dropped in silence.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from opsledger.app.recording import checked_id
from opsledger.errors import BadInput
from opsledger.importers.cases import BadRow
from opsledger.importers.event_log_mapping import EventLog
from opsledger.importers.event_log_times import instants
from opsledger.importers.files import Unreadable, lines
from opsledger.policies.support import Level, Priority

__all__ = ["Event", "event_of", "read"]

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event of a ticket, as its source wrote it. Instants in microseconds; None where the source says nothing."""

    row: int  # line of the file; the header is line 1
    source_id: str
    content: bytes  # what the mapping reads, by which a later copy is compared
    ticket: str
    at: int
    word: str
    customer: str | None
    channel: str | None
    group: str | None
    assignee: str | None
    agent: str | None
    level: Level | None
    stated_level: str | None
    priority: Priority | None  # None: no priority that we know, or none that may be read yet
    stated_priority: str | None
    category: str | None
    subcategory: str | None
    service: str | None
    requester: str | None = None  # None: the customer asked
    moved: bool = False  # whether it is counted later than the source says, when its ticket was opened
    states: bool = True  # whether the word is the source's state of the ticket


def read(path: Path, mapping: EventLog) -> Iterator[Event | BadRow]:
    """Yield what each line after the header says. Raises BadInput where the file lacks a column, or no such zone exists."""
    source = lines(path)
    instant = instants(mapping.time.format, mapping.time.zone)
    reader = _reader(path, next(source, b""), mapping, instant)
    for row, line in enumerate(source, 2):
        if not line.strip():
            continue
        try:
            yield reader.event(row, line)
        except Unreadable as error:
            yield BadRow(row, "malformed", error.column)


def _reader(path: Path, header: bytes, mapping: EventLog, instant: Callable[[str], int]) -> _Reader:
    names = _fields(header.removeprefix(_BOM).decode("utf-8", errors="replace"), mapping.delimiter)
    for name in mapping.named:
        if names.count(name) != 1:
            held = "twice" if name in names else "not at all"
            raise BadInput(
                "import.column",
                f"The mapping reads a column '{name}', which the first line of '{path.name}' has {held}; name columns as that line does.",
            )
    return _Reader(mapping, len(names), {name: names.index(name) for name in mapping.named}, instant)


def _fields(text: str, delimiter: str) -> list[str]:
    """Return the fields of one line. Each line stands alone, so that a stray quote spoils no other line."""
    text = text.rstrip("\r\n")
    return text.split(delimiter) if '"' not in text else next(csv.reader([text], delimiter=delimiter, strict=True), [])


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads lines with one header."""

    mapping: EventLog
    width: int
    places: Mapping[str, int]  # of the columns that are read
    instant: Callable[[str], int]

    def event(self, row: int, line: bytes) -> Event:
        """Return what a line says. Raises Unreadable."""
        return event_of(self.mapping, self.instant, row, self._said(line))

    def _said(self, line: bytes) -> dict[str, str | None]:
        """Return the values of the columns that are read, by name."""
        try:
            fields = _fields(line.decode("utf-8"), self.mapping.delimiter)
        except (UnicodeDecodeError, csv.Error):
            raise Unreadable from None
        if len(fields) != self.width or b"\x00" in line:
            raise Unreadable
        return {name: None if fields[i] in self.mapping.missing else fields[i] for name, i in self.places.items()}


def event_of(mapping: EventLog, instant: Callable[[str], int], row: int, said: Mapping[str, str | None]) -> Event:
    """Return what the values of the columns that a mapping names say. Raises Unreadable."""
    columns = mapping.columns
    word = _required(said, columns.event)
    priority = said.get(mapping.priority.column or "")
    if mapping.priority.known == "end" and not mapping.ends(word):
        priority = None  # it tells what nobody knew by then
    level = said.get(columns.level or "")
    return Event(
        row=row,
        source_id=_id("/".join(said[name] or "" for name in mapping.event_columns), columns.ticket),
        content=msgspec.json.encode([value for name, value in said.items() if name != mapping.priority.column] + [priority]),
        ticket=_id(_required(said, columns.ticket), columns.ticket),
        at=_at(_required(said, columns.at), columns.at, instant),
        word=word,
        customer=said.get(columns.customer or ""),
        channel=said.get(columns.channel or ""),
        group=said.get(columns.group or ""),
        assignee=said.get(columns.assignee or ""),
        agent=said.get(columns.agent or ""),
        level=None if level is None else mapping.levels.get(level),
        stated_level=level,
        priority=None if priority is None else mapping.priority.words.get(priority),
        stated_priority=priority,
        category=said.get(columns.category or ""),
        subcategory=said.get(columns.subcategory or ""),
        service=said.get(columns.service or ""),
        requester=said.get(columns.requester or ""),
    )


def _at(text: str, column: str, instant: Callable[[str], int]) -> int:
    try:
        return instant(text)
    except ValueError:
        raise Unreadable(column) from None


def _required(said: Mapping[str, str | None], column: str) -> str:
    value = said[column]
    if value is None:
        raise Unreadable(column)
    return value


def _id(text: str, column: str) -> str:
    try:
        if checked_id(text) == text:
            return text
    except BadInput:
        pass
    raise Unreadable(column)
