"""Key figures of performance, out of request_sli_month and _day: mean and 95th percentile of times, throughput, error rate.

Source: Operating Model, "Key Performance Indicators": average and 95th percentile response time, throughput, error rate.
"""

from __future__ import annotations

from collections.abc import Callable

from opsledger.projections.kinds import Kpi, Sql

__all__ = ["KPIS"]


def _of_requests(numerator: str, denominator: str, n: str, why: str) -> Callable[[Sql], str]:
    """Return SQL that makes a figure of each row of both tables; none where numerator or denominator is missing or 0."""

    def sql(sql: Sql) -> str:
        there = f"{denominator} > 0 AND {numerator} IS NOT NULL"
        return " UNION ALL ".join(
            f"""
            SELECT 'series:' || series_id AS scope, '{period}' AS period, {period} AS period_start,
                CASE WHEN {there} THEN {numerator} END AS numerator, CASE WHEN {there} THEN {denominator} END AS denominator,
                {n} AS n, CASE WHEN {there} THEN NULL ELSE '{why}' END AS null_reason, last_position
            FROM request_sli_{period}
            """
            for period in ("month", "day")
        )

    return sql


def _percentile(column: str) -> Callable[[Sql], str]:
    return _of_requests(column, f"(CASE WHEN {column} IS NULL THEN 0 ELSE 1 END)", "timed", "no times, or none that is bounded")


KPIS = (
    Kpi(
        "response_time_mean",
        "Sum of the times of requests, by how many have one: request_sli_month.sum_us / timed.",
        "us",
        _of_requests("sum_us", "timed", "timed", "no times, or a window without their sum"),
    ),
    Kpi("response_time_p95", "Estimate of the 95th percentile of times: request_sli_month.p95_us.", "us", _percentile("p95_us")),
    Kpi(
        "response_time_p95_lower",
        "The 95th percentile is at least this: request_sli_month.p95_lower_us.",
        "us",
        _percentile("p95_lower_us"),
    ),
    Kpi(
        "response_time_p95_upper", "The 95th percentile is at most this: request_sli_month.p95_upper_us.", "us", _percentile("p95_upper_us")
    ),
    Kpi(
        "throughput",
        "Requests a second, of the time in which any source measured: request_sli_month.total / (measured_us / 1000000).",
        "1/s",
        _of_requests("1000000 * total", "measured_us", "total", "nothing was measured"),
    ),
    Kpi(
        "error_rate",
        "Requests that failed, of all: request_sli_month.errors / total.",
        "share",
        _of_requests("errors", "total", "total", "no requests"),
    ),
)
