"""The tables of a Zendesk export, made into one log: a row for each thing that happened to a ticket, in the order of time.

    ticket                 when it was opened, by whom and how; and how it stood when it was changed last
    ticket_field_history   its status, priority, group and assignee, whenever one of them changed
    ticket_comment         replies and notes; who of the authors is staff, the table user says

What a table says of now (status, priority, group, assignee of `ticket`) is read as of `updated_at`, never for the time before. A value
that a row does not name is that of the row before it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from opsledger.errors import BadInput
from opsledger.importers.cases import BadRow
from opsledger.importers.event_log_mapping import EventLog
from opsledger.importers.event_log_rows import Event, event_of
from opsledger.importers.event_log_times import instants
from opsledger.importers.files import Unreadable, lines

__all__ = ["REQUIRED", "found", "read"]

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "ticket": (
        *("id", "created_at", "updated_at", "status", "priority", "organization_id", "requester_id", "via_channel"),
        *("assignee_id", "group_id"),
    ),
    "ticket_field_history": ("ticket_id", "field_name", "updated", "user_id", "value"),
    "ticket_comment": ("id", "ticket_id", "created", "user_id", "public"),
    "user": ("id", "role"),
}
"""Tables that are read, and which of their columns. Only `ticket` has to be there."""

_ENDINGS: Final = tuple(f"{name}.csv{packed}" for name in ("", "_data") for packed in ("", ".gz", ".xz"))
_FIELDS: Final = {"status": "event", "priority": "priority", "assignee_id": "assignee", "group_id": "group"}
_HELD: Final = ("organization", "requester", "channel", "event", "priority", "assignee", "group")
_COLUMNS: Final = ("ticket", "at", "record", "author", *_HELD)
_STAFF: Final = ("agent", "admin")
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6})\d*)?(?:Z|\+00:?00| UTC)?")

Cells = dict[str, str | None]


class _Happening(NamedTuple):
    """A row of a table that says that something happened. `says` are columns of the mapping's log."""

    at: str
    place: int  # of its table among those of the same instant: opened, changed, commented, as it stands
    where: str  # table and line: ticket_comment:7
    record: str  # names it within its ticket
    says: Cells
    states: bool = True


@dataclass(slots=True)
class _Ticket:
    opened_at: str
    happenings: list[_Happening] = field(default_factory=list)


def found(folder: Path) -> dict[str, Path]:
    """Return the files of an export by their tables. Raises BadInput where there are no tickets, or a table stands there twice."""
    files: dict[str, Path] = {}
    for table in REQUIRED:
        there = [path for ending in _ENDINGS if (path := folder / f"{table}{ending}").is_file()]
        if len(there) > 1:
            raise BadInput("import.twice", f"'{folder.name}' holds {' and '.join(path.name for path in there)}; leave one of them.")
        if there:
            files[table] = there[0]
    if "ticket" not in files:
        raise BadInput("import.no_tickets", f"'{folder.name}' holds no ticket.csv or ticket_data.csv; give the folder of the export.")
    return files


def read(files: Mapping[str, Path], mapping: EventLog) -> Iterator[Event | BadRow]:
    """Yield what happened, ticket by ticket, each in the order of time; and at the end what belongs to no ticket of the export.

    Each row of `ticket` is told twice, as it was opened and as it stands. What is told is numbered from 1; where it cannot be taken in,
    table and line are named in place of a column. Raises BadInput where a table cannot be read. All tables are
    held in memory.
    """
    unknown = set(mapping.named) - {*_COLUMNS}
    if unknown:
        raise BadInput(
            "mapping.column", f"There is no column {', '.join(sorted(unknown))}; a mapping for Zendesk reads {', '.join(_COLUMNS)}."
        )
    for number, each in enumerate(_told(files, mapping), 1):
        yield each._replace(row=number)


def _told(files: Mapping[str, Path], mapping: EventLog) -> Iterator[Event | BadRow]:
    bad: list[BadRow] = []
    roles = {row["id"]: row["role"] for _, row in _rows(files, "user", bad)}
    tickets: dict[str, _Ticket] = {}
    for where, row in _rows(files, "ticket", bad):
        opened, now = _opened(where, row), _standing(where, row)
        tickets.setdefault(row["id"] or "", _Ticket(opened.at)).happenings += [opened, now]
    for table, told in (("ticket_field_history", _change), ("ticket_comment", _comment(roles))):
        for where, row in _rows(files, table, bad):
            happened = told(where, row)
            if (ticket := tickets.get(row["ticket_id"] or "")) is not None:
                ticket.happenings.append(happened)
            else:
                bad.append(BadRow(0, "orphaned", where, f"{row['ticket_id']}/{happened.record}"))
    instant = instants(mapping.time.format, mapping.time.zone)
    for id, ticket in tickets.items():
        yield from _log(id, ticket, mapping, instant)
    yield from bad


def _opened(where: str, row: Cells) -> _Happening:
    by = {"organization": row["organization_id"], "requester": row["requester_id"], "channel": row["via_channel"]}
    return _Happening(_time(row["created_at"]), 0, where, "opened", {"event": "new", **by})


def _standing(where: str, row: Cells) -> _Happening:
    at = _time(row["updated_at"])
    now = {"event": row["status"], "priority": row["priority"], "assignee": row["assignee_id"], "group": row["group_id"]}
    return _Happening(at, 3, where, f"as of {at}", now)


def _change(where: str, row: Cells) -> _Happening:
    at, name = _time(row["updated"]), row["field_name"] or ""
    says: Cells = {_FIELDS[name]: row["value"]} if name in _FIELDS else {}
    return _Happening(at, 1, where, f"{name} at {at}", {**says, "author": row["user_id"]})


def _comment(roles: Mapping[str | None, str | None]) -> Callable[[str, Cells], _Happening]:
    def told(where: str, row: Cells) -> _Happening:
        role = roles.get(row["user_id"])
        by = "unknown" if role is None else "staff" if role in _STAFF else "customer"
        word = f"reply by {by}" if (row["public"] or "").lower() == "true" else "note"
        says: Cells = {"event": word, "author": row["user_id"]}
        return _Happening(_time(row["created"]), 2, where, f"comment {row['id']}", says, states=False)

    return told


def _log(id: str, ticket: _Ticket, mapping: EventLog, instant: Callable[[str], int]) -> Iterator[Event | BadRow]:
    """Yield the events of a ticket, each with the values that still hold; what is said to be from before its opening counts then.

    Where the opening cannot be read, nobody knows when it was, and the rest is set aside with it.
    """
    held: Cells = dict.fromkeys(_HELD)
    opened = False
    for each in sorted(ticket.happenings, key=lambda each: (each.place > 0, max(each.at, ticket.opened_at), each.at, each.place)):
        at, says = max(each.at, ticket.opened_at), each.says
        if each.states:
            held.update({name: value for name, value in says.items() if name in held})
        elif each.at == ticket.opened_at:
            says = {**says, "event": "description"}
        name = f"{id}/{each.record}"
        if each.place and not opened:
            yield BadRow(0, "orphaned", each.where, name)
            continue
        try:
            event = event_of(mapping, instant, 0, {**held, "author": None, **says, "ticket": id, "at": at, "record": each.record})
        except Unreadable as error:
            yield BadRow(0, "malformed", f"{each.where} {error.column}", name)
            continue
        opened = True
        own = msgspec.json.encode([each.at, *sorted(each.says.items())])
        yield event._replace(content=own, states=each.states, moved=at != each.at)


# Reading tables.


def _rows(files: Mapping[str, Path], table: str, bad: list[BadRow]) -> Iterator[tuple[str, Cells]]:
    """Yield the rows of a table with where each ends, as ticket_comment:7; nothing where there is none. A field may hold ends of lines."""
    path = files.get(table)
    if path is None:
        return
    reader = csv.reader(
        (line.decode("utf-8-sig" if i == 0 else "utf-8", errors="replace") for i, line in enumerate(lines(path))), strict=True
    )
    try:
        header = next(reader, [])
        places = {name: _place(header, name, path) for name in REQUIRED[table]}
        for fields in reader:
            if len(fields) == len(header):
                yield f"{table}:{reader.line_num}", {name: fields[place] or None for name, place in places.items()}
            elif fields:
                bad.append(BadRow(0, "malformed", f"{table}:{reader.line_num}"))
    except csv.Error as error:
        raise BadInput(
            "import.unreadable", f"'{path.name}' cannot be read to its end ({error}); nothing of it is imported. Get it again."
        ) from None


def _place(header: list[str], name: str, path: Path) -> int:
    if header.count(name) != 1:
        held = "twice" if name in header else "not at all"
        raise BadInput("import.column", f"The first line of '{path.name}' has '{name}' {held}; give the tables as Zendesk exports them.")
    return header.index(name)


def _time(text: str | None) -> str:
    """Return a time of an export in one form, which sorts; what is none stays as it is, and is refused where it is read."""
    looks = _TIME.fullmatch(text or "")
    return f"{looks[1]} {looks[2]}.{(looks[3] or '').ljust(6, '0')}" if looks else text or ""
