"""Any ticket system's event log in CSV -> facts about tickets, as a mapping says: one row is one event of a ticket.

    ledger = OpsLedger.open("sqlite:///desk.db")
    import_event_log(ledger, Path("events.csv.xz"), load(Path("desk.yaml")))

Everything was recorded on the day of the import, so "as known at" a day before it shows nothing. For an import, as-of means
effective-at: what had happened by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from opsledger.app.taking import Taken, recognise
from opsledger.domain.concept import SYSTEM
from opsledger.importers.cases import BadRow, Batch, Log, Progress, approved, take_in
from opsledger.importers.event_log_facts import Case, case_of, dirt, facts_of
from opsledger.importers.event_log_mapping import EventLog
from opsledger.importers.event_log_rows import Event, read
from opsledger.importers.files import sha256
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.ledger.codec import read_all

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["check_event_log", "import_event_log", "log_of", "take_in_events"]


def check_event_log(path: Path | str, mapping: EventLog, *, proposer: str | None = None, approver: str = SYSTEM) -> None:
    """Raise what an import of these arguments would, as far as its first row tells: before a ledger is made for it."""
    approved(mapping.source, proposer, approver)
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
    path = Path(path)
    log = log_of(path.name, mapping, lambda: read(path, mapping), lambda: sha256(path))
    return take_in_events(ledger, log, mapping, proposer=proposer, approver=approver, progress=progress)


def log_of(name: str, mapping: EventLog, read: Callable[[], Iterator[Event | BadRow]], digest: Callable[[], str]) -> Log[Event]:
    """Return an export whose rows are events as a mapping says."""
    return Log(
        source=mapping.source,
        name=name,
        zone=mapping.time.zone or "UTC",
        read=read,
        sha256=digest,
        case=attrgetter("ticket"),
        times=lambda row: (row.at, row.at),
        future=lambda row, now: BadRow(row.row, "future", mapping.columns.at, row.source_id),
    )


def take_in_events(
    ledger: OpsLedger, log: Log[Event], mapping: EventLog, *, proposer: str | None, approver: str, progress: Progress | None
) -> ImportResult:
    """Take in events of tickets; return what was new, known and set aside."""

    def taking(run: Run, ref: str | None) -> Callable[[Batch[Event]], None]:
        return _Taking(run, mapping, ref).take

    return take_in(ledger, log, taking, proposer=proposer, approver=approver, progress=progress)


@dataclass(slots=True)
class _Taking:
    """Takes in batch after batch."""

    run: Run
    mapping: EventLog
    policy_ref: str | None  # None: the file has no rows to take in

    def take(self, batch: Batch[Event]) -> None:
        """Record what is new in a batch."""
        ledger = self.run.ledger
        aside = [each.aside for each in batch.bad]
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
        for rows in batch.cases.values():
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


def _distinct(batch: Batch[Event], aside: list[Quarantined]) -> tuple[Mapping[str, Event], int]:
    """Return the events of a batch by their ids, and how many rows only repeat one; set aside those that contradict one."""
    found: dict[str, Event] = {}
    again = 0
    for rows in batch.cases.values():
        for row in rows:
            first = found.setdefault(row.source_id, row)
            if first is row:
                continue
            if first.content == row.content:
                again += 1
            else:
                aside.append(Quarantined(row.row, "changed", row.source_id))
    return found, again
