"""request_sli_window: how much was asked for in a window, what failed, and how long it took?

Grain: one row per series, start and source of the windows that count. `request_window_recorded` has every revision of each as it was
recorded, `request_window_withdrawn` those that were taken back. Times over several windows, or sources, are in request_sli_day
and _month, merged from buckets: percentiles have no mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from opsledger.domain.measurement import WindowRecorded, WindowWithdrawn, times_of
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.policies.tally import Quantile, quantiles_of
from opsledger.projections.kinds import Entry, Rows, Sql, View
from opsledger.projections.table import Column, Row, Table, instant, integer, text

__all__ = ["PROJECTIONS", "SHARES_PCT", "edges_json", "quantile_columns", "quantile_values"]

SHARES_PCT = (50, 95, 99)


def quantile_columns() -> tuple[Column, ...]:
    """Return the columns of the quantiles, each with its bounds."""
    return tuple(
        column
        for share in SHARES_PCT
        for column in (
            integer(f"p{share}_us", f"Estimate of the time that {share} percent of the requests did not exceed; null: none is known."),
            integer(f"p{share}_lower_us", "It took at least that long; null: no times."),
            integer(f"p{share}_upper_us", "It took at most that long; null: no times, or no bound is known."),
        )
    )


def quantile_values(quantiles: Iterable[Quantile | None]) -> tuple[int | None, ...]:
    """Return the values of those columns."""
    return tuple(value for each in quantiles for value in (each or (None, None, None)))


def edges_json(edges: Iterable[tuple[int, int]]) -> str:
    """Return how many requests took at most so many microseconds, as JSON: {"149999": 42647}."""
    return json.dumps({str(at_most): count for at_most, count in edges}, separators=(",", ":"))


_COLUMNS = (
    text("series_id", "What is measured: api-requests."),
    instant("started_at", "Start of the window."),
    text("source", "Who measured."),
    integer("revision", "Which telling of the window; a higher one supersedes."),
    instant("ended_at", "End of the window, not part of it."),
    text("service_id", "Service that was asked."),
    text("kind", "Whose promises it is held to: api, web, documents, ai, or another word."),
    integer("total", "Requests that came in."),
    integer("errors", "Of them, those that failed."),
    integer("rejected", "Of them, those that were turned away unserved."),
    integer("timed", "Of them, those of which it is known how long they took."),
    integer("sum_us", "Sum of those times; null: not known."),
    integer("min_us", "The shortest; null: not known."),
    integer("max_us", "The longest; null: not known."),
    text("within_by_edge", "How many took at most so many microseconds, at the edges that were measured, in JSON."),
    *quantile_columns(),
    integer("backlog", "What still waited at the end; null: not known."),
    integer("concurrent_peak", "Most users or requests at once; null: not known."),
    integer("last_position", "Position of the fact."),
)

RECORDED = Table(
    "request_window_recorded",
    "One row per window of measurement and revision of it, as it was recorded.",
    key=("series_id", "started_at", "source", "last_position"),
    columns=_COLUMNS,
    indexes=(("last_position",),),
)

WITHDRAWN = Table(
    "request_window_withdrawn",
    "One row per withdrawal of a window that was measured wrongly.",
    key=("withdraws", "last_position"),
    columns=(
        integer("withdraws", "Position of the window."),
        instant("withdrawn_at", "When it was withdrawn."),
        text("requested_by", "Opaque id of who asked."),
        text("approved_by", "Opaque id of who approved."),
        integer("last_position", "Position of the fact."),
    ),
)


def rows(recorded: Recorded) -> Rows:
    """Return the row of a fact."""
    event = recorded.fact
    if isinstance(event, WindowRecorded):
        return {RECORDED.name: [_row(recorded.position, event)]}
    if isinstance(event, WindowWithdrawn):
        people = (event.requested_by, event.approved_by)
        return {WITHDRAWN.name: [(event.withdraws, micros(event.withdrawn_at), *people, recorded.position)]}
    return {}


def _row(position: int, window: WindowRecorded) -> Row:
    times = times_of(window)
    return (
        window.series_id,
        micros(window.started_at),
        window.source,
        window.revision,
        micros(window.ended_at),
        window.service_id,
        window.kind,
        window.total,
        window.errors,
        window.rejected,
        window.timed,
        window.sum_us,
        window.min_us,
        window.max_us,
        edges_json(times.edges),
        *quantile_values(quantiles_of(times, *SHARES_PCT)),
        window.backlog,
        window.concurrent_peak,
        position,
    )


def _counting(sql: Sql) -> str:
    names = ", ".join(column.name for column in _COLUMNS)
    return f"""
        SELECT {names} FROM (
            SELECT w.*, row_number() OVER (
                PARTITION BY series_id, started_at, source ORDER BY revision DESC, last_position DESC) AS turn
            FROM request_window_recorded w
        ) told
        WHERE turn = 1 AND NOT EXISTS (SELECT 1 FROM request_window_withdrawn x WHERE x.withdraws = told.last_position)
    """


WINDOW = View(
    "request_sli_window",
    "One row per series, start and source of the windows that count: the highest revision of each, unless it was withdrawn.",
    key=("series_id", "started_at", "source"),
    columns=_COLUMNS,
    sql=_counting,
)

PROJECTIONS: Sequence[Entry | View] = (Entry("request_windows", 1, tables=(RECORDED, WITHDRAWN), rows=rows), WINDOW)
