"""Commands that prove and explain: verify, explain, show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, WorkersOption, built_tables, content, instant, opened, workers_for
from opsledger.cli.output import Format, FormatOption, cell, counted, plain, printable, show, written
from opsledger.cli.progress import progress
from opsledger.errors import BadInput, OpsledgerError
from opsledger.policies.instants import moment

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.domain.recorded import Recorded
    from opsledger.replay.explain import Explanation

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Prove"
_TOLD: Final = ("position", "stream", "version", "topic", "occurred_at", "recorded_at", "recorded_by", "role", "cause", "summary")
_FIRST: Final = 20
_SHOWN_POSITIONS: Final = 6
_SHOWN: Final = ("position", "version", "topic", "occurred_at", "recorded_at", "recorded_by", "role", "fact")

ChecksArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CHECK]...",
        help="integrity, checkpoints, continuity, reviews, parts, fold, promises, amounts, projections, closes, keys; or all.",
    ),
]
ReceivedOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE=TIME", help="When a note that you kept came to you, by a clock of yours; may be repeated."),
]
SinceOption = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="P",
        help="Integrity: leave out the facts up to this position, rounded down to a multiple of 65,536, whose seals are then believed.",
    ),
]


@commands.command(rich_help_panel=_PANEL)
def verify(
    checks: ChecksArgument = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option("--checkpoint", metavar="FILE", help="A note that you kept elsewhere; may be repeated.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="VKEY", help="A verifier key that you trust, name+id+key; may be repeated.")
    ] = None,
    received: ReceivedOption = None,
    accept_restore: Annotated[
        list[int] | None, typer.Option("--accept-restore", metavar="P", help="The position of a restore that you know of.")
    ] = None,
    since: SinceOption = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Validate every fact again as when it was made.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing when all is well.")] = False,
    workers: WorkersOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Check that the log is whole and what was signed, can be folded, kept its promises as known, and that the tables say the same.

    A checkpoint that you kept elsewhere shows what no check within the database can: that nothing it covers was rewritten.

    Exit code 0: all is well; 1: there are findings; 2: something could not be decided.
    """
    from opsledger.audit.note import VerifierKey

    trusted = [VerifierKey.parse(each) for each in key or ()]
    kept = {path.name: content(path) for path in checkpoint or ()}
    with opened(ledger) as host, ExitStack() as shown:
        bars: dict[str, Callable[[int, int], None]] = {}

        def told(check: str, done: int, of: int) -> None:
            if check not in bars:
                shown.close()
                bars[check] = shown.enter_context(progress(f"verify {check}"))
            bars[check](done, of)

        report = host.verify(
            *(checks or ()),
            strict=strict,
            kept=kept,
            received=dict(map(_received, received or ())),
            trusted=trusted,
            accepted=accept_restore or (),
            since=since,
            progress=told,
            workers=_workers(host, workers),
        )
    if as_json:
        typer.echo(written(report.as_dict()))
    elif report.code or not quiet:
        for line in report.lines():
            typer.echo(printable(line))
    raise typer.Exit(report.code)


def _received(said: str) -> tuple[str, datetime]:
    """Return the name of a note's file, and when it came."""
    name, equals, time = said.rpartition("=")
    when = instant(time) if equals else None
    if when is None:
        raise BadInput(
            "checkpoint.received", f"'{said}' does not say when a note came; write FILE=TIME, for example a.note=2026-03-02T09:00Z."
        )
    return Path(name).name, when


def _workers(host: OpsLedger, given: int | None) -> int:
    """Return how many processes fold; one where nothing can be read, which the report will say."""
    try:
        return workers_for(given, host.store.head().position)
    except OpsledgerError:
        return 1


@commands.command(rich_help_panel=_PANEL)
def explain(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or view; `opsledger tables` lists them.")],
    key: Annotated[list[str], typer.Argument(metavar="KEY", help="The values of its key, in order.")],
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Show what is behind a row: the facts that it was folded from, or the rows that are counted in it.

    With --format jsonl or csv only those facts or rows.
    """
    from opsledger.replay.explain import explain as find

    with opened(ledger) as host:
        found = find(host.store, built_tables(host), table, key)
    facts = [asdict(told) for told in (*found.facts, *found.named)]
    if format is Format.JSON:
        typer.echo(written(asdict(found)))
    elif format is Format.TABLE:
        for line in _told(found):
            typer.echo(line)
        if facts:
            show([{**fact, "cause": fact["cause"] or None} for fact in facts], _TOLD, format)
    elif facts:
        show(facts, _TOLD, format)
    else:
        show(_counted(found), ("table", "key", "result"), format)


@commands.command("show", rich_help_panel=_PANEL)
def show_stream(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="What the facts are about, as ticket:T-1042.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Open personal fields; they are told as sealed otherwise.")] = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print the facts of one thing, in the order in which they were recorded."""
    with opened(ledger) as host:
        rows = [_shown(host, recorded, reveal=reveal, text=format in (Format.TABLE, Format.CSV)) for recorded in host.history(stream)]
    show(rows, _SHOWN, format)


def _told(found: Explanation) -> Iterator[str]:
    """Yield an explanation as text, up to the facts."""
    yield f"{found.table} {' '.join(map(cell, found.key.values()))}: {found.meaning}"
    if found.story:
        yield ""
        yield from (f"  {line}{_positions(rests)}" for line, rests in zip(found.story, found.evidence, strict=True))
        yield ""
    width = max(map(len, found.row))
    yield from (f"  {name.ljust(width)}  {cell(value)}" for name, value in found.row.items() if value is not None)
    for name, rows in found.details.items():
        if not rows:
            continue
        if found.story:
            wanted = " ".join(f"{name}={_quoted(str(plain(value)))}" for name, value in found.key.items())
            yield f"  {name}: {counted(len(rows), 'row')}; `opsledger select {name} {wanted}`"
            continue
        yield ""
        yield f"{name}:"
        for row in rows:
            rest = {column: value for column, value in row.items() if column not in found.key and value is not None}
            yield "  " + ", ".join(f"{column} {cell(value)}" for column, value in rest.items())
    if found.reads:
        yield ""
        yield f"Computed when it is read, from {', '.join(found.reads)}."
    if found.counted:
        yield f"Behind it: {counted(len(found.counted), 'row')}; go on with:"
        for each in _counted(found)[:_FIRST]:
            result = f"  # {each['result']}" if each["result"] else ""
            yield f"  opsledger explain {each['table']} {each['key']}{result}"
    if len(found.counted) > _FIRST:
        yield f"  ... and {len(found.counted) - _FIRST} more; --format csv lists all of them."
    if found.facts or found.named:
        yield ""
        yield "Facts, those that changed its mind marked as cause:"


def _positions(rests: Sequence[int]) -> str:
    """Return the positions of the facts on which a line rests; of many how many, the first and the last."""
    positions = sorted(set(rests))
    if len(positions) > _SHOWN_POSITIONS:
        return f"  [{len(positions)} facts, {positions[0]} to {positions[-1]}]"
    return f"  [{', '.join(map(str, positions))}]" if positions else ""


def _counted(found: Explanation) -> list[dict[str, str]]:
    return [
        {"table": each.table, "key": " ".join(_quoted(str(plain(part))) for part in each.key), "result": each.result or ""}
        for each in found.counted
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'" if set(text) & set(" '\"$`\\|&;<>()*?[]#~!") else text


def _shown(host: OpsLedger, recorded: Recorded, *, reveal: bool, text: bool) -> dict[str, Any]:
    said = _fields(host, recorded, reveal=reveal)
    fact = ", ".join(f"{name} {plain(value)}" for name, value in said.items() if value is not None) if text else said
    return {
        "position": recorded.position,
        "version": recorded.version,
        "topic": recorded.topic,
        "occurred_at": moment(recorded.occurred_at),
        "recorded_at": moment(recorded.recorded_at),
        "recorded_by": recorded.recorded_by,
        "role": recorded.role,
        "fact": fact,
    }


def _fields(host: OpsLedger, recorded: Recorded, *, reveal: bool) -> dict[str, Any]:
    """Return a fact's fields; personal ones opened, or told as sealed, erased or restricted."""
    from opsledger.domain.fact import fact_type
    from opsledger.ledger.personal import Erased, Restricted

    kind = fact_type(recorded.topic)
    opened_fields = host.reveal(recorded) if reveal else {}
    values = {}
    for each in fields(recorded.fact):
        value = getattr(recorded.fact, each.name)
        if each.name in kind.personal and value is not None:
            value = opened_fields.get(each.name, "(sealed)")
            value = "(erased)" if isinstance(value, Erased) else "(restricted)" if isinstance(value, Restricted) else value
        values[each.name] = asdict(value) if hasattr(value, "__dataclass_fields__") else value
    return values
