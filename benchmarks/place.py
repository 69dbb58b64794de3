"""Where the benchmarks run: how much they do, and fresh ledgers and schemas on one disk and one durable server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

__all__ = ["FULL", "KINDS", "QUICK", "Kind", "Place", "Sizes", "named"]

Kind = Literal["sqlite", "postgresql"]
KINDS: Final[tuple[Kind, ...]] = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done. More takes longer and says more."""

    rounds: int  # that alternate
    appends: int  # of one contender in one round
    held: int  # appends while a foreign snapshot is held
    imported: int  # facts of one round of an import
    saved: int  # events that the stock application saves, one by one, in one round
    imports: int  # rounds of an import
    events: tuple[int, ...]  # of the ledgers that are rebuilt on SQLite, rising
    postgres_events: int  # of the ledger that is rebuilt on PostgreSQL
    rebuilds: int  # of each ledger
    stock_events: int  # that the stock runner projects in one round
    live_rounds: int  # of acts at an even rate, calm and beside a rebuild
    live_s: float  # of the calm ones
    live_rate: int  # acts per second
    live_events: int  # in the ledger that is rebuilt beside them
    proved: int  # facts of the log whose integrity is checked, and of which one is proved
    proofs: int  # rounds of those
    sealed_rounds: int  # of appends with and without a sealer beside them
    sealed_s: float  # of each
    added: int  # requests counted in one round
    windows: int  # of a month
    probes: int  # changes of state that are rebuilt
    probe_rebuilds: int
    opened: int  # openings of a stream in one round
    called_rounds: int  # of calls that count business time
    called_s: float  # of the calls of one round


FULL: Final = Sizes(
    rounds=15,
    appends=60,
    held=50_000,
    imported=6000,
    saved=300,
    imports=7,
    events=(30_000, 100_000, 300_000),
    postgres_events=100_000,
    rebuilds=3,
    stock_events=3000,
    live_rounds=3,
    live_s=8.0,
    live_rate=200,
    live_events=100_000,
    proved=1_000_000,
    proofs=5,
    sealed_rounds=5,
    sealed_s=4.0,
    added=50_000,
    windows=43_200,
    probes=1_000_000,
    probe_rebuilds=1,
    opened=10,
    called_rounds=9,
    called_s=0.05,
)

QUICK: Final = Sizes(
    rounds=2,
    appends=5,
    held=50,
    imported=200,
    saved=10,
    imports=1,
    events=(600, 1200),
    postgres_events=600,
    rebuilds=1,
    stock_events=50,
    live_rounds=1,
    live_s=0.3,
    live_rate=100,
    live_events=600,
    proved=600,
    proofs=1,
    sealed_rounds=1,
    sealed_s=0.2,
    added=200,
    windows=60,
    probes=600,
    probe_rebuilds=1,
    opened=2,
    called_rounds=1,
    called_s=0.001,
)


def named(kind: Kind) -> str:
    """Return how people write the name of a database."""
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]


@dataclass(slots=True)
class Place:
    """A folder and a server, and what was made on them."""

    sizes: Sizes
    folder: Path
    server: str
    _schemas: list[str] = field(default_factory=list)

    def url(self, kind: Kind) -> str:
        """Return the URL of a ledger that does not exist yet."""
        if kind == "sqlite":
            return f"sqlite:///{self.file('ops')}"
        schema = self._name()
        self._schemas += [schema, f"{schema}_tables", f"{schema}_keys"]
        return f"{self.server}{'&' if '?' in self.server else '?'}schema={schema}"

    @contextmanager
    def hasty(self) -> Iterator[Place]:
        """Yield the same place with a database of its own whose commits do not wait for the disk."""
        name = self._name()
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            connection.execute(SQL("ALTER DATABASE {} SET synchronous_commit = off").format(Identifier(name)))
            try:
                parts = urlsplit(self.server)
                yield Place(self.sizes, self.folder, urlunsplit(parts._replace(path=f"/{name}")))
            finally:
                connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def schema(self) -> str:
        """Make an empty schema and return its name."""
        name = self._name()
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(name)))
        self._schemas.append(name)
        return name

    def file(self, what: str) -> Path:
        """Return the path of an SQLite file that does not exist yet, in a folder of its own."""
        folder = self.folder / self._name()
        folder.mkdir()
        return folder / f"{what}.db"

    def postgresql(self) -> str:
        """Return the version of the server."""
        with psycopg.connect(self.server) as connection:
            version = connection.info.server_version
        return f"{version // 10_000}.{version % 10_000}"

    def clear(self) -> None:
        """Drop what was made on the server, which may be somebody else's."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            for schema in self._schemas:
                connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))

    def _name(self) -> str:
        return f"b_{secrets.token_hex(8)}"
