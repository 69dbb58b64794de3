"""Commands that show what the product does: example, demo."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from opsledger.cli.output import Format, say, show
from opsledger.cli.progress import progress
from opsledger.cli.reporting_operations import uptime_told
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.replay.tables import Tables

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Show"
_LOG: Final = "ops.db"
_SLA: Final = ("priority", "metric", "met", "breached", "overdue", "running", "attainment")
_QUEUE: Final = ("ticket_id", "priority", "level", "status", "next_metric", "next_due_at", "left_s", "overdue")
_UPTIME: Final = ("service_id", "target", "uptime", "met", "down", "budget_left", "planned")
_CHANGES: Final = ("category", "itil_type", "requested", "implemented", "successful", "failed", "backed_out", "success")
_REVENUE: Final = {
    "start": "mrr_start",
    "new": "new",
    "returned": "reactivation",
    "expansion": "expansion",
    "contraction": "contraction",
    "churn": "churn",
    "end": "mrr_end",
}
_BANDS: Final = ("red", "yellow", "green", "unknown")
_HEALTH: Final = ("customer_id", "stage", "score", "in_28_days", "final_band")
_INCIDENTS: Final = ("month", "severity", "resolved", "ttd_median_s", "tta_median_s", "ttm_median_s", "ttr_median_s", "ttr_p90_s")


@commands.command(rich_help_panel=_PANEL)
def example(
    into: Annotated[str, typer.Option("--into", metavar="URL", help="Where the ledger is created, as sqlite:///example.db.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="How many days, from 2025-01-01.")] = 365,
    per_day: Annotated[float, typer.Option("--per-day", min=0.1, max=10_000, help="How many tickets a day, on average.")] = 6.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another year; the same one gives the same.")] = 7,
) -> None:
    """Write a simulated year of a small business: tickets, incidents, customers, breaches, late entries, corrections."""
    from opsledger.example import write

    with progress("example", "days") as told, write(into, days=days, per_day=per_day, seed=seed, progress=told) as ledger:
        say(f"Wrote {ledger.store.head().position:,} facts of a simulated year into {ledger.url.shown}.")


@commands.command(rich_help_panel=_PANEL)
def demo(
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where the demo's ledger lies; one from an earlier demo is replaced.")] = Path(
        "demo"
    ),
) -> None:
    """Write the example year, project it, verify it, and print how the promises were kept and how customers do."""
    from opsledger.example import write

    url = f"sqlite:///{_cleared(folder)}"
    with progress("example", "days") as told:
        ledger = write(url, progress=told)
    with ledger:
        typer.echo(f"1. A simulated year is recorded: {ledger.store.head().position:,} facts in {url}.")
        with progress("catch-up") as told:
            ledger.catch_up(told)
        tables = ledger.tables.tables
        typer.echo(f"2. The tables show it: {len(tables.select('ticket')):,} tickets, {len(tables.select('incident')):,} incidents.")
        ledger.seal()
        report = ledger.verify()
        typer.echo("3. It is verified (`opsledger verify` also lists promises that were restated since):")
        for line in report.lines():
            if "restated:" not in line:
                typer.echo(f"   {line}")
        month = tables.select("month")[-2]["month"]
        typer.echo(f"\n4. Promises to customers in {month}")
        rows = tables.select("sla_compliance", month=month)
        show([{**row, "attainment": _percent(row["attainment_bp"])} for row in rows], _SLA, Format.TABLE)
        queue = sorted(tables.select("support_queue"), key=lambda row: (row["left_s"] is None, row["left_s"], row["ticket_id"]))
        typer.echo(f"\n5. Support queue: {len(queue)} open tickets at {tables.now():%Y-%m-%d %H:%M}Z, those due first")
        show(queue[:8], _QUEUE, Format.TABLE)
        typer.echo("\n6. Incidents of the last quarter, medians in seconds")
        months = [row["month"] for row in tables.select("month")[-4:]]
        rows = tables.select("incident_kpi_month", service_id="*")
        show([row for row in rows if row["month"] in months and row["resolved"]], _INCIDENTS, Format.TABLE)
        typer.echo("\n7. Availability in the month, by what the objectives promise")
        show([uptime_told(row) for row in tables.select("sla_month", month=month)], _UPTIME, Format.TABLE)
        typer.echo("\n8. Changes of the month")
        made = [row for row in tables.select("change_kpi_month", month=month) if row["requested"] and row["category"] != "*"]
        show([{**row, "success": _percent(row["success_bp"])} for row in made], _CHANGES, Format.TABLE)
        _customers(tables, month)
    typer.echo("\nGo on, for example with:")
    ours = f"--ledger {url}"
    for words in (
        "report sla --month 2025-11",
        f"explain sla_compliance {month} high first_response",
        "explain sla_month platform 2025-06",
        "report availability --target 99.5",
        "backtest health",
    ):
        typer.echo(f"  opsledger {words} {ours}")
    raise typer.Exit(report.code)


def _customers(tables: Tables, month: str) -> None:
    """Print how revenue moved in a month, and which of those who pay are worst off at its end."""
    from opsledger.policies.money import shown

    typer.echo("\n9. Recurring revenue in the month, as it moved")
    moved = [
        {"currency": row["currency"], **{name: shown(row[f"{column}_minor"], row["currency"]) for name, column in _REVENUE.items()}}
        for row in tables.select("mrr_monthly", month=month, plan_id="*", segment="*")
    ]
    show(moved, ("currency", *_REVENUE), Format.TABLE)
    day = (tables.now() - timedelta(days=1)).date().isoformat()
    paying = {row["customer_id"] for row in tables.select("subscription_current") if row["state"] in ("active", "past_due", "paused")}
    rows = [row for row in tables.select("health_score", as_of_day=day) if row["customer_id"] in paying]
    bands = Counter(row["final_band"] for row in rows)
    typer.echo(f"\n10. Health of the {len(rows)} customers who pay: {', '.join(f'{bands[band]} {band}' for band in _BANDS)}; the worst")
    rows.sort(key=lambda row: (row["final_score_x10"] is None, row["final_score_x10"], row["customer_id"]))
    show(
        [{**row, "score": _tenths(row["final_score_x10"]), "in_28_days": _tenths(row["trend_28d_x10"])} for row in rows[:6]],
        _HEALTH,
        Format.TABLE,
    )


def _tenths(tenths: int | None) -> str | None:
    return None if tenths is None else f"{Decimal(tenths).scaleb(-1):.1f}"


def _cleared(folder: Path) -> Path:
    """Return the path of the demo's log in a folder that holds nothing but an earlier demo."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = [path for path in folder.iterdir() if path.name.startswith("ops.")]
    strange = sorted(path.name for path in folder.iterdir() if path not in ours)
    if strange:
        raise BadInput("demo.folder", f"The folder {folder} holds {strange[0]}, which is not of a demo; name another with --folder.")
    for path in ours:
        path.unlink()
    return folder / _LOG


def _percent(basis_points: int | None) -> str:
    return "" if basis_points is None else f"{basis_points // 100}.{basis_points % 100:02d} %"
