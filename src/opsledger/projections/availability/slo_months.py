"""slo_month: did each objective keep its month, whether it counts time or requests?

Grain: one row per service, objective and calendar month of the objective's zone. An objective that counts time has one measure, and its
verdict is that of sla_month; one that counts requests has `errors` and a measure for each bound that it names, and is met when all of
them are. What was decided to be given back is not in it: error_budget has that.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["PROJECTIONS", "SLO_MONTH"]

_TERMS = "service_id, slo_id, month, slo_version, from_at, to_at, month_ends_at, complete"


def _months(sql: Sql) -> str:
    kept = f"remaining >= 0 AND coalesce(error_rate_met, {sql.true()}) = {sql.true()}"
    return f"""
        WITH measured AS (
            SELECT {_TERMS}, 'availability' AS objective, 'us' AS unit, 'availability' AS measure, target, up_us AS good,
                measured_us AS total, unknown_us AS unjudged,
                CASE WHEN met IS NULL THEN NULL WHEN met = {sql.true()} THEN 1 ELSE 0 END AS kept, null_reason, last_position
            FROM sla_month
            UNION ALL
            SELECT {_TERMS}, 'requests', 'events', measure, target, total - bad, total, unjudged,
                CASE WHEN null_reason IS NOT NULL THEN NULL WHEN {kept} THEN 1 ELSE 0 END, null_reason, last_position
            FROM request_error_budget
        )
        SELECT {_TERMS}, objective, unit,
            max(CASE WHEN measure IN ('availability', 'errors') THEN target END) AS target,
            max(CASE WHEN measure IN ('availability', 'errors') THEN good END) AS good,
            max(CASE WHEN measure IN ('availability', 'errors') THEN total END) AS total,
            max(CASE WHEN measure IN ('availability', 'errors') THEN unjudged END) AS unjudged,
            count(*) AS measures, count(kept) - coalesce(CAST(sum(kept) AS BIGINT), 0) AS measures_missed,
            CASE WHEN min(kept) = 0 THEN {sql.false()} WHEN count(kept) < count(*) THEN NULL ELSE {sql.true()} END AS met,
            CASE WHEN coalesce(min(kept), 1) = 1 AND count(kept) < count(*) THEN max(null_reason) END AS null_reason,
            max(last_position) AS last_position
        FROM measured
        GROUP BY {_TERMS}, objective, unit
    """


def _behind_requests(sql: Sql) -> str:
    return f"""
        SELECT service_id, slo_id, month, measure,
            CASE WHEN null_reason IS NOT NULL THEN 'not known' WHEN remaining < 0 OR error_rate_met = {sql.false()} THEN 'missed'
                ELSE 'met' END AS result
        FROM request_error_budget WHERE service_id = :service_id AND slo_id = :slo_id AND month = :month ORDER BY measure
    """


SLO_MONTH = View(
    "slo_month",
    "One row per service, objective and calendar month: every objective's verdict in one place, as it was measured.",
    key=("service_id", "slo_id", "month"),
    columns=(
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective."),
        text("month", "Calendar month of the objective's zone, for example 2026-03."),
        integer("slo_version", "Version of the objective that was in force when the month began."),
        instant("from_at", "Start of what is counted."),
        instant("to_at", "End of what is counted, not part of it."),
        instant("month_ends_at", "End of the calendar month."),
        boolean("complete", "Whether nothing of the month is still to come."),
        text("objective", "availability: time is counted. requests: requests are."),
        text("unit", "us: microseconds of time. events: requests."),
        text("target", "Target in percent, an exact decimal; of requests that of those that did not fail."),
        integer("good", "Time up, or requests that did not fail, of total."),
        integer("total", "Time measured, or requests judged: good / total is compared with the target."),
        integer("unjudged", "Unknown time, in total where the objective counts it, or requests that could not be judged."),
        integer("measures", "What the objective asks: 1, and of requests one more for each bound; error_budget has each."),
        integer("measures_missed", "Of them, those that were not kept."),
        boolean("met", "Whether all were kept; null: none was missed, and of one nobody knows."),
        text("null_reason", "Why met is null; null when it is not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_months,
    behind=(
        "sla_month",
        lambda sql: (
            "SELECT service_id, slo_id, month FROM sla_month WHERE service_id = :service_id AND slo_id = :slo_id AND month = :month"
        ),
    ),
    beside=(("request_error_budget", _behind_requests),),
)

PROJECTIONS = (SLO_MONTH,)
