"""subscription_current, trial_funnel, renewal_calendar, cancellation_reasons: who pays, stays and leaves, and what comes next?

Views over the tables of subscriptions as of `opsledger_as_of`. A share is two integers and, for reading, basis points; where nothing
counts it is null, and a column says why. Months are those of the reporting zone.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.revenue.subscriptions import SUBSCRIPTION
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["CANCELLATION_REASONS", "PROJECTIONS", "RENEWAL_CALENDAR", "SUBSCRIPTION_CURRENT", "TRIAL_FUNNEL"]

_MONTH_OF = "(SELECT m.month FROM policy_month m WHERE m.starts_at <= {} ORDER BY m.starts_at DESC LIMIT 1)"
_COHORT = _MONTH_OF.format("c.trial_started_at")


def _current(sql: Sql) -> str:
    own = ", ".join(f"c.{column.name}" for column in SUBSCRIPTION.columns if column.name != "last_position")
    return f"""
        SELECT {own}, coalesce(m.mrr_minor, 0) AS mrr_minor, {sql.later("c.last_position", "coalesce(m.last_position, 0)")} AS last_position
        FROM subscription c LEFT JOIN subscription_mrr m ON m.customer_id = c.customer_id
            AND m.subscription_id = c.subscription_id AND m.valid_from_at <= (SELECT effective_at FROM opsledger_as_of)
            AND (m.valid_to_at IS NULL OR m.valid_to_at > (SELECT effective_at FROM opsledger_as_of))
    """


SUBSCRIPTION_CURRENT = View(
    "subscription_current",
    "One row per subscription as of its newest fact, with what it brings at the as-of time.",
    key=("subscription_id",),
    columns=(
        *SUBSCRIPTION.columns[:-1],
        integer("mrr_minor", "Monthly revenue at the as-of time by the choices of the operating model, in minor units."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_current,
    behind=("subscription", lambda sql: "SELECT subscription_id FROM subscription WHERE subscription_id = :subscription_id"),
)


def _funnel(sql: Sql) -> str:
    return f"""
        WITH trial AS (
            SELECT {_COHORT} AS cohort_month, c.state, c.last_position,
                CASE WHEN c.trial_converted_at IS NULL THEN NULL
                     ELSE {sql.seconds("c.trial_started_at", "c.trial_converted_at")} END AS convert_s
            FROM subscription c WHERE c.trial_started_at IS NOT NULL
        ),
        placed AS (
            SELECT cohort_month, convert_s, row_number() OVER (PARTITION BY cohort_month ORDER BY convert_s) AS place,
                count(*) OVER (PARTITION BY cohort_month) AS n
            FROM trial WHERE convert_s IS NOT NULL
        ),
        middle AS (SELECT cohort_month, convert_s FROM placed WHERE place = (n + 1) / 2),
        counted AS (
            SELECT cohort_month, count(*) AS trials, sum(CASE WHEN convert_s IS NOT NULL THEN 1 ELSE 0 END) AS converted,
                sum(CASE WHEN convert_s IS NULL AND state = 'trialing' THEN 1 ELSE 0 END) AS running,
                max(last_position) AS last_position
            FROM trial GROUP BY cohort_month
        )
        SELECT c.cohort_month, c.trials, c.converted, c.trials - c.converted - c.running AS lost, c.running,
            c.trials - c.running AS decided,
            CASE WHEN c.trials > c.running THEN 10000 * c.converted / (c.trials - c.running) END AS conversion_bp,
            m.convert_s AS median_convert_s, m.convert_s / 86400 AS days_to_convert,
            CASE WHEN c.trials > c.running THEN NULL ELSE 'none is decided yet' END AS null_reason,
            c.last_position
        FROM counted c LEFT JOIN middle m ON m.cohort_month = c.cohort_month
    """


TRIAL_FUNNEL = View(
    "trial_funnel",
    "One row per month in which trials began.",
    key=("cohort_month",),
    columns=(
        text("cohort_month", "Month in which the trials began, for example 2026-03."),
        integer("trials", "Trials that began in it."),
        integer("converted", "Those that became paid subscriptions by the as-of time."),
        integer("lost", "Those that ended, or rest, without that."),
        integer("running", "Those that still run."),
        integer("decided", "converted + lost, of which conversion is the share that was converted."),
        integer("conversion_bp", "converted / decided in basis points, cut to whole ones; null when none is decided."),
        integer("median_convert_s", "Seconds from the beginning to the conversion, of the middle one; of two middle ones the shorter."),
        integer("days_to_convert", "The same in whole days."),
        text("null_reason", "Why conversion is null; null when it is not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_funnel,
    behind=(
        "subscription",
        lambda sql: (
            f"SELECT c.subscription_id FROM subscription c WHERE c.trial_started_at IS NOT NULL AND {_COHORT} = :cohort_month "
            "ORDER BY c.subscription_id"
        ),
    ),
)


def _calendar(sql: Sql) -> str:
    left = sql.seconds("o.effective_at", "c.period_ends_at")
    ends = "c.cancel_at IS NOT NULL AND c.cancel_at <= c.period_ends_at"
    begins, comes = sql.day("c.period_starts_at"), sql.day("c.period_ends_at")
    # The day of a renewal is said in local days, which may be one later than in UTC.
    of_this = f"""CASE WHEN f.renewal_on IS NULL THEN f.forecast_at >= c.period_starts_at
                ELSE f.renewal_on > {begins} AND f.renewal_on <= {sql.next_day(comes)} END"""
    return f"""
        WITH said AS (
            SELECT c.subscription_id, f.probability_bp, f.forecast_at, f.last_position,
                row_number() OVER (PARTITION BY c.subscription_id ORDER BY f.forecast_at DESC, f.position DESC) AS turn
            FROM subscription c JOIN renewal_forecast f ON f.customer_id = c.customer_id, opsledger_as_of o
            WHERE (f.subscription_id IS NULL OR f.subscription_id = c.subscription_id) AND f.forecast_at <= o.effective_at AND {of_this}
        )
        SELECT c.subscription_id, c.customer_id, c.plan_id, c.period_ends_at AS renewal_at, {comes} AS renewal_on,
            CASE WHEN {left} >= 0 THEN {left} / 86400 ELSE -((86399 - {left}) / 86400) END AS days_left,
            CASE WHEN c.period_ends_at <= o.effective_at THEN {sql.true()} ELSE {sql.false()} END AS overdue,
            CASE WHEN {ends} THEN {sql.false()} ELSE {sql.true()} END AS renews, c.cancel_at, c.reminder_count AS reminders_sent,
            c.amount_minor - CASE WHEN c.discount_ends_at IS NULL OR c.discount_ends_at > c.period_ends_at THEN c.discount_minor ELSE 0 END
                AS renewal_minor,
            c.currency, c.scheduled_plan_id, c.scheduled_change_at, f.probability_bp AS forecast_bp, f.forecast_at,
            {sql.later("c.last_position", "coalesce(f.last_position, 0)")} AS last_position
        FROM opsledger_as_of o, subscription c LEFT JOIN said f ON f.subscription_id = c.subscription_id AND f.turn = 1
        WHERE c.state IN ('active', 'past_due') AND c.period_ends_at IS NOT NULL
    """


RENEWAL_CALENDAR = View(
    "renewal_calendar",
    "One row per subscription that runs, with the renewal at the end of its newest billing period.",
    key=("subscription_id",),
    columns=(
        text("subscription_id", "Id of the subscription."),
        text("customer_id", "Opaque id of the customer."),
        text("plan_id", "Plan that it is on."),
        instant("renewal_at", "When the next period begins."),
        text("renewal_on", "UTC date of that."),
        integer("days_left", "Whole days from the as-of time to then; negative once it has passed, any part of a day counting as one."),
        boolean("overdue", "Whether that time has come and no renewal is recorded."),
        boolean("renews", "Whether it goes on then, as far as is agreed."),
        instant("cancel_at", "When it is to end by agreement; null: no end is agreed on."),
        integer("reminders_sent", "How often the customer was told of it."),
        integer("renewal_minor", "Price of the next period on the present terms, after the discount that holds then, in minor units."),
        text("currency", "Currency of that."),
        text("scheduled_plan_id", "Plan that is agreed on for later; null: none."),
        instant("scheduled_change_at", "When that is to hold."),
        integer("forecast_bp", "How likely it is thought to be renewed, by the newest forecast of this renewal; null: nobody said."),
        instant("forecast_at", "When that was said."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_calendar,
)

_REASON_MONTH = _MONTH_OF.format("w.requested_at")


def _reasons(sql: Sql) -> str:
    return f"""
        WITH wish AS (SELECT {_REASON_MONTH} AS month, w.* FROM subscription_cancellation w WHERE w.outcome <> 'renewed')
        SELECT month, reason, currency, count(*) AS wishes, CAST(sum(monthly_minor) AS BIGINT) AS mrr_minor,
            sum(CASE WHEN offer_count > 0 THEN 1 ELSE 0 END) AS offered, sum(CASE WHEN accepted_count > 0 THEN 1 ELSE 0 END) AS accepted,
            sum(CASE WHEN outcome = 'saved' THEN 1 ELSE 0 END) AS saved, sum(CASE WHEN outcome = 'lost' THEN 1 ELSE 0 END) AS lost,
            sum(CASE WHEN outcome = 'open' THEN 1 ELSE 0 END) AS still_open,
            CAST(sum(CASE WHEN outcome = 'saved' THEN monthly_minor ELSE 0 END) AS BIGINT) AS saved_mrr_minor,
            CASE WHEN sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) > 0 THEN 10000 * sum(CASE WHEN outcome = 'saved' THEN 1 ELSE 0 END)
                / sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) END AS saved_bp,
            CASE WHEN sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) > 0 THEN NULL ELSE 'none is settled yet' END AS null_reason,
            max(last_position) AS last_position
        FROM wish GROUP BY month, reason, currency
    """


CANCELLATION_REASONS = View(
    "cancellation_reasons",
    "One row per month, reason and currency of wishes to leave; of one said again before it was settled the last counts.",
    key=("month", "reason", "currency"),
    columns=(
        text("month", "Month in which the customers asked to leave, for example 2026-03."),
        text("reason", "Why, as a code."),
        text("currency", "Currency of the amounts."),
        integer("wishes", "How many asked to leave."),
        integer("mrr_minor", "What their subscriptions cost in an average month then, after discount, in minor units."),
        integer("offered", "How many were offered something to stay."),
        integer("accepted", "How many accepted an offer."),
        integer("saved", "How many stayed: they accepted an offer or took the wish back."),
        integer("lost", "How many left."),
        integer("still_open", "How many have done neither yet."),
        integer("saved_mrr_minor", "Of mrr_minor, that of those who stayed."),
        integer("saved_bp", "saved / (saved + lost) in basis points, cut to whole ones; null when none is settled."),
        text("null_reason", "Why that share is null; null when it is not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_reasons,
    behind=(
        "subscription_cancellation",
        lambda sql: (
            f"SELECT w.subscription_id, w.seq FROM subscription_cancellation w WHERE {_REASON_MONTH} = :month AND w.reason = :reason "
            "AND w.currency = :currency AND w.outcome <> 'renewed' ORDER BY w.requested_at, w.subscription_id, w.seq"
        ),
    ),
)

PROJECTIONS = (SUBSCRIPTION_CURRENT, TRIAL_FUNNEL, RENEWAL_CALENDAR, CANCELLATION_REASONS)
