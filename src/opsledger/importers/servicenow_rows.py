"""The rows of a ServiceNow incident log: one line, one update of an incident, checked and in UTC.

Source: UCI "Incident management process enriched event log", doi 10.24432/C57S4H. Times are naive local to the minute; what is
missing is `?`. A line that cannot be read is yielded as a `BadRow`, so that nothing is dropped in silence.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from opsledger.app.recording import checked_id
from opsledger.errors import BadInput
from opsledger.importers.cases import BadRow
from opsledger.importers.files import Unreadable, lines
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.support import Priority
from opsledger.policies.zones import local_time

__all__ = ["COLUMNS", "SourceRow", "local_minutes", "read"]

COLUMNS: Final = (
    *("number", "incident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count", "made_sla", "caller_id"),
    *("opened_by", "opened_at", "sys_created_by", "sys_created_at", "sys_updated_by", "sys_updated_at", "contact_type", "location"),
    *("category", "subcategory", "u_symptom", "cmdb_ci", "impact", "urgency", "priority", "assignment_group", "assigned_to"),
    *("knowledge", "u_priority_confirmation", "notify", "problem_id", "rfc", "vendor", "caused_by"),
    *("closed_code", "resolved_by", "resolved_at", "closed_at"),
)
"""The log's columns. A file may have them in another order, and others besides, which are left alone."""

_MISSING: Final = "?"
_PRIORITIES: Final = {
    "1 - Critical": Priority.CRITICAL,
    "2 - High": Priority.HIGH,
    "3 - Moderate": Priority.MEDIUM,
    "4 - Low": Priority.LOW,
}
_SLA: Final = {"true": True, "false": False, None: None}
_TIME: Final = re.compile("([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})")

# Months of the reporting zone begin in 2000, and no such system is older: an earlier time is a mistake.
_FIRST_S: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LAST_S: Final = int(datetime(2051, 1, 1, tzinfo=UTC).timestamp())


class SourceRow(NamedTuple):
    """One update of an incident, as the vendor wrote it. Instants in microseconds; None where the vendor has `?`."""

    row: int  # line of the file; the header is line 1
    content: bytes  # all columns, by which a later copy is compared
    number: str
    version: int  # the vendor's sys_mod_count, which may repeat, fall or skip
    at: int  # sys_updated_at
    opened_at: int
    updated_by: str | None
    state: str | None
    priority: Priority | None  # None: no priority that we know
    stated_priority: str | None
    reopen_count: int | None
    reassignment_count: int | None
    made_sla: bool | None
    caller: str | None
    channel: str | None
    group: str | None
    resolver: str | None
    category: str | None
    subcategory: str | None
    service: str | None  # cmdb_ci, the thing that it is about
    # Outcome columns stand on every row of an incident, also on those from before anybody could know.
    closed_code: str | None
    resolved_by: str | None
    resolved_at: int | None


def read(path: Path, zone: str) -> Iterator[SourceRow | BadRow]:
    """Yield what each line after the header says. Raises BadInput where the file is no such log, or no such zone exists."""
    source = lines(path)
    minutes = local_minutes(zone)
    reader = _reader(path, next(source, b""), minutes)
    for row, line in enumerate(source, 2):
        if not line.strip():
            continue
        try:
            yield reader.row(row, line)
        except Unreadable as error:
            yield BadRow(row, "malformed", error.column)


def local_minutes(zone: str) -> Callable[[str], int]:
    """Return a function from `29/2/2016 01:16` in a zone's wall time to microseconds. It raises ValueError.

    A time in a gap is the transition itself; one that occurs twice is the first of both.
    """
    local = local_time(zone, _FIRST_S - 2 * DAY_S, _LAST_S)

    @lru_cache(maxsize=1 << 14)
    def minutes(text: str) -> int:
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError(text)
        day, month, year, hour, minute = map(int, found.groups())
        if hour > 23 or minute > 59:
            raise ValueError(text)
        days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
        second = local.first(days * DAY_S + hour * 3600 + minute * 60)
        if not _FIRST_S <= second < _LAST_S:
            raise ValueError(text)
        return second * SECOND

    return minutes


def _reader(path: Path, header: bytes, minutes: Callable[[str], int]) -> _Reader:
    names = _fields(header.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace"))
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        more = f" and {len(missing) - 1} more of the log's {len(COLUMNS)} columns" if len(missing) > 1 else ""
        raise BadInput(
            "import.not_servicenow",
            f"'{path.name}' is not a ServiceNow incident log: its first line lacks {missing[0]}{more}; give the export with its header.",
        )
    return _Reader(len(names), itemgetter(*(names.index(name) for name in COLUMNS)), minutes)


def _fields(text: str) -> list[str]:
    """Return the fields of one line. Each line stands alone, so that a stray quote spoils no other line."""
    text = text.rstrip("\r\n")
    return text.split(",") if '"' not in text else next(csv.reader([text], strict=True), [])


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads lines with one header."""

    width: int
    ordered: Callable[[list[str]], tuple[str, ...]]  # fields of a line in the order of COLUMNS
    minutes: Callable[[str], int]

    def row(self, row: int, line: bytes) -> SourceRow:
        """Return what a line says. Raises Unreadable."""
        try:
            fields = _fields(line.decode("utf-8"))
        except (UnicodeDecodeError, csv.Error):
            raise Unreadable from None
        if len(fields) != self.width or b"\x00" in line:
            raise Unreadable
        values = self.ordered(fields)
        said = [None if value in (_MISSING, "") else value for value in values]
        # In the order of COLUMNS; what is not read is named by an underscore.
        number, state, _, reassigned, reopened, version, made_sla, caller, _, opened_at, _, _, updated_by, at, channel, _, *more = said
        category, subcategory, _, service, _, _, priority, group, resolver, _, _, _, _, _, _, _, code, resolved_by, resolved_at, _ = more
        return SourceRow(
            row=row,
            content=msgspec.json.encode(values),
            number=_number(number),
            version=_required(_count(version, "sys_mod_count"), "sys_mod_count"),
            at=_required(self._instant(at, "sys_updated_at"), "sys_updated_at"),
            opened_at=_required(self._instant(opened_at, "opened_at"), "opened_at"),
            updated_by=updated_by,
            state=state,
            priority=None if priority is None else _PRIORITIES.get(priority),
            stated_priority=priority,
            reopen_count=_count(reopened, "reopen_count"),
            reassignment_count=_count(reassigned, "reassignment_count"),
            made_sla=_sla(made_sla),
            caller=caller,
            channel=channel,
            group=group,
            resolver=resolver,
            category=category,
            subcategory=subcategory,
            service=service,
            closed_code=code,
            resolved_by=resolved_by,
            resolved_at=self._instant(resolved_at, "resolved_at"),
        )

    def _instant(self, value: str | None, column: str) -> int | None:
        try:
            return None if value is None else self.minutes(value)
        except ValueError:
            raise Unreadable(column) from None


@lru_cache(maxsize=1 << 12)
def _number(value: str | None) -> str:
    try:
        if value is not None and checked_id(value) == value:
            return value
    except BadInput:
        pass
    raise Unreadable("number")


def _count(value: str | None, column: str) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise Unreadable(column)
    return int(value)


def _sla(value: str | None) -> bool | None:
    if value not in _SLA:
        raise Unreadable("made_sla")
    return _SLA[value]


def _required(value: int | None, column: str) -> int:
    if value is None:
        raise Unreadable(column)
    return value
