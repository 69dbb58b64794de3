"""Live: fold what is new, replace the rows that it changes, move on; all in one transaction for each batch.

A second runner does no harm: whoever finds the tables moved by another stands by. At the first fact that cannot be folded
everything before it is written, and the error names it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from opsledger.domain.recorded import Recorded
from opsledger.errors import Unavailable, Unfoldable
from opsledger.ledger.codec import read
from opsledger.ledger.envelope import Row as LogRow
from opsledger.ledger.store import Store
from opsledger.projections.kinds import CalendarChange, Entity, Entry, Gathered, Knowing, Projection
from opsledger.projections.kinds import Rows as RowsByTable
from opsledger.projections.table import Row, Table
from opsledger.replay.build import Progress
from opsledger.replay.folding import advance_entity, advance_knowing, entry_rows, fold_entity, fold_knowing
from opsledger.replay.joining import Joined, Joining, MovedOn, facts_until, sorts_last, when
from opsledger.replay.knowledge import Timeline, timeline
from opsledger.replay.tables import AsOf, Tables

__all__ = ["Live"]

_BATCH: Final = 1000
_KEPT: Final = 4096
_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class _Kept:
    """A stream as folded: up to which version, the newest happening in business order, the state, and the rows written of it."""

    version: int
    newest: tuple[int, int]
    state: Any
    rows: dict[str, dict[Row, Row]]


@dataclass(slots=True)
class _Change:
    """What a batch does to one table: owners whose rows go, keys that go, rows that come."""

    table: Table
    owners: list[Row]
    keys: list[Row]
    rows: list[Row]


class Live:
    """Keeps one database of tables up with the log."""

    def __init__(self, store: Store, tables: Tables, *, simulated: bool) -> None:
        self._store, self._tables, self._simulated = store, tables, simulated
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._joining = Joining(store, tables)
        self._timeline: tuple[int, Timeline] | None = None  # up to which position it goes

    def catch_up(self, until: int, progress: Progress | None = None) -> int:
        """Bring the tables up to position `until` or beyond; return the position that they show."""
        deadline = time.monotonic() + _PATIENCE_S
        while (position := self._position()) < until:
            rows = self._store.page(position, _BATCH, until=until)
            try:
                self._batch(position, rows)
            except MovedOn:
                self.forget()
                if time.monotonic() > deadline:
                    raise Unavailable(
                        "tables.contended", f"Somebody else keeps moving the tables and has not reached {until}; wait."
                    ) from None
                time.sleep(0.01)
                continue
            except Unfoldable as error:
                if self._position() != position:  # what could not be joined may only be older than the routes that we read
                    self.forget()
                    continue
                good = [row for row in rows if row.position < error.position]
                self.forget()
                if good:
                    self._batch(position, good)
                raise
            deadline = time.monotonic() + _PATIENCE_S
            if progress is not None:
                progress(rows[-1].position, until)
        if position > until and self.ahead():
            raise Unavailable(
                "tables.ahead",
                f"The tables go to position {position} and the log ends at {self._store.head().position}: "
                "it was cut, or put back from a backup; run `opsledger rebuild`, and `opsledger verify` with a checkpoint that was kept.",
            )
        return position

    def ahead(self) -> bool:
        """Return whether the tables go further than the log, as after a restore of the log alone."""
        return self._position() > self._store.head().position

    def forget(self) -> None:
        """Drop what is kept in memory, after somebody else wrote the tables."""
        self._kept.clear()
        self._joining.forget()
        self._timeline = None

    def _position(self) -> int:
        with self._tables.told(), self._tables.engine.connect() as connection:
            return min(self._tables.positions(connection).values())

    def _batch(self, position: int, rows: Sequence[LogRow]) -> None:
        """Fold one batch and write it. Folding goes before the write lock, so that readers and writers wait little."""
        until = rows[-1].position
        known, changes = self._learn(position, until, rows)
        facts = [read(row) for row in rows]
        by_stream: dict[str, list[Recorded]] = {}
        for recorded in facts:
            by_stream.setdefault(recorded.stream, []).append(recorded)
        fresh: dict[tuple[str, str], _Kept] = {}
        joined: list[tuple[Gathered, Joined]] = []
        written = {name: _Change(table, [], [], []) for name, table in self._tables.schema.declared.items()}
        for projection in self._tables.schema.projections.values():
            if isinstance(projection, Entry):
                for name, made in entry_rows(projection, facts).items():
                    written[name].rows += written[name].table.written(made)
                continue
            if isinstance(projection, Gathered):
                each = self._joining.batch(projection, by_stream, until, known.known_at(until + 1))
                joined.append((projection, each))
                for subject, of_subject in each.rows.items():
                    old = self._kept.pop((projection.name, subject), None)
                    fresh[projection.name, subject] = kept = _Kept(0, (0, 0), None, old.rows if old is not None else {})
                    self._compare(projection, subject, of_subject, kept, written)
                continue
            for stream in self._touched(projection, by_stream, changes):
                kept = self._folded(projection, stream, by_stream.get(stream, []), known, changes, until)
                self._compare(projection, stream.partition(":")[2], projection.rows(kept.state), kept, written)
                fresh[projection.name, stream] = kept
        with self._tables.writing() as connection:
            self._tables.hold(connection)
            if not self._tables.move(connection, self._tables.schema.projections, position, until):
                raise MovedOn
            for change in written.values():
                self._tables.delete(connection, change.table, [change.table.owner], change.owners)
                self._tables.delete(connection, change.table, change.table.key, change.keys)
                self._tables.insert(connection, change.table, change.rows)
            for gathered, each in joined:
                self._tables.route(connection, gathered, each.routes)
            recorded_at = rows[-1].recorded_at
            self._tables.show(connection, AsOf(until, recorded_at, recorded_at if self._simulated else None))
        self._keep(fresh)
        for gathered, each in joined:
            self._joining.keep(gathered, each)

    def _touched(self, projection: Entity | Knowing, by_stream: dict[str, list[Recorded]], changes: Sequence[CalendarChange]) -> list[str]:
        """Return the streams that a projection must fold: those with new facts, and those that a calendar change reaches."""
        prefix = f"{projection.concept}:"
        touched = {stream: None for stream in by_stream if stream.startswith(prefix)}
        if isinstance(projection, Knowing) and changes:
            with self._tables.told(), self._tables.engine.connect() as connection:
                for change in changes:
                    for (id,) in connection.execute(projection.reached(self._tables.schema.tables, change)):
                        touched.setdefault(f"{prefix}{id}")
        return list(touched)

    def _folded(
        self,
        projection: Entity | Knowing,
        stream: str,
        new: Sequence[Recorded],
        known: Timeline,
        changes: Sequence[CalendarChange],
        until: int,
    ) -> _Kept:
        """Return a stream folded up to `until`, by one step where what is kept allows it."""
        kept = self._kept.pop((projection.name, stream), None)
        follows = kept is not None and (not new or new[0].version == kept.version + 1)
        if kept is not None and follows and (isinstance(projection, Knowing) or sorts_last(new, kept.newest)):
            if isinstance(projection, Knowing):
                state = advance_knowing(projection, kept.state, new, known, changes)
            else:
                state = advance_entity(projection, kept.state, sorted(new, key=when))
            version = new[-1].version if new else kept.version
            return _Kept(version, max([kept.newest, *map(when, new)]), state, kept.rows)
        facts = facts_until(self._store, stream, until)
        id = stream.partition(":")[2]
        state = fold_knowing(projection, id, facts, known, until) if isinstance(projection, Knowing) else fold_entity(projection, id, facts)
        return _Kept(facts[-1].version, max(map(when, facts)), state, kept.rows if kept is not None else {})

    def _compare(self, projection: Projection, owner: str, made: RowsByTable, kept: _Kept, written: dict[str, _Change]) -> None:
        """Add what the rows of an owner change in its tables: the difference where the old rows are known, else all."""
        old, kept.rows = kept.rows, {}
        for table in projection.tables:
            rows = table.written(made[table.name])
            new = dict(zip(map(table.key_of, rows), rows, strict=True))
            change = written[table.name]
            if table.name in old:
                change.keys += [key for key, row in old[table.name].items() if new.get(key) != row]
                change.rows += [row for key, row in new.items() if old[table.name].get(key) != row]
            else:
                change.owners.append((owner,))
                change.rows += rows
            kept.rows[table.name] = new

    def _learn(self, position: int, until: int, rows: Sequence[LogRow]) -> tuple[Timeline, list[CalendarChange]]:
        if self._timeline is None or self._timeline[0] != position:
            self._timeline = (position, timeline(self._store, position))
        known = self._timeline[1]
        self._timeline = None  # half learnt until the batch is written
        for row in rows:
            if row.stream.startswith(("policy:", "calendar:")):
                known.learn(read(row))
        self._timeline = (until, known)
        return known, known.changes_in(position, until)

    def _keep(self, fresh: dict[tuple[str, str], _Kept]) -> None:
        for key, kept in fresh.items():
            self._kept[key] = kept
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
