"""Commands that sum up: report sla, report queue, report incidents, report backlog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, built_tables, opened
from opsledger.cli.output import Format, FormatOption, length, say, show
from opsledger.errors import BadInput

__all__ = ["MonthOption", "commands", "month_of", "percent", "report", "rows_of", "show_rows"]

commands = typer.Typer()
report = typer.Typer(no_args_is_help=True, help="Sum up: promises, tickets, the platform, changes, revenue, customers, health.")
commands.add_typer(report, name="report", rich_help_panel="Read")

MonthOption = Annotated[str | None, typer.Option("--month", metavar="MONTH", help="Only this month, such as 2026-03.")]
PriorityOption = Annotated[str | None, typer.Option("--priority", help="Only this priority: critical, high, medium or low.")]

SeverityOption = Annotated[str | None, typer.Option("--severity", "--priority", help="Only this severity: critical, high, medium or low.")]

ServiceOption = Annotated[str, typer.Option("--service", metavar="ID", help="Only incidents that affected this service.")]

_SLA: Final = ("month", "priority", "metric", "met", "breached", "overdue", "running", "cancelled")
_QUEUE: Final = ("ticket_id", "priority", "level", "status", "assignee_group", "next_metric", "next_due_at")
_INCIDENTS: Final = ("month", "severity", "figure", "n", "mean", "median", "p90")
_FIGURES: Final = {"ttd": "time to detect", "tta": "time to acknowledge", "ttm": "time to mitigate", "ttr": "time to resolve"}
_BACKLOG: Final = ("day", "entered", "ended", "open_at_end")


@report.command()
def sla(
    month: MonthOption = None, priority: PriorityOption = None, ledger: LedgerOption = None, format: FormatOption = Format.TABLE
) -> None:
    """Print which share of the promises to customers was kept, by month, priority and metric; months without any are left out."""
    rows = rows_of(ledger, "sla_compliance", month=month_of(month), priority=_priority(priority))
    rows = [row for row in rows if row["judged"] or row["running"] or row["cancelled"]]
    worst_first = _priorities()
    rows.sort(key=lambda row: (row["month"], worst_first.index(row["priority"]), row["metric"]))
    if format is Format.TABLE:
        told = [{**row, "attainment": percent(row["attainment_bp"]) or f"({row['null_reason']})"} for row in rows]
        show_rows(told, (*_SLA, "attainment"), format)
    else:
        show_rows(rows, (*_SLA, "attainment_bp", "null_reason"), format)


@report.command()
def queue(priority: PriorityOption = None, ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Print the open tickets, the one whose next promise is due first, first."""
    rows = rows_of(ledger, "support_queue", priority=_priority(priority))
    rows.sort(key=lambda row: (row["left_s"] is None, row["left_s"], row["ticket_id"]))
    if format is Format.TABLE:
        told = [{**row, "left": length(row["left_s"]), "age": length(row["age_s"])} for row in rows]
        show_rows(told, (*_QUEUE, "left", "age", "overdue"), format)
    else:
        show_rows(rows, (*_QUEUE, "left_s", "age_s", "overdue"), format)


@report.command()
def incidents(
    month: MonthOption = None,
    severity: SeverityOption = None,
    service: ServiceOption = "*",
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print how fast incidents were detected, acknowledged, mitigated and resolved, and how often they came, by month and severity.

    Months without any are left out.
    """
    rows = rows_of(ledger, "incident_kpi_month", month=month_of(month), severity=_priority(severity), service_id=service)
    rows = [row for row in rows if row["resolved"] or row["failures"]]
    worst_first = _priorities()
    rows.sort(key=lambda row: (row["month"], worst_first.index(row["severity"])))
    if format is Format.TABLE:
        show_rows((figure for row in rows for figure in _figures(row)), _INCIDENTS, format)
    else:
        show_rows(rows, list(rows[0]) if rows else ["month", "severity"], format)


@report.command()
def backlog(month: MonthOption = None, ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Print how many tickets came in, ended and lay open, day by day."""
    wanted = month_of(month) or ""
    rows = [row for row in rows_of(ledger, "backlog_day") if row["day"].startswith(wanted)]
    show_rows(rows, _BACKLOG, format)


def _figures(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the figures of one month and severity, one below the other; those of nothing are left out."""
    which = {"month": row["month"], "severity": row["severity"]}
    for name, said in _FIGURES.items():
        if row[f"{name}_n"]:
            lengths = {part: length(row[f"{name}_{part}_s"]) for part in ("mean", "median", "p90")}
            yield {**which, "figure": said, "n": row[f"{name}_n"], **lengths}
    if row["failures"]:
        yield {**which, "figure": "time between failures", "n": row["failures"], "mean": length(row["mtbf_s"])}
    if not (row["failures"] or any(row[f"{name}_n"] for name in _FIGURES)):
        yield {**which, "figure": row["null_reason"] or row["mtbf_null_reason"], "n": 0}


def rows_of(ledger: str | None, view: str, **where: Any) -> list[dict[str, Any]]:
    """Return the rows of a table or view whose columns equal what is given; None: whatever they are."""
    with opened(ledger) as host:
        return built_tables(host).select(view, **{name: value for name, value in where.items() if value is not None})


def show_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], format: Format) -> None:
    """Print rows, or say that there are none."""
    made = list(rows)
    show(made, columns, format)
    if not made:
        say("There is nothing to report; look at what was asked for, or at whether anything was recorded.")


def month_of(text: str | None) -> str | None:
    """Return a month as it was asked for. Refuses what is none."""
    if text is None:
        return None
    year, dash, month = text.partition("-")
    if not (dash and len(year) == 4 and len(month) == 2 and (year + month).isdigit() and 1 <= int(month) <= 12):
        raise BadInput("report.month", f"'{text}' is no month; write it like 2026-03.")
    return text


def _priorities() -> list[str]:
    """Return the priorities, worst first."""
    from opsledger.policies.support import Priority

    return [str(priority) for priority in Priority]


def _priority(text: str | None) -> str | None:
    if text is not None and text not in _priorities():
        raise BadInput("report.priority", f"'{text}' is no priority; there are {', '.join(_priorities())}.")
    return text


def percent(basis_points: int | None) -> str | None:
    """Return basis points as a person reads a percentage; None as nothing."""
    return None if basis_points is None else f"{basis_points // 100}.{basis_points % 100:02d} %"
