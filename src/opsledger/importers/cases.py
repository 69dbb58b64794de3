"""Logs of cases, such as tickets: read once before anything of them is recorded, then taken in case by case.

What holds for each of them stands here: nothing from the future, hours and an operating model for the time of the log, rows of a case
that stand together in one batch. What a row says is each importer's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from opsledger.domain.concept import another
from opsledger.domain.imports import Reason
from opsledger.importers.history import History, prepare
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.policies.instants import micros

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["BadRow", "Batch", "Log", "Progress", "approved", "take_in"]

Progress = Callable[[int, int], None]
"""Told (done, of) in rows."""

_BATCH_ROWS: Final = 2000  # some three thousand facts; larger batches are no faster


class BadRow(NamedTuple):
    """A row that is not taken in, and why. `column` None: the row as a whole."""

    row: int
    reason: Reason
    column: str | None = None
    source_id: str | None = None

    @property
    def aside(self) -> Quarantined:
        """The row as it is listed."""
        return Quarantined(self.row, self.reason, self.source_id, self.column)


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Log(Generic[R]):
    """An export, and what has to be known of its rows before they are taken in. Instants in microseconds."""

    source: str
    name: str  # of the file or folder
    zone: str
    read: Callable[[], Iterator[R | BadRow]]  # from the beginning, each time
    sha256: Callable[[], str]
    case: Callable[[R], str]
    times: Callable[[R], tuple[int, int]]  # the earliest and the latest that a row names
    future: Callable[[R, int], BadRow]  # a row from after an instant, as it is set aside


@dataclass(slots=True)
class Batch(Generic[R]):
    """Rows to take in together: those of each case, in the log's order, and those that cannot be read."""

    cases: dict[str, list[R]] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    size: int = 0


class _Survey(NamedTuple):
    """A log as a whole. `first` and `last` are microseconds, both 0 where no row can be taken in."""

    sha256: str
    rows: int
    first: int
    last: int


def approved(source: str, proposer: str | None, approver: str) -> str:
    """Return who proposes the operating model of an import. Raises Refused where the approver is the same."""
    another(approver, proposer or f"import:{source}", "the operating model of this import")
    return proposer or f"import:{source}"


def take_in(
    ledger: OpsLedger,
    log: Log[R],
    taking: Callable[[Run, str | None], Callable[[Batch[R]], None]],
    *,
    proposer: str | None,
    approver: str,
    progress: Progress | None,
) -> ImportResult:
    """Take in a log batch by batch; return what was new, known and set aside.

    `taking` is given the run and the operating model that tickets pin, None where there is no row to take in, and returns what takes
    in a batch. Raises BadInput where the log cannot be read to its end; then nothing was recorded.
    """
    responsible = approved(log.source, proposer, approver)
    now = micros(ledger.now())
    found = _survey(log, now)
    run = Run.start(ledger, log.source, file_name=log.name, sha256=found.sha256, zone=log.zone, rows=found.rows)
    ref = None
    if found.last:
        ref = prepare(ledger, History(found.first, found.last, responsible, approver, f"import of {log.source} history from {log.name}"))
    take, done = taking(run, ref), 0
    for batch in _batches(log, now):
        take(batch)
        done += batch.size
        if progress is not None:
            progress(done, found.rows)
    return run.finish(rows=found.rows, sha256=found.sha256, policy_ref=ref)


def _survey(log: Log[R], now: int) -> _Survey:
    """Read a log once before anything of it is recorded, so that a damaged or wrong one leaves nothing behind."""
    rows = first = last = 0
    for row in _rows(log, now):
        rows += 1
        if not isinstance(row, BadRow):
            earliest, latest = log.times(row)
            first, last = min(first or earliest, earliest), max(last, latest)
    return _Survey(log.sha256(), rows, first, last)


def _rows(log: Log[R], now: int) -> Iterator[R | BadRow]:
    """Yield a log's rows; one from after `now`, which the ledger would refuse with its whole batch, as a bad one."""
    for row in log.read():
        if isinstance(row, BadRow) or log.times(row)[1] <= now:
            yield row
        else:
            yield log.future(row, now)


def _batches(log: Log[R], now: int) -> Iterator[Batch[R]]:
    """Yield rows in batches that part no case whose rows stand together."""
    batch, case = Batch[R](), None
    for row in _rows(log, now):
        if len(batch.bad) >= _BATCH_ROWS or (batch.size >= _BATCH_ROWS and not isinstance(row, BadRow) and log.case(row) != case):
            yield batch
            batch = Batch[R]()
        if isinstance(row, BadRow):
            batch.bad.append(row)
        else:
            case = log.case(row)
            batch.cases.setdefault(case, []).append(row)
        batch.size += 1
    if batch.size:
        yield batch
