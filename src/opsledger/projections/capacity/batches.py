"""batch_run: was a run of a job on time? batch_window: was the work of each window done in it? batch_month: as often as promised?

Grain: one row per job and run; per job and window; per job and month of the windows' local days. Windows are told up to the job's newest
fact or to the end of the last day closed, whichever is later; of one that is still open nothing is missed. A run that was begun out of
hours belongs to the window that it ran into, or to the last one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from opsledger.domain import batch, ledger
from opsledger.domain.recorded import Recorded
from opsledger.policies.batches import Kept, Opening, Run, kept, opening_of, openings, run_verdict
from opsledger.policies.instants import SECOND, iso, micros
from opsledger.policies.known import Known
from opsledger.policies.percentiles import share_met
from opsledger.policies.voices import FOREVER
from opsledger.projections.kinds import Gathered, Kpi, Line, Rows, Sql
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["BATCH_MONTH", "BATCH_RUN", "BATCH_WINDOW", "KPIS", "PROJECTIONS", "fold", "rows", "start"]

_JOB = text("batch_id", "Id of the job, the host's.")
_SERVICE = text("service_id", "Service whose work it is.")
_LAST = integer("last_position", "Position of the newest fact used.")
_LATENESS = "Seconds from the close of the window to the end of {}, cut; below 0 before it; null: there is none."

BATCH_RUN = Table(
    "batch_run",
    "One row per job and run that was recorded and not withdrawn.",
    key=("batch_id", "run_id"),
    columns=(
        _JOB,
        text("run_id", "Id of the run, the host's."),
        instant("started_at", "When it began."),
        instant("completed_at", "When it ended."),
        text("outcome", "succeeded or failed."),
        integer("items", "How many it processed; null: not known."),
        integer("items_left", "How many it left undone; null: not known."),
        text("window_day", "Local day on which the window opened to which it belongs; null: none was defined."),
        instant("window_opens_at", "When that window opened; null: none was defined."),
        instant("window_closes_at", "When it closed; null: none was defined."),
        text("verdict", "on_time, late: ended after the close, outside: not begun in the window, failed; null: no window was defined."),
        integer("late_s", _LATENESS.format("the run")),
        _LAST,
    ),
    indexes=(("completed_at",),),
)

BATCH_WINDOW = Table(
    "batch_window",
    "One row per job and window that has opened.",
    key=("batch_id", "opens_at"),
    columns=(
        _JOB,
        instant("opens_at", "When it opened."),
        instant("closes_at", "When it closed, or will."),
        text("window_day", "Local day on which it opened, for example 2026-03-08."),
        text("zone", "Zone of its wall times."),
        _SERVICE,
        integer("runs", "How many runs belong to it."),
        instant("completed_at", "When the first of them that succeeded ended; null: none did."),
        text(
            "verdict",
            "on_time: a run succeeded within it. late: only after it. outside: by its end, but begun before it opened. missed: none did. "
            "Null: it is open still, as far as is known.",
        ),
        integer("late_s", _LATENESS.format("that run")),
        _LAST,
    ),
    indexes=(("closes_at",),),
)

BATCH_MONTH = Table(
    "batch_month",
    "One row per job and month of its windows' local days.",
    key=("batch_id", "month"),
    columns=(
        _JOB,
        text("month", "Month of the local days, for example 2026-03."),
        _SERVICE,
        integer("windows", "Windows of the month that are over: the sum of the next four."),
        integer("on_time", "Those whose work was done within them."),
        integer("late", "Those whose work was done after them."),
        integer("outside", "Those whose work was done by their end, but begun before they opened."),
        integer("missed", "Those whose work was not done."),
        integer("runs_failed", "Runs of the month's windows that did not succeed."),
        integer(
            "promised_ppm", "Share of the windows that are to be kept, in millionths, as the operating model says at the first of them."
        ),
        boolean("met", "Whether on_time / windows is at least that; null: no window is over."),
        text("null_reason", "Why met is null; null when it is not."),
        _LAST,
    ),
)


class _Heard(NamedTuple):
    position: int
    run: Run
    said: batch.RunCompleted


@dataclass(slots=True)
class _Job:
    """The definitions of a job and its runs, each with its position; when it was retired; what was withdrawn."""

    id: str
    defined: list[tuple[int, batch.WindowDefined]] = field(default_factory=list)
    runs: list[_Heard] = field(default_factory=list)
    withdrawn: dict[int, int] = field(default_factory=dict)  # position of a run -> position of its withdrawal
    retired_at: int = FOREVER
    newest: int = 0
    last_position: int = 0


@dataclass(slots=True)
class _Closed:
    """Up to when UTC days are closed, and the position that says so."""

    until: int = 0
    position: int = 0


class _Window(NamedTuple):
    opening: Opening
    zone: str
    service_id: str
    runs: list[_Heard]
    verdict: Kept | None
    position: int  # of the definition
    last_position: int


def start(stream: str) -> _Job | _Closed:
    """Return the state of a stream before its first fact."""
    return _Closed() if stream.startswith("ledger:") else _Job(stream.partition(":")[2])


def fold(state: _Job | _Closed, recorded: Recorded) -> _Job | _Closed:
    """Return the state after one fact more."""
    event = recorded.fact
    if isinstance(state, _Closed):
        if isinstance(event, ledger.DayClosed):
            state.until = micros(datetime.combine(event.day, time(), UTC) + timedelta(days=1))
            state.position = recorded.position
        return state
    state.newest = max(state.newest, recorded.occurred_at)
    state.last_position = max(state.last_position, recorded.position)
    match event:
        case batch.WindowDefined():
            state.defined.append((recorded.position, event))
        case batch.RunCompleted():
            run = Run(micros(event.started_at), micros(event.completed_at), event.outcome == "succeeded")
            state.runs.append(_Heard(recorded.position, run, event))
        case batch.RunWithdrawn():
            state.withdrawn[event.withdraws] = max(recorded.position, state.withdrawn.get(event.withdraws, 0))
        case _:
            state.retired_at = recorded.occurred_at
    return state


def rows(batch_id: str, states: Mapping[str, _Job | _Closed], known: Known) -> Rows:
    """Return the rows of one job."""
    job = next(state for state in states.values() if isinstance(state, _Job))
    closed = next((state for state in states.values() if isinstance(state, _Closed)), _Closed())
    runs, windows = _joined(job, closed)
    return {
        BATCH_RUN.name: [_run_row(batch_id, heard, opening) for heard, opening in runs],
        BATCH_WINDOW.name: [_window_row(batch_id, each) for each in windows],
        BATCH_MONTH.name: list(_months(batch_id, windows, known)),
    }


def _joined(job: _Job, closed: _Closed) -> tuple[list[tuple[_Heard, Opening | None]], list[_Window]]:
    """Return the runs that count, each with the window to which it belongs, and the windows with theirs, both in the order of time."""
    until = max(job.newest, closed.until)
    known_by = max(job.last_position, closed.position if until > job.newest else 0)
    opened = list(_opened(job, until))
    by_close = sorted((opening for opening, _, _ in opened), key=lambda each: each.closes)
    found: list[tuple[_Heard, Opening | None]] = []
    within: dict[Opening | None, list[_Heard]] = {}
    touched: dict[Opening | None, int] = {}
    for heard in _counting(job):
        found.append((heard, opening_of(heard.run, by_close)))
        within.setdefault(found[-1][1], []).append(heard)
    for heard in job.runs:
        home = opening_of(heard.run, by_close)
        touched[home] = max(touched.get(home, 0), heard.position, job.withdrawn.get(heard.position, 0))
    windows = []
    for opening, position, defined in opened:
        verdict: Kept | None = kept(opening, [heard.run for heard in within.get(opening, ())])
        if verdict != "on_time" and opening.closes > until:
            verdict = None
        last = known_by if verdict in (None, "missed") else max(position, touched.get(opening, 0))
        windows.append(_Window(opening, defined.zone, defined.service_id, within.get(opening, []), verdict, position, last))
    return found, windows


def _counting(job: _Job) -> list[_Heard]:
    """Return the runs that count, in the order of time; of one id the one recorded first."""
    found: dict[str, _Heard] = {}
    for heard in sorted(job.runs):
        if heard.position not in job.withdrawn:
            found.setdefault(heard.said.run_id, heard)
    return sorted(found.values(), key=lambda heard: (heard.run, heard.said.run_id))


def _opened(job: _Job, until: int) -> Iterator[tuple[Opening, int, batch.WindowDefined]]:
    """Yield the windows that open before an instant, in order, each with the definition in force and its position."""
    told = sorted(job.defined, key=lambda each: (each[1].effective_from, each[0]))
    starts = [micros(each.effective_from) for _, each in told]
    for (position, defined), (_, end) in zip(told, pairwise([*starts, job.retired_at]), strict=True):
        for opening in openings(batch.hours_of(defined, min(end, job.retired_at)), until):
            yield opening, position, defined


def _run_row(batch_id: str, heard: _Heard, opening: Opening | None) -> Row:
    position, run, said = heard
    ended = (said.run_id, run.started, run.completed, said.outcome, said.items, said.left)
    if opening is None:
        return (batch_id, *ended, None, None, None, None, None, position)
    return (batch_id, *ended, *opening, run_verdict(run, opening), (run.completed - opening.closes) // SECOND, position)


def _window_row(batch_id: str, window: _Window) -> Row:
    day, opens, closes = window.opening
    done = min((heard.run.completed for heard in window.runs if heard.run.succeeded), default=None)
    late_s = None if done is None else (done - closes) // SECOND
    said = (day, window.zone, window.service_id, len(window.runs), done, window.verdict, late_s, window.last_position)
    return (batch_id, opens, closes, *said)


def _months(batch_id: str, windows: list[_Window], known: Known) -> Iterator[Row]:
    for month, group in groupby(windows, key=lambda each: each.opening.day[:7]):
        within = list(group)
        counted = Counter(each.verdict for each in within if each.verdict is not None)
        failed = sum(not heard.run.succeeded for each in within for heard in each.runs)
        first = max(within[0].opening.opens, known.models()[0].effective_from)
        share = known.in_force(first).model.performance.batch_on_time_pct
        met = share_met(counted["on_time"], counted.total(), share)
        sums = (counted["on_time"], counted["late"], counted["outside"], counted["missed"], failed, int(Fraction(share) * 10_000))
        reason = "no window is over" if met is None else None
        yield (batch_id, month, within[-1].service_id, counted.total(), *sums, met, reason, within[-1].last_position)


def _tell(table: str, row: Mapping[str, Any], states: Mapping[str, _Job | _Closed], known: Known) -> Sequence[Line]:
    """Say which window was defined, which runs belong to it and how each kept to it; of a month its windows, of a run its own."""
    job = next(state for state in states.values() if isinstance(state, _Job))
    closed = next((state for state in states.values() if isinstance(state, _Closed)), _Closed())
    runs, windows = _joined(job, closed)
    if table == BATCH_RUN.name:
        chosen = [each for each in windows if any(heard.said.run_id == row["run_id"] for heard in each.runs)]
        if not chosen:
            positions = tuple(heard.position for heard, _ in runs if heard.said.run_id == row["run_id"])
            return [Line("No window was defined for the time of this run.", positions)]
    elif table == BATCH_WINDOW.name:
        chosen = [each for each in windows if each.opening.opens == micros(row["opens_at"])]
    else:
        chosen = [each for each in windows if each.opening.day[:7] == row["month"]]
    return [line for window in chosen for line in _told(job, window)]


def _told(job: _Job, window: _Window) -> Iterator[Line]:
    opening = window.opening
    span = f"{opening.day}, {iso(opening.opens)} to {iso(opening.closes)} ({window.zone})"
    yield Line(f"Window of {span}: {window.verdict or 'open'}.", (window.position,))
    for heard in window.runs:
        said = f"  {heard.said.run_id} from {iso(heard.run.started)} to {iso(heard.run.completed)}: {run_verdict(heard.run, opening)}."
        yield Line(said, (heard.position,))
    for heard in job.runs:
        if heard.position in job.withdrawn and opening.opens <= heard.run.started < opening.closes:
            yield Line(f"  {heard.said.run_id} was withdrawn.", (heard.position, job.withdrawn[heard.position]))


def _subjects(state: _Job | _Closed) -> Collection[str]:
    return (state.id,) if isinstance(state, _Job) else ()


def _on_time(sql: Sql) -> str:
    return """
        SELECT 'batch:' || batch_id AS scope, 'month' AS period, month AS period_start,
            CASE WHEN windows > 0 THEN on_time END AS numerator, CASE WHEN windows > 0 THEN windows END AS denominator,
            windows AS n, null_reason, last_position
        FROM batch_month
    """


KPIS = (
    Kpi(
        "batch_on_time",
        "Windows of a job whose work was done within them, of those that are over: batch_month.on_time / windows.",
        "share",
        _on_time,
    ),
)

PROJECTIONS = (
    Gathered(
        "batch",
        1,
        concepts=("batch",),
        tables=(BATCH_RUN, BATCH_WINDOW, BATCH_MONTH),
        start=start,
        fold=fold,
        subjects=_subjects,
        rows=rows,
        everywhere=("ledger",),
        tell=_tell,
    ),
)
