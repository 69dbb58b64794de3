"""incident_kpi_month: how fast do we detect, acknowledge, mitigate and resolve, and how often does something break?

A view over incident and incident_service as of `opsledger_as_of`, for each service and for all. Lengths are not spread evenly, so a
mean alone misleads: number, sum, mean, median and 90th percentile stand side by side, and each length names its end points in the
table incident.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import Column, integer, text

__all__ = ["INCIDENT_KPI_MONTH", "PROJECTIONS"]

_METRICS: Final = {
    "ttd": "time to detect, impact start to detection",
    "tta": "time to acknowledge, detection to first acknowledgement",
    "ttm": "time to mitigate, impact start to mitigation",
    "ttr": "time to resolve, impact start to last resolution",
}
_SEVERITIES: Final = "SELECT 'critical' AS severity UNION ALL SELECT 'high' UNION ALL SELECT 'medium' UNION ALL SELECT 'low'"
_SERVICES: Final = "SELECT '*' AS service_id UNION SELECT service_id FROM incident_service"
_AFFECTED: Final = """
    SELECT incident_id, '*' AS service_id FROM incident UNION ALL SELECT DISTINCT incident_id, service_id FROM incident_service
"""
_MONTH_OF: Final = "(SELECT p.month FROM policy_month p WHERE p.starts_at <= {} ORDER BY p.starts_at DESC LIMIT 1)"
_PARTS: Final = ("sum_s", "mean_s", "median_s", "p90_s")
_KEY: Final = "month, severity, service_id"


def _resolved() -> str:
    """How many were resolved, by month, severity and service."""
    return f"SELECT {_KEY}, count(*) AS n FROM ended GROUP BY {_KEY}"


def _lengths() -> str:
    """Each length of a resolved incident, with its month, severity, service and metric."""
    return " UNION ALL ".join(
        f"SELECT {_KEY}, '{metric}' AS metric, {metric}_s AS length_s FROM ended WHERE {metric}_s IS NOT NULL" for metric in _METRICS
    )


def _outages() -> str:
    """When an incident lasted [began_at, ended_at), for all services, and for each in the stretches in which it was affected."""
    return """
        SELECT i.incident_id, i.severity, '*' AS service_id, i.impact_started_at AS began_at,
            coalesce(i.resolved_at, o.effective_at) AS ended_at
        FROM incident i, opsledger_as_of o WHERE i.impact_started_at <= o.effective_at
        UNION ALL
        SELECT i.incident_id, i.severity, s.service_id, s.affected_at, coalesce(s.restored_at, i.resolved_at, o.effective_at)
        FROM incident_service s JOIN incident i ON i.incident_id = s.incident_id, opsledger_as_of o
        WHERE s.affected_at <= o.effective_at AND s.affected_at <= coalesce(s.restored_at, i.resolved_at, o.effective_at)
    """


def _failures(sql: Sql) -> str:
    """What was down, by month, severity and service: incidents that overlap are one failure; one that lasts, down up to the as-of time."""
    within = sql.seconds(sql.later("f.began_at", "m.starts_at"), sql.earlier("f.ended_at", sql.earlier("m.ends_at", "o.effective_at")))
    return f"""
        SELECT m.month, f.severity, f.service_id, CAST(sum({within}) AS BIGINT) AS down_s,
            sum(CASE WHEN f.began_at >= m.starts_at THEN 1 ELSE 0 END) AS failures
        FROM (
            SELECT severity, service_id, min(began_at) AS began_at, max(ended_at) AS ended_at
            FROM (
                SELECT severity, service_id, began_at, ended_at,
                    sum(CASE WHEN began_at <= reached_at THEN 0 ELSE 1 END)
                        OVER (PARTITION BY severity, service_id ORDER BY began_at, ended_at, incident_id) AS failure
                FROM (
                    SELECT incident_id, severity, service_id, began_at, ended_at,
                        max(ended_at) OVER (
                            PARTITION BY severity, service_id ORDER BY began_at, ended_at, incident_id
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                        ) AS reached_at
                    FROM outage
                ) told
            ) numbered GROUP BY severity, service_id, failure
        ) f JOIN policy_month m ON f.began_at < m.ends_at AND f.ended_at >= m.starts_at, opsledger_as_of o
        WHERE m.starts_at <= o.effective_at
        GROUP BY m.month, f.severity, f.service_id
    """


def _of(metric: str, part: str) -> str:
    return f"max(CASE WHEN f.metric = '{metric}' THEN f.{part} END)"


def _kpi_month(sql: Sql) -> str:
    figures = [f"coalesce({_of(metric, 'n')}, 0) AS {metric}_n" for metric in _METRICS]
    figures += [f"{_of(metric, part)} AS {metric}_{part}" for metric in _METRICS for part in _PARTS]
    unknown = " OR ".join(f"{metric}_n = 0" for metric in _METRICS)
    reasons = {
        "null_reason": f"CASE WHEN resolved = 0 THEN 'none was resolved in the month' WHEN {unknown} THEN 'an end point is not known' END",
        "mtbf_s": "CASE WHEN failures > 0 THEN (period_s - down_s) / failures END",
        "mtbf_null_reason": "CASE WHEN failures = 0 THEN 'none began in the month' END",
    }
    names = ", ".join(f"{reasons.get(column.name, column.name)} AS {column.name}" for column in INCIDENT_KPI_MONTH.columns)
    return f"""
        WITH ended AS (
            SELECT {_MONTH_OF.format("i.resolved_at")} AS month, i.severity, a.service_id, i.ttd_s, i.tta_s, i.ttm_s, i.ttr_s
            FROM incident i JOIN ({_AFFECTED}) a ON a.incident_id = i.incident_id WHERE i.resolved_at IS NOT NULL
        ),
        outage AS ({_outages()}),
        ranked AS (
            SELECT {_KEY}, metric, length_s, count(*) OVER (PARTITION BY {_KEY}, metric) AS n,
                row_number() OVER (PARTITION BY {_KEY}, metric ORDER BY length_s) AS place
            FROM ({_lengths()}) l
        ),
        figure AS (
            SELECT {_KEY}, metric, n, CAST(sum(length_s) AS BIGINT) AS sum_s, CAST(sum(length_s) AS BIGINT) / n AS mean_s,
                (max(CASE WHEN place = (n + 1) / 2 THEN length_s END)
                    + max(CASE WHEN place = (n + 2) / 2 THEN length_s END)) / 2 AS median_s,
                max(CASE WHEN place = (9 * n + 9) / 10 THEN length_s END) AS p90_s
            FROM ranked GROUP BY {_KEY}, metric, n
        ),
        spine AS (
            SELECT m.month, s.severity, v.service_id,
                {sql.seconds("m.starts_at", sql.earlier("m.ends_at", "o.effective_at"))} AS period_s
            FROM policy_month m, opsledger_as_of o, ({_SEVERITIES}) s, ({_SERVICES}) v
            WHERE m.starts_at <= o.effective_at AND m.ends_at > (SELECT min(coalesce(impact_started_at, detected_at)) FROM incident)
        ),
        gathered AS (
            SELECT s.month, s.severity, s.service_id, max(s.period_s) AS period_s, coalesce(max(d.down_s), 0) AS down_s,
                coalesce(max(d.failures), 0) AS failures, coalesce(max(r.n), 0) AS resolved, {", ".join(figures)}
            FROM spine s
                LEFT JOIN ({_resolved()}) r ON r.month = s.month AND r.severity = s.severity AND r.service_id = s.service_id
                LEFT JOIN ({_failures(sql)}) d ON d.month = s.month AND d.severity = s.severity AND d.service_id = s.service_id
                LEFT JOIN figure f ON f.month = s.month AND f.severity = s.severity AND f.service_id = s.service_id
            GROUP BY s.month, s.severity, s.service_id
        )
        SELECT {names} FROM gathered
    """


def _behind_kpi_month(sql: Sql) -> str:
    return f"""
        SELECT incident_id FROM incident WHERE severity = :severity
            AND (:service_id = '*' OR incident_id IN (SELECT incident_id FROM incident_service WHERE service_id = :service_id))
            AND (resolved_at IS NOT NULL AND {_MONTH_OF.format("resolved_at")} = :month
                OR impact_started_at IS NOT NULL AND {_MONTH_OF.format("impact_started_at")} = :month)
        ORDER BY incident_id
    """


def _columns() -> Iterator[Column]:
    yield text("month", "Month of resolved_at for times to detect, acknowledge, mitigate and resolve; of the start for failures.")
    yield text("severity", "Severity that the incidents have now; all four appear in each month.")
    yield text("service_id", "Service that they affected; * for all incidents, whatever they affected.")
    yield integer("resolved", "Incidents whose last resolution fell into the month.")
    for metric, meaning in _METRICS.items():
        yield integer(f"{metric}_n", f"Of the resolved ones, those of which both end points are known: {meaning}.")
        yield integer(f"{metric}_sum_s", f"Sum of {metric}_s, in seconds; null when {metric}_n is 0, as are the next three.")
        yield integer(f"{metric}_mean_s", f"{metric}_sum_s / {metric}_n, cut to whole seconds.")
        yield integer(
            f"{metric}_median_s", "Median in seconds: the middle one, or the mean of the two in the middle, cut to whole seconds."
        )
        yield integer(f"{metric}_p90_s", "90th percentile in seconds by nearest rank: the smallest that nine tenths do not exceed.")
    yield text("null_reason", "Why figures above are null; null when none is.")
    yield integer(
        "failures",
        "Failures that began in the month: incidents of the severity that overlap are one. For all services an incident lasts from impact "
        "start to resolution, for one as long as it was affected.",
    )
    yield integer("down_s", "Seconds of the month in which one of them lasted, whenever it began; up to the as-of time.")
    yield integer("period_s", "Seconds of the month, up to the as-of time.")
    yield integer("mtbf_s", "Mean time between failures: (period_s - down_s) / failures, cut to whole seconds; null when failures is 0.")
    yield text("mtbf_null_reason", "Why mtbf_s is null; null when it is not.")


INCIDENT_KPI_MONTH = View(
    "incident_kpi_month",
    "One row per month, from the first incident to the as-of month, severity and service ever affected; months without any incident "
    "appear.",
    key=("month", "severity", "service_id"),
    columns=tuple(_columns()),
    sql=_kpi_month,
    behind=("incident", _behind_kpi_month),
)

PROJECTIONS = (INCIDENT_KPI_MONTH,)
