"""Reading: promises from the log itself, tables kept up with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any

import sqlalchemy as sa

from opsledger.domain.concept import clocks_of
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput
from opsledger.ledger.store import Store
from opsledger.policies.clock import Outcome
from opsledger.policies.instants import SECOND, micros, moment
from opsledger.policies.known import Known
from opsledger.projections.table import Table
from opsledger.replay.build import Progress
from opsledger.replay.executor import executor
from opsledger.replay.live import Live
from opsledger.replay.rebuild import rebuild
from opsledger.replay.shadow import Difference
from opsledger.replay.tables import AsOf, Tables

__all__ = ["LedgerTables", "Promised", "promises"]


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise and how it stands at an instant. Lengths in business seconds, cut to whole ones."""

    metric: str
    cycle: int
    started_at: datetime
    target_s: int | None
    due_at: datetime | None
    breach_at: datetime | None
    stopped_at: datetime | None
    elapsed_s: int
    outcome: Outcome


def promises(history: Sequence[Recorded], known: Known, at: datetime) -> list[Promised]:
    """Return the promises on a stream at `at`, which is taken no earlier than its newest fact."""
    as_of = max(micros(at), *(recorded.occurred_at for recorded in history))
    found = []
    for clock in clocks_of(history, known):
        if clock.metric.purpose != "promise":
            continue
        reading = clock.reading(as_of)
        found.append(
            Promised(
                metric=clock.metric.name,
                cycle=clock.cycle,
                started_at=moment(clock.started_at),
                target_s=None if clock.target is None else clock.target // SECOND,
                due_at=_moment(reading.due_at),
                breach_at=_moment(reading.breach_at),
                stopped_at=_moment(clock.stopped_at),
                elapsed_s=reading.elapsed // SECOND,
                outcome=reading.outcome,
            )
        )
    return found


class LedgerTables:
    """The tables of one ledger. Reads see what stands; `at_least` brings them up to a position first."""

    def __init__(self, store: Store, tables: Tables, *, simulated: bool) -> None:
        self.tables = tables
        self._store = store
        self._simulated = simulated
        self._live = Live(store, tables, simulated=simulated)
        self._lock = RLock()
        self._prepared = False

    def select(self, table: str | Table, *, at_least: int | None = None, **where: Any) -> list[dict[str, Any]]:
        """Return the rows of a table or view, in order of its key, whose columns equal what is given.

        `at_least` is a position that the rows must show, such as a receipt's: the calling thread brings them there, or
        waits for whoever else does. Instants are datetimes in UTC.
        """
        self._at_least(at_least)
        return self.tables.select(table if isinstance(table, str) else table.name, **where)

    def query(self, statement: sa.Executable, *, at_least: int | None = None) -> list[dict[str, Any]]:
        """Return the rows of an SQLAlchemy statement."""
        self._at_least(at_least)
        return self.tables.query(statement)

    def catch_up(self, until: int | None = None, progress: Progress | None = None, *, workers: int = 1) -> int:
        """Bring all tables up to a position (default: the newest fact); return the position that they show.

        Tables that are missing are built by so many processes, as by `rebuild`.
        """
        with self._lock:
            self.prepare()
            until = self._store.head().position if until is None else until
            missing = self._missing()
            if len(missing) < len(self.tables.schema.projections) and missing:
                self._live.forget()
            if missing:
                self._rebuild(missing, progress, workers)
            return self._live.catch_up(until, progress)

    def rebuild(self, names: Sequence[str] | None = None, progress: Progress | None = None, *, workers: int = 1) -> list[Difference]:
        """Build tables anew and apply what differs; return what did. By default all projections.

        With more than one of `workers`, so many processes fold beside this one; they find your concepts and projections by their
        entry points. The tables are the same.
        """
        with self._lock:
            self.prepare()
            if self._missing() or not self._live.ahead():
                self.catch_up(workers=workers)
            found = self._rebuild(names or list(self.tables.schema.projections), progress, workers)
            self._live.forget()
            return found

    def prepare(self) -> None:
        """Create the tables and views that are missing."""
        with self._lock:
            if not self._prepared:
                with self.tables.writing() as connection:
                    self.tables.schema.prepare(connection)
                self._prepared = True

    def as_of(self) -> AsOf:
        """Return what the tables show."""
        self.prepare()
        return self.tables.as_of()

    def close(self) -> None:
        """Close the connections."""
        self.tables.close()

    def _rebuild(self, names: Sequence[str], progress: Progress | None, workers: int) -> list[Difference]:
        folding = executor(workers)
        return rebuild(self._store, self.tables, names, simulated=self._simulated, progress=progress, executor=folding)

    def _missing(self) -> list[str]:
        with self.tables.told(), self.tables.engine.connect() as connection:
            standing = self.tables.positions(connection)
        return [name for name in self.tables.schema.projections if name not in standing]

    def _at_least(self, position: int | None) -> None:
        self.prepare()
        if position is None or self.tables.as_of().position >= position:
            return
        if position > (head := self._store.head().position):
            raise BadInput("tables.beyond", f"Position {position} is not recorded; the newest is {head}. Give a receipt's position.")
        self.catch_up(position)


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else moment(instant)
