"""onboarding_progress: how far is each new customer, and what is late now? time_to_value: how long until it was worth something?

Views as of `opsledger_as_of`. Of a plan without a first value yet it is known that it took longer than until now, or until the plan
ended: such a row is censored. A median over the finished alone would be too short; `opsledger.policies.survival` takes both kinds.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["ONBOARDING_PROGRESS", "PROJECTIONS", "TIME_TO_VALUE"]

_DAY_S = 86_400


def _activation(plan: str) -> str:
    """When the subscription of a plan was activated first; where none is named, the customer's first one."""
    return f"""(SELECT min(s.activated_at) FROM subscription s
        WHERE s.subscription_id = {plan}.subscription_id OR ({plan}.subscription_id IS NULL AND s.customer_id = {plan}.customer_id))"""


def _progress(sql: Sql) -> str:
    late = f"({sql.seconds('a.due_at', 'o.effective_at')}) / {_DAY_S} + 1"
    return f"""
        WITH late AS (
            SELECT a.plan_id, count(*) AS overdue, max({late}) AS days_late
            FROM onboarding_activity a, onboarding_plan p, opsledger_as_of o
            WHERE p.plan_id = a.plan_id AND a.status = 'open' AND p.status IN ('going_on', 'stalled') AND a.due_at <= o.effective_at
            GROUP BY a.plan_id
        ),
        began AS (SELECT p.plan_id, {_activation("p")} AS activated_at FROM onboarding_plan p)
        SELECT p.plan_id, p.customer_id, p.status, p.open_phase,
            (SELECT f.phase FROM onboarding_phase f WHERE f.plan_id = p.plan_id AND f.due_at > o.effective_at
                ORDER BY f.seq LIMIT 1) AS planned_phase,
            p.done, p.skipped, p.total, p.progress_bp,
            CASE WHEN p.progress_bp IS NULL THEN 'all are skipped' END AS null_reason,
            p.go_live_on, p.original_go_live_on, p.go_live_moves,
            coalesce(l.overdue, 0) AS overdue, coalesce(l.days_late, 0) AS days_late,
            p.stalled_s + CASE WHEN p.stalled_at IS NULL THEN 0 ELSE {sql.seconds("p.stalled_at", "o.effective_at")} END AS stalled_s,
            b.activated_at, p.first_value_at,
            CASE WHEN p.first_value_at IS NULL OR b.activated_at IS NULL THEN NULL
                 WHEN p.first_value_at <= b.activated_at THEN 0
                 ELSE ({sql.seconds("b.activated_at", "p.first_value_at")}) / {_DAY_S} END AS ttv_days,
            p.last_position
        FROM opsledger_as_of o, onboarding_plan p
        JOIN began b ON b.plan_id = p.plan_id LEFT JOIN late l ON l.plan_id = p.plan_id
    """


ONBOARDING_PROGRESS = View(
    "onboarding_progress",
    "One row per onboarding plan, as it stands at the as-of time.",
    key=("plan_id",),
    columns=(
        text("plan_id", "Id of the plan."),
        text("customer_id", "Opaque id of the customer."),
        text("status", "going_on, stalled, completed or abandoned."),
        text("open_phase", "First phase with something open; null: nothing is."),
        text("planned_phase", "First phase that is not over by the plan; null: all are."),
        integer("done", "Activities that are done."),
        integer("skipped", "Activities that are skipped."),
        integer("total", "Activities of the plan."),
        integer("progress_bp", "done / (total - skipped) in basis points, rounded half up; null: all are skipped."),
        text("null_reason", "Why progress is null; null when it is not."),
        text("go_live_on", "UTC day of go-live, as it was moved last."),
        text("original_go_live_on", "UTC day of go-live as it was planned first."),
        integer("go_live_moves", "How often it was moved."),
        integer("overdue", "Activities that are open and should be done by now; none once the plan has ended."),
        integer("days_late", "Days begun since the first of them was due; 0: none is overdue."),
        integer("stalled_s", "Seconds in which nothing went on, up to now."),
        instant("activated_at", "When the subscription was activated first; null: it was not, or none is known."),
        instant("first_value_at", "When the customer had the first real use; null: not yet."),
        integer("ttv_days", "Whole days from activation to first value, 0 where that came first; null: one is not known."),
        integer("last_position", "Position of the newest fact of the plan."),
    ),
    sql=_progress,
    behind=("onboarding_plan", lambda sql: "SELECT plan_id FROM onboarding_plan WHERE plan_id = :plan_id"),
)


def _time_to_value(sql: Sql) -> str:
    ended = "coalesce(p.abandoned_at, p.completed_at, o.effective_at)"
    until = f"coalesce(p.first_value_at, {sql.earlier(ended, 'o.effective_at')})"
    return f"""
        WITH began AS (
            SELECT p.plan_id, 'activation' AS measured_from, {_activation("p")} AS from_at FROM onboarding_plan p
            UNION ALL
            SELECT p.plan_id, 'contract' AS measured_from, p.contract_signed_at AS from_at FROM onboarding_plan p
        ),
        seen AS (
            SELECT b.plan_id, b.measured_from, p.customer_id, b.from_at, {until} AS until_at, p.first_value_at
            FROM opsledger_as_of o, onboarding_plan p JOIN began b ON b.plan_id = p.plan_id
            WHERE b.from_at IS NOT NULL AND b.from_at <= o.effective_at
        )
        SELECT plan_id, measured_from, customer_id, from_at, until_at,
            CASE WHEN until_at <= from_at THEN 0 ELSE {sql.seconds("from_at", "until_at")} END AS observed_s,
            CASE WHEN until_at <= from_at THEN 0 ELSE ({sql.seconds("from_at", "until_at")}) / {_DAY_S} END AS observed_days,
            CASE WHEN first_value_at IS NULL THEN {sql.true()} ELSE {sql.false()} END AS censored
        FROM seen
    """


TIME_TO_VALUE = View(
    "time_to_value",
    "One row per onboarding plan and beginning that is known: activation of the subscription, signature of the contract.",
    key=("plan_id", "measured_from"),
    columns=(
        text("plan_id", "Id of the plan."),
        text("measured_from", "activation or contract."),
        text("customer_id", "Opaque id of the customer."),
        instant("from_at", "When that was."),
        instant("until_at", "When the customer had the first real use; where they had none, when the plan ended, or the as-of time."),
        integer("observed_s", "Seconds between the two, 0 where the first real use came before."),
        integer("observed_days", "The same in whole days."),
        boolean("censored", "Whether there was no first real use yet, so that it takes longer than was observed."),
    ),
    sql=_time_to_value,
    behind=("onboarding_plan", lambda sql: "SELECT plan_id FROM onboarding_plan WHERE plan_id = :plan_id"),
)

PROJECTIONS = (ONBOARDING_PROGRESS, TIME_TO_VALUE)
