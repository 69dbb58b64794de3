"""sla_compliance: which share of promises was kept? support_queue: what is due next? backlog_day: how much lay open?

Views over ticket, ticket_sla and ticket_interval as of `opsledger_as_of`. A share is two integers and, for reading, basis
points; where nothing counts it is null, and a column says why.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["BACKLOG_DAY", "PROJECTIONS", "SLA_COMPLIANCE", "SUPPORT_QUEUE"]

_JUDGED = """
    SELECT s.ticket_id, s.metric, s.cycle, s.priority,
        CASE WHEN s.outcome IN ('met', 'breached', 'cancelled') THEN s.outcome
             WHEN s.breach_at <= o.effective_at THEN 'overdue' ELSE 'running' END AS result,
        CASE WHEN s.outcome IN ('met', 'cancelled') THEN s.stopped_at
             WHEN s.outcome = 'breached' AND s.elapsed_us <= 1000000 * s.target_s THEN s.earlier_breach_at
             WHEN s.outcome = 'breached' THEN coalesce(s.breach_at, s.stopped_at)
             WHEN s.breach_at <= o.effective_at THEN s.breach_at ELSE o.effective_at END AS judged_at
    FROM ticket_sla s, opsledger_as_of o WHERE s.purpose = 'promise'
"""
_MONTH_OF = "(SELECT m.month FROM policy_month m WHERE m.starts_at <= {} ORDER BY m.starts_at DESC LIMIT 1)"


def _compliance(sql: Sql) -> str:
    return f"""
        WITH judged AS ({_JUDGED}),
        counted AS (
            SELECT {_MONTH_OF.format("judged_at")} AS month, priority, metric,
                sum(CASE WHEN result = 'met' THEN 1 ELSE 0 END) AS met,
                sum(CASE WHEN result = 'breached' THEN 1 ELSE 0 END) AS breached,
                sum(CASE WHEN result = 'overdue' THEN 1 ELSE 0 END) AS overdue,
                sum(CASE WHEN result = 'running' THEN 1 ELSE 0 END) AS running,
                sum(CASE WHEN result = 'cancelled' THEN 1 ELSE 0 END) AS cancelled
            FROM judged GROUP BY 1, 2, 3
        ),
        spine AS (
            SELECT m.month, p.priority, p.metric
            FROM policy_month m, opsledger_as_of o,
                (SELECT DISTINCT priority, metric FROM ticket_sla WHERE purpose = 'promise') p
            WHERE m.starts_at <= o.effective_at AND m.ends_at > (SELECT min(started_at) FROM ticket_sla)
        ),
        filled AS (
            SELECT s.month, s.priority, s.metric, coalesce(c.met, 0) AS met, coalesce(c.breached, 0) AS breached,
                coalesce(c.overdue, 0) AS overdue, coalesce(c.running, 0) AS running, coalesce(c.cancelled, 0) AS cancelled
            FROM spine s LEFT JOIN counted c ON c.month = s.month AND c.priority = s.priority AND c.metric = s.metric
        )
        SELECT month, priority, metric, met, breached, overdue, running, cancelled, met + breached + overdue AS judged,
            CASE WHEN met + breached + overdue > 0 THEN 10000 * met / (met + breached + overdue) END AS attainment_bp,
            CASE WHEN met + breached + overdue > 0 THEN NULL
                 WHEN running > 0 THEN 'none is judged yet' WHEN cancelled > 0 THEN 'all were cancelled'
                 ELSE 'none fell into the month' END AS null_reason
        FROM filled
    """


def _behind_compliance(sql: Sql) -> str:
    return f"""
        SELECT ticket_id, metric, cycle, result FROM ({_JUDGED}) j
        WHERE {_MONTH_OF.format("judged_at")} = :month AND priority = :priority AND metric = :metric
        ORDER BY CASE result WHEN 'overdue' THEN 1 WHEN 'breached' THEN 2 WHEN 'running' THEN 3 ELSE 4 END, judged_at, ticket_id, cycle
    """


SLA_COMPLIANCE = View(
    "sla_compliance",
    "One row per month, priority and metric of the promises to customers; months without any appear.",
    key=("month", "priority", "metric"),
    columns=(
        text("month", "Month of stopped_at when met, of breach_at when breached or overdue, of the as-of time when running."),
        text("priority", "Priority whose target held."),
        text("metric", "Which promise."),
        integer("met", "Promises kept."),
        integer("breached", "Promises broken, the clock stopped since."),
        integer("overdue", "Promises broken, the clock still open."),
        integer("running", "Promises neither kept nor broken yet; counted in the as-of month only."),
        integer("cancelled", "Promises that ended without a verdict: merged, withdrawn, spam."),
        integer("judged", "met + breached + overdue, of which attainment is the share that was met."),
        integer("attainment_bp", "met / judged in basis points, cut to whole ones; null when nothing was judged."),
        text("null_reason", "Why attainment is null; null when it is not."),
    ),
    sql=_compliance,
    behind=("ticket_sla", _behind_compliance),
)


def _queue(sql: Sql) -> str:
    return f"""
        WITH due AS (
            SELECT s.ticket_id, s.metric, s.due_at, s.breach_at,
                row_number() OVER (PARTITION BY s.ticket_id ORDER BY s.due_at, s.metric, s.cycle) AS turn
            FROM ticket_sla s WHERE s.purpose = 'promise' AND s.stopped_at IS NULL AND s.due_at IS NOT NULL
        )
        SELECT t.ticket_id, t.customer_id, t.priority, t.level, t.status, t.pause_reason, t.assignee_group, t.assignee_id, t.registered_at,
            d.metric AS next_metric, d.due_at AS next_due_at, {sql.seconds("o.effective_at", "d.due_at")} AS left_s,
            {sql.seconds("t.registered_at", "o.effective_at")} AS age_s,
            CASE WHEN d.breach_at IS NULL THEN NULL WHEN d.breach_at <= o.effective_at THEN {sql.true()} ELSE {sql.false()} END AS overdue
        FROM opsledger_as_of o, ticket t LEFT JOIN due d ON d.ticket_id = t.ticket_id AND d.turn = 1
        WHERE t.status IN ('new', 'open', 'pending')
    """


SUPPORT_QUEUE = View(
    "support_queue",
    "One row per open ticket, with the promise that falls due next.",
    key=("ticket_id",),
    columns=(
        text("ticket_id", "Id of the ticket."),
        text("customer_id", "Opaque id of the customer."),
        text("priority", "Priority now."),
        text("level", "Support level now."),
        text("status", "new, open or pending."),
        text("pause_reason", "Whom a pending ticket waits for."),
        text("assignee_group", "Group that works on it; null: none."),
        text("assignee_id", "Who works on it; null: nobody."),
        instant("registered_at", "When the request came in."),
        text("next_metric", "The promise that falls due next; null: none is running."),
        instant("next_due_at", "When it falls due."),
        integer("left_s", "Seconds of wall time from the as-of time to then; negative once it has passed."),
        integer("age_s", "Seconds of wall time since registration."),
        boolean("overdue", "Whether that promise is broken; null: none is running."),
    ),
    sql=_queue,
)


def _backlog(sql: Sql) -> str:
    is_open = "status IN ('new', 'open', 'pending')"
    return f"""
        WITH RECURSIVE edge AS (
            SELECT {sql.day("from_at")} AS day, CASE WHEN {is_open} THEN 1 ELSE 0 END
                - coalesce(lag(CASE WHEN {is_open} THEN 1 ELSE 0 END) OVER (PARTITION BY ticket_id ORDER BY from_at), 0) AS step
            FROM ticket_interval
        ),
        moved AS (
            SELECT day, sum(CASE WHEN step > 0 THEN 1 ELSE 0 END) AS entered, sum(CASE WHEN step < 0 THEN 1 ELSE 0 END) AS ended
            FROM edge GROUP BY day
        ),
        spine(day) AS (
            SELECT min(day) FROM moved
            UNION ALL
            SELECT {sql.next_day("day")} FROM spine WHERE day < (SELECT {sql.day("effective_at")} FROM opsledger_as_of)
        )
        SELECT s.day, coalesce(m.entered, 0) AS entered, coalesce(m.ended, 0) AS ended,
            CAST(sum(coalesce(m.entered, 0) - coalesce(m.ended, 0)) OVER (ORDER BY s.day) AS BIGINT) AS open_at_end
        FROM spine s LEFT JOIN moved m ON m.day = s.day WHERE s.day IS NOT NULL
    """


BACKLOG_DAY = View(
    "backlog_day",
    "One row per UTC day from the first ticket to the as-of day.",
    key=("day",),
    columns=(
        text("day", "UTC day, for example 2026-03-01."),
        integer("entered", "Tickets that came in or were reopened."),
        integer("ended", "Tickets that were resolved, closed, merged, cancelled or found to be spam."),
        integer("open_at_end", "Tickets open at the end of the day, or at the as-of time on its day."),
    ),
    sql=_backlog,
)

PROJECTIONS = (SLA_COMPLIANCE, SUPPORT_QUEUE, BACKLOG_DAY)
