"""SQLAlchemy engines for what lives beside the log: the tables for analysts and the key store."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from opsledger.ledger.url import LedgerUrl

__all__ = ["engine"]


def engine(where: LedgerUrl, what: Literal["tables", "keys"]) -> sa.Engine:
    """Return an engine whose unqualified names are those of the ledger's tables or keys: a file of its own, or a schema."""
    if where.kind == "sqlite":
        made = sa.create_engine(f"sqlite:///{where.beside(what + '.db')}", connect_args={"timeout": 30})
        sa.event.listen(made, "connect", _sqlite)
        sa.event.listen(made, "begin", _begin)
        return made
    import psycopg

    schema = f"{where.schema}_{what}"

    def connect() -> Any:
        connection = psycopg.connect(where.conninfo)
        connection.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(schema)))
        connection.commit()
        return connection

    return sa.create_engine("postgresql+psycopg://", creator=connect, pool_size=2, max_overflow=18)


def _sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, with the write lock taken at the first write
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
