"""trial_funnel: how many trials become paid? renewal_calendar: what is renewed next? cancellation_reasons: why do customers leave?

Views over the tables of subscriptions as of `opsledger_as_of`. A share is two integers and, for reading, basis points; where nothing
counts it is null, and a column says why. Months are those of the reporting zone.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["CANCELLATION_REASONS", "PROJECTIONS", "RENEWAL_CALENDAR", "TRIAL_FUNNEL"]

_MONTH_OF = "(SELECT m.month FROM policy_month m WHERE m.starts_at <= {} ORDER BY m.starts_at DESC LIMIT 1)"
_COHORT = _MONTH_OF.format("c.trial_started_at")


def _funnel(sql: Sql) -> str:
    return f"""
        WITH trial AS (
            SELECT {_COHORT} AS cohort_month, c.state,
                CASE WHEN c.trial_converted_at IS NULL THEN NULL
                     ELSE {sql.seconds("c.trial_started_at", "c.trial_converted_at")} END AS convert_s
            FROM subscription_current c WHERE c.trial_started_at IS NOT NULL
        ),
        placed AS (
            SELECT cohort_month, convert_s, row_number() OVER (PARTITION BY cohort_month ORDER BY convert_s) AS place,
                count(*) OVER (PARTITION BY cohort_month) AS n
            FROM trial WHERE convert_s IS NOT NULL
        ),
        middle AS (SELECT cohort_month, convert_s FROM placed WHERE place = (n + 1) / 2),
        counted AS (
            SELECT cohort_month, count(*) AS trials, sum(CASE WHEN convert_s IS NOT NULL THEN 1 ELSE 0 END) AS converted,
                sum(CASE WHEN convert_s IS NULL AND state = 'trialing' THEN 1 ELSE 0 END) AS running
            FROM trial GROUP BY cohort_month
        )
        SELECT c.cohort_month, c.trials, c.converted, c.trials - c.converted - c.running AS lost, c.running,
            c.trials - c.running AS decided,
            CASE WHEN c.trials > c.running THEN 10000 * c.converted / (c.trials - c.running) END AS conversion_bp,
            m.convert_s AS median_convert_s,
            CASE WHEN c.trials > c.running THEN NULL ELSE 'none is decided yet' END AS null_reason
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
        text("null_reason", "Why conversion is null; null when it is not."),
    ),
    sql=_funnel,
    behind=(
        "subscription_current",
        lambda sql: (
            f"SELECT c.subscription_id FROM subscription_current c WHERE c.trial_started_at IS NOT NULL AND {_COHORT} = :cohort_month "
            "ORDER BY c.subscription_id"
        ),
    ),
)


def _calendar(sql: Sql) -> str:
    left = sql.seconds("o.effective_at", "c.period_ends_at")
    ends = "c.cancel_at IS NOT NULL AND c.cancel_at <= c.period_ends_at"
    return f"""
        SELECT c.subscription_id, c.customer_id, c.plan_id, c.period_ends_at AS renewal_at, {sql.day("c.period_ends_at")} AS renewal_on,
            CASE WHEN {left} >= 0 THEN {left} / 86400 ELSE -((86399 - {left}) / 86400) END AS days_left,
            CASE WHEN c.period_ends_at <= o.effective_at THEN {sql.true()} ELSE {sql.false()} END AS overdue,
            CASE WHEN {ends} THEN {sql.false()} ELSE {sql.true()} END AS renews, c.cancel_at, c.reminder_count,
            c.amount_minor - CASE WHEN c.discount_ends_at IS NULL OR c.discount_ends_at > c.period_ends_at THEN c.discount_minor ELSE 0 END
                AS renewal_minor,
            c.currency, c.scheduled_plan_id, c.scheduled_change_at
        FROM subscription_current c, opsledger_as_of o WHERE c.state IN ('active', 'past_due') AND c.period_ends_at IS NOT NULL
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
        integer("reminder_count", "How often the customer was told of it."),
        integer("renewal_minor", "Price of the next period on the present terms, after the discount that holds then, in minor units."),
        text("currency", "Currency of that."),
        text("scheduled_plan_id", "Plan that is agreed on for later; null: none."),
        instant("scheduled_change_at", "When that is to hold."),
    ),
    sql=_calendar,
)

_REASON_MONTH = _MONTH_OF.format("w.requested_at")


def _reasons(sql: Sql) -> str:
    return f"""
        WITH wish AS (SELECT {_REASON_MONTH} AS month, w.* FROM subscription_cancellation w WHERE w.outcome <> 'renewed')
        SELECT month, reason, currency, count(*) AS wishes, CAST(sum(monthly_minor) AS BIGINT) AS monthly_minor,
            sum(CASE WHEN offer_count > 0 THEN 1 ELSE 0 END) AS offered, sum(CASE WHEN accepted_count > 0 THEN 1 ELSE 0 END) AS accepted,
            sum(CASE WHEN outcome = 'saved' THEN 1 ELSE 0 END) AS saved, sum(CASE WHEN outcome = 'lost' THEN 1 ELSE 0 END) AS lost,
            sum(CASE WHEN outcome = 'open' THEN 1 ELSE 0 END) AS still_open,
            CAST(sum(CASE WHEN outcome = 'saved' THEN monthly_minor ELSE 0 END) AS BIGINT) AS saved_minor,
            CASE WHEN sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) > 0 THEN 10000 * sum(CASE WHEN outcome = 'saved' THEN 1 ELSE 0 END)
                / sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) END AS saved_bp,
            CASE WHEN sum(CASE WHEN outcome = 'open' THEN 0 ELSE 1 END) > 0 THEN NULL ELSE 'none is settled yet' END AS null_reason
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
        integer("monthly_minor", "What their subscriptions cost in an average month then, after discount, in minor units."),
        integer("offered", "How many were offered something to stay."),
        integer("accepted", "How many accepted an offer."),
        integer("saved", "How many stayed: they accepted an offer or took the wish back."),
        integer("lost", "How many left."),
        integer("still_open", "How many have done neither yet."),
        integer("saved_minor", "Of monthly_minor, that of those who stayed."),
        integer("saved_bp", "saved / (saved + lost) in basis points, cut to whole ones; null when none is settled."),
        text("null_reason", "Why that share is null; null when it is not."),
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

PROJECTIONS = (TRIAL_FUNNEL, RENEWAL_CALENDAR, CANCELLATION_REASONS)
