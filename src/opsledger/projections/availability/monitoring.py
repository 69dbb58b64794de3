"""monitor_source: what watches the service of an objective, and when was it heard? monitor_coverage, slo_coverage: is it live?

Grain: one row per service, objective and source; a location of a monitor is a source of its own. From when on a source is stale, if
nothing more is heard of it, is an instant and stands in the table; whether it is, a view says by `opsledger_as_of`. `monitor_watch` has
what is found there, for `control_finding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opsledger.domain import slo
from opsledger.policies.intervals import Interval
from opsledger.policies.known import Known
from opsledger.policies.voices import FOREVER
from opsledger.projections.availability.monitor_controls import source_watches, uncovered
from opsledger.projections.availability.monitor_sources import CONCEPTS, State, Watcher, fold, start, subjects, watchers_of
from opsledger.projections.availability.objectives import lives
from opsledger.projections.availability.sources import Objectives, Services, Source
from opsledger.projections.availability.watching import COLUMNS, SUBJECT
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["MONITOR_SOURCE", "MONITOR_WATCH", "PROJECTIONS", "rows"]

MONITOR_SOURCE = Table(
    "monitor_source",
    "One row per service, objective of it and source that watches the service.",
    key=("service_id", "slo_id", "source"),
    columns=(
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective."),
        text("source", "external@eu: a location of a monitor; siem: a monitor without any; host-1: what counts requests."),
        text("monitor_id", "Id of the monitor; null: the source is registered as none."),
        text("location", "Location from which it watches; null: none is named."),
        text("category", "infrastructure, application, business or security; null: it is registered as no monitor."),
        boolean(
            "measures",
            "Whether the objective's figures come from it: from locations where probes tell, from any monitor where incidents do, "
            "from what counts the requests of its series.",
        ),
        instant("expected_from", "Since when it is to watch the service: as its monitor says, or from its first sign of life."),
        instant("expected_until", "Until when; null: for ever."),
        instant("heard_at", "Its last sign of life: a probe, a window of measurement, or one by itself; null: none."),
        instant("stale_from", "From when on it is stale, if nothing more is heard of it; exactly then it is not yet."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("slo_id",),),
)

MONITOR_WATCH = Table(
    "monitor_watch",
    "One row per service, subject, control of its monitoring and instant at which it was, or would be, violated; see control_finding.",
    key=("service_id", "subject", "control", "found_at"),
    columns=(text("service_id", "Id of the service."), SUBJECT, *COLUMNS),
)


def rows(service_id: str, states: Mapping[str, State], known: Known) -> Rows:
    """Return the rows of one service."""
    retired_at = next((each.told.retired_at for each in _sources(states) if isinstance(each.told, Services)), None)
    watchers = [each for each in watchers_of(service_id, states, known) if retired_at is None or each.lives[0][0] < retired_at]
    if retired_at is not None:
        watchers = [each._replace(lives=_until(each.lives, retired_at)) for each in watchers]
    sources: list[Row] = []
    watches: dict[tuple[str, str, int], Row] = {}
    for source in _sources(states):
        held = lives(source.told, retired_at) if isinstance(source.told, Objectives) else []
        if held:
            slo_id = source.stream.partition(":")[2]
            position, version = max(source.told.versions, key=lambda each: (each[1].effective_from, each[0]))
            sources += [_row(service_id, slo_id, version, position, each) for each in watchers]
            measuring = [each for each in watchers if _measures(version, each)]
            for watch in uncovered(held, position, measuring):
                watches[source.stream, watch.control, watch.found_at] = (service_id, source.stream, *watch)
    for watch in source_watches(watchers):
        subject = f"service:{service_id}"
        watches[subject, watch.control, watch.found_at] = (service_id, subject, *watch)
    return {MONITOR_SOURCE.name: sources, MONITOR_WATCH.name: [row for _, row in sorted(watches.items())]}


def _until(lives: Sequence[Interval], end: int) -> tuple[Interval, ...]:
    return tuple((low, min(high, end)) for low, high in lives if low < end)


def _sources(states: Mapping[str, State]) -> Iterator[Source]:
    return (state for state in states.values() if isinstance(state, Source))


def _measures(version: slo.Published, watcher: Watcher) -> bool:
    if version.objective == "requests":
        return version.series_id in watcher.series
    return watcher.monitor_id is not None and (watcher.location is not None or version.measured_by == "incidents")


def _row(service_id: str, slo_id: str, version: slo.Published, position: int, watcher: Watcher) -> Row:
    begins, ends = watcher.lives[0][0], watcher.lives[-1][1]
    return (
        service_id,
        slo_id,
        watcher.name,
        watcher.monitor_id,
        watcher.location,
        watcher.category,
        _measures(version, watcher),
        begins,
        None if ends == FOREVER else ends,
        None if watcher.heard is None else watcher.heard.last,
        watcher.stale_from,
        max(position, watcher.last_position),
    )


def _tell(table: str, row: Mapping[str, Any], states: Mapping[str, State], known: Known) -> Sequence[Line]:
    """Say by which facts a source watches and when it was heard, or what a finding rests on."""
    if table == MONITOR_WATCH.name:
        return [Line(row["rule"], tuple(int(position) for position in row["evidence"].split(",") if position))]
    watcher = next(each for each in watchers_of(row["service_id"], states, known) if each.name == row["source"])
    heard = () if watcher.heard is None else (watcher.heard.position,)
    return [
        Line(f"{watcher.name} watches {row['service_id']}.", (watcher.position,)),
        Line("Its last sign of life." if heard else "It was never heard.", heard),
    ]


PROJECTIONS = (
    Gathered(
        "monitoring",
        1,
        concepts=CONCEPTS,
        tables=(MONITOR_SOURCE, MONITOR_WATCH),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        tell=_tell,
    ),
)
