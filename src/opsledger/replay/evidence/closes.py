"""What a table says of a period as known at a position: computed to close the period, and again to verify the close.

The tables are built in a file of their own, only those that are needed, and go on from one position to the next, so that all
closes of a ledger are computed in one pass. What a close freezes is what the live tables showed when the newest known fact
was that one: nothing is cut by when it happened. It speaks as of the later of the period's end and of that fact's recording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from typing import Any

import msgspec

from opsledger.domain.period import Frozen
from opsledger.errors import BadInput
from opsledger.ledger.store import Store
from opsledger.policies.instants import iso, micros
from opsledger.projections.catalog import projections
from opsledger.projections.kinds import Projection, Sql, View, fingerprint
from opsledger.projections.table import Table
from opsledger.replay.build import Cut, Progress
from opsledger.replay.executor import SERIAL, Executor
from opsledger.replay.explain import reads
from opsledger.replay.live import Live
from opsledger.replay.rebuild import fill
from opsledger.replay.schema import Schema
from opsledger.replay.scratch import scratch_tables
from opsledger.replay.tables import AsOf, Tables

__all__ = ["Replayed", "definition", "ends_at", "frozen", "period_column", "replayed"]

_encode = msgspec.json.Encoder().encode
_MONTHS = "policy_month"


class Replayed:
    """Tables of a replay that goes forward: to one position, then to a later one."""

    def __init__(self, store: Store, tables: Tables, executor: Executor) -> None:
        self.tables = tables
        self._store, self._executor = store, executor
        self._live = Live(store, tables, simulated=True)

    def to(self, position: int, progress: Progress | None = None) -> int:
        """Bring the tables to a position; return when its fact was recorded, as of which they speak then."""
        recorded_at = self._store.page(position - 1, 1)[0].recorded_at
        if self.tables.standing():
            self._live.catch_up(position, progress)
        else:
            with self.tables.writing() as connection:
                self.tables.schema.prepare(connection)
            fill(self._store, self.tables, Cut(position), AsOf(position, recorded_at, recorded_at), progress, self._executor)
        self.show(AsOf(position, recorded_at, recorded_at))
        return recorded_at

    def show(self, as_of: AsOf) -> None:
        """Have the tables speak as of another time."""
        with self.tables.writing() as connection:
            self.tables.show(connection, as_of)


@contextmanager
def replayed(store: Store, names: Sequence[str], executor: Executor = SERIAL) -> Iterator[Replayed]:
    """Yield tables for a replay in which these tables and views, and what they are made of, are kept; gone afterwards."""
    with scratch_tables() as tables:
        needed = {each.name for name in names for each in _projections(tables.schema, name)}
        tables.schema.projections = {name: each for name, each in tables.schema.projections.items() if name in needed}
        yield Replayed(store, tables, executor)


def period_column(described: Table | View) -> str:
    """Return the column of a table's key that names the period, month or day. Raises BadInput where there is none."""
    for name in ("month", "day"):
        if name in described.key:
            return name
    raise BadInput(
        "period.no_period", f"{described.name} has no month or day in its key, so nothing of it can be closed; close a summary of it."
    )


def ends_at(tables: Tables, column: str, period: str) -> datetime:
    """Return when a period ends: a month in the reporting zone, a day in UTC. Raises BadInput where it is none."""
    if column == "month":
        for row in tables.select(_MONTHS, month=period):
            found: datetime = row["ends_at"]
            return found
        raise BadInput("period.month", f"'{period}' is no month that the operating model knows; write it like 2026-03.")
    try:
        day = date.fromisoformat(period)
    except ValueError:
        day = None
    if day is None or day.isoformat() != period:
        raise BadInput("period.day", f"'{period}' is no day; write it like 2026-03-01.")
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def frozen(tables: Tables, name: str, period: str) -> Frozen:
    """Return the rows that a table or view has for a period."""
    described = tables.describe(name)
    rows = tables.select(name, **{period_column(described): period})
    return Frozen(
        columns=tuple(column.name for column in described.columns),
        rows=tuple(_encode([_plain(row[column.name]) for column in described.columns]).decode() for row in rows),
        definition=definition(tables.schema, name),
        program=f"opsledger {metadata.version('opsledger')}",
    )


def definition(schema: Schema, name: str) -> str:
    """Return a digest of how a table or view is made: the SQL of views, and the versions of the projections under them."""
    made = _made_of(schema, name)
    sql = {each: schema.views[each].sql(Sql("sqlite")) for each in sorted(made) if each in schema.views}
    folds = sorted(f"{each.name} {fingerprint(each)}" for each in _keeping(made))
    return hashlib.sha256(repr((sql, folds)).encode()).hexdigest()


def _projections(schema: Schema, name: str) -> list[Projection]:
    """Return the projections under a table or view, and the one that says when months end."""
    return _keeping({*_made_of(schema, name), _MONTHS})


def _keeping(names: set[str]) -> list[Projection]:
    return [each for each in projections() if any(table.name in names for table in each.tables)]


def _made_of(schema: Schema, name: str) -> set[str]:
    """Return a table or view and all those that it is made of."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += reads(schema, schema.views[each]) if each in schema.views else []
    return found


def _plain(value: Any) -> Any:
    return iso(micros(value)) if isinstance(value, datetime) else value
