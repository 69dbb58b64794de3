"""Commands that hand evidence to others: export population, auditpack and tiles, check-population, controls."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from opsledger.cli.opening import LedgerOption, content, instant, opened
from opsledger.cli.output import Format, FormatOption, conclude, counted, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput
from opsledger.policies.instants import micros

__all__ = ["commands"]

commands = typer.Typer()
_PANEL: Final = "Audit"
_export = typer.Typer(no_args_is_help=True, help="Files for auditors: population, auditpack, tiles.")
commands.add_typer(_export, name="export", rich_help_panel=_PANEL)

_COUNTS: Final = ("topic", "in_range", "in_population")


class Redacted(StrEnum):
    """What is left out of an audit pack."""

    PERSONAL = "personal"
    PAYLOADS = "payloads"


SizeOption = Annotated[
    int | None, typer.Option("--checkpoint", min=1, metavar="SIZE", help="The one over so many facts; the newest by default.")
]


@commands.command(rich_help_panel=_PANEL)
def controls(format: FormatOption = Format.TABLE) -> None:
    """List the controls whose populations can be exported: what they mean, and which facts answer."""
    from opsledger.domain.controls import CONTROLS

    rows = [
        {"control": each.name, "meaning": each.meaning, "topics": ", ".join(each.topics), "frameworks": "; ".join(each.frameworks)}
        for each in CONTROLS.values()
    ]
    show(rows, ("control", "meaning", "topics", "frameworks"), format)


@_export.command()
def population(
    control: Annotated[str, typer.Argument(metavar="CONTROL", help="A control; `opsledger controls` lists them.")],
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="From when.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Until before when; it must be over.")],
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="A new file, ending with .jsonl or .csv.")],
    happened: Annotated[
        bool,
        typer.Option("--happened", help="By when facts happened, looked for in the whole ledger, rather than by when they were recorded."),
    ] = False,
    leaves: Annotated[
        bool, typer.Option("--leaves", help="Write the leaf of every fact of the range too: the proof that none is left out.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that covers the range; by default the newest that was signed.")
    ] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Write every fact of a control in a period, and beside it a statement of what was looked at; print the counts by topic.

    With --leaves `opsledger check-population` can tell without the ledger that nothing was left out.
    """
    from opsledger.domain.controls import control as declared
    from opsledger.replay.evidence.populating import export_population
    from opsledger.replay.evidence.population import Period

    chosen, started, ended = declared(control), instant(begin), instant(end)
    if started is None or ended is None:
        raise BadInput("population.period", "A period has a beginning and an end; write --from 2026-01-01 --to 2026-04-01.")
    note = None if checkpoint is None else content(checkpoint)
    with opened(ledger) as host, progress("export") as told:
        statement = export_population(
            host.store,
            host.seals,
            chosen,
            Period(micros(started), micros(ended), happened),
            into,
            now=micros(host.now()),
            leaves=leaves,
            checkpoint=note,
            progress=told,
        )
    rows = [{"topic": topic, "in_range": count.range, "in_population": count.population} for topic, count in statement.found.items()]
    show(rows, _COUNTS, format)
    if statement.simulated:
        say("This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written.")
    bound = "bound to a checkpoint" if statement.checkpoint else "bound to no checkpoint, since none covers them"
    if statement.facts:
        facts = counted(statement.facts, "fact")
        say(f"Wrote {statement.population} of {facts}, positions {statement.first} to {statement.last}, {bound}, into {into}.")
    else:
        say(f"Nothing was recorded in the period; {into} has no fact, and its statement says so, {bound}.")


@_export.command()
def auditpack(
    begin: Annotated[str, typer.Option("--from", metavar="A", help="First position, or from when facts were recorded.")],
    end: Annotated[str, typer.Option("--to", metavar="B", help="Last position, or until before when they were.")],
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="A new file, such as 2026-q1.tar.")],
    redact: Annotated[
        Redacted | None,
        typer.Option(metavar="personal|payloads", help="Leave out sealed personal values; with payloads the stored bytes of facts too."),
    ] = None,
    checkpoint: SizeOption = None,
    kept: Annotated[
        list[int] | None,
        typer.Option("--kept", min=1, metavar="SIZE", help="An older checkpoint that the auditor kept, to be shown continued; repeatable."),
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Write a range of the ledger into one file, a tar of text files, which others verify without this program.

    Beside it lies verify_auditpack.py, which needs nothing but Python. The SHA-256 of both are printed. No key is in a pack, and
    nothing that was opened with one.
    """
    from opsledger.audit.pack import VERIFIER
    from opsledger.replay.evidence.packing import copy_verifier, export_auditpack, span_of

    with opened(ledger) as host, progress("export") as told:
        span = span_of(host.store, begin, end)
        verifier = copy_verifier(into.parent)
        packed = export_auditpack(
            host.store,
            host.seals,
            span,
            into,
            redact=None if redact is None else redact.value,
            checkpoint=checkpoint,
            kept=kept or (),
            progress=told,
        )
        simulated = host.simulated
    typer.echo(f"{packed.sha256}  {into.name}")
    typer.echo(f"{verifier}  {VERIFIER}")
    if simulated:
        say("This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written.")
    if span.period is not None and span.last == packed.checkpoint:
        say(f"Nothing that is signed comes after position {span.last}, so the pack cannot show that no more was recorded before {end}.")
    say(f"Wrote {counted(span.last - span.first + 1, 'fact')}, positions {span.first} to {span.last}, into {into}.")
    if packed.counts.get("parts gone"):
        say(f"Of {counted(packed.counts['parts'], 'sealed part')} {packed.counts['parts gone']} are no longer in the ledger.")


@_export.command()
def tiles(
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="A new folder, or one that was written before.")],
    checkpoint: SizeOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Write the Merkle tree into files, as C2SP tlog-tiles has them, for whoever monitors logs; and the checkpoint, last."""
    from opsledger.audit.tilefiles import write_tiles
    from opsledger.replay.evidence.packing import signed

    with opened(ledger) as host, progress("export", "leaves") as told:
        stored = signed(host.seals, checkpoint)
        new = write_tiles(host.seals, stored, into, told)
    say(f"The tree of {counted(stored.size, 'fact')} is in {into}; {counted(new, 'tile')} new.")


@commands.command("check-population", rich_help_panel=_PANEL)
def check_population(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of an exported population, its other files beside it.")],
    key: Annotated[list[str] | None, typer.Option("--key", metavar="VKEY", help="The log's verifier key, name+id+key; repeatable.")] = None,
) -> None:
    """Check without the ledger that a population is whole: nothing left out, nothing added, nothing changed.

    Exit code 0: it is; 1: there are findings; 2: something could not be decided.
    """
    from opsledger.audit.note import VerifierKey
    from opsledger.replay.evidence.completeness import check_population as check

    conclude(check(file, [VerifierKey.parse(each) for each in key or ()]))
