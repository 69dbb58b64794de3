"""service, slo, monitor: what do we run, what do we promise of it, and what watches it?

Grain: service and monitor, one row each, as last described; slo, one row per version of an objective.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from opsledger.domain import monitor, service, slo
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Table, boolean, instant, integer, text

__all__ = ["MONITOR", "PROJECTIONS", "SERVICE", "SLO"]

_LAST = integer("last_position", "Position of the newest fact used.")

SERVICE = Table(
    "service",
    "One row per service, as last described.",
    key=("service_id",),
    columns=(
        text("service_id", "Id of the service, the host's."),
        text("name", "Its name."),
        text("kind", "What it is: platform, api, web, database, or a word of one's own."),
        text("owner_id", "Opaque id of the person or team that answers for it."),
        text("components", "What it is made of, a JSON list."),
        text("depends_on", "Ids of the services that it needs, a JSON list."),
        instant("registered_at", "When it began to be run."),
        instant("retired_at", "When it was retired; null: it was not."),
        _LAST,
    ),
)

SLO = Table(
    "slo",
    "One row per published version of a service level objective.",
    key=("slo_id", "version"),
    columns=(
        text("slo_id", "Id of the objective."),
        integer("version", "Version, from 1."),
        text("service_id", "Id of the service."),
        text("objective", "availability: time is counted. requests: requests are."),
        text("target", "Target in percent, an exact decimal."),
        text("period", "What it counts over: calendar_month or rolling."),
        integer("rolling_days", "Days that are counted; null: calendar months are."),
        text("zone", "Zone of its calendar months."),
        text("measured_by", "What tells that the service is down: probes, incidents or both."),
        boolean("excludes_maintenance", "Whether planned maintenance is taken out; null: as the operating model says of the service."),
        text("unknown_time", "What unknown time counts as; null: as the operating model says."),
        text("series_id", "Measurements that count its requests; null: it counts time."),
        text("latency", "Shares that stay below a time: a JSON list of [percent, microseconds]."),
        text("error_rate_below", "Bound in percent below which the error rate stays, an exact decimal; null: not promised."),
        instant("effective_from", "From when it holds, until a later version does."),
        instant("published_at", "When it was published."),
        instant("withdrawn_at", "When the objective was withdrawn; null: it was not after this version."),
        text("proposed_by", "Opaque id of who proposed it."),
        text("approved_by", "Opaque id of who approved it."),
        text("reason", "Why it holds from before it was published; empty: it does not, or nobody said."),
        _LAST,
    ),
    indexes=(("service_id",),),
)

MONITOR = Table(
    "monitor",
    "One row per monitor source, as last configured.",
    key=("monitor_id",),
    columns=(
        text("monitor_id", "Id of the monitor."),
        text("category", "infrastructure, application, business or security."),
        text("tool", "The tool that watches."),
        text("check_kind", "What it does: http, db_connection, synthetic, or a word of one's own."),
        text("services", "Ids of the services that it watches, a JSON list."),
        text("locations", "From where it watches, a JSON list."),
        integer("silent_after_s", "Seconds without a word after which nothing is known; null: what was said last holds."),
        instant("registered_at", "When it began to watch."),
        instant("retired_at", "When it was retired; null: it was not."),
        _LAST,
    ),
)


@dataclass(slots=True)
class _Described:
    """A service or a monitor: its description by the newest fact that gives one, and when it began and ended."""

    id: str
    said: service.Registered | service.Revised | monitor.Registered | monitor.Reconfigured | None = None
    began_at: int = 0
    retired_at: int | None = None
    last_position: int = 0


def _describe(state: _Described, recorded: Recorded) -> _Described:
    event = recorded.fact
    if isinstance(event, monitor.Heard):
        return state  # monitor_source tells it
    if isinstance(event, service.Retired | monitor.Retired):
        state.retired_at = recorded.occurred_at
    else:
        state.said = event
        if isinstance(event, service.Registered | monitor.Registered):
            state.began_at = recorded.occurred_at
    state.last_position = max(state.last_position, recorded.position)
    return state


def _service_rows(state: _Described) -> Rows:
    said = state.said
    assert isinstance(said, service.Registered | service.Revised)
    described = (said.name, said.kind, said.owner_id, _listed(said.components), _listed(said.depends_on))
    return {"service": [(state.id, *described, state.began_at, state.retired_at, state.last_position)]}


def _monitor_rows(state: _Described) -> Rows:
    said = state.said
    assert isinstance(said, monitor.Registered | monitor.Reconfigured)
    watches = (said.category, said.tool, said.check, _listed(said.services), _listed(said.locations), said.silent_after_s)
    return {"monitor": [(state.id, *watches, state.began_at, state.retired_at, state.last_position)]}


@dataclass(slots=True)
class _Versions:
    slo_id: str
    told: list[tuple[int, slo.Fact]] = field(default_factory=list)


def _publish(state: _Versions, recorded: Recorded) -> _Versions:
    state.told.append((recorded.position, recorded.fact))
    return state


def _slo_rows(state: _Versions) -> Rows:
    found = []
    withdrawn: tuple[int | None, int] = (None, 0)  # when, and the position that says so
    for position, event in sorted(state.told, key=lambda each: each[0], reverse=True):
        if isinstance(event, slo.Withdrawn):
            withdrawn = micros(event.withdrawn_at), position
            continue
        latency = json.dumps([[str(bound.share_pct), bound.below_us] for bound in event.latency])
        terms = (event.service_id, event.objective, str(event.target_pct), event.window, event.rolling_days, event.months.zone)
        rules = (event.measured_by, event.excludes_maintenance, event.unknown_time, event.series_id, latency)
        errors = None if event.error_rate_below_pct is None else str(event.error_rate_below_pct)
        times = (micros(event.effective_from), micros(event.published_at), withdrawn[0])
        people = (event.proposed_by, event.approved_by, event.reason)
        found.append((state.slo_id, event.version, *terms, *rules, errors, *times, *people, max(position, withdrawn[1])))
        withdrawn = (None, 0)
    return {"slo": found[::-1]}


def _listed(names: Collection[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


PROJECTIONS = (
    Entity("service", 1, "service", (SERVICE,), _Described, _describe, _service_rows),
    Entity("slo", 1, "slo", (SLO,), _Versions, _publish, _slo_rows),
    Entity("monitor", 1, "monitor", (MONITOR,), _Described, _describe, _monitor_rows),
)
