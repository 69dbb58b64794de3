"""Which ledger is meant, and how it and its tables are opened for a command."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsledger.cli.output import say
from opsledger.errors import BadInput, NoLedger, Unavailable
from opsledger.policies.instants import at

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.replay.tables import Tables

__all__ = [
    "LedgerOption",
    "WorkersOption",
    "built_tables",
    "content",
    "instant",
    "ledger_url",
    "opened",
    "tables_into",
    "tables_of",
    "workers_for",
]

LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        envvar="OPSLEDGER_LEDGER",
        metavar="URL",
        help="Which ledger: sqlite:///ops.db, postgresql://user@host/database?schema=acme; else the only SQLite ledger of this folder.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="How many processes fold; by default one, from 100,000 facts on one for each core, at most 8."),
]


def ledger_url(given: str | None) -> str:
    """Return the URL of the ledger that is meant: the one given, else the only SQLite ledger in the current folder."""
    if given:
        return given
    found = sorted(path.name for path in Path().glob("*.db") if _is_ledger(path))
    if len(found) != 1:
        lying = f"{len(found)} ledgers lie in this folder ({', '.join(found)})" if found else "no SQLite ledger lies in this folder"
        raise BadInput("ledger.which", f"Say which ledger with --ledger URL or OPSLEDGER_LEDGER; {lying}.")
    say(f"Using sqlite:///{found[0]}, the ledger of this folder.")
    return f"sqlite:///{found[0]}"


@contextmanager
def opened(given: str | None, *, at: datetime | None = None) -> Iterator[OpsLedger]:
    """Open the ledger that is meant, for as long as the command works. A simulated one takes its time from `at`, if given."""
    url = ledger_url(given)
    from opsledger.app import OpsLedger

    ledger = OpsLedger.open(url)
    if at is not None and ledger.simulated:
        ledger.close()
        ledger = OpsLedger.open(url, clock=lambda: at)
    with ledger:
        yield ledger


def built_tables(ledger: OpsLedger) -> Tables:
    """Return the tables to read from. Refuses those that were never built; says so where they are behind the ledger."""
    tables = ledger.tables.tables
    standing = tables.standing()
    if len(standing) < len(tables.schema.projections):
        built = "are of another version of this program" if standing else "were never built"
        raise Unavailable("tables.not_built", f"The tables of {ledger.url.shown} {built}; run `opsledger catch-up` first.")
    ledger.tables.prepare()
    shown, head = max(standing.values()), ledger.store.head().position
    if shown < head:
        say(f"The tables show position {shown}, the ledger is at {head}; `opsledger catch-up` brings them there.")
    return tables


def instant(text: str | None) -> datetime | None:
    """Return the instant that an option names as ISO 8601 text, if it was given."""
    return at(text) if text else None


def content(path: Path) -> bytes:
    """Return what a file holds."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("file.unreadable", f"{path} cannot be read ({error.strerror}); name a file that can.") from None


def workers_for(given: int | None, facts: int) -> int:
    """Return how many processes fold so many facts: as many as were asked for, else as many as fit."""
    from opsledger.replay.executor import fitting

    return fitting(facts) if given is None else given


@contextmanager
def tables_into(url: str) -> Iterator[Tables]:
    """Open the very file or schema that a URL names, for the tables of a replay."""
    from opsledger.ledger.engine import engine
    from opsledger.ledger.url import parse_url
    from opsledger.replay.tables import Tables

    where = parse_url(url)
    if where.kind == "sqlite" and not where.path.absolute().parent.is_dir():
        raise NoLedger("replay.no_folder", f"There is no folder {where.path.parent} for {where.path.name}; make it first.")
    tables = Tables(engine(where, "itself"), schema=where.schema or None)
    try:
        yield tables
    finally:
        tables.close()


@contextmanager
def tables_of(url: str) -> Iterator[Tables]:
    """Open the tables that stand at a URL: those of a ledger, or those that a replay wrote into that very file or schema."""
    from opsledger.ledger.engine import engine
    from opsledger.ledger.url import parse_url
    from opsledger.replay.tables import Tables

    where = parse_url(url)
    if where.kind == "sqlite":
        of_ledger = _is_ledger(where.path)
    else:
        import psycopg

        try:
            with psycopg.connect(where.conninfo) as connection:
                found = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'ledger_meta'", [where.schema])
                of_ledger = found.fetchone() is not None
        except psycopg.OperationalError as error:
            raise Unavailable("tables.unavailable", f"{where.shown} cannot be reached: {str(error).strip().splitlines()[0]}.") from None
    schema = (f"{where.schema}_tables" if of_ledger else where.schema) if where.schema else None
    tables = Tables(engine(where, "tables" if of_ledger else "itself"), schema=schema)
    try:
        if not tables.standing():
            told = "The tables of {} were never built; run `opsledger catch-up` first." if of_ledger else "No tables are at {}."
            raise Unavailable("tables.not_built", told.format(where.shown))
        yield tables
    finally:
        tables.close()


def _is_ledger(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger_meta'").fetchone() is not None
    except sqlite3.Error:
        return False
