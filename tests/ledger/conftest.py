"""A ledger of each kind for every test that takes `where`: an SQLite file, and a PostgreSQL schema of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from ledger_processes import Worker

from opsledger.ledger.application import create_store
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl, parse_url


@pytest.fixture
def pg_url(opsledger_postgres_url: str) -> Iterator[str]:
    """Give the URL of a ledger in a PostgreSQL schema that does not exist yet; it is dropped afterwards."""
    schema = f"t_{secrets.token_hex(8)}"
    yield f"{opsledger_postgres_url}{'&' if '?' in opsledger_postgres_url else '?'}schema={schema}"
    with psycopg.connect(opsledger_postgres_url, autocommit=True) as connection:
        for name in (schema, f"{schema}_tables", f"{schema}_keys", f"{schema}_views"):
            connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URL of a ledger that does not exist yet, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ops.db"
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    made: str = request.getfixturevalue("pg_url")
    return made


@pytest.fixture
def where(url: str) -> LedgerUrl:
    """Give the same, read."""
    return parse_url(url)


@pytest.fixture
def store(where: LedgerUrl) -> Iterator[Store]:
    """Give an empty store of each kind, of a simulated ledger."""
    made = create_store(where, {"ledger_id": "0" * 32, "simulated": "true"})
    yield made
    made.close()


@pytest.fixture
def sql(where: LedgerUrl) -> Callable[[str], list[tuple[object, ...]]]:
    """Give a function that runs SQL beside the program, as an administrator with a tool of their own would."""

    def run(statement: str) -> list[tuple[object, ...]]:
        if where.kind == "sqlite":
            import sqlite3

            connection = sqlite3.connect(where.path, isolation_level=None)
            try:
                return connection.execute(statement).fetchall()
            finally:
                connection.close()
        with psycopg.connect(where.conninfo, autocommit=True) as foreign:
            foreign.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(where.schema)))
            cursor = foreign.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., Worker]]:
    """Give a function that starts a process on the ledger; none outlives the test."""
    workers: list[Worker] = []

    def begin(act: str, *more: str) -> Worker:
        workers.append(Worker(act, url, *more))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.close()
