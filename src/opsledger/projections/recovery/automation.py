"""automation_run: what did programs do in place of people, and how did it end? automation_month: how often, month by month?

Grain: automation_run, one row per run; automation_month, one row per month and kind of work, and `*` for all kinds. The share healed by
itself is of the runs that tried to heal: what ended well without a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from opsledger.domain import automation_run as a
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Kpi, Rows, Sql, View
from opsledger.projections.table import Table, instant, integer, text

__all__ = ["AUTOMATION_MONTH", "AUTOMATION_RUN", "KPIS", "PROJECTIONS"]

AUTOMATION_RUN = Table(
    "automation_run",
    "One row per run of an automation.",
    key=("automation_month", "run_id"),
    columns=(
        text("automation_month", "Automation and UTC month of its end, as in restart-worker/2026-03: what it is recorded under."),
        text("run_id", "Id of the run, the host's."),
        text("automation_id", "Which program or rule it was."),
        text("kind", "infrastructure, deployment, rollback, self_healing or task."),
        text("outcome", "succeeded, failed, or handed_over: a person had to go on. Corrected."),
        text("triggered_by", "alert, schedule, change or person."),
        instant("started_at", "When it began."),
        instant("ended_at", "When it ended."),
        integer("took_us", "ended_at - started_at, in microseconds."),
        text("service_id", "Service that it served; null: none was named."),
        text("incident_id", "Incident in which it ran; null: none was named."),
        text("change_id", "Change that it carried out; null: none was named."),
        integer("correction_count", "How often its outcome was corrected."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("ended_at",), ("service_id",)),
)


@dataclass(slots=True)
class _Runs:
    automation_month: str
    ended: dict[str, tuple[int, a.Ended]] = field(default_factory=dict)  # with the position
    corrected: dict[int, list[tuple[int, a.Outcome]]] = field(default_factory=dict)  # of the fact at a position: position, outcome


def _fold(runs: _Runs, recorded: Recorded) -> _Runs:
    event: a.Fact = recorded.fact
    if isinstance(event, a.Corrected):
        runs.corrected.setdefault(event.corrects, []).append((recorded.position, event.now))
    elif event.run_id not in runs.ended or recorded.position < runs.ended[event.run_id][0]:
        runs.ended[event.run_id] = recorded.position, event
    return runs


def _rows(runs: _Runs) -> Rows:
    made = []
    for run_id, (position, ended) in sorted(runs.ended.items()):
        corrections = runs.corrected.get(position, [])
        last, outcome = max(corrections, default=(position, ended.outcome))
        began, over = micros(ended.started_at), micros(ended.ended_at)
        named = (ended.service_id, ended.incident_id, ended.change_id)
        said = (ended.automation_id, ended.kind, outcome, ended.trigger)
        made.append((runs.automation_month, run_id, *said, began, over, over - began, *named, len(corrections), last))
    return {"automation_run": made}


_MONTH_OF: Final = "(SELECT p.month FROM policy_month p WHERE p.starts_at <= {} ORDER BY p.starts_at DESC LIMIT 1)"


def _month(sql: Sql) -> str:
    return f"""
        WITH told AS (SELECT {_MONTH_OF.format("ended_at")} AS month, kind, outcome, took_us, last_position FROM automation_run),
        every AS (
            SELECT month, kind, outcome, took_us, last_position FROM told
            UNION ALL SELECT month, '*', outcome, took_us, last_position FROM told
        )
        SELECT month, kind, count(*) AS runs,
            CAST(sum(CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END) AS BIGINT) AS succeeded,
            CAST(sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS failed,
            CAST(sum(CASE WHEN outcome = 'handed_over' THEN 1 ELSE 0 END) AS BIGINT) AS handed_over,
            CAST(sum(took_us) AS BIGINT) AS took_us, max(last_position) AS last_position
        FROM every GROUP BY month, kind
    """


AUTOMATION_MONTH = View(
    "automation_month",
    "One row per month and kind of work in which a run ended, and one for all kinds.",
    key=("month", "kind"),
    columns=(
        text("month", "Month of the end, in the zone of the reports."),
        text("kind", "infrastructure, deployment, rollback, self_healing or task; * for all."),
        integer("runs", "Runs that ended in the month."),
        integer("succeeded", "Of them, those that did what they were there for, without a person."),
        integer("failed", "Of them, those that did not."),
        integer("handed_over", "Of them, those after which a person had to go on."),
        integer("took_us", "How long they took in all, in microseconds."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_month,
    behind=(
        "automation_run",
        lambda sql: (
            f"""
            SELECT automation_month, run_id, outcome AS result FROM automation_run
            WHERE (:kind = '*' OR kind = :kind) AND {_MONTH_OF.format("ended_at")} = :month ORDER BY automation_month, run_id
        """
        ),
    ),
)


def _share(kind: str) -> str:
    return f"""
        SELECT 'all' AS scope, 'month' AS period, month AS period_start, succeeded AS numerator, runs AS denominator, runs AS n,
            CAST(NULL AS TEXT) AS null_reason, last_position
        FROM automation_month WHERE kind = '{kind}'
    """


KPIS = (
    Kpi(
        "self_healing",
        "Self-healing runs that ended well without a person, of all that ended: automation_month.succeeded / runs of self_healing.",
        "share",
        lambda sql: _share("self_healing"),
    ),
    Kpi(
        "automation_success",
        "Runs of any automation that ended well without a person, of all that ended: automation_month.succeeded / runs of *.",
        "share",
        lambda sql: _share("*"),
    ),
)

PROJECTIONS = (Entity("automation_run", 1, "automation_run", (AUTOMATION_RUN,), _Runs, _fold, _rows), AUTOMATION_MONTH)
