"""How a table is declared: its grain, its columns with their meaning, its key.

The text beside each column is the only description there is: it becomes the comment in PostgreSQL, the rows of
`opsledger_catalog` and the reference page. Rows are tuples in the order of the columns; instants are integer microseconds
until they are written, when they become `timestamptz` or ISO 8601 text with six digits and Z.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Literal

import sqlalchemy as sa

from opsledger.policies.instants import at, iso, micros

__all__ = ["Column", "Instant", "Row", "Table", "boolean", "instant", "integer", "text"]

Row = tuple[Any, ...]
Kind = Literal["text", "integer", "boolean", "instant"]


class Instant(sa.TypeDecorator[datetime]):
    """An instant: timestamptz in PostgreSQL, sortable ISO text in SQLite, a datetime in UTC in Python."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Return the column type of the dialect."""
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """Return what the database stores."""
        return value if value is None or dialect.name == "postgresql" else iso(micros(value))

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else at(value)


_TYPES: Final[dict[Kind, Callable[[], sa.types.TypeEngine[Any]]]] = {
    "text": lambda: sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "integer": sa.BigInteger,
    "boolean": sa.Boolean,
    "instant": Instant,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what it means."""

    name: str
    kind: Kind
    doc: str

    def sa(self, *, key: bool = False) -> sa.Column[Any]:
        """Return the column for SQLAlchemy."""
        return sa.Column(self.name, _TYPES[self.kind](), primary_key=key, autoincrement=False, comment=self.doc)


def text(name: str, doc: str) -> Column:
    """Declare a column of text."""
    return Column(name, "text", doc)


def integer(name: str, doc: str) -> Column:
    """Declare a column of integers, the unit at the end of its name."""
    return Column(name, "integer", doc)


def boolean(name: str, doc: str) -> Column:
    """Declare a column of yes and no; null is the third answer."""
    return Column(name, "boolean", doc)


def instant(name: str, doc: str) -> Column:
    """Declare a column of instants."""
    return Column(name, "instant", doc)


@dataclass(frozen=True)
class Table:
    """A table that analysts read. `doc` says its grain. The first column of the key is what its rows belong to."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def owner(self) -> str:
        """The column by which all rows of one thing are replaced together."""
        return self.key[0]

    @cached_property
    def key_of(self) -> Callable[[Row], Row]:
        """Return a function from a row to its key."""
        places = [[column.name for column in self.columns].index(name) for name in self.key]
        return lambda row: tuple([row[place] for place in places])

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """The places of the columns that hold instants."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind == "instant")

    @property
    def shape(self) -> str:
        """A digest of names, types and key: when it changes, the table is built anew."""
        said = (self.name, self.key, [(column.name, column.kind) for column in self.columns], self.indexes)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    def written(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows as both databases take them: instants as ISO text."""
        places = self.instants
        written = []
        for row in rows:
            values = list(row)
            for place in places:
                if (instant := values[place]) is not None:
                    values[place] = iso(instant)
            written.append(tuple(values))
        return written

    def sa(self, metadata: sa.MetaData, name: str | None = None) -> sa.Table:
        """Return the table for SQLAlchemy."""
        columns = {column.name: column.sa(key=column.name in self.key) for column in self.columns}
        made = sa.Table(name or self.name, metadata, *columns.values(), comment=self.doc, sqlite_with_rowid=False)
        for index in self.indexes:
            sa.Index(f"ix_{made.name}_{'_'.join(index)}", *(made.c[column] for column in index))
        return made
