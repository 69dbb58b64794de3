"""customer_month, mrr_monthly, churn_monthly, retention_cohort: revenue and customers by month, and how many of them stay.

Views over mrr_movements as of `opsledger_as_of`, each in the currency of the report. Months are those of the reporting zone; the last
one goes to the as-of time. Shares are cut to whole basis points; where nothing counts they are null, and a column says why.
"""

from __future__ import annotations

from collections.abc import Callable

from opsledger.projections.kinds import Kpi, Sql, View
from opsledger.projections.revenue.parts import ALL, BESIDE
from opsledger.projections.table import boolean, integer, text

__all__ = ["CHURN_MONTHLY", "CUSTOMER_MONTH", "KPIS", "MRR_COMMITTED", "MRR_MONTHLY", "PROJECTIONS", "RETENTION_COHORT"]

_KINDS = ("new", "reactivation", "expansion", "contraction", "churn", "fx")
_COLUMNS = {**{name: f"{name}_minor" for name in _KINDS}, "fx": "fx_impact_minor"}
_LOST = ("contraction", "churn")
_INVOLUNTARY = "('cancelled_involuntary', 'marked_unpaid')"


def _happened(sql: Sql) -> str:
    return "SELECT v.* FROM mrr_movements v, opsledger_as_of o WHERE v.occurred_at <= o.effective_at"


def _customer_month(sql: Sql) -> str:
    amounts = ", ".join(
        f"CAST(sum(CASE WHEN movement_type = '{name}' THEN {'-' if name in _LOST else ''}amount_reporting_minor ELSE 0 END) AS BIGINT)"
        f" AS {column}"
        for name, column in _COLUMNS.items()
    )
    told = ", ".join(f"coalesce(m.{column}, 0) AS {column}" for column in _COLUMNS.values())
    flags = ", ".join(
        f"max(CASE WHEN {condition} THEN 1 ELSE 0 END) AS {name}"
        for name, condition in (
            ("is_new", "movement_type = 'new'"),
            ("is_churned", "movement_type = 'churn'"),
            ("is_involuntary", f"movement_type = 'churn' AND reason IN {_INVOLUNTARY}"),
            ("is_reactivated", "movement_type = 'reactivation'"),
        )
    )
    said = ", ".join(
        f"CASE WHEN {name} > 0 THEN {sql.true()} ELSE {sql.false()} END AS {column}"
        for name, column in (
            ("active - change", "was_active"),
            ("active", "is_active"),
            ("is_new", "is_new"),
            ("is_churned", "is_churned"),
            ("is_involuntary", "is_churned_involuntary"),
            ("is_reactivated", "is_reactivated"),
        )
    )
    running = "OVER (PARTITION BY g.customer_id, g.currency ORDER BY g.month)"
    return f"""
        WITH happened AS ({_happened(sql)}),
        moved AS (
            SELECT customer_id, month, reporting_currency AS currency, CAST(sum(amount_reporting_minor) AS BIGINT) AS net, {amounts}
            FROM happened GROUP BY customer_id, month, reporting_currency
        ),
        turned AS (
            SELECT customer_id, month, CAST(sum(customer_change) AS BIGINT) AS change, max(last_position) AS last_position, {flags}
            FROM happened GROUP BY customer_id, month
        ),
        born AS (SELECT customer_id, min(month) AS cohort_month FROM happened GROUP BY customer_id),
        grid AS (
            SELECT b.customer_id, b.cohort_month, c.currency, m.month, m.starts_at FROM born b
            JOIN (SELECT DISTINCT customer_id, currency FROM moved) c ON c.customer_id = b.customer_id
            JOIN policy_month m ON m.month >= b.cohort_month, opsledger_as_of o WHERE m.starts_at <= o.effective_at
        ),
        filled AS (
            SELECT g.customer_id, g.month, g.currency, g.cohort_month, coalesce(m.net, 0) AS net, coalesce(t.change, 0) AS change, {told},
                coalesce(t.is_new, 0) AS is_new, coalesce(t.is_churned, 0) AS is_churned,
                coalesce(t.is_involuntary, 0) AS is_involuntary, coalesce(t.is_reactivated, 0) AS is_reactivated,
                CAST(sum(coalesce(m.net, 0)) {running} AS BIGINT) AS mrr_end_minor,
                CAST(sum(coalesce(t.change, 0)) {running} AS BIGINT) AS active,
                max(t.last_position) {running} AS last_position
            FROM grid g LEFT JOIN moved m ON m.customer_id = g.customer_id AND m.month = g.month AND m.currency = g.currency
            LEFT JOIN turned t ON t.customer_id = g.customer_id AND t.month = g.month
        )
        SELECT customer_id, month, currency, cohort_month, mrr_end_minor - net AS mrr_start_minor,
            {", ".join(_COLUMNS.values())}, mrr_end_minor, {said}, last_position
        FROM filled
    """


_AMOUNTS = (
    integer("new_minor", "Of customers who came, in minor units."),
    integer("reactivation_minor", "Of former customers who came back."),
    integer("expansion_minor", "By which customers grew."),
    integer("contraction_minor", "By which customers shrank, as a positive amount."),
    integer("churn_minor", "Of customers who left, as a positive amount."),
    integer("fx_impact_minor", "That other rates make, of what stayed as it was."),
)


def _moved(condition: str) -> tuple[str, Callable[[Sql], str]]:
    """Return the movements in a currency that a view counts, each with its amount."""

    def sql(sql: Sql) -> str:
        return (
            "SELECT customer_id, seq, movement_type || ' ' || amount_reporting_minor || ' minor units' AS result "
            f"FROM ({_happened(sql)}) happened WHERE reporting_currency = :currency AND {condition} ORDER BY occurred_at, customer_id, seq"
        )

    return "mrr_movements", sql


CUSTOMER_MONTH = View(
    "customer_month",
    "One row per customer and month since it first came, and currency of the report.",
    key=("customer_id", "month", "currency"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        text("month", "Month, for example 2026-03."),
        text("currency", "Currency of the report."),
        text("cohort_month", "Month in which it first was a customer; it stays in it when it comes back."),
        integer("mrr_start_minor", "Monthly revenue at the month's beginning, before other rates hold, in minor units."),
        *_AMOUNTS,
        integer("mrr_end_minor", "Monthly revenue at its end; start + new + reactivation + expansion - contraction - churn + fx_impact."),
        boolean("was_active", "Whether it was a customer at the month's beginning, by any of its subscriptions."),
        boolean("is_active", "Whether it is one at its end."),
        boolean("is_new", "Whether it came for the first time."),
        boolean("is_churned", "Whether it left, also where it came back."),
        boolean("is_churned_involuntary", "Whether it left because payment failed."),
        boolean("is_reactivated", "Whether it came back."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_customer_month,
    behind=_moved("month = :month AND customer_id = :customer_id"),
)


def _summed(*names: str) -> str:
    return ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in names)


def _mrr_monthly(sql: Sql) -> str:
    signed = {**dict.fromkeys(_KINDS, ""), **dict.fromkeys(_LOST, "-")}
    movements = ", ".join(f"{_of_kind(name, sign)} AS {_COLUMNS[name]}" for name, sign in signed.items())
    filled = ", ".join(f"coalesce(m.{name}, 0) AS {name}" for name in (*_COLUMNS.values(), "moved_minor", "net", *_LEVELS))
    running = "OVER (PARTITION BY currency, plan_id, segment ORDER BY month)"
    levels = ", ".join(f"CAST(sum({name}) {running} AS BIGINT) AS {name}" for name in _LEVELS)
    # Of whom a customer is counted once: rows of all plans are beside those of each.
    counted = f"sum(CASE WHEN kind = 'customers' AND (plan_id = '{ALL}') = any_plan THEN amount_minor ELSE 0 END)"
    scopes = [(plan, segment) for plan in ("plan_id", f"'{ALL}'") for segment in ("segment", f"'{ALL}'")]
    no, yes = sql.false(), sql.true()
    each = " UNION ALL ".join(
        f"SELECT month, currency, {plan} AS to_plan, {segment} AS to_segment, {no if plan == 'plan_id' else yes} AS any_plan,"
        f" plan_id, kind, amount_minor, last_position FROM happened" + (f" WHERE plan_id <> '{ALL}'" if plan == "plan_id" else "")
        for plan, segment in scopes
    )
    return f"""
        WITH happened AS (SELECT v.* FROM mrr_part v, opsledger_as_of o WHERE v.occurred_at <= o.effective_at),
        scoped AS ({each}),
        moved AS (
            SELECT month, currency, to_plan AS plan_id, to_segment AS segment, {movements}, {_of_kind("moved")} AS moved_minor,
                CAST(sum(CASE WHEN kind IN {BESIDE} THEN 0 ELSE amount_minor END) AS BIGINT) AS net,
                {_of_kind("past_due")} AS past_due_minor, {_of_kind("paused")} AS paused_minor, CAST({counted} AS BIGINT) AS customers_end,
                max(last_position) AS last_position
            FROM scoped GROUP BY month, currency, to_plan, to_segment
        ),
        grid AS (
            SELECT b.currency, b.plan_id, b.segment, p.month
            FROM (SELECT currency, plan_id, segment, min(month) AS first_month FROM moved GROUP BY currency, plan_id, segment) b
            JOIN policy_month p ON p.month >= b.first_month, opsledger_as_of o WHERE p.starts_at <= o.effective_at
        ),
        filled AS (
            SELECT g.month, g.currency, g.plan_id, g.segment, {filled}, m.last_position
            FROM grid g LEFT JOIN moved m
                ON m.month = g.month AND m.currency = g.currency AND m.plan_id = g.plan_id AND m.segment = g.segment
        ),
        ended AS (
            SELECT month, currency, plan_id, segment, net, {", ".join(_COLUMNS.values())}, moved_minor,
                CAST(sum(net) {running} AS BIGINT) AS mrr_end_minor, {levels}, max(last_position) {running} AS last_position
            FROM filled
        )
        SELECT month, currency, plan_id, segment, mrr_end_minor - net AS mrr_start_minor, {", ".join(_COLUMNS.values())}, moved_minor,
            mrr_end_minor, past_due_minor, paused_minor, 12 * mrr_end_minor AS arr_minor, customers_end, last_position
        FROM ended
    """


_LEVELS = ("past_due_minor", "paused_minor", "customers_end")


def _of_kind(kind: str, sign: str = "") -> str:
    return f"CAST(sum(CASE WHEN kind = '{kind}' THEN {sign}amount_minor ELSE 0 END) AS BIGINT)"


MRR_MONTHLY = View(
    "mrr_monthly",
    "One row per month, currency of the report, plan and segment, * for all: recurring revenue rolled forward.",
    key=("month", "currency", "plan_id", "segment"),
    columns=(
        text("month", "Month, for example 2026-03."),
        text("currency", "Currency of the report."),
        text("plan_id", "Plan that brings it; *: all."),
        text("segment", "Segment of the customers at the time; none: they were not registered; *: all."),
        integer("mrr_start_minor", "Monthly revenue at the month's beginning, in minor units."),
        *_AMOUNTS,
        integer("moved_minor", "What came from other plans or segments, less what went to them; 0 where all are meant."),
        integer(
            "mrr_end_minor",
            "Monthly revenue at its end; start + new + reactivation + expansion - contraction - churn + fx_impact + moved.",
        ),
        integer("past_due_minor", "At the end, monthly revenue for which a payment is late, counted or not."),
        integer("paused_minor", "At the end, what paused subscriptions would bring."),
        integer("arr_minor", "Twelve times mrr_end_minor."),
        integer("customers_end", "Customers at its end with a subscription in the currency, also those who bring nothing then."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_mrr_monthly,
    behind=_moved(f"month = :month AND :plan_id = '{ALL}' AND :segment = '{ALL}'"),
    beside=(
        (
            "mrr_part",
            lambda sql: (
                "SELECT v.customer_id, v.part, v.kind || ' ' || v.amount_minor || ' minor units' AS result "
                f"FROM mrr_part v, opsledger_as_of o WHERE v.occurred_at <= o.effective_at AND v.month = :month AND v.currency = :currency "
                f"AND v.kind NOT IN {BESIDE} AND (:plan_id <> '{ALL}' OR :segment <> '{ALL}') AND :plan_id IN ('{ALL}', v.plan_id) "
                f"AND :segment IN ('{ALL}', v.segment) "
                "ORDER BY v.occurred_at, v.customer_id, v.part"
            ),
        ),
    ),
)


def _counted(condition: str, amount: str = "1") -> str:
    return f"CAST(sum(CASE WHEN {condition} THEN {amount} ELSE 0 END) AS BIGINT)"


def _least(sql: Sql, one: str, other: str) -> str:
    return f"CASE WHEN {one} < {other} THEN {one} ELSE {other} END"


def _churn(sql: Sql) -> str:
    kept = "(mrr_end_minor - reactivation_minor - fx_impact_minor)"
    return f"""
        WITH summed AS (
            SELECT month, currency, {_counted("was_active")} AS customers_start, {_counted("is_new")} AS customers_new,
                {_counted("is_reactivated")} AS customers_reactivated, {_counted("is_churned")} AS customers_churned,
                {_counted("is_churned AND is_churned_involuntary")} AS churned_involuntary,
                {_counted("is_churned AND was_active")} AS churned_of_start, {_counted("is_active")} AS customers_end,
                {_summed("mrr_start_minor")}, {_counted("was_active", "churn_minor + contraction_minor")} AS lost_of_start_minor,
                {_counted("was_active", "expansion_minor")} AS expansion_of_start_minor,
                {_counted("was_active", _least(sql, "mrr_start_minor", sql.later(kept, "0")))} AS kept_of_start_minor,
                max(last_position) AS last_position
            FROM customer_month GROUP BY month, currency
        )
        SELECT month, currency, customers_start, customers_new, customers_reactivated, customers_churned,
            customers_churned - churned_involuntary AS churned_voluntary, churned_involuntary, churned_of_start, customers_end,
            CASE WHEN customers_start > 0 THEN 10000 * churned_of_start / customers_start END AS logo_churn_bp,
            mrr_start_minor, lost_of_start_minor, expansion_of_start_minor, kept_of_start_minor,
            CASE WHEN mrr_start_minor > 0 THEN 10000 * lost_of_start_minor / mrr_start_minor END AS gross_mrr_churn_bp,
            CASE WHEN mrr_start_minor > 0 THEN 10000 * (lost_of_start_minor - expansion_of_start_minor) / mrr_start_minor END
                AS net_mrr_churn_bp,
            CASE WHEN mrr_start_minor > 0 THEN 10000 * kept_of_start_minor / mrr_start_minor END AS grr_bp,
            CASE WHEN mrr_start_minor > 0
                THEN 10000 * (mrr_start_minor - lost_of_start_minor + expansion_of_start_minor) / mrr_start_minor END AS nrr_bp,
            CASE WHEN customers_start = 0 THEN 'no customers at the start' WHEN mrr_start_minor = 0 THEN 'no revenue at the start' END
                AS null_reason,
            last_position
        FROM summed
    """


CHURN_MONTHLY = View(
    "churn_monthly",
    "One row per month and currency of the report: who left, and what of the revenue of its beginning was lost and kept.",
    key=("month", "currency"),
    columns=(
        text("month", "Month, for example 2026-03."),
        text("currency", "Currency of the report."),
        integer("customers_start", "Customers at the month's beginning."),
        integer("customers_new", "Those who came for the first time."),
        integer("customers_reactivated", "Former customers who came back."),
        integer("customers_churned", "Those who left, also of those who came in it."),
        integer("churned_voluntary", "Of them, those whose payment had not failed."),
        integer("churned_involuntary", "Those whose payment had."),
        integer("churned_of_start", "Of those at the beginning, those who left."),
        integer("customers_end", "Customers at its end."),
        integer("logo_churn_bp", "churned_of_start / customers_start in basis points; null: see null_reason."),
        integer("mrr_start_minor", "Monthly revenue at the beginning, in minor units."),
        integer("lost_of_start_minor", "What the customers of the beginning lost: churn and contraction."),
        integer("expansion_of_start_minor", "What they added."),
        integer("kept_of_start_minor", "What they bring at the end, of each at most what it brought at the beginning."),
        integer("gross_mrr_churn_bp", "lost_of_start / mrr_start in basis points."),
        integer("net_mrr_churn_bp", "(lost_of_start - expansion_of_start) / mrr_start in basis points."),
        integer("grr_bp", "Gross revenue retention: kept_of_start / mrr_start in basis points."),
        integer("nrr_bp", "Net revenue retention: (mrr_start - lost_of_start + expansion_of_start) / mrr_start in basis points."),
        text("null_reason", "Why a share is null; null: none is."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_churn,
    behind=_moved("month = :month AND (movement_type IN ('churn', 'contraction', 'expansion') OR customer_change <> 0)"),
)


def _cohort(sql: Sql) -> str:
    def number(month: str) -> str:
        return f"(12 * CAST(substr({month}, 1, 4) AS INTEGER) + CAST(substr({month}, 6, 2) AS INTEGER))"

    return f"""
        WITH summed AS (
            SELECT n.cohort_month, n.currency, {number("n.month")} - {number("n.cohort_month")} AS age_months,
                count(*) AS cohort_customers, {_counted("n.is_active")} AS retained,
                CAST(sum(f.mrr_end_minor) AS BIGINT) AS cohort_mrr_minor, CAST(sum(n.mrr_end_minor) AS BIGINT) AS mrr_minor,
                CAST(sum({_least(sql, "f.mrr_end_minor", "n.mrr_end_minor")}) AS BIGINT) AS kept_minor,
                max(n.last_position) AS last_position
            FROM customer_month n
            JOIN customer_month f ON f.customer_id = n.customer_id AND f.currency = n.currency AND f.month = n.cohort_month
            GROUP BY n.cohort_month, n.currency, n.month
        )
        SELECT cohort_month, age_months, currency, cohort_customers, retained,
            10000 * retained / cohort_customers AS logo_retention_bp, cohort_mrr_minor, mrr_minor, kept_minor,
            CASE WHEN cohort_mrr_minor > 0 THEN 10000 * kept_minor / cohort_mrr_minor END AS grr_bp,
            CASE WHEN cohort_mrr_minor > 0 THEN 10000 * mrr_minor / cohort_mrr_minor END AS nrr_bp,
            CASE WHEN cohort_mrr_minor > 0 THEN NULL ELSE 'the cohort brought no revenue at the end of its first month' END AS null_reason,
            last_position
        FROM summed
    """


RETENTION_COHORT = View(
    "retention_cohort",
    "One row per month in which customers first came, months since, and currency of the report.",
    key=("cohort_month", "age_months", "currency"),
    columns=(
        text("cohort_month", "Month in which they first came, for example 2026-03."),
        integer("age_months", "Months since, from 0."),
        text("currency", "Currency of the report."),
        integer("cohort_customers", "Customers who came then."),
        integer("retained", "Those who are customers at the end of the month of that age; who came back counts."),
        integer("logo_retention_bp", "retained / cohort_customers in basis points."),
        integer("cohort_mrr_minor", "What they brought at the end of their first month, in minor units."),
        integer("mrr_minor", "What they bring at that age."),
        integer("kept_minor", "Of it, of each customer at most what it brought at the end of the first month."),
        integer("grr_bp", "kept / cohort_mrr in basis points; null: see null_reason."),
        integer("nrr_bp", "mrr / cohort_mrr in basis points."),
        text("null_reason", "Why these two are null; null: they are not."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_cohort,
)


def _committed(sql: Sql) -> str:
    return f"""
        SELECT m.month, s.currency, {_summed("mrr_minor", "past_due_minor", "paused_minor", "leaving_minor")},
            CAST(sum(mrr_minor - leaving_minor) AS BIGINT) AS committed_minor, max(s.last_position) AS last_position
        FROM policy_month m JOIN subscription_mrr s ON s.valid_from_at < m.ends_at AND (s.valid_to_at IS NULL OR s.valid_to_at >= m.ends_at
            OR s.valid_to_at > (SELECT effective_at FROM opsledger_as_of)), opsledger_as_of o
        WHERE m.starts_at <= o.effective_at AND s.valid_from_at <= o.effective_at
        GROUP BY m.month, s.currency
    """


MRR_COMMITTED = View(
    "mrr_committed",
    "One row per month and currency of subscriptions: what of the revenue at its end, or at the as-of time, is not sure to stay.",
    key=("month", "currency"),
    columns=(
        text("month", "Month, for example 2026-03."),
        text("currency", "Currency of the subscriptions; nothing is converted here."),
        integer("mrr_minor", "Monthly revenue then, in minor units."),
        integer("past_due_minor", "Monthly revenue for which a payment is late, counted or not."),
        integer("paused_minor", "What paused subscriptions would bring."),
        integer("leaving_minor", "Of mrr_minor, what ends by agreement."),
        integer("committed_minor", "mrr_minor without that."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_committed,
)

PROJECTIONS = (CUSTOMER_MONTH, MRR_MONTHLY, CHURN_MONTHLY, RETENTION_COHORT, MRR_COMMITTED)


def _share(numerator: str, denominator: str) -> Callable[[Sql], str]:
    def sql(sql: Sql) -> str:
        some = f"{denominator} > 0"
        return f"""
            SELECT 'currency:' || currency AS scope, 'month' AS period, month AS period_start,
                CASE WHEN {some} THEN {numerator} END AS numerator, CASE WHEN {some} THEN {denominator} END AS denominator,
                customers_start AS n, CASE WHEN {some} THEN NULL ELSE null_reason END AS null_reason, last_position
            FROM churn_monthly
        """

    return sql


def _mrr(sql: Sql) -> str:
    return """
        SELECT 'currency:' || currency AS scope, 'month' AS period, month AS period_start, mrr_end_minor AS numerator, 1 AS denominator,
            customers_end AS n, NULL AS null_reason, last_position
        FROM mrr_monthly WHERE plan_id = '*' AND segment = '*'
    """


KPIS = (
    Kpi("mrr", "Monthly recurring revenue at the month's end: mrr_monthly.mrr_end_minor, in the scope's currency.", "minor units", _mrr),
    Kpi(
        "customer_churn",
        "Customers of the month's beginning who left in it: churn_monthly.churned_of_start / customers_start.",
        "share",
        _share("churned_of_start", "customers_start"),
    ),
    Kpi(
        "customer_retention",
        "Customers of the month's beginning who did not leave in it: 1 - customer_churn. Operating Model, customer retention rate.",
        "share",
        _share("customers_start - churned_of_start", "customers_start"),
    ),
    Kpi(
        "gross_mrr_churn",
        "Revenue of the month's beginning that was lost: churn_monthly.lost_of_start_minor / mrr_start_minor.",
        "share",
        _share("lost_of_start_minor", "mrr_start_minor"),
    ),
    Kpi(
        "net_revenue_retention",
        "What the customers of the month's beginning bring at its end, returners left out: churn_monthly, as nrr_bp.",
        "share",
        _share("mrr_start_minor - lost_of_start_minor + expansion_of_start_minor", "mrr_start_minor"),
    ),
)
