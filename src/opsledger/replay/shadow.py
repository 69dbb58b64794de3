"""New rows beside the tables, out of every reader's sight: how they are built up, compared and applied.

On SQLite they stand in a file of their own, on PostgreSQL in temporary tables of one session, each made when its first row
comes: most ledgers fill few of the tables. Building holds no transaction open: each piece is committed at once, since nobody
else can see it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from opsledger.errors import StoreError
from opsledger.projections.kinds import Gathered, Projection
from opsledger.projections.table import Row, Table
from opsledger.replay.gathering import Gathering
from opsledger.replay.pieces import Piece
from opsledger.replay.tables import Tables

__all__ = ["Difference", "Shadow", "shadow"]

_SAMPLE: Final = 20


@dataclass(slots=True)
class Difference:
    """How a table as it stands differs from the same table built anew."""

    table: str
    missing: int = 0  # rows that should stand and do not
    surplus: int = 0  # rows that stand and should not
    changed: int = 0  # rows that say something else
    keys: list[tuple[Any, ...]] = field(default_factory=list)  # of some of them

    @property
    def rows(self) -> int:
        """How many rows differ."""
        return self.missing + self.surplus + self.changed


class Shadow:
    """The new rows of some projections, in one session."""

    def __init__(self, tables: Tables, connection: sa.Connection, chosen: Sequence[Projection], gathering: Gathering) -> None:
        self.connection = connection
        self.chosen = chosen
        self.gathering = gathering
        self.dialect = tables.sql.dialect
        self._tables = tables
        self._postgresql = tables.sql.postgresql
        self._prefix = "pg_temp.shadow_" if self._postgresql else "shadow."
        self._made: set[str] = set()
        self._ready = False

    def take(self, name: str, rows: list[Row]) -> None:
        """Add rows of a table."""
        if rows:
            table = self._tables.schema.declared[name]
            with self.connection.begin():
                self._put(table, table.written(rows))

    def add(self, piece: Piece) -> None:
        """Add rows that another process packed for a database of this dialect."""
        if isinstance(piece, dict):
            with self.connection.begin():
                for name, rows in piece.items():
                    self._put(self._tables.schema.declared[name], rows)
            return
        raw: Any = self.connection.connection.driver_connection
        raw.deserialize(piece, name="piece")
        with self.connection.begin():
            for table in self._all():
                if self._run(f"SELECT EXISTS (SELECT 1 FROM piece.{table.name})").scalar_one():
                    self._make(table)
                    self._run(f"INSERT INTO {self._prefix}{table.name} SELECT * FROM piece.{table.name}")

    def replace(self, name: str, owner: str | None, rows: Sequence[Row]) -> None:
        """Put rows in the place of all that belong to `owner`, or add them; within a transaction that the caller holds."""
        table = self._tables.schema.declared[name]
        if owner is not None and name in self._made:
            mark = "%s" if self._postgresql else "?"
            self.connection.exec_driver_sql(f"DELETE FROM {self._prefix}{name} WHERE {table.owner} = {mark}", (owner,))
        self._put(table, table.written(rows))

    def ready(self) -> None:
        """Make the rows ready to be joined by key. Refuses a fold that gave a key twice."""
        self._ready = True
        for table in self._all():
            if table.name in self._made:
                try:
                    with self.connection.begin():
                        self._index(table)
                        if self._postgresql:
                            self._run(f"ANALYZE {self._prefix}{table.name}")
                except IntegrityError:
                    keys = ", ".join(table.key)
                    sentence = f"The projection of {table.name} gives two rows with one key ({keys}); it must give each key once."
                    raise StoreError("tables.key_twice", sentence) from None

    def write(self, table: Table) -> None:
        """Put the new rows into a table that has none of this projection's."""
        self._run(f"DELETE FROM {self._here(table)}")
        self._run(f"INSERT INTO {self._here(table)} SELECT n.* FROM {self._new(table)} ORDER BY {', '.join(table.key)}")

    def write_routes(self, projection: Projection) -> None:
        """Write down which streams speak of which subject, in the place of what stood there of the projection."""
        if isinstance(projection, Gathered):
            self._tables.route(self.connection, projection, self.gathering.routes(projection), anew=True)

    def difference(self, table: Table) -> Difference:
        """Return how a table differs from its new rows."""
        new, old, on, first = self._new(table), f"{self._here(table)} o", _on(table), table.key[0]
        ours, theirs = (", ".join(f"{which}.{key}" for key in table.key) for which in "no")
        otherwise = self._otherwise(table, "o")
        missing, changed = f"o.{first} IS NULL", f"o.{first} IS NOT NULL AND ({otherwise})"
        counts = f"count(*) AS made, count(*) FILTER (WHERE {missing}) AS missing, count(*) FILTER (WHERE {changed}) AS changed"
        counted = self._run(f"SELECT {counts} FROM {new} LEFT JOIN {old} ON {on}").one()
        standing = self._run(f"SELECT count(*) FROM {old}").scalar_one()
        surplus = standing - (counted.made - counted.missing)  # since a key stands once in either
        found = Difference(table.name, counted.missing, surplus, counted.changed)
        statements = {
            f"SELECT {ours} FROM {new} LEFT JOIN {old} ON {on} WHERE {missing}": found.missing,
            f"SELECT {theirs} FROM {old} LEFT JOIN {new} ON {on} WHERE n.{first} IS NULL": found.surplus,
            f"SELECT {ours} FROM {new} JOIN {old} ON {on} WHERE {otherwise}": found.changed,
        }
        for statement, count in statements.items():
            if count:
                found.keys += [tuple(row) for row in self._run(f"{statement} LIMIT {_SAMPLE}")]
        return found

    def apply(self, table: Table) -> None:
        """Make a table equal to its new rows by deleting and inserting what differs."""
        new, here = self._new(table), self._here(table)
        alike = f"SELECT 1 FROM {new} WHERE {_on(table, here)} AND NOT ({self._otherwise(table, here)})"
        self._run(f"DELETE FROM {here} WHERE NOT EXISTS ({alike})")
        keys = ", ".join(f"n.{key}" for key in table.key)
        stands = f"SELECT 1 FROM {here} o WHERE {_on(table)}"
        self._run(f"INSERT INTO {here} SELECT n.* FROM {new} WHERE NOT EXISTS ({stands}) ORDER BY {keys}")

    def _put(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            self._make(table)
            self._tables.insert(self.connection, table, rows, into=f"{self._prefix}{table.name}")

    def _make(self, table: Table) -> None:
        """Create the new table where it is not there, with the types of the old: else SQLite uses no index to compare."""
        if table.name in self._made:
            return
        if self._postgresql:
            self._run(f"CREATE TEMP TABLE shadow_{table.name} (LIKE {table.name}) ON COMMIT PRESERVE ROWS")
        else:
            self._run(f"CREATE TABLE shadow.{table.name} AS SELECT * FROM main.{table.name} WHERE 0")
        if self._ready:
            self._index(table)
        self._made.add(table.name)

    def _index(self, table: Table) -> None:
        keys = ", ".join(table.key)
        if self._postgresql:
            self._run(f"CREATE UNIQUE INDEX ON {self._prefix}{table.name} ({keys})")
        else:
            self._run(f"CREATE UNIQUE INDEX shadow.by_{table.name} ON {table.name} ({keys})")

    def _new(self, table: Table) -> str:
        """Return the new rows as `n`, to select from; of a table that got none, no rows of its shape."""
        made = table.name in self._made
        return f"{self._prefix}{table.name} n" if made else f"(SELECT * FROM {self._here(table)} WHERE 1 = 0) n"

    def _all(self) -> Iterator[Table]:
        return (table for projection in self.chosen for table in projection.tables)

    def _here(self, table: Table) -> str:
        return table.name if self._postgresql else f"main.{table.name}"

    def _otherwise(self, table: Table, old: str) -> str:
        word = "IS DISTINCT FROM" if self._postgresql else "IS NOT"
        rest = [column.name for column in table.columns if column.name not in table.key]
        return " OR ".join(f"n.{name} {word} {old}.{name}" for name in rest) or "1 = 0"

    def _run(self, statement: str) -> sa.CursorResult[Any]:
        return self.connection.exec_driver_sql(statement)


@contextmanager
def shadow(tables: Tables, chosen: Sequence[Projection]) -> Iterator[Shadow]:
    """Yield what holds the projections' new rows, none yet, and drop it afterwards."""
    with tables.told(), tables.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        if tables.sql.postgresql:
            try:
                with closing(Gathering()) as gathering:
                    yield Shadow(tables, connection, chosen, gathering)
            finally:
                connection.invalidate()  # ends the session, and with it the temporary tables
            return
        beside = Path(str(tables.engine.url.database)).parent
        with tempfile.TemporaryDirectory(prefix=".opsledger-", dir=beside) as folder:
            raw.execute("ATTACH DATABASE ? AS shadow", (str(Path(folder) / "shadow.db"),))
            raw.execute("ATTACH DATABASE ':memory:' AS piece")
            try:
                raw.execute("PRAGMA shadow.journal_mode = OFF")
                raw.execute("PRAGMA shadow.synchronous = OFF")
                with closing(Gathering()) as gathering:
                    yield Shadow(tables, connection, chosen, gathering)
            finally:
                if connection.in_transaction():
                    connection.rollback()
                raw.execute("DETACH DATABASE piece")
                raw.execute("DETACH DATABASE shadow")


def _on(table: Table, old: str = "o") -> str:
    return " AND ".join(f"n.{key} = {old}.{key}" for key in table.key)
