"""Commands that sum up the business with customers: report revenue, customers, health, onboarding; each also as it was known before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from opsledger.cli.opening import LedgerOption, built_tables, instant, opened
from opsledger.cli.output import Format, FormatOption, say
from opsledger.cli.reporting import MonthOption, month_of, percent, report, show_rows
from opsledger.errors import BadInput
from opsledger.policies.instants import micros

if TYPE_CHECKING:
    from opsledger.replay.tables import Tables

__all__: list[str] = []

AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="TIME", help="As it was known then; the ledger is folded anew up to that time.")
]
CustomerOption = Annotated[str | None, typer.Option("--customer", metavar="ID", help="Only this customer.")]
SegmentOption = Annotated[str | None, typer.Option("--segment", metavar="NAME", help="Only customers of this segment.")]
LeftOption = Annotated[bool, typer.Option("--left", help="Also customers who have left: all of their subscriptions ended.")]
DayOption = Annotated[
    str | None, typer.Option("--day", metavar="DAY", help="The end of this UTC day, such as 2026-03-14; the last one closed by default.")
]

_MOVES: Final = ("new", "reactivation", "expansion", "contraction", "churn", "fx_impact", "moved")
_REVENUE: Final = ("mrr_start", *_MOVES, "mrr_end", "past_due", "paused", "arr")
_SHARES: Final = ("logo_churn_bp", "grr_bp", "nrr_bp")
_KEPT: Final = ("logo_churn", "grr", "nrr")
_CUSTOMERS: Final = (
    "customer_id",
    "segment",
    "mrr",
    "health",
    "band",
    "trend",
    "renewal_on",
    "renewal_forecast",
    "open_tickets",
    "success_manager",
)
_HEALTH: Final = ("customer_id", "score", "band", "trend", "measured", "stage", "computed", "overridden_until", "lost_most_by", "risks")
_ONBOARDING: Final = ("plan_id", "customer_id", "status", "open_phase", "progress", "go_live_on", "overdue", "days_late", "ttv_days")
_BANDS: Final = ("red", "unknown", "yellow", "green")
_ROLES: Final = ("customer_success_manager_id", "technical_account_manager_id", "support_specialist_id")


@report.command()
def revenue(
    month: MonthOption = None,
    by: Annotated[Literal["plan", "segment", "both"] | None, typer.Option("--by", help="Split by plan, by segment, or by both.")] = None,
    currency: Annotated[str | None, typer.Option("--currency", metavar="CODE", help="Only this currency of the report.")] = None,
    as_of: AsOfOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print how recurring revenue moved, month by month, and which share of customers and revenue was kept."""
    split = {"plan_id": by in ("plan", "both"), "segment": by in ("segment", "both")}
    wanted = {"month": month_of(month), "currency": currency}
    with _shown(ledger, as_of) as tables:
        rows = [row for row in _select(tables, "mrr_monthly", wanted) if all((row[name] != "*") == on for name, on in split.items())]
        kept = {(row["month"], row["currency"]): row for row in _select(tables, "churn_monthly", wanted)}
    which = ("month", "currency", *(name for name, on in split.items() if on))
    if by is None:
        none = dict.fromkeys(_SHARES)
        rows = [{**row, **{name: kept.get((row["month"], row["currency"]), none)[name] for name in _SHARES}} for row in rows]
    if format is Format.TABLE:
        used = [name for name in _REVENUE if name in ("mrr_start", "mrr_end") or any(row[f"{name}_minor"] for row in rows)]
        show_rows(map(_revenue_told, rows), (*which, *used, "customers_end", *(_KEPT if by is None else ())), format)
    else:
        shares = _SHARES if by is None else ()
        show_rows(rows, (*which, *(f"{name}_minor" for name in _REVENUE), "customers_end", *shares), format)


@report.command()
def customers(
    segment: SegmentOption = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="ID", help="Only those whom this person looks after.")] = None,
    left: LeftOption = False,
    as_of: AsOfOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print every customer with revenue, health, next renewal and open tickets, those who do worst first."""
    with _shown(ledger, as_of) as tables:
        known = {row["customer_id"]: row for row in tables.select("customer")}
        brings, gone = _revenue_by_customer(tables), _gone(tables)
        health = {row["customer_id"]: row for row in _last_day(tables)}
        renewals = _next_renewals(tables)
        waiting = _counted(row["customer_id"] for row in tables.select("support_queue"))
    rows = []
    for id in sorted({*known, *brings} - (set() if left else gone)):
        customer = known.get(id, {})
        if segment not in (None, customer.get("segment")) or (owner is not None and owner not in {customer.get(role) for role in _ROLES}):
            continue
        score, renewal = health.get(id, {}), renewals.get(id, {})
        rows.append(
            {
                "customer_id": id,
                "segment": customer.get("segment"),
                "mrr_minor": brings.get(id, {}),
                "score_x10": score.get("final_score_x10"),
                "band": score.get("final_band"),
                "trend_28d_x10": score.get("trend_28d_x10"),
                "renewal_on": renewal.get("renewal_on"),
                "forecast_bp": renewal.get("forecast_bp"),
                "open_tickets": waiting.get(id, 0),
                **{role: customer.get(role) for role in _ROLES},
            }
        )
    rows.sort(key=lambda row: (_badness(row["band"]), row["score_x10"] or 0, row["customer_id"]))
    if format is Format.TABLE:
        show_rows(map(_customer_told, rows), _CUSTOMERS, format)
    else:
        show_rows(rows, list(rows[0]) if rows else ["customer_id"], format)


@report.command()
def health(
    day: DayOption = None,
    band: Annotated[Literal["red", "yellow", "green", "unknown"] | None, typer.Option(help="Only customers of this band.")] = None,
    customer: CustomerOption = None,
    left: LeftOption = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Only scores by this version of the health model.")] = None,
    as_of: AsOfOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print how customers do at the end of a day, the worst first: score, trend, and what took most from it.

    `opsledger explain health_score CUSTOMER DAY` tells each score down to the facts.
    """
    with _shown(ledger, as_of) as tables:
        rows = _last_day(tables, day=_day(day), customer_id=customer, model_version=model)
        gone = set() if left or customer is not None else _gone(tables)
        rows = [row for row in rows if band in (None, row["final_band"]) and row["customer_id"] not in gone]
        lines = {(row["customer_id"], row["model_version"]): list(_lines(tables, row)) for row in rows}
    rows.sort(key=lambda row: (_badness(row["final_band"]), row["final_score_x10"] or 0, row["customer_id"]))
    if format is Format.TABLE:
        several = ("model_version",) if len({row["model_version"] for row in rows}) > 1 else ()
        told = [_health_told(row, lines[row["customer_id"], row["model_version"]]) for row in rows]
        show_rows(told, (*_HEALTH[:1], *several, *_HEALTH[1:]), format)
        if rows:
            bands = _counted(row["final_band"] for row in rows)
            say(f"At the end of {rows[0]['as_of_day']}: " + ", ".join(f"{bands[name]} {name}" for name in _BANDS if name in bands) + ".")
    else:
        show_rows(rows, list(rows[0]) if rows else ["customer_id", "as_of_day", "model_version"], format)


@report.command()
def onboarding(
    status: Annotated[
        Literal["going_on", "stalled", "completed", "abandoned"] | None, typer.Option(help="Only plans that stand so.")
    ] = None,
    customer: CustomerOption = None,
    as_of: AsOfOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print how far each new customer is, those most late first, and how long it takes until they have a first value."""
    from opsledger.policies.survival import MEDIAN, NINTH_DECILE, estimate

    with _shown(ledger, as_of) as tables:
        rows = _select(tables, "onboarding_progress", {"status": status, "customer_id": customer})
        plans = {row["plan_id"] for row in rows}
        seen = [row for row in tables.select("time_to_value", measured_from="activation") if row["plan_id"] in plans]
    rows.sort(key=lambda row: (row["status"] not in ("stalled", "going_on"), -row["days_late"], row["go_live_on"], row["plan_id"]))
    if format is Format.TABLE:
        show_rows([{**row, "progress": percent(row["progress_bp"]) or f"({row['null_reason']})"} for row in rows], _ONBOARDING, format)
        if seen:
            found = estimate((row["observed_days"], row["censored"]) for row in seen)
            middle, late = (_days(found.quantile(share)) for share in (MEDIAN, NINTH_DECILE))
            say(
                f"From activation to the first value: half within {middle}, nine in ten within {late}; {found.censored} of {found.n} "
                "have none yet, and are counted in."
            )
    else:
        show_rows(rows, list(rows[0]) if rows else ["plan_id", "customer_id", "status"], format)


# Reading.


@contextmanager
def _shown(ledger: str | None, as_of: str | None) -> Iterator[Tables]:
    """Yield the tables of a ledger, or those of a past time, folded anew into a file for a while."""
    from opsledger.replay.asof import as_of as known_at
    from opsledger.replay.asof import replay
    from opsledger.replay.scratch import scratch_tables

    at = instant(as_of)
    with opened(ledger) as host:
        if at is None:
            yield built_tables(host)
            return
        with scratch_tables() as tables:
            replay(host.store, tables, known_at(host.store, known_at=micros(at)))
            yield tables


def _select(tables: Tables, name: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    return tables.select(name, **{column: value for column, value in wanted.items() if value is not None})


def _last_day(tables: Tables, **wanted: Any) -> list[dict[str, Any]]:
    """Return the scores of a day (`day`), by default of the last one that anybody was scored on, by all versions or one."""
    import sqlalchemy as sa

    day = wanted.pop("day", None)
    if day is None:
        day = tables.query(sa.text("SELECT max(as_of_day) AS day FROM health_score"))[0]["day"]
    return [] if day is None else _select(tables, "health_score", {**wanted, "as_of_day": day})


def _lines(tables: Tables, score: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return tables.select("health_contribution", **{name: score[name] for name in ("customer_id", "as_of_day", "model_version")})


def _revenue_by_customer(tables: Tables) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in tables.select("subscription_current"):
        brings = found.setdefault(row["customer_id"], {})
        brings[row["currency"]] = brings.get(row["currency"], 0) + row["mrr_minor"]
    return found


def _gone(tables: Tables) -> set[str]:
    """Return the customers all of whose subscriptions have ended."""
    states: dict[str, set[str]] = {}
    for row in tables.select("subscription"):
        states.setdefault(row["customer_id"], set()).add(row["state"])
    return {id for id, found in states.items() if found == {"ended"}}


def _next_renewals(tables: Tables) -> dict[str, dict[str, Any]]:
    rows = sorted(tables.select("renewal_calendar"), key=lambda row: row["renewal_at"], reverse=True)
    return {row["customer_id"]: row for row in rows if row["renews"]}


def _counted(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _day(text: str | None) -> str | None:
    from datetime import date

    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadInput("report.day", f"'{text}' is no day; write it like 2026-03-14.") from None


# Telling.


def _revenue_told(row: Mapping[str, Any]) -> dict[str, Any]:
    from opsledger.policies.money import shown

    amounts = {name: shown(row[f"{name}_minor"], row["currency"]) for name in _REVENUE}
    return {**row, **amounts, **{name: percent(row.get(f"{name}_bp")) for name in _KEPT}}


def _customer_told(row: Mapping[str, Any]) -> dict[str, Any]:
    from opsledger.policies.money import shown

    brings = ", ".join(f"{shown(amount, currency)} {currency}" for currency, amount in sorted(row["mrr_minor"].items()))
    told = {"mrr": brings, "health": _points(row["score_x10"]), "trend": _points(row["trend_28d_x10"], "+")}
    return {**row, **told, "renewal_forecast": percent(row["forecast_bp"]), "success_manager": row["customer_success_manager_id"]}


def _health_told(row: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    least = max((line for line in lines if line["subscore_bp"] is not None), key=_left_out, default=None)
    taken = sorted((line for line in lines if line["deduction_x10"]), key=lambda line: -line["deduction_x10"])
    overridden = row["override_score_x10"] is not None
    return {
        **row,
        "score": _points(row["final_score_x10"]),
        "band": row["final_band"],
        "trend": _points(row["trend_28d_x10"], "+"),
        "measured": percent(row["coverage_bp"]),
        "computed": f"{_points(row['score_x10'])} {row['band']}" if overridden else None,
        "overridden_until": row["override_expires_at"],
        "lost_most_by": least["metric"] if least is not None and _left_out(least) else None,
        "risks": ", ".join(f"{line['metric']} -{_points(line['deduction_x10'])}" for line in taken) or None,
    }


def _left_out(line: Mapping[str, Any]) -> int:
    """Return what a metric could give more, as far as it can be compared with others."""
    missing: int = line["weight_bp"] * (10_000 - line["subscore_bp"])
    return missing


def _points(tenths: int | None, sign: str = "-") -> str | None:
    from decimal import Decimal

    return None if tenths is None else f"{Decimal(tenths).scaleb(-1):{sign}.1f}"


def _badness(band: str | None) -> int:
    return _BANDS.index(band) if band in _BANDS else len(_BANDS)


def _days(number: int | None) -> str:
    return "a time that is not known yet" if number is None else f"{number} days"
