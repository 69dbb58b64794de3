"""The log in a PostgreSQL schema, on the `eventsourcing` library's recorder, pool and factory.

An append is one call of one function on a connection held for appends: it takes the ledger's advisory lock, reads the last
row, numbers on and takes the time after the lock, so that commit order is position order and a reader passes no hole. The
library's table lock, its sequence (which leaves gaps) and its own database function (which takes no lock) are not used.
NOTIFY is a hint; waiting also polls.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory, PostgresSubscription
from eventsourcing.utils import Environment, EnvType
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from opsledger.errors import OpsledgerError, Refused, StoreError, Unavailable
from opsledger.ledger.envelope import Answered, Append, Appended, Head, Row
from opsledger.ledger.plain import plain_facts
from opsledger.ledger.store import FORMAT, FUTURE_US, KeyTaken, SourceTaken, StreamMoved

__all__ = ["Factory", "PostgresLedgerRecorder"]

_COLUMNS: Final = SQL(", ").join(Identifier(name) for name in Row._fields)

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS {schema}.ledger_meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.ledger_event (
    position bigint PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    topic text NOT NULL,
    revision integer NOT NULL,
    state bytea NOT NULL,
    occurred_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    recorded_by text NOT NULL,
    role text NOT NULL,
    command_id text NOT NULL,
    correlation_id text,
    causation_id text,
    source text,
    source_id text,
    CONSTRAINT ledger_event_stream_version UNIQUE (stream, version),
    CONSTRAINT ledger_event_not_from_the_future CHECK (occurred_at <= recorded_at + {future})
);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_event_source ON {schema}.ledger_event (source, source_id) WHERE source IS NOT NULL;
CREATE TABLE IF NOT EXISTS {schema}.ledger_request (
    key text, decision text, stream text, mac text NOT NULL, version bigint NOT NULL, first_position bigint, facts integer NOT NULL,
    PRIMARY KEY (key, decision, stream)
);
CREATE TABLE IF NOT EXISTS {schema}.ledger_source (source text, source_id text, mac text NOT NULL, PRIMARY KEY (source, source_id));
CREATE TABLE IF NOT EXISTS {schema}.ledger_part (digest text PRIMARY KEY, key_id text NOT NULL, sealed bytea NOT NULL);
"""

_REFUSE: Final = """
CREATE OR REPLACE FUNCTION {schema}.ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""

_TRIGGER: Final = """
CREATE OR REPLACE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.ledger_refuse_change();
"""

_APPEND: Final = """
CREATE OR REPLACE FUNCTION {schema}.ledger_append(
    batch jsonb, OUT first_position bigint, OUT written_at bigint, OUT clock_at bigint, OUT last_at bigint
) LANGUAGE plpgsql AS $$
DECLARE
    last_position bigint;
    moved text;
BEGIN
    -- Until the commit nobody else numbers. Each statement below sees what was committed before the lock was ours.
    PERFORM pg_advisory_xact_lock({lock}, {table}::regclass::oid::int);
    SELECT e.position, e.recorded_at INTO last_position, last_at FROM {schema}.ledger_event e ORDER BY e.position DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    last_at := coalesce(last_at, 0);
    clock_at := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    SELECT g.key INTO moved FROM jsonb_each_text(batch -> 'guards') g
        JOIN {schema}.ledger_event e ON e.stream = g.key AND e.version = g.value::bigint + 1 LIMIT 1;
    IF moved IS NOT NULL THEN
        RAISE EXCEPTION '% went on meanwhile', moved USING ERRCODE = 'OL001';
    END IF;
    first_position := last_position + 1;
    INSERT INTO {schema}.ledger_event
        SELECT last_position + f.n, f.stream, f.version, f.topic, f.revision, decode(f.state, 'base64'), f.occurred_at,
               greatest(last_at, max(coalesce(f.recorded_at, clock_at)) OVER (ORDER BY f.n)), f.recorded_by, f.role, f.command_id,
               f.correlation_id, f.causation_id, f.source, f.source_id
        FROM ROWS FROM (jsonb_to_recordset(batch -> 'facts') AS (
            stream text, version bigint, topic text, revision int, state text, occurred_at bigint, recorded_at bigint,
            recorded_by text, role text, command_id text, correlation_id text, causation_id text, source text, source_id text
        )) WITH ORDINALITY AS f(stream, version, topic, revision, state, occurred_at, recorded_at, recorded_by, role, command_id,
            correlation_id, causation_id, source, source_id, n)
        ORDER BY f.n;
    INSERT INTO {schema}.ledger_part
        SELECT p.digest, p.key_id, decode(p.sealed, 'base64')
        FROM jsonb_to_recordset(batch -> 'parts') AS p(digest text, key_id text, sealed text) ON CONFLICT DO NOTHING;
    INSERT INTO {schema}.ledger_source
        SELECT s.source, s.source_id, s.mac FROM jsonb_to_recordset(batch -> 'sources') AS s(source text, source_id text, mac text);
    INSERT INTO {schema}.ledger_request
        SELECT r.key, r.decision, r.stream, r.mac, r.version, CASE WHEN r.facts > 0 THEN last_position + 1 + r.first END, r.facts
        FROM jsonb_to_recordset(batch -> 'requests')
            AS r(key text, decision text, stream text, mac text, version bigint, first bigint, facts int);
    SELECT e.recorded_at INTO written_at FROM {schema}.ledger_event e ORDER BY e.position DESC LIMIT 1;
    PERFORM pg_notify({channel}, '');
END $$;
"""

_LOCK: Final = 0x6F70736C
"""Names our advisory locks among those of other programs; the second half is the table's oid."""

_encode: Final = msgspec.json.Encoder().encode


class PostgresLedgerRecorder(PostgresApplicationRecorder):
    """The store of the log, and an eventsourcing recorder besides."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "ledger_event") -> None:
        super().__init__(datastore, events_table_name="ledger_event")
        self.channel_name = f"{datastore.schema}.ledger"
        self.sql_create_statements = []
        datastore.db_type_names.clear()  # the library's composite type is not ours
        self._schema = Identifier(datastore.schema)
        self._call = self._sql("SELECT first_position, written_at, clock_at, last_at FROM {schema}.ledger_append(%s::jsonb)")
        self._select = self._sql("SELECT {columns} FROM {schema}.ledger_event")
        self._held: psycopg.Connection[Any] | None = None
        self._hold = Lock()

    def create_table(self) -> None:
        self.initialise({})

    # The contract of a store.

    def append(self, append: Append) -> Appended:
        batch = _encode(
            {
                "facts": [_fact(fact._asdict()) for fact in append.facts],
                "guards": append.guards,
                "parts": [{**part._asdict(), "sealed": base64.b64encode(part.sealed).decode()} for part in append.parts],
                "requests": [request._asdict() for request in append.requests],
                "sources": [source._asdict() for source in append.sources],
            }
        ).decode()
        with self._told("append"), self._hold:
            found = self._connection().execute(self._call, (batch,), prepare=True).fetchone()
        assert found is not None
        return Appended(*found)

    def head(self) -> Head:
        found = self._rows("SELECT position, recorded_at FROM {schema}.ledger_event ORDER BY position DESC LIMIT 1")
        return Head(*found[0]) if found else Head(0, 0)

    def stream(self, stream: str, *, after: int = 0) -> list[Row]:
        return self._log(SQL(" WHERE stream = %s AND version > %s ORDER BY version"), (stream, after))

    def streams(self, prefix: str) -> list[Row]:
        return self._log(SQL(" WHERE stream >= %s AND stream < %s ORDER BY position"), (prefix, _after(prefix)))

    def heads(self, streams: Sequence[str]) -> dict[str, int]:
        statement = "SELECT stream, max(version) FROM {schema}.ledger_event WHERE stream = ANY(%s) GROUP BY stream"
        return dict(self._rows(statement, (list(streams),)))

    def heads_within(self, prefix: str) -> dict[str, int]:
        statement = "SELECT stream, max(version) FROM {schema}.ledger_event WHERE stream >= %s AND stream < %s GROUP BY stream"
        return dict(self._rows(statement, (prefix, _after(prefix))))

    def page(self, after: int, limit: int, *, until: int | None = None) -> list[Row]:
        where = SQL(" WHERE position > %s AND position <= %s ORDER BY position LIMIT %s")
        return self._log(where, (after, until or 1 << 62, limit))

    def stream_page(self, after: tuple[str, int], limit: int, *, until: int, prefix: str = "") -> list[Row]:
        where = SQL(" WHERE (stream, version) > (%s, %s) AND stream < %s AND position <= %s ORDER BY stream, version LIMIT %s")
        return self._log(where, (*max(after, (prefix, 0)), _after(prefix), until, limit))

    def position_at(self, recorded_at: int) -> int:
        low, high = 0, self.head().position
        while low < high:
            middle = (low + high + 1) // 2
            at = self._rows("SELECT recorded_at FROM {schema}.ledger_event WHERE position = %s", (middle,))[0][0]
            low, high = (middle, high) if at <= recorded_at else (low, middle - 1)
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

    def meta(self) -> Mapping[str, str]:
        return dict(self._rows("SELECT key, value FROM {schema}.ledger_meta"))

    def initialise(self, meta: Mapping[str, str]) -> None:
        """Create the tables and say what the ledger is. Does nothing to a ledger that exists; several may try at once."""
        with self._told("create"), self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))
            for statement in self._creation():
                cursor.execute(statement, prepare=False)
            for key, value in {"format": str(FORMAT), **meta}.items():
                insert = self._sql("INSERT INTO {schema}.ledger_meta VALUES (%s, %s) ON CONFLICT DO NOTHING")
                cursor.execute(insert, (key, value))

    def wait(self, after: int, timeout: float) -> bool:
        end = time.monotonic() + timeout
        if self.head().position > after:
            return True
        with self._told("wait"), self.datastore.get_connection() as connection:
            connection.execute(SQL("LISTEN {}").format(Identifier(self.channel_name)))
            try:
                while self.head().position <= after:
                    left = end - time.monotonic()
                    if left <= 0:
                        return False
                    for _ in connection.notifies(timeout=min(left, 0.25), stop_after=1):
                        pass
                return True
            finally:
                connection.execute("UNLISTEN *")

    def close(self) -> None:
        with self._hold:
            if self._held is not None:
                self._held.close()
                self._held = None
        self.datastore.close()

    # The library's recorder.

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        if not stored_events:
            return []
        try:
            appended = self.append(Append(facts=plain_facts(stored_events)))
        except StreamMoved as error:
            raise IntegrityError(error.sentence) from error
        return list(range(appended.first_position, appended.first_position + len(stored_events)))

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None, desc: bool = False, limit: int | None = None
    ) -> list[StoredEvent]:
        stream = originator_id.hex if isinstance(originator_id, UUID) else originator_id
        statement = (
            "SELECT stream, version, topic, state FROM {schema}.ledger_event "
            "WHERE stream = %s AND version > %s AND version <= %s ORDER BY version " + ("DESC" if desc else "ASC") + " LIMIT %s"
        )
        rows = self._rows(statement, (stream, -1 if gt is None else gt, 1 << 62 if lte is None else lte, limit))
        return [StoredEvent(self._originator(row[0]), row[1], row[2], bytes(row[3])) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        low = 0 if start is None else start - (1 if inclusive_of_start else 0)
        statement = (
            "SELECT stream, version, topic, state, position FROM {schema}.ledger_event WHERE position > %s AND position <= %s "
            "AND (%s::text[] IS NULL OR topic = ANY(%s)) ORDER BY position LIMIT %s"
        )
        named = list(topics) or None
        rows = self._rows(statement, (low, 1 << 62 if stop is None else stop, named, named, limit))
        return [Notification(self._originator(row[0]), row[1], row[2], bytes(row[3]), row[4]) for row in rows]

    def max_notification_id(self) -> int | None:
        return self.head().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return PostgresSubscription(recorder=self, gt=gt, topics=topics)

    # Underneath.

    def _originator(self, stream: str) -> UUID | str:
        return UUID(stream) if self.datastore.originator_id_type == "uuid" else stream

    def _sql(self, text: str) -> Composed:
        return SQL(text).format(schema=self._schema, columns=_COLUMNS)  # our own texts; values are bound

    def _creation(self) -> list[Composed]:
        table = Literal(f'"{self.datastore.schema}".ledger_event')
        tables = ("ledger_meta", "ledger_event", "ledger_request", "ledger_source", "ledger_part")
        return [
            SQL("CREATE SCHEMA IF NOT EXISTS {}").format(self._schema),
            SQL(_TABLES).format(schema=self._schema, future=Literal(FUTURE_US)),
            SQL(_REFUSE).format(schema=self._schema),
            *(SQL(_TRIGGER).format(schema=self._schema, table=Identifier(name)) for name in tables),
            SQL(_APPEND).format(schema=self._schema, lock=Literal(_LOCK), table=table, channel=Literal(self.channel_name)),
        ]

    def _connection(self) -> psycopg.Connection[Any]:
        """Return the connection held for appends; the pool's wrapper costs more than the statement."""
        if self._held is None or self._held.closed:
            self._held = psycopg.connect(**self.datastore.pool.kwargs, autocommit=True)  # type: ignore[arg-type]
            self._held.row_factory = tuple_row
        return self._held

    def _log(self, where: SQL, params: Sequence[Any]) -> list[Row]:
        return list(map(Row._make, self._rows(self._select + where, params, binary=True)))

    def _rows(self, statement: str | Composed, params: Sequence[Any] = (), *, binary: bool = False) -> list[tuple[Any, ...]]:
        query = self._sql(statement) if isinstance(statement, str) else statement
        pool = self.datastore.pool
        with self._told("read"), pool.connection() as connection, connection.cursor(row_factory=tuple_row, binary=binary) as cursor:
            return cursor.execute(query, params, prepare=True).fetchall()

    @contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """Say in one sentence what the database could not do, without the connection's secrets."""
        try:
            yield
        except psycopg.Error as error:
            raise _sentence(act, error) from None


def _fact(values: dict[str, Any]) -> dict[str, Any]:
    values["state"] = base64.b64encode(values["state"]).decode()
    return values


def _after(prefix: str) -> str:
    """Return a text above every text that begins with `prefix`."""
    return prefix + "\U0010ffff"


def _sentence(act: str, error: psycopg.Error) -> OpsledgerError:
    constraint = error.diag.constraint_name or ""
    first = str(error).partition("\n")[0]
    if error.sqlstate == "OL001" or constraint == "ledger_event_stream_version":
        return StreamMoved("stream.moved", "Somebody recorded on the stream, or on one that the decision relied on, meanwhile.")
    if "source" in constraint:
        return SourceTaken("source.taken", "Somebody took in one of these records meanwhile.")
    if constraint == "ledger_request_pkey":
        return KeyTaken("request.taken", "Somebody used the idempotency key meanwhile.")
    if constraint == "ledger_event_not_from_the_future":
        return Refused("fact.future", "A fact claims to have happened more than 5 minutes from now; check its time and zone.")
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
        more = self.env.get("POSTGRES_CONNINFO")  # what the library has no setting for, such as sslmode
        self.datastore.pool.kwargs.update(psycopg.conninfo.conninfo_to_dict(more or ""))  # type: ignore[union-attr]
