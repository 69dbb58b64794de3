"""Commands that tell how a ledger is: stats, doctor."""

from __future__ import annotations

import platform
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from opsledger.cli.opening import LedgerOption, ledger_url, opened
from opsledger.cli.output import Format, FormatOption, counted, show
from opsledger.cli.progress import progress
from opsledger.errors import OpsledgerError
from opsledger.policies.instants import SECOND, iso, micros, moment

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Tend"
_OF_OUR_OWN: Final = ("ledger:", "policy:", "calendar:", "import:")
_APART_US: Final = 5 * SECOND


@commands.command(rich_help_panel=_PANEL)
def stats(ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Count what a ledger holds: facts by topic, streams by concept, sizes, the span of time, how far the tables are behind."""
    with opened(ledger) as host:
        with progress("stats") as told:
            counted = list(_counted(host, told))
        rows = [{"about": about, "what": what, "value": value} for about, what, value in [*counted, *_behind(host), *_sizes(host)]]
    show(rows, ("about", "what", "value"), format)


Line = tuple[str, str, Any]


def _counted(host: OpsLedger, told: Callable[[int, int], None]) -> Iterator[Line]:
    from opsledger.ledger.store import pages

    topics: Counter[str] = Counter()
    streams: Counter[str] = Counter()
    recorded, happened = [0, 0], [0, 0]
    head = host.store.head().position
    for page in pages(host.store, 0, head):
        topics.update(row.topic for row in page)
        streams.update(row.stream.partition(":")[0] for row in page if row.version == 1)
        recorded = [recorded[0] or page[0].recorded_at, page[-1].recorded_at]
        own = [row.occurred_at for row in page if not row.stream.startswith(_OF_OUR_OWN)]
        happened = [min([*own, happened[0] or own[0]]), max([*own, happened[1]])] if own else happened
        told(page[-1].position, head)
    yield "ledger", "id", host.meta.get("ledger_id")
    yield "ledger", "simulated", host.simulated
    yield "ledger", "position", head
    yield from (("recorded", which, moment(at)) for which, at in zip(("first", "last"), recorded, strict=True) if at)
    yield from (("happened", which, moment(at)) for which, at in zip(("first", "last"), happened, strict=True) if at)
    yield from (("facts", topic, count) for topic, count in sorted(topics.items()))
    yield from (("streams", concept, count) for concept, count in sorted(streams.items()))


def _behind(host: OpsLedger) -> Iterator[Line]:
    standing = host.tables.tables.standing()
    position = min(standing.values(), default=0)
    yield "tables", "position", position if standing else None
    yield "tables", "facts behind", host.store.head().position - position


def _sizes(host: OpsLedger) -> Iterator[Line]:
    """Yield the bytes of the log, the tables and the keys."""
    where = host.url
    if where.kind == "sqlite":
        for path in (where.path, where.beside("tables.db"), where.beside("keys.db")):
            yield "bytes", path.name, sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))
        return
    import psycopg

    statement = (
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind = 'r'"
    )
    with psycopg.connect(where.conninfo) as connection:
        for schema in (where.schema, f"{where.schema}_tables", f"{where.schema}_keys"):
            found = connection.execute(statement, (schema,)).fetchone()
            yield "bytes", schema, found[0] if found else 0


class Finding(NamedTuple):
    """One line of the doctor: what was looked at, whether it is well, and what was seen or what to do."""

    what: str
    well: bool
    said: str


@commands.command(rich_help_panel=_PANEL)
def doctor(ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """See whether the program, the ledger, its keys and its tables are well; each line is ok or says what to do.

    Exit code 0: all is well; 1: something is to be done.
    """
    found = list(_program())
    try:
        url = ledger_url(ledger)
        with opened(url) as host:
            found += [look(host) for look in (_ledger, _keys, _tables, _clock, _database)]
    except OpsledgerError as error:
        found.append(Finding("ledger", well=False, said=error.sentence))
    show(
        [{"what": each.what, "state": "ok" if each.well else "see", "said": each.said} for each in found], ("what", "state", "said"), format
    )
    if not all(each.well for each in found):
        raise typer.Exit(1)


def _program() -> Iterator[Finding]:
    from opsledger.policies.zones import VERSION

    yield Finding("program", well=True, said=f"opsledger {metadata.version('opsledger')}, Python {platform.python_version()}")
    yield Finding("time zones", well=True, said=f"tz database {VERSION}")


def _ledger(host: OpsLedger) -> Finding:
    head = host.store.head()
    kind = "simulated ledger" if host.simulated else "ledger"
    said = f"{kind} {host.meta['ledger_id']} at {host.url.shown}, format {host.meta['format']}, position {head.position}"
    return Finding("ledger", well=True, said=said)


def _keys(host: OpsLedger) -> Finding:
    try:
        host.keys.mac("doctor", b"")
    except OpsledgerError as error:
        return Finding("keys", well=False, said=error.sentence)
    return Finding("keys", well=True, said="the key store opens")


def _tables(host: OpsLedger) -> Finding:
    try:
        standing = host.tables.tables.standing()
    except OpsledgerError as error:
        return Finding("tables", well=False, said=error.sentence)
    head = host.store.head().position
    if len(standing) < len(host.tables.tables.schema.projections):
        return Finding("tables", well=False, said="not all of them were built by this version; run `opsledger catch-up`")
    shown = min(standing.values())
    if shown > head:
        return Finding("tables", well=False, said=f"they go to position {shown} and the ledger to {head}; run `opsledger verify`")
    if shown < head:
        return Finding(
            "tables",
            well=False,
            said=f"{counted(head - shown, 'fact')} behind the ledger; run `opsledger catch-up`, or keep `opsledger watch` running",
        )
    return Finding("tables", well=True, said=f"they show position {shown}, the newest")


def _clock(host: OpsLedger) -> Finding:
    """Compare the clock of recording with this machine's, and with the newest fact, which it must not lie behind."""
    ours, theirs = time.time_ns() // 1000, _database_clock(host)
    apart = theirs - ours
    if abs(apart) > _APART_US:
        said = (
            f"the database's clock is {abs(apart) / SECOND:.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's; set both by NTP"
        )
        return Finding("clock", well=False, said=said)
    newest = host.store.head().recorded_at
    if not host.simulated and newest > theirs + _APART_US:
        said = (
            f"the newest fact was recorded at {iso(newest)}, after now, {iso(theirs)}; recorded_at stands still until then: set the clock"
        )
        return Finding("clock", well=False, said=said)
    return Finding("clock", well=True, said=f"{abs(apart) / SECOND:.3f} s between the database's and this machine's")


def _database_clock(host: OpsLedger) -> int:
    if host.url.kind == "sqlite":
        return micros(datetime.now(UTC))  # the same machine's
    import psycopg

    with psycopg.connect(host.url.conninfo) as connection:
        found = connection.execute("SELECT clock_timestamp()").fetchone()
    assert found is not None
    return micros(found[0])


def _database(host: OpsLedger) -> Finding:
    if host.url.kind == "sqlite":
        return Finding("database", well=True, said=f"SQLite {sqlite3.sqlite_version}")
    import psycopg

    with psycopg.connect(host.url.conninfo) as connection:
        version = connection.info.server_version
    return Finding("database", well=True, said=f"PostgreSQL {version // 10000}.{version % 10000}, psycopg {psycopg.__version__}")
