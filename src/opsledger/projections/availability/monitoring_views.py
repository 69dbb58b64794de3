"""monitor_coverage: which sources tell of an objective, and are they live? slo_coverage: has every objective a live source?

Grain: monitor_coverage, one row per service, objective and source; slo_coverage, one row per objective in force. Both as of
`opsledger_as_of`: the clock decides here, and nowhere in a table.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["MONITOR_COVERAGE", "PROJECTIONS", "SLO_COVERAGE"]

_CATEGORIES = ("infrastructure", "application", "business", "security")


def _coverage(sql: Sql) -> str:
    return f"""
        SELECT m.service_id, m.slo_id, m.source, m.monitor_id, m.location, m.category, m.measures, m.heard_at, m.stale_from,
            {sql.seconds("m.heard_at", "o.effective_at")} AS silent_s,
            CASE WHEN (m.expected_until IS NULL OR m.expected_until > o.effective_at) AND m.stale_from >= o.effective_at
                THEN {sql.true()} ELSE {sql.false()} END AS live, m.last_position
        FROM monitor_source m, opsledger_as_of o
        WHERE m.expected_from <= o.effective_at
    """


MONITOR_COVERAGE = View(
    "monitor_coverage",
    "One row per service, objective of it and source that watches the service, as of the as-of time.",
    key=("service_id", "slo_id", "source"),
    columns=(
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective."),
        text("source", "external@eu: a location of a monitor; siem: a monitor without any; host-1: what counts requests."),
        text("monitor_id", "Id of the monitor; null: the source is registered as none."),
        text("location", "Location from which it watches; null: none is named."),
        text("category", "infrastructure, application, business or security; null: it is registered as no monitor."),
        boolean("measures", "Whether the objective's figures come from it."),
        instant("heard_at", "Its last sign of life; null: none."),
        instant("stale_from", "From when on it is stale, if nothing more is heard of it."),
        integer("silent_s", "Seconds since its last sign of life; null: there was none."),
        boolean("live", "Whether it is to watch the service, and was heard recently enough."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_coverage,
)


def _slos(sql: Sql) -> str:
    by_category = ", ".join(
        f"coalesce(sum(CASE WHEN m.live AND m.category = '{name}' THEN 1 ELSE 0 END), 0) AS {name}" for name in _CATEGORIES
    )
    return f"""
        WITH newest AS (
            SELECT s.slo_id, s.service_id, s.version, s.objective, s.measured_by, s.series_id, s.withdrawn_at, s.last_position,
                row_number() OVER (PARTITION BY s.slo_id ORDER BY s.effective_from DESC, s.version DESC) AS turn
            FROM slo s, opsledger_as_of o
            WHERE s.effective_from <= o.effective_at
        )
        SELECT n.slo_id, n.service_id, n.version, n.objective,
            CASE WHEN n.objective = 'requests' THEN n.series_id ELSE n.measured_by END AS measured_by,
            count(m.source) AS sources,
            coalesce(sum(CASE WHEN m.live THEN 1 ELSE 0 END), 0) AS live,
            coalesce(sum(CASE WHEN m.live AND m.measures THEN 1 ELSE 0 END), 0) AS live_measuring,
            {by_category},
            max(CASE WHEN m.measures THEN m.heard_at END) AS heard_at,
            {sql.seconds("max(CASE WHEN m.measures THEN m.heard_at END)", "max(o.effective_at)")} AS silent_s,
            CASE WHEN sum(CASE WHEN m.live AND m.measures THEN 1 ELSE 0 END) > 0 THEN {sql.true()} ELSE {sql.false()} END AS covered,
            {sql.later("n.last_position", "coalesce(max(m.last_position), 0)")} AS last_position
        FROM newest n
        JOIN opsledger_as_of o ON n.turn = 1 AND (n.withdrawn_at IS NULL OR n.withdrawn_at > o.effective_at)
        LEFT JOIN service x ON x.service_id = n.service_id
        LEFT JOIN monitor_coverage m ON m.slo_id = n.slo_id AND m.service_id = n.service_id
        WHERE x.retired_at IS NULL OR x.retired_at > o.effective_at
        GROUP BY n.slo_id, n.service_id, n.version, n.objective, n.series_id, n.measured_by, n.last_position
    """


SLO_COVERAGE = View(
    "slo_coverage",
    "One row per objective in force, as of the as-of time: what watches its service, by category, and whether anything live measures it.",
    key=("slo_id",),
    columns=(
        text("slo_id", "Id of the objective."),
        text("service_id", "Id of the service."),
        integer("version", "Version of the objective in force."),
        text("objective", "availability or requests."),
        text("measured_by", "probes, incidents or both; of requests the series that counts them."),
        integer("sources", "Sources that watch the service, or did."),
        integer("live", "Of them, those that are live."),
        integer("live_measuring", "Of the live ones, those from which the objective's figures come."),
        *(integer(name, f"Of the live ones, those of the category {name}.") for name in _CATEGORIES),
        instant("heard_at", "Last sign of life of any source that measures it; null: none."),
        integer("silent_s", "Seconds since then; null: there was none."),
        boolean("covered", "Whether a live source measures it."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_slos,
    behind=("monitor_source", lambda sql: "SELECT service_id, slo_id, source FROM monitor_source WHERE slo_id = :slo_id"),
)

PROJECTIONS = (MONITOR_COVERAGE, SLO_COVERAGE)
