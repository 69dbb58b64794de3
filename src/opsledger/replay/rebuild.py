"""Rebuild: fold the log anew, compare with what stands, apply only the difference.

Names, views, grants and indexes stay; every isolation level reads right; nobody waits but other runners, and those for no
longer than the comparison. The size of the difference is the finding "live was not equal to rebuild".
Only a changed shape of a table replaces the table itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from opsledger.errors import StoreError
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store, pages
from opsledger.projections.kinds import Gathered, Projection, fingerprint
from opsledger.projections.table import Row
from opsledger.replay.build import Cut, Progress, fold_stream
from opsledger.replay.executor import SERIAL, Executor
from opsledger.replay.gathering import EVERYWHERE, gathered, reading
from opsledger.replay.knowledge import timeline
from opsledger.replay.shadow import Difference, Shadow, shadow
from opsledger.replay.tables import AsOf, Tables

__all__ = ["compare", "fill", "rebuild"]

_BUFFER: Final = 1000


class _Again(Exception):  # not an error: a policy or calendar came in meanwhile
    """What was known changed while rows were built; build them again."""


def rebuild(
    store: Store,
    tables: Tables,
    names: Sequence[str],
    *,
    simulated: bool,
    progress: Progress | None = None,
    executor: Executor = SERIAL,
) -> list[Difference]:
    """Build the tables of projections anew and apply what differs. Returns the differences of tables that stood before.

    Projections that stand are rebuilt to where they stand; bring them up to the head before. New ones go to the others.
    """
    chosen = [tables.schema.projections[name] for name in names]
    _replace_shapes(tables, chosen)

    def finish(new: Shadow, standing: dict[str, int], position: int) -> list[Difference]:
        found = []
        for projection in chosen:
            for table in projection.tables:
                if projection.name not in standing:
                    new.write(table)
                    continue
                difference = new.difference(table)
                if difference.rows:
                    new.apply(table)
                found.append(difference)
            tables.place(new.connection, projection, position)
            new.write_routes(projection)
        recorded_at = store.page(position - 1, 1)[0].recorded_at if position else 0
        tables.show(new.connection, AsOf(position, recorded_at, recorded_at if simulated else None))
        return found

    return _built(store, tables, chosen, finish, executor, lock=True, progress=progress)


def compare(store: Store, tables: Tables, progress: Progress | None = None, executor: Executor = SERIAL) -> list[Difference]:
    """Build the tables anew, up to where they stand, and say what differs. Changes nothing."""
    chosen = list(tables.schema.projections.values())

    def finish(new: Shadow, standing: dict[str, int], position: int) -> list[Difference]:
        return [new.difference(table) for projection in chosen for table in projection.tables]

    return _built(store, tables, chosen, finish, executor, lock=False, progress=progress)


def fill(store: Store, tables: Tables, cut: Cut, as_of: AsOf, progress: Progress | None = None, executor: Executor = SERIAL) -> None:
    """Build the tables of a replay, up to a cut, into a database whose tables are empty."""
    chosen = list(tables.schema.projections.values())
    with shadow(tables, chosen) as new:
        executor.build(store, new, cut, progress)
        _join(store, new, cut.position)
        with new.connection.begin():
            for projection in chosen:
                for table in projection.tables:
                    new.write(table)
                tables.place(new.connection, projection, cut.position)
                new.write_routes(projection)
            tables.show(new.connection, as_of)


def _built(
    store: Store,
    tables: Tables,
    chosen: Sequence[Projection],
    finish: Callable[[Shadow, dict[str, int], int], list[Difference]],
    executor: Executor,
    *,
    lock: bool,
    progress: Progress | None,
) -> list[Difference]:
    """Build rows, bring them to where the tables stand by then, and finish with both in one transaction."""
    while True:
        with tables.told(), tables.engine.connect() as connection:
            position = _reached(store, tables.positions(connection))
        with shadow(tables, chosen) as new:
            executor.build(store, new, Cut(position), progress)
            _join(store, new, position)
            new.ready()
            connection = new.connection if lock else new.connection.execution_options(**_snapshot(tables))
            try:
                with connection.begin():
                    if lock:  # live runners wait from here on, and see afterwards that the tables were moved
                        tables.hold(connection)
                        connection.execute(sa.update(tables.schema.tracking).values(position=tables.schema.tracking.c.position))
                    standing = tables.positions(connection)
                    reached = _reached(store, standing)
                    _follow(store, new, position, reached)
                    return finish(new, standing, reached)
            except _Again:
                continue


def _reached(store: Store, standing: dict[str, int]) -> int:
    """Return where the tables stand; the head where there are none, or where they go further than a log that was put back."""
    head = store.head().position
    return min(max(standing.values(), default=head), head)


def _join(store: Store, new: Shadow, position: int) -> None:
    """Join what was folded of single streams, and add the rows."""
    if not any(isinstance(projection, Gathered) for projection in new.chosen):
        return
    known = timeline(store, position).known_at(position + 1)
    for projection in new.chosen:
        if isinstance(projection, Gathered):
            buffers: dict[str, list[Row]] = {table.name: [] for table in projection.tables}
            for _, made in new.gathering.rows(projection, known, position=position):
                for name, rows in made.items():
                    buffers[name] += rows
                    if len(buffers[name]) >= _BUFFER:
                        new.take(name, buffers.pop(name))
                        buffers[name] = []
            for name, rest in buffers.items():
                new.take(name, rest)


def _follow(store: Store, new: Shadow, position: int, reached: int) -> None:
    """Fold again the streams that went on while the rows were built."""
    touched: dict[str, None] = {}
    for rows in pages(store, position, reached):
        if any(row.stream.startswith(("policy:", "calendar:")) for row in rows):
            raise _Again
        touched.update((row.stream, None) for row in rows)
    if not touched:
        return
    known = timeline(store, reached)
    readers, speak = reading(new.chosen), dict[str, set[str]]()
    for stream in touched:
        facts = [recorded for recorded in read_all(store.stream(stream)) if recorded.position <= reached]
        fresh = [recorded for recorded in facts if recorded.position > position]
        entity, entry = fold_stream(new.chosen, facts, fresh, known, reached)
        for name, made in entity.items():
            new.replace(name, facts[0].id, made)
        for name, made in entry.items():
            new.replace(name, None, made)
        folded = gathered(readers, facts)
        new.gathering.take(folded)
        for each in folded:
            speak.setdefault(each.projection, set()).update(each.subjects)
    for projection in new.chosen:
        if isinstance(projection, Gathered) and (subjects := speak.get(projection.name)):
            some = None if EVERYWHERE in subjects else subjects
            for subject, joined in new.gathering.rows(projection, known.known_at(reached + 1), position=reached, subjects=some):
                for name, of_subject in joined.items():
                    new.replace(name, subject, of_subject)


def _snapshot(tables: Tables) -> dict[str, Any]:
    """Return the options of a transaction that reads one state of the tables throughout; any of SQLite does."""
    return {"isolation_level": "REPEATABLE READ"} if tables.sql.postgresql else {}


def _replace_shapes(tables: Tables, chosen: Sequence[Projection]) -> None:
    """Replace those tables whose columns or key are no longer the declared ones, with empty ones of the right shape."""
    schema = tables.schema
    with tables.writing() as connection:
        known = {row.name: row.fingerprint for row in connection.execute(sa.select(schema.tracking))}
        changed = [each for each in chosen if each.name in known and known[each.name] != fingerprint(each)]
        if not changed:
            return
        schema.drop_views(connection)
        for table in (schema.tables[table.name] for projection in changed for table in projection.tables):
            try:
                table.drop(connection, checkfirst=True)
            except DBAPIError as error:
                cause = str(error.orig).strip().partition("\n")[0]
                raise StoreError(
                    "tables.depended_on",
                    f"{table.name} has a new shape and must be replaced, but something of yours is built on it ({cause}); "
                    "drop that, rebuild, and create it again.",
                ) from None
            table.create(connection)
        schema.prepare(connection)
