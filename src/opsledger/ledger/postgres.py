"""The log in a PostgreSQL schema, on the `eventsourcing` library's recorder, pool and factory.

An append is one call of one function on a connection held for appends: it takes the ledger's advisory lock, reads the last
row, numbers on and takes the time after the lock, so that commit order is position order and a reader passes no hole. The
library's table lock, its sequence (which leaves gaps) and its own database function (which takes no lock) are not used.
NOTIFY is a hint; waiting also polls.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, Final

import msgspec
import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import PoolClosed

from opsledger.errors import KeysError, OpsledgerError, Refused, StoreError, Unavailable
from opsledger.ledger.envelope import Answered, Append, Appended, Head, Mark, Part, Row, rows_of
from opsledger.ledger.postgres_tables import ERASED, LOCK, MOVED, creation
from opsledger.ledger.recorder import Recorder
from opsledger.ledger.store import DESTROYED, FORMAT, KeyTaken, SourceTaken, StreamMoved, within

__all__ = ["Factory", "PostgresLedgerRecorder"]

_COLUMNS: Final = SQL(", ").join(Identifier(name) for name in Row._fields)
_SETTINGS: Final = "SET lock_timeout = '{}s'; SET default_transaction_isolation = 'read committed'"
"""An append waits this long for others; and each of its statements must see what was committed before the lock was its own."""

_PATIENCE_S: Final = 30
_SCANNED: Final = 384
"""Rows at a time in a scan: about what a socket takes, so that the server makes the next ones while these are looked at."""

_encode: Final = msgspec.json.Encoder().encode


class PostgresLedgerRecorder(Recorder, PostgresApplicationRecorder):
    """The store of the log, and an eventsourcing recorder besides."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "ledger_event") -> None:
        super().__init__(datastore, events_table_name="ledger_event")
        self.channel_name = f"{datastore.schema}.ledger"
        self.sql_create_statements = []
        datastore.db_type_names.discard(self.stored_event_type_name)  # the library's composite type is not ours
        self._schema = Identifier(datastore.schema)
        self._texts: dict[str, bytes] = {}
        self._call = self._sql("SELECT first_position, written_at, clock_at, last_at FROM {schema}.ledger_append(%s::jsonb)")
        self._held: psycopg.Connection[Any] | None = None
        self._hold = Lock()

    def create_table(self) -> None:
        self.initialise({})

    # The contract of a store.

    def append(self, append: Append) -> Appended:
        given = {
            "facts": [fact._asdict() for fact in append.facts],
            "guards": append.guards,
            "parts": [part._asdict() for part in append.parts],
            "requests": [request._asdict() for request in append.requests],
            "sources": [source._asdict() for source in append.sources],
        }
        batch = _encode({name: values for name, values in given.items() if values}).decode()
        with self._told("append"), self._hold:
            held = self._connection()
            try:
                return self._appended(held, batch)
            except psycopg.OperationalError:
                if not held.closed:
                    raise
            return self._repeated(append, batch)

    def head(self) -> Head:
        found = self._rows("SELECT position, recorded_at FROM {schema}.ledger_event ORDER BY position DESC LIMIT 1")
        return Head(*found[0]) if found else Head(0, 0)

    def stream(self, stream: str, *, after: int = 0) -> list[Row]:
        return self._log("WHERE stream = %s AND version > %s ORDER BY version", (stream, after))

    def streams(self, prefix: str) -> list[Row]:
        inside, values = within(prefix, "%s")
        return self._log(f"WHERE {inside} ORDER BY position", values)

    def heads(self, streams: Sequence[str]) -> dict[str, int]:
        statement = "SELECT stream, max(version) FROM {schema}.ledger_event WHERE stream = ANY(%s) GROUP BY stream"
        return dict(self._rows(statement, (list(streams),)))

    def heads_within(self, prefix: str) -> dict[str, int]:
        inside, values = within(prefix, "%s")
        return dict(self._rows(f"SELECT stream, max(version) FROM {{schema}}.ledger_event WHERE {inside} GROUP BY stream", values))

    def page(self, after: int, limit: int, *, until: int | None = None) -> list[Row]:
        last = 1 << 62 if until is None else until
        return self._log("WHERE position > %s AND position <= %s ORDER BY position LIMIT %s", (after, last, limit))

    def scan(self, after: int, until: int) -> Iterator[list[tuple[Any, ...]]]:
        statement = self._sql("SELECT {columns} FROM {schema}.ledger_event WHERE position > %s AND position <= %s ORDER BY position")
        with self._told("read"), self.datastore.pool.connection() as connection, _ahead(connection):
            cursor = connection.cursor(row_factory=tuple_row, binary=True)
            cursor.execute(statement, (after, min(after + _SCANNED, until)), prepare=True)
            for begin in range(after + _SCANNED, until + _SCANNED, _SCANNED):
                rows = cursor.fetchall()
                if begin < until:
                    cursor.execute(statement, (begin, min(begin + _SCANNED, until)), prepare=True)
                yield rows

    def stream_page(self, after: tuple[str, int], limit: int, *, until: int, prefix: str = "", last: str | None = None) -> list[Row]:
        inside, values = within(prefix, "%s", last)
        return self._log(
            f"WHERE (stream, version) > (%s, %s) AND {inside} AND position <= %s ORDER BY stream, version LIMIT %s",
            (*after, *values, until, limit),
        )

    def position_at(self, recorded_at: int) -> int:
        low, high = 0, self.head().position
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._recorded_at(middle) <= recorded_at else (low, middle - 1)
        return low

    def answered(self, key: str, decision: str, stream: str) -> Answered | None:
        statement = (
            "SELECT mac, version, first_position, facts FROM {schema}.ledger_request WHERE key = %s AND decision = %s AND stream = %s"
        )
        found = self._rows(statement, (key, decision, stream))
        return Answered(*found[0]) if found else None

    def taken(self, source: str, source_ids: Sequence[str]) -> dict[str, str]:
        statement = "SELECT source_id, mac FROM {schema}.ledger_source WHERE source = %s AND source_id = ANY(%s)"
        return dict(self._rows(statement, (source, list(source_ids))))

    def part(self, digest: str) -> bytes | None:
        found = self._rows("SELECT sealed FROM {schema}.ledger_part WHERE digest = %s", (digest,))
        return bytes(found[0][0]) if found else None

    def parts(self, digests: Sequence[str]) -> dict[str, Part]:
        statement = "SELECT digest, key_id, sealed FROM {schema}.ledger_part WHERE digest = ANY(%s)"
        return {digest: Part(digest, key_id, sealed) for digest, key_id, sealed in self._rows(statement, (list(digests),), binary=True)}

    def part_keys(self) -> dict[str, int]:
        return dict(self._rows("SELECT key_id, count(*) FROM {schema}.ledger_part GROUP BY key_id"))

    def marks(self) -> list[Mark]:
        return [Mark(*row) for row in self._rows("SELECT key_id, act, position FROM {schema}.ledger_erasure ORDER BY key_id, act")]

    def meta(self) -> Mapping[str, str]:
        return dict(self._rows("SELECT key, value FROM {schema}.ledger_meta"))

    def exists(self) -> bool:
        """Return whether a ledger lives here."""
        return self._rows("SELECT to_regclass(%s) IS NOT NULL", (f'"{self.datastore.schema}".ledger_meta',))[0][0] is True

    def initialise(self, meta: Mapping[str, str]) -> None:
        """Create the tables and say what the ledger is. Does nothing to a ledger that exists; several may try at once."""
        with self._told("create"), self.datastore.pool.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (LOCK,))
            for statement in creation(self.datastore.schema, self.channel_name):
                connection.execute(statement, prepare=False)
            for key, value in {"format": str(FORMAT), **meta}.items():
                insert = self._sql("INSERT INTO {schema}.ledger_meta VALUES (%s, %s) ON CONFLICT DO NOTHING")
                connection.execute(insert, (key, value))

    def wait(self, after: int, timeout: float) -> bool:
        end = time.monotonic() + timeout
        if self.head().position > after:
            return True
        with self._told("wait"), self.datastore.pool.connection() as connection:
            connection.execute(SQL("LISTEN {}").format(Identifier(self.channel_name)))
            while self.head().position <= after:
                left = end - time.monotonic()
                if left <= 0:
                    connection.execute("UNLISTEN *")
                    return False
                for _ in connection.notifies(timeout=min(left, 0.25), stop_after=1):
                    pass
            connection.execute("UNLISTEN *")
            return True

    def close(self) -> None:
        self.datastore.close()  # closed, the pool refuses; who reads gives back what the pool then closes
        with self._hold:
            if self._held is not None:
                self._held.close()

    # The library's recorder; the rest of it is in Recorder.

    @property
    def has_uuids(self) -> bool:
        """Return whether the library takes the names of streams for UUIDs, as its own suites do."""
        return self.datastore.originator_id_type == "uuid"

    # Underneath.

    def _sql(self, text: str) -> bytes:
        """Return one of our own texts with this ledger's names in it; values are bound."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = SQL(text).format(schema=self._schema, columns=_COLUMNS).as_string().encode()
        return known

    def _connection(self) -> psycopg.Connection[Any]:
        """Return the connection held for appends; the pool's wrapper costs more than the statement."""
        if self.datastore.pool.closed:
            raise PoolClosed("the ledger was closed")
        if self._held is None or self._held.closed:
            self._held = psycopg.connect(**self.datastore.pool.kwargs, autocommit=True)  # type: ignore[arg-type]
            self._held.row_factory = tuple_row
            self._held.execute(_SETTINGS.format(self.datastore.lock_timeout or _PATIENCE_S))
        return self._held

    def _appended(self, connection: psycopg.Connection[Any], batch: str) -> Appended:
        found = connection.execute(self._call, (batch,), prepare=True).fetchone()
        assert found is not None
        return Appended(*found)

    def _repeated(self, append: Append, batch: str) -> Appended:
        """Repeat an append whose connection was lost. Versions let it stand once, whether or not the first try was written."""
        try:
            return self._appended(self._connection(), batch)
        except psycopg.OperationalError as error:
            raise Unavailable(
                "store.lost",
                f"The connection was lost during an append and the database cannot be reached: {_first(error)}. "
                "The append stands whole or not at all: look when the database is back, or repeat under the same key.",
            ) from None
        except psycopg.Error as error:
            own = self._own(append) if isinstance(error, psycopg.errors.UniqueViolation) or error.sqlstate == MOVED else None
            if own is None:
                raise
            return own

    def _own(self, append: Append) -> Appended | None:
        """Return where an append stands whose acknowledgement was lost; None where the stream holds somebody else's facts."""
        told = append.facts[0] if append.facts else None
        rows = self.stream(told.stream, after=told.version - 1) if told and told.command_id else []
        if told is None or not rows or rows[0].command_id != told.command_id:
            return None
        first = rows[0].position
        recorded_at = self._recorded_at(first + len(append.facts) - 1)
        return Appended(first, recorded_at, recorded_at, self._recorded_at(first - 1))

    def _recorded_at(self, position: int) -> int:
        found = self._rows("SELECT recorded_at FROM {schema}.ledger_event WHERE position = %s", (position,))
        return found[0][0] if found else 0

    def _log(self, where: str, params: Sequence[Any]) -> list[Row]:
        return rows_of(self._rows("SELECT {columns} FROM {schema}.ledger_event " + where, params, binary=True))

    def _rows(self, statement: str, params: Sequence[Any] = (), *, binary: bool = False) -> list[tuple[Any, ...]]:
        with self._told("read"):
            found = self._fetched(statement, params, binary=binary)
            if found is None:  # the server closed a connection that lay idle: have the pool replace all such, and repeat
                self.datastore.pool.check()
                found = self._fetched(statement, params, binary=binary, again=True)
        assert found is not None
        return found

    def _fetched(self, statement: str, params: Sequence[Any], *, binary: bool, again: bool = False) -> list[tuple[Any, ...]] | None:
        """Return rows; None when the connection turned out to be lost, unless this is the second try."""
        pool = self.datastore.pool
        with pool.connection() as connection, connection.cursor(row_factory=tuple_row, binary=binary) as cursor:
            try:
                return cursor.execute(self._sql(statement), params, prepare=True).fetchall()
            except psycopg.OperationalError:
                if again or not connection.closed:
                    raise
                return None

    @contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """Say in one sentence what the database could not do, without the connection's secrets."""
        try:
            yield
        except PoolClosed:
            raise StoreError("store.closed", f"The ledger was closed and cannot {act} any more; open it again.") from None
        except psycopg.Error as error:
            raise _sentence(act, error) from None


def _ahead(connection: psycopg.Connection[Any]) -> AbstractContextManager[Any]:
    """Hold a connection on which a statement is sent without waiting for what it finds, where the driver can."""
    return connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()


def _first(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _sentence(act: str, error: psycopg.Error) -> OpsledgerError:
    constraint = error.diag.constraint_name or ""
    first = _first(error)
    if error.sqlstate == MOVED or constraint == "ledger_event_stream_version":
        return StreamMoved("stream.moved", "Somebody recorded on the stream, or on one that the decision relied on, meanwhile.")
    if constraint in ("ledger_event_source", "ledger_source_pkey"):
        return SourceTaken("source.taken", "Somebody took in one of these records meanwhile.")
    if constraint == "ledger_request_pkey":
        return KeyTaken("request.taken", "Somebody used the idempotency key meanwhile.")
    if error.sqlstate == ERASED:
        return KeysError("keys.destroyed", DESTROYED)
    if constraint == "ledger_event_not_from_the_future":
        return Refused("fact.future", "A fact claims to have happened more than 5 minutes from now; check its time and zone.")
    if error.sqlstate == "55P03":
        return Unavailable("store.locked", f"The ledger stayed locked while trying to {act}; end the long write and repeat.")
    if error.sqlstate == "53100":
        return Unavailable("store.full", f"There is no room on the database's disk to {act}; nothing was written. Free some and repeat.")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable("store.unavailable", f"The database could not {act}: {first}. See that it runs and can be reached, and repeat.")
    return StoreError("store.failed", f"The database refused to {act}: {first}.")


class Factory(PostgresFactory):
    """Makes the recorder of a PostgreSQL ledger; what else the library's factory makes is the library's own."""

    application_recorder_class = PostgresLedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        if self.datastore.enable_db_functions:
            raise StoreError(
                "store.db_functions",
                "POSTGRES_ENABLE_DB_FUNCTIONS appends without a lock and loses events for readers; leave it out, the ledger needs none.",
            )
        pool = self.datastore.pool
        more = self.env.get("POSTGRES_CONNINFO")  # what the library has no setting for, such as sslmode
        pool.kwargs = {"connect_timeout": 10, **pool.kwargs, **psycopg.conninfo.conninfo_to_dict(more or "")}  # type: ignore[dict-item]
        pool.reconnect_timeout = pool.timeout  # then who asks begins anew; the pool's own pauses would grow to minutes
