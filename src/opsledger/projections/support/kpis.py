"""Key figure of support, out of ticket: how long customers wait until their problem is gone.

Source: Operating Model, "Key Performance Indicators": support ticket resolution time.
"""

from __future__ import annotations

from opsledger.projections.kinds import Kpi, Sql

__all__ = ["KPIS"]


def _resolution(sql: Sql) -> str:
    length = sql.seconds("t.registered_at", "t.resolved_at")
    return f"""
        SELECT scope, 'month' AS period, month AS period_start, CAST(sum(length_s) AS BIGINT) AS numerator, count(*) AS denominator,
            count(*) AS n, CAST(NULL AS TEXT) AS null_reason, max(last_position) AS last_position
        FROM (
            SELECT s.scope, {length} AS length_s, t.last_position,
                (SELECT m.month FROM policy_month m WHERE m.starts_at <= t.resolved_at ORDER BY m.starts_at DESC LIMIT 1) AS month
            FROM ticket t JOIN (
                SELECT ticket_id, 'all' AS scope FROM ticket UNION ALL SELECT ticket_id, 'priority:' || priority FROM ticket
            ) s ON s.ticket_id = t.ticket_id
            WHERE t.resolved_at IS NOT NULL AND t.status IN ('resolved', 'closed')
        ) resolved GROUP BY scope, month
    """


KPIS = (
    Kpi(
        "ticket_resolution_time",
        "Mean time from the request to the last resolution, by the clock on the wall, of tickets resolved in the month: "
        "ticket.resolved_at - registered_at. A month without any has no row.",
        "s",
        _resolution,
    ),
)
