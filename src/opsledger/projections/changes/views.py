"""change_conflict: what collides? change_approval_overdue: what is still unapproved? change_kpi_month: how often do changes succeed?

Views over change and freeze_period as of `opsledger_as_of`. Conflicts are looked for anew whenever the view is read, so a window
that was moved, or a freeze declared since, shows at once; what was known when a change was planned stays in its fact.
"""

from __future__ import annotations

from typing import Final

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import instant, integer, text

__all__ = ["CHANGE_APPROVAL_OVERDUE", "CHANGE_CONFLICT", "CHANGE_KPI_MONTH", "PROJECTIONS"]

_PLANNED: Final = """
    SELECT change_id, category, planned_start_at, planned_end_at, assignee_id, in_maintenance_window
    FROM change WHERE planned_start_at IS NOT NULL AND status NOT IN ('cancelled', 'rejected')
"""


def _conflicts(sql: Sql) -> str:
    starts, ends = sql.later("a.planned_start_at", "b.planned_start_at"), sql.earlier("a.planned_end_at", "b.planned_end_at")
    both = f"{starts} AS from_at, {ends} AS to_at"
    frozen, thawed = sql.later("a.planned_start_at", "f.starts_at"), sql.earlier("a.planned_end_at", "f.over_at")
    with_freeze = f"{frozen} AS from_at, {thawed} AS to_at"
    meet = "b.change_id <> a.change_id AND b.planned_start_at < a.planned_end_at AND a.planned_start_at < b.planned_end_at"
    return f"""
        WITH planned AS ({_PLANNED})
        SELECT a.change_id, 'ci_already_scheduled' AS kind, b.change_id AS other_id, {both}
        FROM planned a JOIN planned b ON {meet}
        WHERE EXISTS (
            SELECT 1 FROM change_ci x JOIN change_ci y ON y.ci_id = x.ci_id WHERE x.change_id = a.change_id AND y.change_id = b.change_id
        )
        UNION ALL
        SELECT a.change_id, 'assignee_already_scheduled', b.change_id, {both}
        FROM planned a JOIN planned b ON {meet} AND b.assignee_id = a.assignee_id
        UNION ALL
        SELECT a.change_id, 'in_freeze', f.freeze_id, {with_freeze}
        FROM planned a JOIN freeze_period f
            ON f.starts_at < f.over_at AND f.starts_at < a.planned_end_at AND a.planned_start_at < f.over_at
        WHERE f.ci_count = 0 OR NOT EXISTS (SELECT 1 FROM change_ci x WHERE x.change_id = a.change_id) OR EXISTS (
            SELECT 1 FROM change_ci x JOIN freeze_ci y ON y.ci_id = x.ci_id WHERE x.change_id = a.change_id AND y.freeze_id = f.freeze_id
        )
        UNION ALL
        SELECT a.change_id, 'not_in_maintenance_window', '', a.planned_start_at, a.planned_end_at
        FROM planned a WHERE a.in_maintenance_window = {sql.false()}
    """


CHANGE_CONFLICT = View(
    "change_conflict",
    "One row per planned change, kind of conflict and what it collides with; half-open, so that touching windows do not.",
    key=("change_id", "kind", "other_id"),
    columns=(
        text("change_id", "Id of the change."),
        text(
            "kind",
            "ci_already_scheduled, assignee_already_scheduled, in_freeze (an emergency may pass, and is shown), or "
            "not_in_maintenance_window as found when it was planned last.",
        ),
        text("other_id", "Id of the other change or of the freeze; empty: there is none to name."),
        instant("from_at", "Start of the stretch in which they collide."),
        instant("to_at", "End of it, not part of it."),
    ),
    sql=_conflicts,
)


def _overdue(sql: Sql) -> str:
    return f"""
        SELECT c.change_id, c.category, c.requested_by, c.implementer_id, c.started_at, c.approval_due_at,
            {sql.seconds("c.approval_due_at", "o.effective_at")} AS overdue_s
        FROM change c, opsledger_as_of o
        WHERE c.approval_before_start = {sql.false()} AND c.authorised_at IS NULL AND c.approval_due_at < o.effective_at
    """


CHANGE_APPROVAL_OVERDUE = View(
    "change_approval_overdue",
    "One row per change that was begun without approval, may be approved afterwards, and was not within the time for it.",
    key=("change_id",),
    columns=(
        text("change_id", "Id of the change."),
        text("category", "The operating model's word: emergency, standard or normal."),
        text("requested_by", "Opaque id of who asked for it."),
        text("implementer_id", "Opaque id of who did it."),
        instant("started_at", "When the work began."),
        instant("approval_due_at", "The last instant at which approval would have been in time."),
        integer("overdue_s", "Whole seconds since then, up to the as-of time."),
    ),
    sql=_overdue,
)

_MONTH_OF: Final = "(SELECT p.month FROM policy_month p WHERE p.starts_at <= {} ORDER BY p.starts_at DESC LIMIT 1)"
_ENDED: Final = "coalesce(completed_at, backed_out_at)"
_COUNTED: Final = {
    "requested": "requested_at IS NOT NULL",
    "implemented": f"{_ENDED} IS NOT NULL",
    "successful": "outcome = 'successful' AND backed_out_at IS NULL",
    "partially": "outcome = 'partially' AND backed_out_at IS NULL",
    "failed": "outcome = 'failed' AND backed_out_at IS NULL",
    "backed_out": "backed_out_at IS NOT NULL",
    "unapproved_at_start": "approval_before_start = {false}",
    "reviewed": "reviewed_at IS NOT NULL",
    "rejected": "rejected_at IS NOT NULL",
    "cancelled": "cancelled_at IS NOT NULL",
}
_WHEN: Final = {"requested": "requested_at", "rejected": "rejected_at", "cancelled": "cancelled_at"}


def _kpi(sql: Sql) -> str:
    told = " UNION ALL ".join(
        f"SELECT {_MONTH_OF.format(_WHEN.get(name, _ENDED))} AS month, category, itil_type, '{name}' AS figure "
        f"FROM change WHERE {condition.format(false=sql.false())} AND {_WHEN.get(name, _ENDED)} IS NOT NULL"
        for name, condition in _COUNTED.items()
    )
    figures = ", ".join(f"coalesce(sum(CASE WHEN t.figure = '{name}' THEN t.n END), 0) AS {name}" for name in _COUNTED)
    counts = ", ".join(f"CAST({name} AS BIGINT) AS {name}" for name in _COUNTED)
    return f"""
        WITH told AS (
            SELECT month, category, itil_type, figure, count(*) AS n FROM ({told}) single GROUP BY month, category, itil_type, figure
        ),
        every AS (
            SELECT month, category, itil_type, figure, n FROM told
            UNION ALL SELECT month, '*', '*', figure, n FROM told
        ),
        spine AS (
            SELECT m.month, k.category, k.itil_type
            FROM policy_month m, opsledger_as_of o,
                (SELECT DISTINCT category, itil_type FROM change UNION SELECT '*', '*' FROM change) k
            WHERE m.starts_at <= o.effective_at AND m.ends_at > (SELECT min(requested_at) FROM change)
        ),
        counted AS (
            SELECT s.month, s.category, s.itil_type, {figures}
            FROM spine s LEFT JOIN every t ON t.month = s.month AND t.category = s.category AND t.itil_type = s.itil_type
            GROUP BY s.month, s.category, s.itil_type
        )
        SELECT month, category, itil_type, {counts},
            CASE WHEN implemented > 0 THEN CAST(10000 * successful / implemented AS BIGINT) END AS success_bp,
            CASE WHEN implemented = 0 THEN 'none was implemented in the month' END AS null_reason
        FROM counted
    """


def _behind_kpi(sql: Sql) -> str:
    months = " OR ".join(
        f"{at} IS NOT NULL AND {_MONTH_OF.format(at)} = :month" for at in ("requested_at", _ENDED, "rejected_at", "cancelled_at")
    )
    return f"""
        SELECT change_id FROM change
        WHERE (:category = '*' OR category = :category) AND (:itil_type = '*' OR itil_type = :itil_type) AND ({months})
        ORDER BY change_id
    """


CHANGE_KPI_MONTH = View(
    "change_kpi_month",
    "One row per month, from the first request to the as-of month, category and ITIL type, and one for all of them.",
    key=("month", "category", "itil_type"),
    columns=(
        text("month", "Month of the request, rejection or cancellation for those; for all else of the end of the work."),
        text("category", "The operating model's word; * for all."),
        text("itil_type", "The field's word; * for all."),
        integer("requested", "Changes asked for."),
        integer("implemented", "Changes whose work ended, whatever came of it: the denominator of the success rate."),
        integer("successful", "Of those, successful and not taken back: the numerator."),
        integer("partially", "Of those, successful in part and not taken back."),
        integer("failed", "Of those, failed and not taken back."),
        integer("backed_out", "Of those, taken back, whatever their outcome was said to be, and whenever that was."),
        integer("unapproved_at_start", "Of those, begun without all the approvals and sign-offs that they needed."),
        integer("reviewed", "Of those, reviewed since."),
        integer("rejected", "Changes to which somebody last said no."),
        integer("cancelled", "Changes given up before they began."),
        integer("success_bp", "successful / implemented in basis points, cut; null: none was implemented."),
        text("null_reason", "Why success_bp is null; null when it is not."),
    ),
    sql=_kpi,
    behind=("change", _behind_kpi),
)

PROJECTIONS = (CHANGE_CONFLICT, CHANGE_APPROVAL_OVERDUE, CHANGE_KPI_MONTH)
