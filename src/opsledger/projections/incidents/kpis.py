"""Key figures of incidents, out of incident_kpi_month: times to detect, acknowledge, mitigate and resolve, time between failures.

Source: Operating Model, "Key Performance Indicators": mean time to resolution, mean time between failures.
"""

from __future__ import annotations

from collections.abc import Callable

from opsledger.projections.kinds import Kpi, Sql

__all__ = ["KPIS"]

_SCOPE = "CASE WHEN service_id = '*' THEN 'all' ELSE 'service:' || service_id END || ' severity:' || severity"


def _mean(total: str, number: str, reason: str) -> Callable[[Sql], str]:
    """Return SQL that divides a total by a number of the month, severity and service; none where the number is 0."""

    def sql(sql: Sql) -> str:
        return f"""
            SELECT {_SCOPE} AS scope, 'month' AS period, month AS period_start,
                CASE WHEN {number} > 0 THEN {total} END AS numerator, CASE WHEN {number} > 0 THEN {number} END AS denominator,
                {number} AS n, CASE WHEN {number} > 0 THEN NULL ELSE {reason} END AS null_reason, CAST(NULL AS BIGINT) AS last_position
            FROM incident_kpi_month
        """

    return sql


_LENGTHS = {
    "mttd": ("ttd", "Mean time to detect, from the start of the impact: incident_kpi_month.ttd_sum_s / ttd_n."),
    "mtta": ("tta", "Mean time to acknowledge, from detection: incident_kpi_month.tta_sum_s / tta_n."),
    "mttm": ("ttm", "Mean time to mitigate, from the start of the impact: incident_kpi_month.ttm_sum_s / ttm_n."),
    "mttr": ("ttr", "Mean time to resolve, from the start of the impact: incident_kpi_month.ttr_sum_s / ttr_n."),
}

KPIS = (
    *(
        Kpi(name, doc, "s", _mean(f"{length}_sum_s", f"{length}_n", "coalesce(null_reason, 'an end point is not known')"))
        for name, (length, doc) in _LENGTHS.items()
    ),
    Kpi(
        "mtbf",
        "Mean time between failures: (incident_kpi_month.period_s - down_s) / failures; incidents that overlap are one failure.",
        "s",
        _mean("period_s - down_s", "failures", "mtbf_null_reason"),
    ),
)
