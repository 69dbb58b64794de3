"""Commands for audits, and for those who prepare them: late-entries, close, review-trail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, WorkersOption, built_tables, content, opened, workers_for
from opsledger.cli.output import Format, FormatOption, counted, length, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.replay.tables import Tables

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Audit"
_LATE: Final = (
    "position",
    "stream",
    "topic",
    "occurred_at",
    "recorded_at",
    "late_s",
    "bound_s",
    "recorded_by",
    "role",
    "source",
    "summary",
)


@commands.command("late-entries", rich_help_panel=_PANEL)
def late_entries(
    later_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How late, such as 2 h or 3 days; by default as the operating model in force then says."),
    ] = None,
    imported: Annotated[
        bool,
        typer.Option("--imported", help="List also what other systems handed over, imports and observations, which is late by nature."),
    ] = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print the facts that were recorded long after they happened: how late, by whom, and what they say."""
    bound = None if later_than is None else _seconds(later_than)
    with opened(ledger) as host:
        rows = _late(built_tables(host), bound)
        _say_of(host)
    shown = [row for row in rows if imported or row["source"] is None]
    if format is Format.TABLE:
        told = [{**row, "late": length(row["late_s"])} for row in shown]
        show(told, [{"late_s": "late"}.get(name, name) for name in _LATE if name != "bound_s"], format)
    else:
        show(shown, _LATE, format)
    said = "than the operating model allows" if later_than is None else f"than {later_than} after they happened"
    say(f"Recorded later {said}: {counted(len(shown), 'fact')}.")
    for source, count in sorted(Counter(row["source"] for row in rows if row["source"] is not None).items()):
        if not imported:
            say(f"Left out: {counted(count, 'fact')} handed over by {source}, which tells later by nature; see --imported.")


@commands.command(rich_help_panel=_PANEL)
def close(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or view with a month or day in its key, such as sla_compliance.")],
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="A month such as 2026-03, or a UTC day such as 2026-03-01.")],
    proposer: Annotated[str, typer.Option("--proposer", metavar="ACTOR", help="Opaque id of who proposes it.")],
    approver: Annotated[str, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who approves it: somebody else.")],
    position: Annotated[int | None, typer.Option(metavar="P", help="As known at this position; the newest by default.")] = None,
    reason: Annotated[str, typer.Option(help="Why what was closed before is restated.")] = "",
    workers: WorkersOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Freeze what a table says of a period that is over, and print the digest of it. `opsledger verify closes` computes it again."""
    with opened(ledger) as host, progress("close") as told:
        folding = workers_for(workers, host.store.head().position)
        receipt = host.close_period(
            table, period, proposed_by=proposer, approved_by=approver, position=position, reason=reason, progress=told, workers=folding
        )
    if receipt.position is None:
        say(f"{table} says of {period} what was reported; nothing was recorded.")
        return
    (made,) = receipt.facts
    rows, done = counted(len(made.frozen.rows), "row"), "Restated" if reason else "Closed"
    say(f"{done} {table} for {period} as known at position {made.position}: {rows}, recorded at position {receipt.position}.")
    typer.echo(made.digest)


@commands.command("review-trail", rich_help_panel=_PANEL)
def review_trail(
    reviewer: Annotated[str, typer.Option("--reviewer", metavar="ACTOR", help="Opaque id of who reviewed, and took no part in the range.")],
    findings: Annotated[int, typer.Option(min=0, metavar="N", help="How many findings there are.")],
    conclusion: Annotated[str, typer.Option(metavar="TEXT", help="What was concluded; no personal content.")],
    first: Annotated[int | None, typer.Option("--from", metavar="P", help="First position; by default after the last review.")] = None,
    last: Annotated[int | None, typer.Option("--to", metavar="P", help="Last position; by default the newest.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that the reviewer holds; the ledger must begin with it.")
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Record that somebody independent reviewed a range of the ledger, and what they concluded."""
    note = None if checkpoint is None else content(checkpoint)
    with opened(ledger) as host:
        receipt = host.review_audit_trail(reviewer, findings=findings, conclusion=conclusion, first=first, last=last, checkpoint=note)
    (made,) = receipt.facts
    bound = "without a checkpoint" if made.checkpoint is None else f"bound to the checkpoint over {made.checkpoint.size} facts"
    say(f"Recorded the review of positions {made.first} to {made.last}, {bound}, at position {receipt.position}.")


def _late(tables: Tables, bound_s: int | None) -> list[dict[str, Any]]:
    """Return the late entries in order of position, by the model's bound or by another one."""
    import sqlalchemy as sa

    from opsledger.projections.governance.late_entries import LATE_ENTRY, later_than

    if bound_s is None:
        return tables.select(LATE_ENTRY.name)
    statement = sa.text(f"{later_than(tables.sql, str(bound_s))} ORDER BY position")
    return tables.query(statement.columns(*(column.sa() for column in LATE_ENTRY.columns)))


def _seconds(text: str) -> int:
    from opsledger.policies.duration import duration

    try:
        found = duration(text)
    except ValueError as error:
        raise BadInput("late.duration", f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    if found.business_days:
        raise BadInput("late.business_days", f"'{text}' counts business days; being late is elapsed time, such as 24 h.")
    return found.seconds


def _say_of(host: OpsLedger) -> None:
    """Say of a simulated ledger that it is one, since its times of recording prove nothing."""
    if host.simulated:
        say("This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written.")
