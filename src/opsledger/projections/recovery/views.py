"""recovery_readiness: how old are the last recovery point, drill and check? recovery_evidence: what do failures, real and played, show?

Views over recovery_point, restore, recovery_drill and integrity_check as of `opsledger_as_of`; ages grow with the clock and are stored
nowhere. Whether something is too old is for the operating model to say, and stands in control_finding.
"""

from __future__ import annotations

from typing import Final

from opsledger.projections.kinds import Kpi, Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["KPIS", "PROJECTIONS", "RECOVERY_EVIDENCE", "RECOVERY_READINESS"]


def _newest(table: str, columns: str, order: str, condition: str = "") -> str:
    """Return SQL for the newest row of each service, as known and as it had happened."""
    return f"""
        SELECT service_id, {columns} FROM (
            SELECT t.*, row_number() OVER (PARTITION BY service_id ORDER BY {order}) AS turn FROM {table} t {condition}
        ) told WHERE turn = 1
    """


def _readiness(sql: Sql) -> str:
    point = _newest(
        "recovery_point",
        "point_id, recoverable_at, completed_at AS point_completed_at, last_position AS point_position",
        "recoverable_at DESC, completed_at DESC, point_id DESC",
        f"WHERE usable = {sql.true()}",
    )
    drill = _newest(
        "recovery_drill",
        "drill_id, completed_at AS drilled_at, rpo_met, rto_met, last_position AS drill_position",
        "completed_at DESC, drill_id DESC",
    )
    check = _newest(
        "integrity_check",
        "check_id, completed_at AS checked_at, intact, last_position AS check_position",
        "completed_at DESC, check_id DESC",
    )

    def age(instant: str) -> str:
        return f"CASE WHEN {instant} IS NOT NULL THEN {sql.seconds(instant, 'o.effective_at')} END"

    def position(name: str) -> str:
        return f"coalesce({name}, 0)"

    newest = sql.later(position("p.point_position"), sql.later(position("d.drill_position"), position("c.check_position")))
    return f"""
        SELECT s.service_id, p.point_id, p.recoverable_at, p.point_completed_at, {age("p.recoverable_at")} AS point_age_s,
            d.drill_id, d.drilled_at, {age("d.drilled_at")} AS drill_age_s, d.rpo_met AS drill_rpo_met, d.rto_met AS drill_rto_met,
            c.check_id, c.checked_at, {age("c.checked_at")} AS check_age_s, c.intact AS check_intact, {newest} AS last_position
        FROM (
            SELECT service_id FROM recovery_point UNION SELECT service_id FROM recovery_drill UNION SELECT service_id FROM integrity_check
        ) s
        LEFT JOIN ({point}) p ON p.service_id = s.service_id
        LEFT JOIN ({drill}) d ON d.service_id = s.service_id
        LEFT JOIN ({check}) c ON c.service_id = s.service_id, opsledger_as_of o
    """


RECOVERY_READINESS = View(
    "recovery_readiness",
    "One row per service with any recovery point, drill or check, as of the as-of time.",
    key=("service_id",),
    columns=(
        text("service_id", "Id of the service."),
        text("point_id", "The usable recovery point that reaches furthest; null: there is none."),
        instant("recoverable_at", "The instant to which it brings the data back."),
        instant("point_completed_at", "When it could be restored from."),
        integer("point_age_s", "Seconds since recoverable_at: what a failure now would lose, as far as is known."),
        text("drill_id", "The last drill; null: there was none."),
        instant("drilled_at", "When it was over."),
        integer("drill_age_s", "Seconds since then."),
        boolean("drill_rpo_met", "Whether so little would have been lost in it as is promised."),
        boolean("drill_rto_met", "Whether the service would have been back in it as soon as is promised."),
        text("check_id", "The last check of integrity; null: there was none."),
        instant("checked_at", "When it was over."),
        integer("check_age_s", "Seconds since then."),
        boolean("check_intact", "Whether it found the data as they should be."),
        integer("last_position", "Position of the newest fact on these."),
    ),
    sql=_readiness,
)


def _evidence(sql: Sql) -> str:
    judged = "rpo_us, rpo_below_s, rpo_met, rto_us, rto_below_s, rto_met, missed, rpo_cause, rto_cause, last_position"
    return f"""
        SELECT 'restore' AS kind, restore_id AS evidence_id, service_id, cause, failed_at, restored_at, {judged} FROM restore
        UNION ALL
        SELECT 'drill', drill_id, service_id, scenario, failed_at, restored_at, {judged} FROM recovery_drill
    """


RECOVERY_EVIDENCE = View(
    "recovery_evidence",
    "One row per restore and recovery drill.",
    key=("kind", "evidence_id", "service_id"),
    columns=(
        text("kind", "restore: the service had failed; drill: it was played."),
        text("evidence_id", "Id of the restore or drill."),
        text("service_id", "Id of the service."),
        text("cause", "hardware, software, human_error, provider, attack, disaster or other."),
        instant("failed_at", "When it failed."),
        instant("restored_at", "When it could be used again; null: not said, or it could not."),
        integer("rpo_us", "What was lost, in microseconds; null: not known, or nothing came back."),
        integer("rpo_below_s", "Seconds below which that was promised to stay; null: nothing is promised."),
        boolean("rpo_met", "Whether it stayed strictly below; null: not known yet, or nothing is promised."),
        integer("rto_us", "How long it was without the service, in microseconds; null: it is not back."),
        integer("rto_below_s", "Seconds below which that was promised to stay; null: nothing is promised."),
        boolean("rto_met", "Whether it stayed strictly below; null: not known yet, or nothing is promised."),
        text("missed", "rpo, rto, or both with a comma between; null: none that is known."),
        text("rpo_cause", "nothing_recovered, no_young_point or older_point; null: not too much was lost, or it is not known why."),
        text("rto_cause", "not_restored, late_start or slow_restore; null: it did not take too long."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_evidence,
)

_MONTH_OF: Final = "(SELECT p.month FROM policy_month p WHERE p.starts_at <= {} ORDER BY p.starts_at DESC LIMIT 1)"


def _objectives(sql: Sql) -> str:
    met = f"rpo_met = {sql.true()} AND rto_met = {sql.true()}"
    return f"""
        SELECT 'service:' || service_id || ' kind:' || kind AS scope, 'month' AS period, {_MONTH_OF.format("failed_at")} AS period_start,
            CAST(sum(CASE WHEN {met} THEN 1 ELSE 0 END) AS BIGINT) AS numerator, count(*) AS denominator, count(*) AS n,
            CAST(NULL AS TEXT) AS null_reason, max(last_position) AS last_position
        FROM recovery_evidence WHERE rpo_met IS NOT NULL AND rto_met IS NOT NULL GROUP BY 1, 3
    """


def _integrity(sql: Sql) -> str:
    checked = "sum(rows_checked)"
    return f"""
        SELECT 'service:' || service_id AS scope, 'month' AS period, {_MONTH_OF.format("completed_at")} AS period_start,
            CASE WHEN {checked} > 0 THEN CAST(sum(rows_checked - mismatches) AS BIGINT) END AS numerator,
            CASE WHEN {checked} > 0 THEN CAST({checked} AS BIGINT) END AS denominator, count(*) AS n,
            CASE WHEN {checked} > 0 THEN NULL ELSE 'no row was compared' END AS null_reason, max(last_position) AS last_position
        FROM integrity_check GROUP BY 1, 3
    """


KPIS = (
    Kpi(
        "recovery_objectives_met",
        "Restores, and drills, that lost less and were quicker than promised, of those judged, by the month of the failure.",
        "share",
        _objectives,
    ),
    Kpi(
        "data_integrity",
        "Rows that were as they should be, of those that checks compared: (integrity_check.rows_checked - mismatches) / rows_checked.",
        "share",
        _integrity,
    ),
)

PROJECTIONS = (RECOVERY_READINESS, RECOVERY_EVIDENCE)
