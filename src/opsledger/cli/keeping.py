"""Commands that create a ledger and keep its tables: init, catch-up, rebuild, replay, tick, watch."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from opsledger.cli.opening import LedgerOption, instant, opened, tables_into
from opsledger.cli.output import Format, FormatOption, counted, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput, NoLedger, Unavailable
from opsledger.policies.instants import iso, micros

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.replay.shadow import Difference

__all__ = ["commands", "create_or_open"]

commands = typer.Typer()

_PANEL: Final = "Keep"
_DIFFERENCE: Final = ("table", "missing", "surplus", "changed", "keys")


@commands.command(rich_help_panel=_PANEL)
def init(ledger: LedgerOption = None) -> None:
    """Create a ledger, with the default operating model and calendars. Does nothing to one that exists."""
    if not ledger:
        raise BadInput("ledger.where", "Say where the ledger shall be with --ledger, for example --ledger sqlite:///ops.db.")
    made, created = create_or_open(ledger)
    with made:
        say(f"{'Created' if created else 'There is already'} the ledger {made.url.shown}, at position {made.store.head().position}.")


def create_or_open(url: str) -> tuple[OpsLedger, bool]:
    """Return a ledger, and whether it was created for that."""
    from opsledger.app import OpsLedger

    try:
        return OpsLedger.open(url), False
    except NoLedger:
        return OpsLedger.create(url), True


@commands.command("catch-up", rich_help_panel=_PANEL)
def catch_up(ledger: LedgerOption = None) -> None:
    """Bring the tables up to the newest fact; build those that are missing."""
    with opened(ledger) as host, progress("catch-up") as told:
        position = host.catch_up(told)
    say(f"The tables show position {position}.")


@commands.command(rich_help_panel=_PANEL)
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="Tables to build anew; all of them by default.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Build tables anew from the log, apply what differs, and print it: how many rows were missing, surplus or changed."""
    with opened(ledger) as host:
        chosen = _projections(host, names or [])
        with progress("rebuild") as told:
            differences = host.tables.rebuild(chosen, told)
    show(map(_differing, differences), _DIFFERENCE, format)
    rows = sum(difference.rows for difference in differences)
    say(f"{counted(len(differences), 'table')} built anew; {counted(rows, 'row')} differed.")


def _projections(host: OpsLedger, names: list[str]) -> list[str] | None:
    """Return the projections that keep the tables of these names."""
    schema = host.tables.tables.schema
    for name in names:
        if name in schema.views:
            raise BadInput("rebuild.view", f"{name} is a view, which is computed when it is read; rebuild the tables that it reads.")
        host.tables.tables.describe(name)
    found = [each.name for each in schema.projections.values() if any(table.name in names for table in each.tables)]
    return found or None


def _differing(difference: Difference) -> dict[str, object]:
    keys = "; ".join(" ".join(map(str, key)) for key in difference.keys)
    counts = {"missing": difference.missing, "surplus": difference.surplus, "changed": difference.changed}
    return {"table": difference.table, **counts, "keys": keys or None}


@commands.command(rich_help_panel=_PANEL)
def replay(
    into: Annotated[
        str, typer.Option(metavar="URL", help="Where to: sqlite:///t.db, that very file; or a PostgreSQL URL with its schema.")
    ],
    known_at: Annotated[str | None, typer.Option(metavar="TIME", help="What was known at this time of recording.")] = None,
    position: Annotated[int | None, typer.Option(metavar="P", help="What was known at this position of the ledger.")] = None,
    effective_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="What had happened by this time. Imported history is asked for by this one.")
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Write all tables as they were at another time into a database of their own.

    Known-at cuts by when facts were recorded, effective-at by when they happened; known-at T alone means both. An import was
    recorded when it was imported, so its past is asked for with --effective-at.
    """
    from opsledger.replay.asof import as_of
    from opsledger.replay.asof import replay as write

    known, effective = instant(known_at), instant(effective_at)
    with opened(ledger) as host, tables_into(into) as tables:
        shown = as_of(
            host.store,
            position=position,
            known_at=None if known is None else micros(known),
            effective_at=None if effective is None else micros(effective),
        )
        with progress("replay") as told:
            write(host.store, tables, shown, told)
    effective_said = "" if shown.effective_at is None else f", effective at {iso(shown.effective_at)}"
    say(f"Wrote the tables as known at position {shown.position}, recorded at {iso(shown.recorded_at)}{effective_said}.")


@commands.command(rich_help_panel=_PANEL)
def tick(
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As of when to look; now by default.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Look at the clocks: record deadlines that have passed and the escalations that they ask for, close days, extend calendars."""
    when = instant(at)
    with opened(ledger, at=when) as host:
        ticked = asdict(host.tick(when))
    show([ticked], list(ticked), format)


@commands.command(rich_help_panel=_PANEL)
def watch(
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look at the clocks.")] = 60.0,
    lasting: Annotated[float | None, typer.Option("--for", min=0.0, metavar="SECONDS", help="For how long; until interrupted.")] = None,
    ledger: LedgerOption = None,
) -> None:
    """Catch up whenever facts come, and tick now and then, until interrupted. A database that is away for a while is waited for."""
    with opened(ledger) as host:
        say(f"Watching {host.url.shown}; interrupt to end.")
        end = None if lasting is None else time.monotonic() + lasting
        due = 0.0
        while True:
            now = time.monotonic()
            try:
                if now >= due:
                    due = now + every
                    _look(host)
                position = host.catch_up()
                until = due if end is None else min(due, end)
                host.store.wait(position, max(0.0, until - time.monotonic()))
            except Unavailable as error:
                say(str(error))
                time.sleep(min(every, 5.0))
            if end is not None and time.monotonic() >= end:
                return


def _look(host: OpsLedger) -> None:
    """Tick, and say what it recorded if it recorded anything."""
    ticked = {what: count for what, count in asdict(host.tick()).items() if count}
    if ticked:
        say("Ticked: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in ticked.items()) + ".")
