"""Commands that sum up the platform: report availability, also as it would have been by other terms, report changes and recovery."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from opsledger.cli.opening import LedgerOption, built_tables, opened
from opsledger.cli.output import Format, FormatOption, length
from opsledger.cli.reporting import MonthOption, month_of, percent, report, rows_of, show_rows
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.projections.availability.months import WhatIf

__all__ = ["uptime_told"]

_TERMS: Final = "By other terms"

_AVAILABILITY: Final = ("service_id", "slo_id", "month", "target", "uptime", "met", "down", "budget_left", "planned", "unknown", "complete")
_RECOVERY: Final = ("kind", "evidence_id", "service_id", "cause", "failed_at", "lost", "rpo_met", "lasted", "rto_met", "missed")
_READY: Final = ("service_id", "point", "drill", "drill_rpo_met", "drill_rto_met", "check", "check_intact")
_CHANGES: Final = ("month", "category", "itil_type", "requested", "implemented", "successful", "partially", "failed", "backed_out")


@report.command()
def availability(
    month: MonthOption = None,
    service: Annotated[str | None, typer.Option("--service", metavar="ID", help="Only this service.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="PERCENT", help="As if this had been promised, such as 99.95.", rich_help_panel=_TERMS)
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="As if months were those of this zone, such as Europe/Paris.", rich_help_panel=_TERMS)
    ] = None,
    maintenance: Annotated[
        Literal["removed", "up", "counts"] | None,
        typer.Option(help="As if planned maintenance were removed, were up, or counted like any time.", rich_help_panel=_TERMS),
    ] = None,
    unknown: Annotated[
        Literal["excluded", "up", "down"] | None, typer.Option(help="As if time unknown counted so.", rich_help_panel=_TERMS)
    ] = None,
    minimum_outage: Annotated[
        int | None,
        typer.Option("--minimum-outage", min=0, metavar="SECONDS", help="As if shorter outages were forgiven.", rich_help_panel=_TERMS),
    ] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print how long each service was up, and whether that kept its objective, by month.

    With other terms the same facts are judged anew by them; nothing is recorded or stored.
    """
    asked = (target, zone, maintenance, unknown, minimum_outage)
    if asked == (None,) * len(asked):
        rows = rows_of(ledger, "sla_month", month=month_of(month), service_id=service)
    else:
        wanted = {"month": month_of(month), "service_id": service}
        found = _judged_anew(ledger, _what_if(target, zone, maintenance, unknown, minimum_outage))
        rows = [row for row in found if all(value in (None, row[name]) for name, value in wanted.items())]
    if format is Format.TABLE:
        show_rows((uptime_told(row) for row in rows), _AVAILABILITY, format)
    else:
        show_rows(rows, list(rows[0]) if rows else ["service_id", "slo_id", "month"], format)


@report.command()
def changes(month: MonthOption = None, ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Print how many changes were asked for and made, and how they ended, by month and category; months without any are left out."""
    rows = [row for row in rows_of(ledger, "change_kpi_month", month=month_of(month)) if row["requested"] or row["implemented"]]
    if format is Format.TABLE:
        told = [{**row, "success": percent(row["success_bp"]) or f"({row['null_reason']})"} for row in rows if row["category"] != "*"]
        show_rows(told, (*_CHANGES, "success"), format)
    else:
        show_rows(rows, list(rows[0]) if rows else ["month", "category", "itil_type"], format)


@report.command()
def recovery(
    ready: Annotated[
        bool, typer.Option("--ready", help="Print instead how old the last recovery point, drill and check of each service are.")
    ] = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print what each failure, real or played in a drill, lost and how long it lasted, and which targets were missed."""
    rows = rows_of(ledger, "recovery_readiness" if ready else "recovery_evidence")
    if format is not Format.TABLE:
        show_rows(rows, list(rows[0]) if rows else ["service_id"], format)
    elif ready:
        ages = [{**row, **{name: length(row[f"{name}_age_s"]) for name in ("point", "drill", "check")}} for row in rows]
        show_rows(ages, _READY, format)
    else:
        rows.sort(key=lambda row: (row["failed_at"], row["evidence_id"]))
        show_rows([{**row, "lost": _minutes(row["rpo_us"]), "lasted": _minutes(row["rto_us"])} for row in rows], _RECOVERY, format)


def _minutes(us: int | None) -> str | None:
    """Return a length that is judged by the minute, cut to seconds."""
    return None if us is None else f"{us // 60_000_000} min {us // 1_000_000 % 60:02d} s"


def _what_if(target: str | None, zone: str | None, maintenance: str | None, unknown: Any, minimum_outage: int | None) -> WhatIf:
    from opsledger.policies.months import months
    from opsledger.projections.availability.months import WhatIf

    leaves: dict[str, Any] = {"removed": "numerator_and_denominator", "up": "numerator"}
    return WhatIf(
        target_pct=None if target is None else _percentage(target),
        months=None if zone is None else months(zone),
        maintenance_taken_out=None if maintenance is None else maintenance != "counts",
        maintenance_leaves=None if maintenance is None else leaves.get(maintenance),
        unknown_time=unknown,
        minimum_outage_s=minimum_outage,
    )


def _percentage(text: str) -> Decimal:
    try:
        asked = Decimal(text)
    except InvalidOperation:
        asked = Decimal(-1)
    if not 0 <= asked <= 100:
        raise BadInput("report.target", f"'{text}' is no percentage; write one from 0 to 100, such as 99.95.")
    return asked


def _judged_anew(ledger: str | None, what_if: WhatIf) -> list[dict[str, Any]]:
    """Return the rows of sla_month as they would be by other terms, from the facts that the tables show."""
    from opsledger.policies.instants import moment
    from opsledger.projections.availability import intervals as availability
    from opsledger.replay.gathering import gathered_of

    projection, table = availability.PROJECTIONS[0], availability.SLA_MONTH
    with opened(ledger) as host:
        tables = built_tables(host)
        made = []
        for service_id in tables.subjects(projection):
            states, known = gathered_of(host.store, tables, projection, service_id)
            for row in availability.months(service_id, states, known, what_if):
                named = dict(zip((column.name for column in table.columns), row, strict=True))
                instants = {column.name for column in table.columns if column.kind == "instant"}
                made.append({name: moment(value) if name in instants and value is not None else value for name, value in named.items()})
    return made


def uptime_told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of sla_month with its lengths and its share as a person reads them."""
    return {
        **row,
        "uptime": _share(row["up_us"], row["measured_us"]) or f"({row['null_reason']})",
        "down": length(row["weighted_down_us"] // 1_000_000),
        "budget_left": _signed(row["budget_remaining_us"]),
        "planned": length(row["maintenance_excluded_us"] // 1_000_000),
        "unknown": length(row["unknown_us"] // 1_000_000),
    }


def _signed(us: int) -> str | None:
    told = length(abs(us) // 1_000_000)
    return f"-{told}" if us < 0 else told


def _share(part: int, whole: int) -> str | None:
    """Return a share in percent with four decimals, cut, so that what misses a target never reads as it."""
    if not whole:
        return None
    cut = 1_000_000 * part // whole
    return f"{cut // 10_000}.{cut % 10_000:04d} %"
