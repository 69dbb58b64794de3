"""What a row of an uptime monitor's history says: one site was in a state when it was probed, and the row before holds up to it.

Upptime keeps its history as commits, one for each change of state and one a day; a row is a commit. So between two rows that
are not too far apart the monitor went on probing and saw no change.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple, get_args

import msgspec

from opsledger.app.recording import checked_id
from opsledger.domain import probe
from opsledger.errors import BadInput
from opsledger.importers.files import Unreadable, lines
from opsledger.policies.instants import micros, moment, parse

__all__ = ["COLUMNS", "BadRow", "ProbeRow", "Site", "dirt", "facts_of", "read"]

COLUMNS: Final = ("commit", "slug", "status", "code", "last_updated")
"""Columns that are read, of those in which the history is exported."""

_STATES: Final[tuple[probe.State, ...]] = get_args(probe.State)
_FIRST, _LAST = parse("2000-01-01"), parse("2051-01-01")


class ProbeRow(NamedTuple):
    """A row that can be read."""

    row: int  # line of the file; the header is line 1
    source_id: str  # of the commit and the site
    slug: str
    at: int  # when the site was probed, microseconds
    state: probe.State
    error: str | None  # code of what went wrong; None: nothing did
    known_status: bool  # whether the monitor's word for the state is one of ours
    content: bytes


class BadRow(NamedTuple):
    """A row that is not taken in, with the column that cannot be read; None: the row as a whole."""

    row: int
    column: str | None = None


@dataclass(slots=True)
class Site:
    """What is known of a site from one location after the facts heard so far."""

    service_id: str
    location: str
    newest: int | None = None  # up to when something is known, microseconds; None: nothing is
    state: probe.State | None = None  # None: nobody can say, so that the next row says it in any case

    @property
    def streams(self) -> str:
        """What the names of its streams begin with, one stream a month."""
        return f"probe:{self.service_id}@{self.location}/"

    def hear(self, event: probe.Fact) -> None:
        """Take one fact, in the order in which they were recorded."""
        match event:
            case probe.StateChanged():
                self._know(micros(event.changed_at), event.state)
            case probe.Covered():
                self._know(micros(event.covered_until), self.state if event.state is None else event.state)
            case probe.StateCorrected():
                self.state = None

    def _know(self, at: int, state: probe.State | None) -> None:
        if self.newest is None or at >= self.newest:
            self.newest, self.state = at, state


def read(path: Path) -> Iterator[ProbeRow | BadRow]:
    """Yield what each line after the header says. Raises BadInput where the file is no such history."""
    source = lines(path)
    header = next(csv.reader([next(source, b"").decode("utf-8", errors="replace")]), [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise BadInput(
            "import.not_upptime",
            f"'{path.name}' is not an uptime monitor's history: its first line lacks {missing[0]}; give it with a header.",
        )
    chosen = itemgetter(*(header.index(name) for name in COLUMNS))
    for row, line in enumerate(source, 2):
        if line.strip():
            try:
                yield _row(row, line, len(header), chosen)
            except Unreadable as error:
                yield BadRow(row, error.column)


def facts_of(site: Site, row: ProbeRow, *, silent_after: int) -> tuple[probe.Fact, ...]:
    """Return the facts that a row adds, and let the site hear them. The row must be later than what is known of the site.

    It covers the time since what is known where that is no longer than `silent_after` microseconds; after a longer silence the
    state is said anew, also where it is the same, since nobody knows what was between.
    """
    at, made = moment(row.at), list[probe.Fact]()
    heard = site.newest is not None and row.at - site.newest <= silent_after
    if heard and site.newest is not None:
        covered = probe.Covered(
            covered_until=at, covered_from=moment(site.newest), service_id=site.service_id, location=site.location, state=site.state
        )
        made.append(covered)
    if not heard or site.state != row.state:
        made.append(probe.StateChanged(changed_at=at, service_id=site.service_id, location=site.location, state=row.state, error=row.error))
    for event in made:
        site.hear(event)
    return tuple(made)


def dirt(rows: Iterable[ProbeRow], sites: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (kind, row) for what a clean history would not have.

    What is done about it: at an unknown_status nobody knows the state; a site_not_configured is one that the monitor watched
    once, or comes from its template, and is taken in as any other.
    """
    configured = frozenset(sites)
    for row in rows:
        if not row.known_status:
            yield "unknown_status", row.row
        if configured and row.slug not in configured:
            yield "site_not_configured", row.row


def _row(row: int, line: bytes, width: int, chosen: Callable[[list[str]], tuple[str, ...]]) -> ProbeRow:
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise Unreadable from None
    if len(fields) != width:
        raise Unreadable
    commit, slug, status, code, last_updated = chosen(fields)
    state = next((each for each in _STATES if each == status), None)
    if not code.isascii() or not code.isdigit():
        raise Unreadable("code")
    return ProbeRow(
        row=row,
        source_id=f"{_id(commit, 'commit')}/{_id(slug, 'slug')}",
        slug=slug,
        at=_instant(last_updated),
        state=state or "unknown",
        error=_error(state, code),
        known_status=state is not None,
        content=msgspec.json.encode([slug, status, code, last_updated]),
    )


def _error(state: probe.State | None, code: str) -> str | None:
    """Return the code of an error: no_answer where the monitor had no HTTP status at all."""
    if state == "up":
        return None
    return f"http_{int(code)}" if int(code) else "no_answer"


def _id(value: str, column: str) -> str:
    try:
        if checked_id(value) == value and len(value) <= 100:
            return value
    except BadInput:
        pass
    raise Unreadable(column)


def _instant(value: str) -> int:
    try:
        at = parse(value)
    except BadInput:
        raise Unreadable("last_updated") from None
    if not _FIRST <= at < _LAST:
        raise Unreadable("last_updated")
    return at
