"""The log in an SQLite file, on the `eventsourcing` library's recorder, pool and factory.

What the library leaves open is closed here: positions are a column of their own (its row ids are used again after a cut),
an append begins with the write lock (its deferred BEGIN fails under readers), three triggers refuse every change
(INSERT OR REPLACE passes by those on UPDATE and DELETE), and a subscription polls (it has none for SQLite).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Event
from typing import Any, Final

from eventsourcing.persistence import ConnectionPoolClosedError, ConnectionUnavailableError
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore, SQLiteFactory
from eventsourcing.utils import Environment, EnvType

from opsledger.errors import KeysError, NoLedger, OpsledgerError, Refused, StoreError, Unavailable
from opsledger.ledger.envelope import Answered, Append, Appended, Head, Mark, NewFact, Part, Row, rows_of
from opsledger.ledger.recorder import Recorder
from opsledger.ledger.sqlite_pool import PatientPool
from opsledger.ledger.sqlite_tables import CREATION
from opsledger.ledger.store import DESTROYED, FORMAT, KeyTaken, SourceTaken, StreamMoved, within

__all__ = ["Factory", "SQLiteLedgerRecorder"]

_COLUMNS: Final = ", ".join(Row._fields)
_PATIENCE_S: Final = 30
"""How long an append waits for the write lock of others; SQLITE_LOCK_TIMEOUT in the environment says otherwise."""

_INSERT: Final = f"INSERT INTO ledger_event ({_COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"
_INSERT_PART: Final = """INSERT INTO ledger_part SELECT :digest, :key_id, :sealed
    WHERE NOT EXISTS (SELECT 1 FROM ledger_part WHERE digest = :digest)"""
_INSERT_SOURCE: Final = "INSERT INTO ledger_source VALUES (?, ?, ?)"
_INSERT_REQUEST: Final = "INSERT INTO ledger_request VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_META: Final = """INSERT INTO ledger_meta SELECT :key, :value
    WHERE NOT EXISTS (SELECT 1 FROM ledger_meta WHERE key = :key)"""
_SELECT: Final = f"SELECT {_COLUMNS} FROM ledger_event"
_SEE: Final = f"opsledger_{secrets.token_hex(8)}"  # a name that no view in an edited file can know, and call with other rows
_SCAN: Final = f"SELECT 1 FROM ledger_event WHERE position > ? AND position <= ? AND {_SEE}({_COLUMNS}) ORDER BY position"
_SCANNED: Final = 256
"""Rows at a time in a scan: few enough to be in the processor's cache while they are looked at."""

_IN_FUNCTION: Final = "user-defined function raised exception"
_VERSION: Final = "SELECT coalesce(max(version), 0) FROM ledger_event WHERE stream = ?"
_SIMULATED: Final = "SELECT 1 FROM ledger_meta WHERE key = 'simulated' AND value = 'true'"
_HEAD: Final = "SELECT position, recorded_at FROM ledger_event ORDER BY position DESC LIMIT 1"


class SQLiteLedgerRecorder(Recorder, SQLiteApplicationRecorder):  # type: ignore[misc]  # None where empty, as its suite asks
    """The store of the log, and an eventsourcing recorder besides."""

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "ledger_event") -> None:
        super().__init__(datastore, "ledger_event")
        self._moved = Event()
        self._simulated: bool | None = None  # asked once: it never changes

    def construct_create_table_statements(self) -> list[str]:
        return list(CREATION)

    # The contract of a store.

    def append(self, append: Append) -> Appended:
        with self._told("append"), self._writing() as cursor:
            last_position, last_at = cursor.execute(_HEAD).fetchone() or (0, 0)
            clock = time.time_ns() // 1000
            for stream, version in append.guards.items():
                (found,) = cursor.execute(_VERSION, (stream,)).fetchone()
                if found != version:
                    raise StreamMoved("stream.moved", f"{stream} stands at version {found}, not at {version} as the decision saw it.")
            first = last_position + 1
            if self._simulated is None:
                self._simulated = cursor.execute(_SIMULATED).fetchone() is not None
            rows = _numbered(append.facts, first, last_at, clock, simulated=self._simulated)
            cursor.executemany(_INSERT, rows)
            if append.parts:
                cursor.executemany(_INSERT_PART, [part._asdict() for part in append.parts])
            if append.sources:
                cursor.executemany(_INSERT_SOURCE, append.sources)
            if append.requests:
                cursor.executemany(
                    _INSERT_REQUEST,
                    [
                        (r.key, r.decision, r.stream, r.mac, r.version, first + r.first if r.facts else None, r.facts)
                        for r in append.requests
                    ],
                )
        self._moved.set()
        return Appended(first, rows[-1].recorded_at if rows else last_at, clock, last_at)

    def head(self) -> Head:
        found = self._rows(_HEAD)
        return Head(*found[0]) if found else Head(0, 0)

    def stream(self, stream: str, *, after: int = 0) -> list[Row]:
        return self._log(f"{_SELECT} WHERE stream = ? AND version > ? ORDER BY version", (stream, after))

    def streams(self, prefix: str) -> list[Row]:
        inside, values = within(prefix, "?")
        return self._log(f"{_SELECT} WHERE {inside} ORDER BY position", values)

    def heads(self, streams: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for i in range(0, len(streams), 500):
            some = streams[i : i + 500]
            marks = ", ".join("?" * len(some))
            found.update(self._rows(f"SELECT stream, max(version) FROM ledger_event WHERE stream IN ({marks}) GROUP BY stream", some))
        return found

    def heads_within(self, prefix: str) -> dict[str, int]:
        inside, values = within(prefix, "?")
        return dict(self._rows(f"SELECT stream, max(version) FROM ledger_event WHERE {inside} GROUP BY stream", values))

    def page(self, after: int, limit: int, *, until: int | None = None) -> list[Row]:
        last = 1 << 62 if until is None else until
        return self._log(f"{_SELECT} WHERE position > ? AND position <= ? ORDER BY position LIMIT ?", (after, last, limit))

    def scan(self, after: int, until: int) -> Iterator[list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = []
        with self._told("read"), self.datastore.get_connection(commit=False) as connection, connection.cursor() as cursor:
            # A function is handed the columns of a row in one call; to fetch them takes three calls a column. Measured: half the time.
            cursor.connection.create_function(_SEE, len(Row._fields), _taking(rows))
            for begin in range(after, until, _SCANNED):
                end = min(begin + _SCANNED, until)
                try:
                    cursor.execute(_SCAN, (begin, end)).fetchone()
                except sqlite3.OperationalError as error:
                    if _IN_FUNCTION not in str(error):
                        raise
                    self.page(begin, _SCANNED, until=end)  # raises where a row holds what is no text
                    raise KeyboardInterrupt from None  # which is all else that is raised while rows are taken
                yield rows[:]
                rows.clear()

    def stream_page(self, after: tuple[str, int], limit: int, *, until: int, prefix: str = "", last: str | None = None) -> list[Row]:
        inside, values = within(prefix, "?", last)
        return self._log(
            f"{_SELECT} WHERE (stream, version) > (?, ?) AND {inside} AND position <= ? ORDER BY stream, version LIMIT ?",
            (*after, *values, until, limit),
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

    def parts(self, digests: Sequence[str]) -> dict[str, Part]:
        found: dict[str, Part] = {}
        for i in range(0, len(digests), 500):
            some = digests[i : i + 500]
            marks = ", ".join("?" * len(some))
            rows = self._rows(f"SELECT digest, key_id, sealed FROM ledger_part WHERE digest IN ({marks})", some)
            found.update((row[0], Part(*row)) for row in rows)
        return found

    def part_keys(self) -> dict[str, int]:
        return dict(self._rows("SELECT key_id, count(*) FROM ledger_part GROUP BY key_id"))

    def marks(self) -> list[Mark]:
        return [Mark(*row) for row in self._rows("SELECT key_id, act, position FROM ledger_erasure ORDER BY key_id, act")]

    def meta(self) -> Mapping[str, str]:
        return dict(self._rows("SELECT key, value FROM ledger_meta"))

    def exists(self) -> bool:
        """Return whether a ledger lives here. Raises NoLedger where something else does, which is left byte for byte as it is."""
        with self._told("open"):
            try:
                looking = sqlite3.connect(f"{self.datastore.pool.db_name}?mode=rw", uri=True, timeout=_PATIENCE_S)
            except sqlite3.OperationalError:
                return False  # there is no file
            with closing(looking):
                tables = {name for (name,) in looking.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "ledger_meta" not in tables:
            raise NoLedger("ledger.foreign", "The SQLite file belongs to another program; name the ledger's file, or a new one.")
        return bool(tables)

    def initialise(self, meta: Mapping[str, str]) -> None:
        """Create the tables and say what the ledger is. Does nothing to a ledger that exists; several may try at once."""
        with self._told("create"), self._writing() as cursor:
            for statement in self.create_table_statements:
                cursor.execute(statement)
            given = {"format": str(FORMAT), **meta}
            cursor.executemany(_INSERT_META, [{"key": key, "value": value} for key, value in given.items()])

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

    @property
    def has_uuids(self) -> bool:
        """Return whether the library takes the names of streams for UUIDs, as its own suites do."""
        return self.datastore.originator_id_type == "uuid"

    # Underneath.

    def _log(self, statement: str, params: Sequence[Any]) -> list[Row]:
        return rows_of(self._rows(statement, params))

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
        except sqlite3.Error as error:
            raise _sentence(act, error) from None
        except ConnectionPoolClosedError:
            raise StoreError("store.closed", f"The ledger was closed and cannot {act} any more; open it again.") from None
        except ConnectionUnavailableError:
            raise Unavailable("store.busy", f"Other threads kept the ledger too busy to {act}; repeat.") from None


def _taking(rows: list[tuple[Any, ...]]) -> Callable[..., None]:
    """Return a function for SQL that keeps what it is called with, and says no to it, so that nothing is fetched."""
    take = rows.append

    def taken(*row: Any) -> None:
        take(row)

    return taken


def _numbered(facts: Sequence[NewFact], first: int, recorded_at: int, clock: int, *, simulated: bool) -> list[Row]:
    rows = []
    for position, fact in enumerate(facts, first):
        recorded_at = max(recorded_at, fact.recorded_at if simulated and fact.recorded_at is not None else clock)
        rows.append(Row._make((position, *fact[:6], recorded_at, *fact[7:])))
    return rows


def _sentence(act: str, error: sqlite3.Error) -> OpsledgerError:
    if isinstance(error, sqlite3.IntegrityError):
        return _integrity(str(error))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("store.locked", f"The ledger's SQLite file stayed locked while trying to {act}; end the long write and repeat.")
    if code == sqlite3.SQLITE_FULL:
        return Unavailable("store.full", f"There is no room on the disk to {act}; nothing was written. Free some and repeat.")
    if code == sqlite3.SQLITE_NOTADB:
        return NoLedger("ledger.not_sqlite", "The file is not an SQLite file; name the ledger's file, or a new one.")
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable("store.unavailable", f"The ledger's SQLite file could not {act}: {error}. See that it can be read and written.")
    return StoreError("store.failed", f"The ledger's SQLite file could not {act}: {error}.")


def _integrity(message: str) -> OpsledgerError:
    match message:
        case "ledger_event: key 1 taken":
            return StreamMoved("stream.moved", "Somebody recorded on the stream meanwhile.")
        case "ledger_event: key 2 taken" | "ledger_source: key 1 taken":
            return SourceTaken("source.taken", "Somebody took in one of these records meanwhile.")
        case "ledger_request: key 1 taken":
            return KeyTaken("request.taken", "Somebody used the idempotency key meanwhile.")
        case "ledger_part: key destroyed":
            return KeysError("keys.destroyed", DESTROYED)
        case "CHECK constraint failed: ledger_event_not_from_the_future":
            return Refused("fact.future", "A fact claims to have happened more than 5 minutes from now; check its time and zone.")
        case _:
            return StoreError("store.constraint", f"The ledger's SQLite file refused the rows: {message}.")


class Factory(SQLiteFactory):
    """Makes the recorder of an SQLite ledger; what else the library's factory makes is the library's own."""

    application_recorder_class = SQLiteLedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        pool = self.datastore.pool
        self.datastore.pool = PatientPool(pool.db_name, pool.lock_timeout or _PATIENCE_S)
        pool.close()
