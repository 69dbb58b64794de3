"""Commands that create a ledger and keep its tables: init, catch-up, rebuild, tick, watch."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from opsledger.cli.opening import LedgerOption, WorkersOption, instant, opened, workers_for
from opsledger.cli.output import Format, FormatOption, counted, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput, NoLedger, Unavailable

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.replay.shadow import Difference

__all__ = ["commands", "create_or_open"]

commands = typer.Typer()

_SEAL_EVERY_S: Final = 1.0
_SEAL_AFTER: Final = 1000
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
def catch_up(workers: WorkersOption = None, ledger: LedgerOption = None) -> None:
    """Bring the tables up to the newest fact; build those that are missing, with several processes where these are many facts."""
    with opened(ledger) as host, progress("catch-up") as told:
        position = host.catch_up(told, workers=workers_for(workers, host.store.head().position))
    say(f"The tables show position {position}.")


@commands.command(rich_help_panel=_PANEL)
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="Tables to build anew; all of them by default.")] = None,
    workers: WorkersOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Build tables anew from the log, apply what differs, and print it: how many rows were missing, surplus or changed."""
    with opened(ledger) as host:
        chosen = _projections(host, names or [])
        with progress("rebuild") as told:
            differences = host.tables.rebuild(chosen, told, workers=workers_for(workers, host.store.head().position))
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
    seal: Annotated[bool, typer.Option("--seal/--no-seal", help="Seal each second, or after 1,000 facts.")] = True,
    key_file: Annotated[
        Path | None,
        typer.Option("--sign-with", metavar="FILE", help="Sign checkpoints too, with this key; nobody signs by default."),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Catch up and seal whenever facts come, and tick now and then, until interrupted. A database that is away is waited for."""
    with opened(ledger) as host:
        sealing = _Sealing(host, key_file) if seal or key_file else None
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
                until = min(each for each in (due, end, sealing.seal(position) if sealing else None) if each is not None)
                host.store.wait(position, max(0.0, until - time.monotonic()))
            except Unavailable as error:
                say(str(error))
                time.sleep(min(every, 5.0))
            if end is not None and time.monotonic() >= end:
                return


class _Sealing:
    """Seals a second after the last time, or once 1,000 facts wait."""

    def __init__(self, host: OpsLedger, key_file: Path | None) -> None:
        from opsledger.audit.signing import load_key

        self._host = host
        self._signer = None if key_file is None else load_key(key_file)
        self._sealed = 0
        self._last = -_SEAL_EVERY_S

    def seal(self, position: int) -> float | None:
        """Seal if it is time to; return when it will be, None while nothing waits."""
        due = self._last + _SEAL_EVERY_S
        if position > self._sealed and (time.monotonic() >= due or position - self._sealed >= _SEAL_AFTER):
            self._sealed, self._last = self._host.seal(self._signer).size, time.monotonic()
        return due if position > self._sealed else None


def _look(host: OpsLedger) -> None:
    """Tick, and say what it recorded if it recorded anything."""
    ticked = {what: count for what, count in asdict(host.tick()).items() if count}
    if ticked:
        say("Ticked: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in ticked.items()) + ".")
