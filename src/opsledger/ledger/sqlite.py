"""The log in an SQLite file, on the `eventsourcing` library's recorder, pool and factory.

What the library leaves open is closed here: positions are a column of their own (its row ids are used again after a cut),
an append begins with the write lock (its deferred BEGIN fails under readers), three triggers refuse every change
(INSERT OR REPLACE passes by those on UPDATE and DELETE), and a subscription polls (it has none for SQLite).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteConnectionPool, SQLiteDatastore, SQLiteFactory
from eventsourcing.utils import Environment, EnvType

from opsledger.errors import Refused, StoreError, Unavailable
from opsledger.ledger.envelope import Answered, Append, Appended, Head, NewFact, Row
from opsledger.ledger.plain import plain_facts
from opsledger.ledger.store import FORMAT, FUTURE_US, KeyTaken, SourceTaken, StreamMoved

__all__ = ["Factory", "SQLiteLedgerRecorder"]

COLUMNS: Final = ", ".join(Row._fields)
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS ledger_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"""CREATE TABLE IF NOT EXISTS ledger_event (
        position INTEGER PRIMARY KEY,
        stream TEXT NOT NULL,
        version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state BLOB NOT NULL,
        occurred_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        recorded_by TEXT NOT NULL,
        role TEXT NOT NULL,
        command_id TEXT NOT NULL,
        correlation_id TEXT,
        causation_id TEXT,
        source TEXT,
        source_id TEXT,
        CONSTRAINT ledger_event_stream_version UNIQUE (stream, version),
        CONSTRAINT ledger_event_not_from_the_future CHECK (occurred_at <= recorded_at + {FUTURE_US})
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS ledger_event_source ON ledger_event (source, source_id) WHERE source IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS ledger_request (
        key TEXT NOT NULL, decision TEXT NOT NULL, stream TEXT NOT NULL, mac TEXT NOT NULL, version INTEGER NOT NULL,
        first_position INTEGER, facts INTEGER NOT NULL, PRIMARY KEY (key, decision, stream)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS ledger_source (
        source TEXT NOT NULL, source_id TEXT NOT NULL, mac TEXT NOT NULL, PRIMARY KEY (source, source_id)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS ledger_part (digest TEXT PRIMARY KEY, key_id TEXT NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID",
)
_KEYS: Final = {
    "ledger_event": "position = NEW.position OR (stream = NEW.stream AND version = NEW.version)",
    "ledger_request": "key = NEW.key AND decision = NEW.decision AND stream = NEW.stream",
    "ledger_source": "source = NEW.source AND source_id = NEW.source_id",
    "ledger_part": "digest = NEW.digest",
}
_TRIGGERS: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_{act} BEFORE {act.upper()} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{table}: {told}'); END"
    for table, taken in _KEYS.items()
    for act, when, told in (
        ("update", "", "rows are never changed"),
        ("delete", "", "rows are never removed"),
        ("insert", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken})", "taken"),
    )
)
_INSERT: Final = f"INSERT INTO ledger_event ({COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"
_SELECT: Final = f"SELECT {COLUMNS} FROM ledger_event"
_HEAD: Final = "SELECT position, recorded_at FROM ledger_event ORDER BY position DESC LIMIT 1"


class _PatientPool(SQLiteConnectionPool):
    """Closes only when nobody holds a connection: the library closes them under other threads, which crashed the interpreter."""

    def close(self) -> None:
        with self._put_condition:
            self._put_condition.wait_for(lambda: not self._in_use, timeout=60)
        super().close()


class SQLiteLedgerRecorder(SQLiteApplicationRecorder):
    """The store of the log, and an eventsourcing recorder besides."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "ledger_event") -> None:
        super().__init__(datastore, "ledger_event")
        self._moved = Event()

    def construct_create_table_statements(self) -> list[str]:
        return [*_TABLES, *_TRIGGERS]

    # The contract of a store.

    def append(self, append: Append) -> Appended:
        with self._told("append"), self._writing() as cursor:
            last = cursor.execute(_HEAD).fetchone() or (0, 0)
            clock = time.time_ns() // 1000
            for stream, version in append.guards.items():
                if cursor.execute("SELECT 1 FROM ledger_event WHERE stream = ? AND version = ?", (stream, version + 1)).fetchone():
                    raise StreamMoved("stream.moved", f"{stream} went on beyond version {version} meanwhile.")
            cursor.executemany(_INSERT, _numbered(append.facts, last, clock))
            first = last[0] + 1
            cursor.executemany("INSERT OR IGNORE INTO ledger_part VALUES (?, ?, ?)", append.parts)
            cursor.executemany("INSERT INTO ledger_source VALUES (?, ?, ?)", append.sources)
            cursor.executemany(
                "INSERT INTO ledger_request VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(r.key, r.decision, r.stream, r.mac, r.version, first + r.first if r.facts else None, r.facts) for r in append.requests],
            )
        self._moved.set()
        recorded = append.facts[-1].recorded_at if append.facts else None
        return Appended(first, max(last[1], clock if recorded is None else recorded), clock, last[1])

    def head(self) -> Head:
        found = self._rows(_HEAD)
        return Head(*found[0]) if found else Head(0, 0)

    def stream(self, stream: str, *, after: int = 0) -> list[Row]:
        return self._log(f"{_SELECT} WHERE stream = ? AND version > ? ORDER BY version", (stream, after))

    def streams(self, prefix: str) -> list[Row]:
        return self._log(f"{_SELECT} WHERE stream >= ? AND stream < ? ORDER BY position", (prefix, _after(prefix)))

    def heads(self, streams: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for i in range(0, len(streams), 500):
            some = streams[i : i + 500]
            marks = ", ".join("?" * len(some))
            found.update(self._rows(f"SELECT stream, max(version) FROM ledger_event WHERE stream IN ({marks}) GROUP BY stream", some))
        return found

    def heads_within(self, prefix: str) -> dict[str, int]:
        statement = "SELECT stream, max(version) FROM ledger_event WHERE stream >= ? AND stream < ? GROUP BY stream"
        return dict(self._rows(statement, (prefix, _after(prefix))))

    def page(self, after: int, limit: int, *, until: int | None = None) -> list[Row]:
        return self._log(f"{_SELECT} WHERE position > ? AND position <= ? ORDER BY position LIMIT ?", (after, until or 1 << 62, limit))

    def stream_page(self, after: tuple[str, int], limit: int, *, until: int, prefix: str = "") -> list[Row]:
        return self._log(
            f"{_SELECT} WHERE (stream, version) > (?, ?) AND stream < ? AND position <= ? ORDER BY stream, version LIMIT ?",
            (*max(after, (prefix, 0)), _after(prefix), until, limit),
        )

    def position_at(self, recorded_at: int) -> int:
        low, high = 0, self.head().position
        while low < high:
            middle = (low + high + 1) // 2
            at = self._rows("SELECT recorded_at FROM ledger_event WHERE position = ?", (middle,))[0][0]
            low, high = (middle, high) if at <= recorded_at else (low, middle - 1)
        return low

    def answered(self, key: str, decision: str, stream: str) -> Answered | None:
        found = self._rows(
            "SELECT mac, version, first_position, facts FROM ledger_request WHERE key = ? AND decision = ? AND stream = ?",
            (key, decision, stream),
        )
        return Answered(*found[0]) if found else None

    def taken(self, source: str, source_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for i in range(0, len(source_ids), 500):
            some = source_ids[i : i + 500]
            marks = ", ".join("?" * len(some))
            found.update(
                self._rows(f"SELECT source_id, mac FROM ledger_source WHERE source = ? AND source_id IN ({marks})", (source, *some))
            )
        return found

    def part(self, digest: str) -> bytes | None:
        found = self._rows("SELECT sealed FROM ledger_part WHERE digest = ?", (digest,))
        return found[0][0] if found else None

    def meta(self) -> Mapping[str, str]:
        return dict(self._rows("SELECT key, value FROM ledger_meta"))

    def initialise(self, meta: Mapping[str, str]) -> None:
        """Create the tables and say what the ledger is. Does nothing to a ledger that exists."""
        with self._told("create"), self._writing() as cursor:
            for statement in self.create_table_statements:
                cursor.execute(statement)
            cursor.executemany("INSERT OR IGNORE INTO ledger_meta VALUES (?, ?)", {"format": str(FORMAT), **meta}.items())

    def wait(self, after: int, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while self.head().position <= after:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._moved.wait(min(left, 0.02))  # other processes are seen by polling
            self._moved.clear()
        return True

    def close(self) -> None:
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
        order = "DESC" if desc else "ASC"
        rows = self._rows(
            "SELECT stream, version, topic, state FROM ledger_event WHERE stream = ? AND version > ? AND version <= ? "
            f"ORDER BY version {order} LIMIT ?",
            (stream, -1 if gt is None else gt, 1 << 62 if lte is None else lte, -1 if limit is None else limit),
        )
        return [StoredEvent(self.convert_originator_id(row[0]), *row[1:]) for row in rows]

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
        named = f"AND topic IN ({', '.join('?' * len(topics))}) " if topics else ""
        rows = self._rows(
            f"SELECT stream, version, topic, state, position FROM ledger_event WHERE position > ? AND position <= ? {named}"
            "ORDER BY position LIMIT ?",
            (low, 1 << 62 if stop is None else stop, *topics, limit),
        )
        return [Notification(self.convert_originator_id(row[0]), *row[1:]) for row in rows]

    def max_notification_id(self) -> int | None:  # type: ignore[override]  # None when empty, as the library's suite asks
        return self.head().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return _Polling(self, gt, topics)

    # Underneath.

    def _log(self, statement: str, params: Sequence[Any]) -> list[Row]:
        return list(map(Row._make, self._rows(statement, params)))

    def _rows(self, statement: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told("read"), self.datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
            cursor.row_factory = None
            return cursor.execute(statement, params).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Cursor]:
        """Hold the write lock from before the first read to the commit; nothing is kept when anything is raised."""
        with self.datastore.get_connection(commit=True) as connection, connection.cursor() as cursor:
            cursor.row_factory = None
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    cursor.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """Say in one sentence what the database could not do."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise _integrity(str(error)) from None
        except sqlite3.OperationalError as error:
            raise _operational(act, str(error)) from None
        except sqlite3.Error as error:
            raise StoreError("store.failed", f"The ledger's SQLite file could not {act}: {error}.") from None


def _numbered(facts: Sequence[NewFact], last: tuple[int, int], clock: int) -> Iterator[tuple[Any, ...]]:
    position, recorded_at = last
    for fact in facts:
        position += 1
        recorded_at = max(recorded_at, clock if fact.recorded_at is None else fact.recorded_at)
        yield (position, *fact[:6], recorded_at, *fact[7:])


def _after(prefix: str) -> str:
    """Return a text above every text that begins with `prefix`."""
    return prefix + "\U0010ffff"


def _integrity(message: str) -> Exception:
    told: tuple[tuple[str, Callable[[], Exception]], ...] = (
        ("ledger_event: taken", lambda: StreamMoved("stream.moved", "Somebody recorded on the stream meanwhile.")),
        ("source", lambda: SourceTaken("source.taken", "Somebody took in one of these records meanwhile.")),
        ("ledger_request", lambda: KeyTaken("request.taken", "Somebody used the idempotency key meanwhile.")),
        ("future", lambda: Refused("fact.future", "A fact claims to have happened more than 5 minutes from now; check its time and zone.")),
    )
    for part, error in told:
        if part in message:
            return error()
    return StoreError("store.constraint", f"The ledger's SQLite file refused the rows: {message}.")


def _operational(act: str, message: str) -> Exception:
    if "locked" in message or "busy" in message:
        return Unavailable("store.locked", f"The ledger's SQLite file stayed locked while trying to {act}; end the long write and repeat.")
    if "full" in message:
        return Unavailable("store.full", f"There is no room on the disk to {act}; nothing was written. Free some and repeat.")
    return Unavailable("store.unavailable", f"The ledger's SQLite file could not {act}: {message}.")


class _Polling(Subscription[ApplicationRecorder]):
    """Yields notifications in order and waits for more by asking; what other processes write is seen too."""

    def __init__(self, recorder: SQLiteLedgerRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._ours = recorder
        self._after = gt or 0
        self._ready: list[Notification] = []

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            if self._ready:
                return self._ready.pop(0)
            self._ready = self._ours.select_notifications(self._after, 500, topics=self._topics, inclusive_of_start=False)
            if self._ready:
                self._after = self._ready[-1].id
            else:
                self._ours.wait(self._after, 0.1)
        raise StopIteration


class Factory(SQLiteFactory):
    """Makes the recorder of an SQLite ledger; what else the library's factory makes is the library's own."""

    application_recorder_class = SQLiteLedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        library, self.datastore.pool = (
            self.datastore.pool,
            _PatientPool(db_name=self.datastore.pool.db_name, lock_timeout=self.datastore.pool.lock_timeout or 30),
        )
        library.close()
