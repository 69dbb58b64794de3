"""The tables that analysts read: their database, how far each is, and how rows get in and out.

For SQLite it is a file of its own beside the log, for PostgreSQL a schema of its own. Everything in it is derived: it may be
copied, or thrown away and built again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from opsledger.errors import BadInput, StoreError, Unavailable, Unknown
from opsledger.policies.instants import at
from opsledger.projections.kinds import Gathered, Projection, View, fingerprint
from opsledger.projections.table import Row, Table
from opsledger.replay.pieces import insert
from opsledger.replay.schema import schema_of

__all__ = ["AsOf", "Tables", "no_table"]

_AT_ONCE: Final = 500  # subjects asked for in one statement


def no_table(name: str, known: Iterable[str]) -> Unknown:
    """Return what to say where there is no table of a name: which there are, and which of them is nearest."""
    names = sorted(known)
    near = get_close_matches(name, names, 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return Unknown("tables.unknown", f"There is no table '{name}'; there are {', '.join(names)}{meant}")


class AsOf(NamedTuple):
    """What the tables show. `effective_at` None: they are live, and the present is the database's clock. Microseconds."""

    position: int
    recorded_at: int
    effective_at: int | None


class Tables:
    """One database of tables."""

    def __init__(self, engine: sa.Engine, *, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema_of(engine.dialect.name, schema)
        self.sql = self.schema.sql
        assert engine.dialect.dbapi is not None
        self._driver_error: type[Exception] = engine.dialect.dbapi.Error  # of rows that go in past SQLAlchemy

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Hold one transaction; nothing of it is kept when anything is raised."""
        with self.told(), self.engine.begin() as connection:
            yield connection

    # How far the tables are.

    def positions(self, connection: sa.Connection) -> dict[str, int]:
        """Return the position of each projection whose rows are of its present version; others are missing."""
        known = {row.name: row for row in connection.execute(sa.select(self.schema.tracking))}
        return {
            name: known[name].position
            for name, each in self.schema.projections.items()
            if name in known and known[name].fingerprint == fingerprint(each)
        }

    def standing(self) -> dict[str, int]:
        """Return the positions of the projections that stand; none where nothing was built yet. Makes nothing, not even a file."""
        if not self.sql.postgresql and not Path(str(self.engine.url.database)).is_file():
            return {}
        with self.told(), self.engine.connect() as connection:
            return self.positions(connection) if sa.inspect(connection).has_table(self.schema.tracking.name) else {}

    def hold(self, connection: sa.Connection) -> None:
        """Wait for whoever writes the tables, and have others wait until the transaction ends. The first thing that a writer does.

        One row is the lock of all tables: writers that lock rows of several in different orders would wait for each other for ever.
        """
        connection.execute(sa.update(self.schema.state).values(only=1))

    def move(self, connection: sa.Connection, names: Iterable[str], old: int, new: int) -> bool:
        """Move projections on from one position to another; return False when somebody else has moved them."""
        wanted, tracking = list(names), self.schema.tracking
        ours = sa.and_(tracking.c.name.in_(wanted), tracking.c.position == old)
        return connection.execute(sa.update(tracking).where(ours).values(position=new)).rowcount == len(wanted)

    def place(self, connection: sa.Connection, projection: Projection, position: int) -> None:
        """Say that a projection's rows, of its present version, go up to a position."""
        tracking = self.schema.tracking
        connection.execute(sa.delete(tracking).where(tracking.c.name == projection.name))
        said = {"name": projection.name, "fingerprint": fingerprint(projection), "position": position}
        connection.execute(sa.insert(tracking).values(said))

    def show(self, connection: sa.Connection, as_of: AsOf) -> None:
        """Say what the tables show."""
        connection.execute(sa.update(self.schema.state).values(as_of._asdict()))

    def as_of(self) -> AsOf:
        """Return what the tables show."""
        with self.told(), self.engine.connect() as connection:
            row = connection.execute(sa.select(self.schema.state)).one()
        return AsOf(row.position, row.recorded_at, row.effective_at)

    def now(self) -> datetime:
        """Return the instant as of which the tables speak."""
        found = self.query(sa.text("SELECT effective_at FROM opsledger_as_of"))[0]["effective_at"]
        return found if isinstance(found, datetime) else at(found)

    # Rows out.

    def select(self, name: str, **where: Any) -> list[dict[str, Any]]:
        """Return the rows of a table or view, in order of its key, whose columns equal what is given. Instants are datetimes."""
        return self.query(self._select(name, where))

    def scan(self, name: str, **where: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows that `select` returns, without holding all of them; one transaction is open meanwhile."""
        with self.told(), self.engine.connect() as connection:
            for row in connection.execution_options(yield_per=1000).execute(self._select(name, where)).mappings():
                yield dict(row)

    def _select(self, name: str, where: dict[str, Any]) -> sa.Select[Any]:
        described = self.describe(name)
        source = sa.table(name, *(column.sa() for column in described.columns))
        statement = sa.select(source).order_by(*(source.c[key] for key in described.key))
        for column, value in where.items():
            if column not in source.c:
                known = ", ".join(source.c.keys())
                raise BadInput("tables.column", f"{name} has no column '{column}'; it has {known}.")
            statement = statement.where(source.c[column].is_(None) if value is None else source.c[column] == value)
        return statement

    def query(self, statement: sa.Executable) -> list[dict[str, Any]]:
        """Return the rows of an SQLAlchemy statement as dictionaries."""
        with self.told(), self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def describe(self, name: str) -> Table | View:
        """Return the declaration of a table or view."""
        found = self.schema.declared.get(name) or self.schema.views.get(name)
        if found is None:
            raise no_table(name, [*self.schema.declared, *self.schema.views])
        return found

    # Rows in.

    def insert(self, connection: sa.Connection, table: Table, rows: Sequence[Row], into: str | None = None) -> None:
        """Insert rows, written as `Table.written` does, by the fastest way that the driver has."""
        if not rows:
            return
        target = into or table.name
        cursor: Any = connection.connection.cursor()
        if self.sql.postgresql:
            names = ", ".join(column.name for column in table.columns)
            with cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        insert(cursor, target, table, rows)

    def delete(self, connection: sa.Connection, table: Table, columns: Sequence[str], values: Sequence[Row]) -> None:
        """Delete the rows whose `columns` have one of the `values`, written as `Table.written` does."""
        if values:
            mark = "%s" if self.sql.postgresql else "?"
            where = " AND ".join(f"{column} = {mark}" for column in columns)
            cursor: Any = connection.connection.cursor()
            cursor.executemany(f"DELETE FROM {table.name} WHERE {where}", list(values))

    # Which streams speak of whom.

    def streams_of(self, projection: Gathered, subjects: Sequence[str]) -> dict[str, list[str]]:
        """Return the streams that speak of each subject, in order."""
        route, found = self.schema.route, {subject: list[str]() for subject in subjects}
        with self.told(), self.engine.connect() as connection:
            for i in range(0, len(subjects), _AT_ONCE):
                some = route.c.subject.in_(subjects[i : i + _AT_ONCE])
                chosen = sa.select(route.c.subject, route.c.stream).where(route.c.projection == projection.name, some)
                for subject, stream in connection.execute(chosen.order_by(route.c.stream)):
                    found[subject].append(stream)
        return found

    def subjects(self, projection: Gathered) -> list[str]:
        """Return all subjects of which streams speak."""
        route = self.schema.route
        chosen = sa.select(route.c.subject).distinct().where(route.c.projection == projection.name, route.c.subject != "")
        with self.told(), self.engine.connect() as connection:
            return list(connection.scalars(chosen.order_by(route.c.subject)))

    def route(self, connection: sa.Connection, projection: Gathered, routes: Sequence[tuple[str, str]], *, anew: bool = False) -> None:
        """Say of whom streams speak, as (subject, stream), `anew` in the place of all that was said before."""
        if anew:
            connection.execute(sa.delete(self.schema.route).where(self.schema.route.c.projection == projection.name))
        said = [{"projection": projection.name, "subject": subject, "stream": stream} for subject, stream in routes]
        if said:
            connection.execute(sa.insert(self.schema.route), said)

    # Underneath.

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in one sentence what the database could not do."""
        try:
            yield
        except DBAPIError as error:
            cause = str(error.orig).strip().partition("\n")[0]
            if isinstance(error, OperationalError):
                raise Unavailable("tables.unavailable", f"The tables cannot be used: {cause}.") from None
            raise StoreError("tables.failed", f"The database of the tables refused: {cause}.") from None
        except self._driver_error as error:
            cause = str(error).strip().partition("\n")[0]
            raise Unavailable("tables.unavailable", f"The tables cannot be written: {cause}.") from None

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
