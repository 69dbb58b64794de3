"""error_budget, error_budget_burn, burn_alert: budgets of requests and of time in one place, with what was adjusted.

Grain: one row per service, objective, month and measure; per service, objective, measure and rule; per alert.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.requests.error_budget import REQUEST_ALERT, REQUEST_BURN
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["BURN_ALERT", "ERROR_BUDGET", "ERROR_BUDGET_BURN", "PROJECTIONS"]


def _budget(sql: Sql) -> str:
    return f"""
        WITH told AS (
            SELECT service_id, slo_id, month, measure, 'events' AS unit, slo_version, from_at, to_at, month_ends_at, complete, target,
                total, bad, unjudged, budget, remaining AS left_over, null_reason, last_position
            FROM request_error_budget
            UNION ALL
            SELECT service_id, slo_id, month, 'availability', 'us', slo_version, from_at, to_at, month_ends_at, complete, target,
                measured_us, weighted_down_us, unknown_us, budget_us, budget_remaining_us, null_reason, last_position
            FROM sla_month
        ),
        adjusted AS (
            SELECT t.*, coalesce((
                SELECT sum(a.given_back) FROM error_budget_adjustment a
                WHERE a.slo_id = t.slo_id AND a.unit = t.unit AND t.measure IN ('availability', 'errors')
                    AND a.applies_at >= t.from_at AND a.applies_at < t.month_ends_at), 0) AS given_back,
                (SELECT max(a.last_position) FROM error_budget_adjustment a
                WHERE a.slo_id = t.slo_id AND a.unit = t.unit AND t.measure IN ('availability', 'errors')
                    AND a.applies_at >= t.from_at AND a.applies_at < t.month_ends_at) AS adjusted_position
            FROM told t
        )
        SELECT service_id, slo_id, month, measure, unit, slo_version, from_at, to_at, complete, target, total, bad,
            CAST(given_back AS BIGINT) AS given_back, unjudged, budget, CAST(left_over + given_back AS BIGINT) AS remaining,
            CASE WHEN null_reason IS NOT NULL THEN NULL WHEN left_over + given_back >= 0 THEN {sql.true()} ELSE {sql.false()} END AS met,
            null_reason, {sql.later("last_position", "coalesce(adjusted_position, 0)")} AS last_position
        FROM adjusted
    """


_MONTH = "service_id = :service_id AND slo_id = :slo_id AND month = :month"


def _behind_adjusted(sql: Sql) -> str:
    return f"""
        SELECT a.slo_id, a.last_position, a.given_back || ' ' || a.unit || ' given back' AS result
        FROM error_budget_adjustment a JOIN ({_budget(sql)}) b ON a.slo_id = b.slo_id AND a.unit = b.unit
        JOIN (
            SELECT service_id, slo_id, month, month_ends_at FROM request_error_budget
            UNION SELECT service_id, slo_id, month, month_ends_at FROM sla_month
        ) m ON m.service_id = b.service_id AND m.slo_id = b.slo_id AND m.month = b.month
        WHERE b.service_id = :service_id AND b.slo_id = :slo_id AND b.month = :month AND b.measure = :measure
            AND b.measure IN ('availability', 'errors') AND a.applies_at >= b.from_at AND a.applies_at < m.month_ends_at
        ORDER BY a.applies_at, a.last_position
    """


ERROR_BUDGET = View(
    "error_budget",
    "One row per service, objective, month and measure: what may go wrong, what did, and what is left.",
    key=("service_id", "slo_id", "month", "measure"),
    columns=(
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective."),
        text("month", "Calendar month of the objective's zone; a rolling window ends with it."),
        text("measure", "availability, errors, or below_150000_us: what the objective asks."),
        text("unit", "us: microseconds of time. events: requests."),
        integer("slo_version", "Version of the objective that was in force when the month began."),
        instant("from_at", "Start of what is counted."),
        instant("to_at", "End of what is counted, not part of it."),
        boolean("complete", "Whether nothing of the month is still to come."),
        text("target", "Target in percent, an exact decimal."),
        integer("total", "Time measured, or requests judged."),
        integer("bad", "Of it, what was down or bad, as it was measured."),
        integer("given_back", "What was decided to count less, adjusted by two people; negative: more."),
        integer("unjudged", "What could not be judged: unknown time, or requests of windows without the bound as an edge."),
        integer("budget", "What may go wrong of total, cut."),
        integer(
            "remaining",
            "Budget less what was bad, with what was given back; below 0 when it is overspent. Its share is remaining / budget.",
        ),
        boolean("met", "Whether the budget was enough; null: nothing to judge."),
        text("null_reason", "Why met is null; null when it is not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_budget,
    behind=(
        "request_error_budget",
        lambda sql: f"SELECT service_id, slo_id, month, measure FROM request_error_budget WHERE {_MONTH} AND measure = :measure",
    ),
    beside=(
        ("sla_month", lambda sql: f"SELECT service_id, slo_id, month FROM sla_month WHERE {_MONTH} AND :measure = 'availability'"),
        ("error_budget_adjustment", _behind_adjusted),
    ),
)


def _both(one: str, other: str, names: tuple[str, ...]) -> str:
    listed = ", ".join(names)
    return f"SELECT {listed} FROM {one} UNION ALL SELECT {listed} FROM {other}"


def _burn(sql: Sql) -> str:
    return _both("request_burn", "time_burn", tuple(column.name for column in REQUEST_BURN.columns))


def _alert(sql: Sql) -> str:
    return _both("request_burn_alert", "time_burn_alert", tuple(column.name for column in REQUEST_ALERT.columns))


ERROR_BUDGET_BURN = View(
    "error_budget_burn",
    "One row per service, objective, measure and rule: how fast the budget burns at the end of what is known.",
    key=REQUEST_BURN.key,
    columns=REQUEST_BURN.columns,
    sql=_burn,
)

BURN_ALERT = View(
    "burn_alert",
    "One row per service, objective, measure, rule and stretch in which the budget burned faster than the rule allows.",
    key=REQUEST_ALERT.key,
    columns=REQUEST_ALERT.columns,
    sql=_alert,
)

PROJECTIONS = (ERROR_BUDGET, ERROR_BUDGET_BURN, BURN_ALERT)
