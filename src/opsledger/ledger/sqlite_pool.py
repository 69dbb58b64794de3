"""Connections to the SQLite file of a log.

The library's own pool prepares every statement anew (it sets a cache of one), keeps its write lock when a connection cannot
be made, and on `close` closes connections under the threads that use them, which crashed the interpreter.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from eventsourcing.persistence import ConnectionPoolClosedError, ConnectionUnavailableError
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool

__all__ = ["PatientPool", "write_ahead"]

_IDLE: Final = 5
_IN_USE: Final = 20


class PatientPool(SQLiteConnectionPool):
    """Hands out connections, to one writer at a time, and of a database in memory to one user at a time."""

    def __init__(self, db_name: str, patience_s: int) -> None:
        super().__init__(db_name=db_name, lock_timeout=patience_s, pool_timeout=patience_s, pool_size=_IDLE)
        self._patience_s = patience_s

    def get_connection(self, timeout: float | None = None, *, is_writer: bool | None = None) -> SQLiteConnection:
        """Return a connection that nobody else uses. Raises where the pool is closed or the time runs out."""
        with self._put_condition:
            free = self._put_condition.wait_for(
                lambda: self._closed or self._is_free(is_writer), self.pool_timeout if timeout is None else timeout
            )
            if self._closed:
                raise ConnectionPoolClosedError("The pool of connections is closed.")
            if not free:
                raise ConnectionUnavailableError("Other threads kept all connections busy.")
            connection = self._pool.popleft() if self._pool else self._create_connection()
            connection.is_writer = is_writer
            self._in_use[id(connection)] = connection
            return connection

    def put_connection(self, conn: SQLiteConnection) -> None:
        """Take a connection back."""
        with self._put_condition:
            del self._in_use[id(conn)]
            conn.is_writer = None
            if self._closed or self._is_pool_full:
                conn.close()
            else:
                self._pool.append(conn)
            self._put_condition.notify_all()

    def close(self) -> None:
        """Give out no more connections, wait for those in use, and close all."""
        with self._put_condition:
            self._closed = True
            self._put_condition.notify_all()
            self._put_condition.wait_for(lambda: not self._in_use, self._patience_s)
            while self._pool:
                self._pool.popleft().close()

    def _is_free(self, is_writer: bool | None) -> bool:
        if self._mutually_exclusive_read_write:
            return not self._in_use
        return len(self._in_use) < _IN_USE and not (is_writer and any(each.is_writer for each in self._in_use.values()))

    def _create_connection(self) -> SQLiteConnection:
        made = sqlite3.connect(self.db_name, uri=True, check_same_thread=False, isolation_level=None, timeout=self._patience_s)
        try:
            if not (self.is_sqlite_memory_mode or self.is_journal_mode_wal):
                write_ahead(made, self._patience_s)
                self.is_journal_mode_wal = True
        except BaseException:
            made.close()
            raise
        made.row_factory = sqlite3.Row  # as the library's own recorders expect
        return SQLiteConnection(made, max_age=None)


def write_ahead(connection: sqlite3.Connection, patience_s: float) -> None:
    """Let readers read beside a writer. The change is refused at once while others open the file, so it is tried again."""
    end = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
