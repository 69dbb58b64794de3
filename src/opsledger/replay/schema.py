"""What a database of tables consists of: the declared tables and views, and six of the ledger's own about them.

opsledger_as_of     what the tables show: position, recorded_at, effective_at (a view; reads the clock where tables are live)
opsledger_catalog   what every table, view and column means
opsledger_tracking  how far each projection is, and of which version its rows are
opsledger_state     what opsledger_as_of is made of
opsledger_route     which streams speak of whom, for tables gathered from several
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from opsledger.projections.catalog import projections, views
from opsledger.projections.kinds import Projection, Sql, View
from opsledger.projections.table import Table

__all__ = ["Schema", "schema_of"]


class Schema:
    """The declared tables as SQLAlchemy knows them, and how they are created and described."""

    def __init__(self, dialect: str, name: str | None = None) -> None:
        self.name = name  # of the PostgreSQL schema
        self.sql = Sql(dialect)
        self.projections: dict[str, Projection] = {each.name: each for each in projections()}
        self.views: dict[str, View] = {each.name: each for each in views()}
        self.declared: dict[str, Table] = {table.name: table for each in projections() for table in each.tables}
        self.metadata = sa.MetaData()
        self._creations: dict[str, list[str]] = {}
        self.tables: dict[str, sa.Table] = {name: table.sa(self.metadata) for name, table in self.declared.items()}
        self.tracking = sa.Table(
            "opsledger_tracking",
            self.metadata,
            sa.Column("name", sa.Text, primary_key=True, comment="A projection; or view: and the name of a view."),
            sa.Column("fingerprint", sa.Text, nullable=False, comment="Of which version the rows or the view are."),
            sa.Column("position", sa.BigInteger, nullable=False, comment="Up to which position of the ledger the rows go."),
            comment="How far each projection is.",
        )
        self.state = sa.Table(
            "opsledger_state",
            self.metadata,
            sa.Column("only", sa.Integer, primary_key=True, comment="Always 1."),
            sa.Column("position", sa.BigInteger, nullable=False, comment="Newest position that the tables show."),
            sa.Column("recorded_at", sa.BigInteger, nullable=False, comment="When that fact was recorded, in microseconds."),
            sa.Column("effective_at", sa.BigInteger, comment="As of when they speak, in microseconds; null: the present."),
            comment="What the tables show; read opsledger_as_of instead.",
        )
        self.route = sa.Table(
            "opsledger_route",
            self.metadata,
            sa.Column("projection", _name(), primary_key=True, comment="Projection that gathers."),
            sa.Column("subject", _name(), primary_key=True, comment="Of whom the stream speaks; empty: of all."),
            sa.Column("stream", _name(), primary_key=True, comment="Name of the stream."),
            comment="Which streams speak of whom, for tables gathered from several.",
        )
        self.catalog = sa.Table(
            "opsledger_catalog",
            self.metadata,
            sa.Column("table_name", sa.Text, primary_key=True, comment="Table or view."),
            sa.Column("column_name", sa.Text, primary_key=True, comment="Column; empty for the table itself."),
            sa.Column("ordinal", sa.Integer, nullable=False, comment="Place of the column, from 1; 0 for the table."),
            sa.Column("kind", sa.Text, nullable=False, comment="table, view, or the type of the column."),
            sa.Column("meaning", sa.Text, nullable=False, comment="What it means, with its unit; for a table its grain."),
            comment="What every table, view and column means.",
        )

    def prepare(self, connection: sa.Connection) -> None:
        """Create what is missing, and write down what everything means. Does nothing to rows."""
        if self.name is not None:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": self.name})
            if not sa.inspect(connection).has_schema(self.name):  # to say IF NOT EXISTS is a right of its own
                connection.execute(sa.schema.CreateSchema(self.name))
        self._create(connection)
        if connection.execute(sa.select(self.state.c.only)).first() is None:
            connection.execute(sa.insert(self.state).values(only=1, position=0, recorded_at=0, effective_at=None))
        made = [View("opsledger_as_of", "One row: what the tables show.", (), (), _as_of), *self.views.values()]
        meanings = list(self._meanings())
        wanted = {f"view:{each.name}": _digest(each.sql(self.sql)) for each in made} | {"catalog": _digest(repr(meanings))}
        known = {row.name: row.fingerprint for row in connection.execute(sa.select(self.tracking))}
        if any(known.get(name) != digest for name, digest in wanted.items()):
            self._describe(connection, made, meanings)
            connection.execute(sa.delete(self.tracking).where(self.tracking.c.name.in_(wanted)))
            said = [{"name": name, "fingerprint": digest, "position": 0} for name, digest in wanted.items()]
            connection.execute(sa.insert(self.tracking), said)

    def _create(self, connection: sa.Connection) -> None:
        """Create the tables that are missing, in one message to PostgreSQL: each comment in its own took seconds."""
        there = set(sa.inspect(connection).get_table_names())
        missing = [table for table in self.metadata.sorted_tables if table.name not in there]
        self._script(connection, [statement for table in missing for statement in self._creation(table, connection.dialect)])

    def _creation(self, table: sa.Table, dialect: sa.Dialect) -> list[str]:
        """Return the statements that create a table with its indexes and comments; worked out once."""
        if table.name not in self._creations:
            made: list[sa.schema.ExecutableDDLElement] = [sa.schema.CreateTable(table)]
            made += [sa.schema.CreateIndex(index) for index in sorted(table.indexes, key=_index_name)]
            if self.sql.postgresql:
                made += [sa.schema.SetTableComment(table), *(sa.schema.SetColumnComment(column) for column in table.columns)]
            self._creations[table.name] = [str(each.compile(dialect=dialect)).replace("%%", "%") for each in made]
        return self._creations[table.name]

    def _script(self, connection: sa.Connection, statements: Sequence[str]) -> None:
        """Run statements that take no values, past SQLAlchemy: PostgreSQL takes all in one message then."""
        cursor: Any = connection.connection.cursor()
        if self.sql.postgresql and statements:
            cursor.execute(";\n".join(statements))
        elif not self.sql.postgresql:
            for statement in statements:
                cursor.execute(statement)
        cursor.close()

    def drop_views(self, connection: sa.Connection) -> None:
        """Drop our views, those built on others first, so that tables under them can be replaced; `prepare` creates them again."""
        self._script(connection, [f"DROP VIEW IF EXISTS {name}" for name in reversed(("opsledger_as_of", *self.views))])
        connection.execute(sa.delete(self.tracking).where(self.tracking.c.name == "catalog"))

    def _describe(self, connection: sa.Connection, made: list[View], meanings: list[dict[str, Any]]) -> None:
        self.drop_views(connection)
        connection.execute(sa.delete(self.catalog))
        connection.execute(sa.insert(self.catalog), meanings)
        statements = []
        for view in made:
            statements.append(f"CREATE VIEW {view.name} AS {view.sql(self.sql)}")
            if self.sql.postgresql:
                targets = [(f"VIEW {view.name}", view.doc), *((f"COLUMN {view.name}.{column.name}", column.doc) for column in view.columns)]
                for target, doc in targets:
                    quoted = doc.replace("'", "''")
                    statements.append(f"COMMENT ON {target} IS '{quoted}'")
        self._script(connection, statements)

    def _meanings(self) -> Iterator[dict[str, Any]]:
        described: list[tuple[str, Table | View]] = [("table", each) for each in self.declared.values()]
        described += [("view", each) for each in self.views.values()]
        for kind, each in described:
            yield {"table_name": each.name, "column_name": "", "ordinal": 0, "kind": kind, "meaning": each.doc}
            for i, column in enumerate(each.columns, 1):
                yield {"table_name": each.name, "column_name": column.name, "ordinal": i, "kind": column.kind, "meaning": column.doc}


def schema_of(dialect: str, name: str | None = None) -> Schema:
    """Return the schema of what is declared now, whose projections the caller may narrow. What SQLAlchemy knows of it is made once."""
    made = copy(_made(dialect, name, projections(), views()))
    made.projections = dict(made.projections)
    return made


@lru_cache(maxsize=16)
def _made(dialect: str, name: str | None, declared: tuple[Projection, ...], viewed: tuple[View, ...]) -> Schema:
    return Schema(dialect, name)


def _index_name(index: sa.Index) -> str:
    return str(index.name)


def _name() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _as_of(sql: Sql) -> str:
    if sql.postgresql:
        instant = "timestamptz 'epoch' + {0} * interval '1 microsecond'"
    else:
        instant = "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || printf('.%06dZ', {0} % 1000000)"
    recorded, effective = instant.format("recorded_at"), instant.format("effective_at")
    shown = f"position, {recorded} AS recorded_at, coalesce({effective}, {sql.now()}) AS effective_at"
    # The condition on the key tells PostgreSQL that it is one row; guessing 1450, it compiled queries for a second and a half.
    return f'SELECT {shown} FROM opsledger_state WHERE "only" = 1'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
