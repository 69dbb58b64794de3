"""SQLAlchemy engines for what lives beside the log: the tables for analysts and the key store."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from opsledger.ledger.sqlite_pool import write_ahead
from opsledger.ledger.url import LedgerUrl

__all__ = ["engine"]

_PATIENCE_S = 30


def engine(where: LedgerUrl, what: Literal["tables", "keys", "log", "itself"]) -> sa.Engine:
    """Return an engine whose unqualified names are those of the ledger's tables or keys: a file of its own, or a schema.

    `log` is the very file or schema that the URL names; `itself` is too, for tables that stand alone, as those of a replay do.
    """
    if where.kind == "sqlite":
        path = where.path if what in ("log", "itself") else where.beside(f"{what}.db")
        made = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": _PATIENCE_S})
        sa.event.listen(made, "connect", {"keys": _forgetful, "log": _durable}.get(what, _quick))
        sa.event.listen(made, "begin", _begin)
        return made
    import psycopg

    schema = where.schema if what in ("log", "itself") else f"{where.schema}_{what}"

    class BinaryCursor(psycopg.Cursor[Any]):
        """Takes what is found as it is: hashes written out as text take several times as long."""

        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given)
            self.format = psycopg.pq.Format.BINARY

    def connect() -> Any:
        connection = psycopg.connect(where.conninfo, cursor_factory=BinaryCursor if what == "log" else None)
        connection.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(schema)))
        connection.commit()
        return connection

    return sa.create_engine("postgresql+psycopg://", creator=connect, pool_size=2, max_overflow=18)


def _quick(connection: Any, _: Any) -> None:
    """Tables can be rebuilt from the log: a commit does not wait for the disk."""
    connection.isolation_level = None  # transactions are begun below, with the write lock taken at the first write
    write_ahead(connection, _PATIENCE_S)
    connection.execute("PRAGMA synchronous = NORMAL")


def _durable(connection: Any, _: Any) -> None:
    """A key that is lost after a fact was sealed under it would be an erasure; a checkpoint that is lost after it left, a fork."""
    _quick(connection, _)
    connection.execute("PRAGMA synchronous = FULL")


def _forgetful(connection: Any, _: Any) -> None:
    """A key that is destroyed is overwritten; `opsledger.ledger.wiping` does the rest."""
    _durable(connection, _)
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
