"""ServiceNow's incident log -> facts about tickets: one incident is one ticket, one row one update of it.

    ledger = OpsLedger.open("sqlite:///uci.db")
    import_servicenow(ledger, Path("incidents.csv.xz"), "America/Sao_Paulo")

Everything was recorded on the day of the import, so "as known at" a day before it shows nothing. For an import, as-of means
effective-at: what had happened by then, which is why no fact may hold what was known only later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from opsledger.app.recording import checked_id
from opsledger.app.taking import Recognised, Taken, recognise
from opsledger.domain.concept import SYSTEM
from opsledger.importers.cases import BadRow, Batch, Log, Progress, approved, take_in
from opsledger.importers.files import sha256
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.importers.servicenow_facts import Case, case_of, dirt, facts_of, times
from opsledger.importers.servicenow_rows import SourceRow, read
from opsledger.ledger.codec import read_all

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["ImportResult", "check_servicenow", "import_servicenow"]


def check_servicenow(
    path: Path | str, zone: str, *, source: str = "servicenow", proposer: str = "import:servicenow", approver: str = SYSTEM
) -> None:
    """Raise what an import of these arguments would, as far as its first row tells: before a ledger is made for it."""
    checked_id(source)
    approved(source, proposer, approver)
    next(read(Path(path), zone), None)


def import_servicenow(
    ledger: OpsLedger,
    path: Path | str,
    zone: str,
    *,
    source: str = "servicenow",
    proposer: str = "import:servicenow",
    approver: str = SYSTEM,
    progress: Progress | None = None,
) -> ImportResult:
    """Take in a log (.csv, .csv.xz, .csv.gz), whose times are wall time of `zone`; return what was new, known and set aside.

    Each row is known by its incident and version number. The same file again adds nothing; a longer one adds its new rows. A
    row whose content has changed since, that cannot be read, or that belongs before rows taken in already, is set aside and
    listed in `import_quarantine`, and nothing of it is recorded. What is unclean but usable is counted in `import_dirt`.

    The file's order is the order of an incident's rows. A row counts at its `sys_updated_at`; one later than a following row
    at that one's time, one before `opened_at` at `opened_at`. The outcome columns (`closed_code`, `resolved_by`,
    `resolved_at`, `closed_at`) stand on every row, also on those from before anybody could know: they are used only on the
    row that resolves, where `resolved_at` has come by then, and `closed_code` on the one that closes.

    Before the first row, calendars are published where those known begin later, and an operating model of resolution targets
    alone, which tickets pin; `proposer` and `approver` answer for both. Promised times in imported facts stay null, since
    nobody promised them. For an import, as-of means effective-at, as all is recorded on one day.

    Memory grows with the longest incident and not with the file, where the rows of an incident stand together. An import that
    was cut off goes on when repeated. Raises BadInput where the file is no such log or the zone is unknown, Refused where the
    approver is the proposer; in both cases nothing was recorded.
    """
    path = Path(path)
    checked_id(source)
    log = Log(
        source=source,
        name=path.name,
        zone=zone,
        read=lambda: read(path, zone),
        sha256=lambda: sha256(path),
        case=attrgetter("number"),
        times=lambda row: (min(row.at, row.opened_at), max(row.at, row.opened_at)),
        future=lambda row, now: BadRow(row.row, "future", "sys_updated_at" if row.at > now else "opened_at"),
    )

    def taking(run: Run, ref: str | None) -> Callable[[Batch[SourceRow]], None]:
        channels = frozenset[str]() if ref is None else frozenset(ledger.known.model(ref).support.channels)
        return _Taking(run, ref, channels).take

    return take_in(ledger, log, taking, proposer=proposer, approver=approver, progress=progress)


def _source_ids(rows: Sequence[SourceRow]) -> list[str]:
    """Return the ids of an incident's rows: number and version, and which of those where a version stands twice."""
    found, versions = [], Counter[int]()
    for row in rows:
        versions[row.version] += 1
        turn = versions[row.version]
        found.append(f"{row.number}/{row.version}" if turn == 1 else f"{row.number}/{row.version}~{turn}")
    return found


@dataclass(slots=True)
class _Taking:
    """Takes in batch after batch."""

    run: Run
    policy_ref: str | None  # None: the file has no rows to take in
    channels: frozenset[str]  # of that model

    def take(self, batch: Batch[SourceRow]) -> None:
        """Record what is new in a batch."""
        ledger, source = self.run.ledger, self.run.source
        named = {number: dict(zip(_source_ids(rows), rows, strict=True)) for number, rows in batch.cases.items()}
        contents = {source_id: row.content for rows in named.values() for source_id, row in rows.items()}
        seen = recognise(ledger, source, contents)
        aside = [each.aside for each in batch.bad]
        records: list[Taken] = []
        fresh = {number: new for number, rows in named.items() if (new := _fresh(rows, seen, aside))}
        standing = ledger.store.heads([f"ticket:{number}" for number in fresh])
        for number, new in fresh.items():
            case, follows = Case(), new
            if f"ticket:{number}" in standing:
                case = self._case(number)
                follows = _following(case, new, aside, proven=len(new) < len(named[number]))
            records += self._incident(case, follows, aside)
        for rows in batch.cases.values():
            self.run.count(dirt(rows))
        self.run.take(records, sorted(aside, key=lambda each: each.row), known=len(seen.known))

    def _case(self, number: str) -> Case:
        """Return what the ledger knows of an incident from this source."""
        history = read_all(self.run.ledger.store.stream(f"ticket:{number}"))
        return case_of((each.fact, each.occurred_at) for each in history if each.source == self.run.source)

    def _incident(self, case: Case, rows: Mapping[str, SourceRow], aside: list[Quarantined]) -> Iterator[Taken]:
        """Yield the records of an incident's new rows. Rows before the first that has a priority cannot register it."""
        left = dict(rows)
        for source_id, row in rows.items():
            if case.opened_at is not None or row.priority is not None:
                break
            aside.append(Quarantined(row.row, "malformed", source_id, "priority"))
            del left[source_id]
        if not left:
            return
        assert self.policy_ref is not None
        ids = list(left)
        for (source_id, row), at in zip(left.items(), times(list(left.values()), case), strict=True):
            facts = facts_of(case, row, at, last=source_id == ids[-1], policy=self.policy_ref, channels=self.channels)
            yield Taken(source_id, tuple((f"ticket:{row.number}", fact) for fact in facts), row.content)


def _fresh(rows: Mapping[str, SourceRow], seen: Recognised, aside: list[Quarantined]) -> dict[str, SourceRow]:
    """Return the new rows of an incident; set aside those that have changed, and new ones before rows that are known."""
    ids = list(rows)
    after = max((i for i, each in enumerate(ids) if each in seen.known or each in seen.changed), default=-1)
    aside += [
        Quarantined(rows[source_id].row, "changed" if source_id in seen.changed else "late", source_id)
        for source_id in ids[: after + 1]
        if source_id not in seen.known
    ]
    return {source_id: rows[source_id] for source_id in ids[after + 1 :]}


def _following(case: Case, rows: dict[str, SourceRow], aside: list[Quarantined], *, proven: bool) -> dict[str, SourceRow]:
    """Return the new rows that follow what is known of an incident; set aside the others.

    Where the file shows rows that are known before the new ones, its order proves that they follow (`proven`); else time does.
    """
    if case.opened_at is None:
        aside += [Quarantined(row.row, "foreign", source_id) for source_id, row in rows.items()]
        return {}
    late = {} if proven else {each: row for each, row in rows.items() if max(row.at, case.opened_at) < case.newest}
    aside += [Quarantined(row.row, "late", source_id) for source_id, row in late.items()]
    return {source_id: row for source_id, row in rows.items() if source_id not in late}
