"""Commands that write tables of another time and compare tables: replay, diff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, WorkersOption, instant, opened, tables_into, tables_of, workers_for
from opsledger.cli.output import Format, FormatOption, conclude, counted, say, show
from opsledger.cli.progress import progress
from opsledger.cli.receipts import Repeated, write_receipt
from opsledger.errors import BadInput
from opsledger.policies.instants import iso, micros

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.replay.diff import Differing
    from opsledger.replay.tables import AsOf, Tables

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Keep"
_DIFFERING: Final = ("table", "key", "what", "column", "a", "b")


@commands.command(rich_help_panel=_PANEL)
def replay(
    into: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to: sqlite:///t.db, that very file; or a PostgreSQL URL with its schema.")
    ] = None,
    known_at: Annotated[str | None, typer.Option(metavar="TIME", help="What was known at this time of recording.")] = None,
    position: Annotated[int | None, typer.Option(metavar="P", help="What was known at this position of the ledger.")] = None,
    effective_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="What had happened by this time. Imported history is asked for by this one.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a receipt; where the file is there, repeat its replay and compare.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Sign the receipt with the key in this file.")] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="VKEY", help="A key that may have signed the receipt, name+id+key; repeatable.")
    ] = None,
    workers: WorkersOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Write all tables as they were at another time into a database of their own, or repeat a replay by its receipt.

    Known-at cuts by when facts were recorded, effective-at by when they happened; known-at T alone means both. An import was
    recorded when it was imported, so its past is asked for with --effective-at. With --receipt the tables need no place to stay.
    Exit code of a repetition: 0 the same tables came out; 1 they did not, and the table and the row are named; 2 it could not be decided.
    """
    from opsledger.audit.signing import load_key
    from opsledger.replay.asof import replay as write
    from opsledger.replay.executor import executor

    axes = (known_at, position, effective_at)
    _check(into, receipt, key_file, axes)
    signer = None if key_file is None else load_key(key_file)
    with opened(ledger) as host, _tables(into) as tables:
        again = Repeated(host, receipt) if receipt is not None and receipt.exists() else None
        shown = _as_of(host, *axes) if again is None else again.as_of()
        with progress("replay") as told:
            write(host.store, tables, shown, told, executor(workers_for(workers, shown.position)))
        effective_said = "" if shown.effective_at is None else f", effective at {iso(shown.effective_at)}"
        done = "Replayed" if into is None else "Wrote"
        say(f"{done} the tables as known at position {shown.position}, recorded at {iso(shown.recorded_at)}{effective_said}.")
        if again is not None:
            conclude(again.compare(tables, shown, key or ()))
        elif receipt is not None:
            write_receipt(host, tables, shown, receipt, signer)


def _check(into: str | None, receipt: Path | None, key_file: Path | None, axes: tuple[object, ...]) -> None:
    """Refuse what cannot be asked for together."""
    if into is None and receipt is None:
        raise BadInput("replay.where", "Say where the tables shall go with --into URL, or ask for a receipt with --receipt FILE.")
    if key_file is not None and receipt is None:
        raise BadInput("receipt.none", "A signing key signs a receipt; ask for one with --receipt FILE.")
    if receipt is not None and receipt.exists() and (key_file is not None or any(each is not None for each in axes)):
        raise BadInput(
            "receipt.stands", f"{receipt} is there already and says as of when; repeat it with nothing else, or name another file."
        )


def _as_of(host: OpsLedger, known_at: str | None, position: int | None, effective_at: str | None) -> AsOf:
    from opsledger.replay.asof import as_of

    known, effective = instant(known_at), instant(effective_at)
    return as_of(
        host.store,
        position=position,
        known_at=None if known is None else micros(known),
        effective_at=None if effective is None else micros(effective),
    )


@commands.command(rich_help_panel=_PANEL)
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="URL of a ledger, whose tables are meant, or of what a replay wrote.")],
    other: Annotated[str, typer.Argument(metavar="B", help="URL of another one.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="Tables to compare; all of them by default.")] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Compare two sets of tables, and print the rows that only one has and the columns in which the others differ.

    Exit code 0: they are the same; 1: they differ.
    """
    from opsledger.replay.diff import differences

    with tables_of(one) as first, tables_of(other) as second:
        for name in names or ():
            if name not in first.schema.declared:
                first.describe(name)
                raise BadInput("diff.view", f"{name} is a view, which is computed from tables; compare the tables that it reads.")
        shown = [f"{name} as known at position {tables.as_of().position}" for name, tables in (("A", first), ("B", second))]
        say(f"Comparing {' with '.join(shown)}.")
        counts: Counter[str] = Counter()
        show(_counting(differences(first, second, names or ()), counts), _DIFFERING, format)
    if counts:
        say(", ".join(f"{table} differs in {counted(count, 'place')}" for table, count in counts.items()) + ".")
        raise typer.Exit(1)
    say("They are the same.")


def _counting(found: Iterable[Differing], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield differences as they are printed, and count them by table."""
    for each in found:
        counts[each.table] += 1
        key = " ".join(map(str, each.key)) or None
        yield {"table": each.table, "key": key, "what": each.what, "column": each.column, "a": each.one, "b": each.other}


def _tables(into: str | None) -> AbstractContextManager[Tables]:
    """Open where tables are written to; for a receipt alone a file that is gone afterwards."""
    if into is not None:
        return tables_into(into)
    from opsledger.replay.scratch import scratch_tables

    return scratch_tables()
