"""kpi: the operating model's key figures, each as two integers, by scope and period.

Each figure is defined in the module whose tables it is computed from, in its `KPIS`; this view puts them below each other.
"""

from __future__ import annotations

from opsledger.projections import catalog
from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import integer, text

__all__ = ["KPI", "PROJECTIONS"]


def _kpi(sql: Sql) -> str:
    return " UNION ALL ".join(
        f"SELECT '{each.name}' AS kpi, scope, period, period_start, numerator, denominator, n, '{each.unit}' AS unit, null_reason, "
        f"{each.version} AS formula_version, last_position FROM ({each.sql(sql)}) {each.name}"
        for each in catalog.kpis()
    )


KPI = View(
    "kpi",
    "One row per key figure, scope and period.",
    key=("kpi", "scope", "period", "period_start"),
    columns=(
        text("kpi", "Name of the figure; docs/reference/kpis.md has its formula."),
        text("scope", "Of what: service:api, slo:api-uptime, severity:high, customer:C-1, or all."),
        text("period", "month or day."),
        text("period_start", "The month, such as 2026-03, or the day."),
        integer("numerator", "The figure is numerator / denominator; null where there is none."),
        integer("denominator", "What it is divided by; 1 where the figure is a whole number; null where there is none."),
        integer("n", "How many things or microseconds it was made from."),
        text("unit", "Unit of the figure."),
        text("null_reason", "Why there is none; null where there is one."),
        integer("formula_version", "Version of the formula."),
        integer("last_position", "Newest position in the rows that it was made from; null where they name none."),
    ),
    sql=_kpi,
)

PROJECTIONS = (KPI,)
