"""Key figures of availability, out of sla_month: uptime, coverage, planned and unplanned downtime.

Source: Operating Model, "Key Performance Indicators": system uptime percentage, planned versus unplanned downtime.
"""

from __future__ import annotations

from collections.abc import Callable

from opsledger.projections.kinds import Kpi, Sql

__all__ = ["KPIS"]


def _of_month(numerator: str, denominator: str, n: str) -> Callable[[Sql], str]:
    """Return SQL that makes a figure of each row; none where its denominator is 0."""

    def sql(sql: Sql) -> str:
        measured = f"{denominator} > 0"
        return f"""
            SELECT 'slo:' || slo_id AS scope, 'month' AS period, month AS period_start,
                CASE WHEN {measured} THEN {numerator} END AS numerator, CASE WHEN {measured} THEN {denominator} END AS denominator,
                {n} AS n, CASE WHEN {measured} THEN NULL ELSE 'nothing was measured' END AS null_reason, last_position
            FROM sla_month
        """

    return sql


KPIS = (
    Kpi(
        "uptime",
        "Time up, of the time measured, by the denominator that the operating model names: sla_month.up_us / measured_us.",
        "share",
        _of_month("up_us", "measured_us", "measured_us"),
    ),
    Kpi(
        "availability_coverage",
        "Time of which something is known, of the period: sla_month.known_us / period_us.",
        "share",
        _of_month("known_us", "period_us", "period_us"),
    ),
    Kpi(
        "planned_downtime",
        "Time down within planned maintenance: sla_month.down_scheduled_us, in seconds.",
        "s",
        _of_month("down_scheduled_us", "1000000", "period_us"),
    ),
    Kpi(
        "unplanned_downtime",
        "Time down outside planned maintenance: sla_month.down_unscheduled_us, in seconds.",
        "s",
        _of_month("down_unscheduled_us", "1000000", "period_us"),
    ),
)
