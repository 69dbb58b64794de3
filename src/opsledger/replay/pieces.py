"""Pieces: rows on their way from the process that made them to the database of the tables, in the form that goes in fastest.

For PostgreSQL a piece is the rows by table, for COPY. For SQLite it is a database that was in memory: its tables are copied
without a look at a row, at a sixth of what the rows would cost the process that takes them (measured).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opsledger.errors import Unavailable
from opsledger.projections.kinds import Projection
from opsledger.projections.table import Row, Table

__all__ = ["IMAGES", "Image", "Piece", "Rows", "insert", "packing"]

Piece = bytes | dict[str, list[Row]]
"""Rows of several tables, packed."""

IMAGES: Final = hasattr(sqlite3.Connection, "deserialize")
"""Whether the SQLite of this Python gives and takes images of databases; older ones were often built without."""

_AFFINITY: Final = {"text": "TEXT", "integer": "INT", "boolean": "NUM", "instant": "TEXT"}
"""What SQLite calls the types of columns in a table that was created AS SELECT: records are copied only between like tables."""

_MANY: Final = 8  # rows in one INSERT of SQLite; measured: more gain nothing


def packing(dialect: str, projections: Sequence[Projection]) -> Image | Rows:
    """Return an empty piece for the tables of projections, in a database of this dialect."""
    if dialect == "sqlite" and not IMAGES:
        raise Unavailable("workers.sqlite", "The SQLite of this Python cannot hand over what workers fold; go on with one worker.")
    tables = [table for projection in projections for table in projection.tables]
    return Rows(tables) if dialect == "postgresql" else Image(tables)


class Rows:
    """A piece for PostgreSQL."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._rows: dict[str, list[Row]] = {}

    def take(self, name: str, rows: list[Row]) -> None:
        """Add rows of a table."""
        self._rows.setdefault(name, []).extend(self._tables[name].written(rows))

    def packed(self) -> Piece:
        """Return the piece."""
        return self._rows


class Image:
    """A piece for SQLite."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._cursor = self._connection.cursor()
        for table in self._tables.values():
            columns = ", ".join(f"{column.name} {_AFFINITY[column.kind]}" for column in table.columns)
            self._cursor.execute(f"CREATE TABLE {table.name} ({columns})")
        self._cursor.execute("BEGIN")

    def take(self, name: str, rows: list[Row]) -> None:
        """Add rows of a table."""
        insert(self._cursor, name, self._tables[name], self._tables[name].written(rows))

    def packed(self) -> Piece:
        """Return the piece; nothing can be added to it then."""
        self._cursor.execute("COMMIT")
        image = self._connection.serialize()
        self._connection.close()
        return image


def insert(cursor: Any, target: str, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, written as `Table.written` does, by an SQLite cursor: many rows in a statement, then the rest."""
    names = ", ".join(column.name for column in table.columns)
    one = f"({', '.join('?' * len(table.columns))})"
    full = len(rows) // _MANY * _MANY
    many = [[value for row in rows[i : i + _MANY] for value in row] for i in range(0, full, _MANY)]
    cursor.executemany(f"INSERT INTO {target} ({names}) VALUES {', '.join([one] * _MANY)}", many)
    cursor.executemany(f"INSERT INTO {target} ({names}) VALUES {one}", rows[full:])
