"""Any ticket system's event log in CSV -> facts about tickets, as a mapping says: one row is one event of a ticket.

    ledger = OpsLedger.open("sqlite:///desk.db")
    import_event_log(ledger, Path("events.csv.xz"), load(Path("desk.yaml")))

Everything was recorded on the day of the import, so "as known at" a day before it shows nothing. For an import, as-of means
effective-at: what had happened by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from opsledger.app.taking import Taken, recognise
from opsledger.domain.concept import SYSTEM, another
from opsledger.importers.event_log_facts import Case, case_of, dirt, facts_of
from opsledger.importers.event_log_mapping import EventLog
from opsledger.importers.event_log_rows import BadLine, Event, read
from opsledger.importers.files import sha256
from opsledger.importers.history import History, prepare
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.ledger.codec import read_all
from opsledger.policies.instants import micros

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["check_event_log", "import_event_log"]

Progress = Callable[[int, int], None]
"""Told (done, of) in rows."""

_BATCH_ROWS: Final = 2000


def check_event_log(path: Path | str, mapping: EventLog, *, proposer: str | None = None, approver: str = SYSTEM) -> None:
    """Raise what an import of these arguments would, as far as its first row tells: before a ledger is made for it."""
    another(approver, proposer or f"import:{mapping.source}", "the operating model of this import")
    next(read(Path(path), mapping), None)


def import_event_log(
    ledger: OpsLedger,
    path: Path | str,
    mapping: EventLog,
    *,
    proposer: str | None = None,
    approver: str = SYSTEM,
    progress: Progress | None = None,
) -> ImportResult:
    """Take in a log (.csv, .csv.xz, .csv.gz) as a mapping says; return what was new, known and set aside.

    Each row is known by its ticket, time and event, or by the columns that the mapping says name an event. The same again,
    in another file or in this one, adds nothing. A row whose content has changed since, that cannot be read, that lies in the
    future, or that belongs before events taken in already, is set aside and listed in `import_quarantine`, and nothing of it
    is recorded. Only columns that the mapping reads are compared. What is unclean but usable is counted in `import_dirt`.

    The rows of a ticket that stand together are put in the order of time; those of one time keep the file's order. A log
    whose tickets are mixed is taken in in its own order, so it has to be in the order of time.

    Before the first row, calendars are published where those known begin later, and an operating model of resolution targets
    alone, which tickets pin; `proposer` (default: the import itself) and `approver` answer for both. Promised times in
    imported facts stay null, since nobody promised them.

    An import that was cut off goes on when repeated. Raises BadInput where the file lacks a column of the mapping or the zone
    is unknown, Refused where the approver is the proposer; in both cases nothing was recorded.
    """
    path, source = Path(path), mapping.source
    responsible = proposer or f"import:{source}"
    another(approver, responsible, "the operating model of this import")
    now = micros(ledger.now())
    found = _survey(path, mapping, now)
    run = Run.start(ledger, source, file_name=path.name, sha256=found.sha256, zone=mapping.time.zone or "UTC", rows=found.rows)
    ref = None
    if found.last:
        ref = prepare(ledger, History(found.first, found.last, responsible, approver, f"import of {source} history from {path.name}"))
    taking, done = _Taking(run, mapping, ref), 0
    for batch in _batches(_rows(path, mapping, now)):
        taking.take(batch)
        done += batch.size
        if progress is not None:
            progress(done, found.rows)
    return run.finish(rows=found.rows, sha256=found.sha256, policy_ref=ref)


class _Survey(NamedTuple):
    """A file as a whole. `first` and `last` are microseconds, both 0 where no row can be taken in."""

    sha256: str
    rows: int
    first: int
    last: int


@dataclass(slots=True)
class _Batch:
    """Rows to take in together: those of each ticket, in the file's order, and those that cannot be read."""

    tickets: dict[str, list[Event]] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)
    size: int = 0


def _survey(path: Path, mapping: EventLog, now: int) -> _Survey:
    """Read a file once before anything of it is recorded, so that a damaged or wrong one leaves nothing behind."""
    rows = first = last = 0
    for row in _rows(path, mapping, now):
        rows += 1
        if isinstance(row, Event):
            first, last = min(first or row.at, row.at), max(last, row.at)
    return _Survey(sha256(path), rows, first, last)


def _rows(path: Path, mapping: EventLog, now: int) -> Iterator[Event | BadLine]:
    """Yield a file's rows; one from after `now`, which the ledger would refuse with its whole batch, as a bad one."""
    for row in read(path, mapping):
        yield BadLine(row.row, "future", mapping.columns.at) if isinstance(row, Event) and row.at > now else row


def _batches(rows: Iterator[Event | BadLine]) -> Iterator[_Batch]:
    """Yield rows in batches that part no ticket whose rows stand together."""
    batch, ticket = _Batch(), None
    for row in rows:
        if len(batch.bad) >= _BATCH_ROWS or (batch.size >= _BATCH_ROWS and isinstance(row, Event) and row.ticket != ticket):
            yield batch
            batch = _Batch()
        if isinstance(row, Event):
            ticket = row.ticket
            batch.tickets.setdefault(ticket, []).append(row)
        else:
            batch.bad.append(row)
        batch.size += 1
    if batch.size:
        yield batch


@dataclass(slots=True)
class _Taking:
    """Takes in batch after batch."""

    run: Run
    mapping: EventLog
    policy_ref: str | None  # None: the file has no rows to take in

    def take(self, batch: _Batch) -> None:
        """Record what is new in a batch."""
        ledger = self.run.ledger
        aside = [Quarantined(each.row, each.reason, column=each.column) for each in batch.bad]
        distinct, again = _distinct(batch, aside)
        seen = recognise(ledger, self.run.source, {source_id: row.content for source_id, row in distinct.items()})
        fresh: dict[str, list[Event]] = {}
        for source_id, row in distinct.items():
            if source_id in seen.changed:
                aside.append(Quarantined(row.row, "changed", source_id))
            elif source_id not in seen.known:
                fresh.setdefault(row.ticket, []).append(row)
        standing = ledger.store.heads([f"ticket:{ticket}" for ticket in fresh])
        records: list[Taken] = []
        for ticket, rows in fresh.items():
            records += self._ticket(ticket, rows, aside, known=f"ticket:{ticket}" in standing)
        for rows in batch.tickets.values():
            self.run.count(dirt(rows, self.mapping))
        self.run.take(records, sorted(aside, key=lambda each: each.row), known=len(seen.known) + again)

    def _ticket(self, ticket: str, rows: Sequence[Event], aside: list[Quarantined], *, known: bool) -> Iterator[Taken]:
        """Yield the records of a ticket's new rows that go on from what is known of it; set aside the others."""
        assert self.policy_ref is not None
        case = self._case(ticket) if known else Case()
        if known and not case.registered:
            aside += [Quarantined(row.row, "foreign", row.source_id) for row in rows]
            return
        before = case.newest
        aside += [Quarantined(row.row, "late", row.source_id) for row in rows if row.at < before]
        for row in sorted((row for row in rows if row.at >= before), key=attrgetter("at")):
            facts = facts_of(case, row, self.mapping, self.policy_ref)
            yield Taken(row.source_id, tuple((f"ticket:{ticket}", fact) for fact in facts), row.content)

    def _case(self, ticket: str) -> Case:
        """Return what the ledger knows of a ticket from this source."""
        history = read_all(self.run.ledger.store.stream(f"ticket:{ticket}"))
        return case_of((each.fact, each.occurred_at) for each in history if each.source == self.run.source)


def _distinct(batch: _Batch, aside: list[Quarantined]) -> tuple[Mapping[str, Event], int]:
    """Return the events of a batch by their ids, and how many rows only repeat one; set aside those that contradict one."""
    found: dict[str, Event] = {}
    again = 0
    for rows in batch.tickets.values():
        for row in rows:
            first = found.setdefault(row.source_id, row)
            if first is row:
                continue
            if first.content == row.content:
                again += 1
            else:
                aside.append(Quarantined(row.row, "changed", row.source_id))
    return found, again
