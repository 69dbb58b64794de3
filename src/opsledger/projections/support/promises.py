"""ticket_sla: was each promise kept? ticket_sla_segment: which seconds counted? ticket_sla_verdict: what was known when?

Grain: ticket_sla, one row per ticket, metric and cycle; ticket_sla_segment, one row per stretch of each; ticket_sla_verdict,
one row whenever the outcome or the due time known at a position differs from the one known before; sla_deadline, one row
per warning, breach or escalation of each. Times are UTC; lengths in microseconds decide, seconds are for reading.

A clock that is still open is counted to its ticket's newest fact, `counted_to`; what has passed since is for a view to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from opsledger.domain import sla
from opsledger.domain import ticket as t
from opsledger.domain.fact import fact_type
from opsledger.domain.recorded import Recorded
from opsledger.policies.calendar import FOR_EVER
from opsledger.policies.clock import Clock, Reading
from opsledger.policies.clocks import Clocks, run
from opsledger.policies.instants import micros, moment, whole_seconds
from opsledger.policies.known import Known
from opsledger.policies.metric import Signal
from opsledger.projections.kinds import CalendarChange, Knowing, Rows
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["PROJECTIONS", "SLA_DEADLINE", "TICKET_SLA", "TICKET_SLA_SEGMENT", "TICKET_SLA_VERDICT"]

_WHICH = (
    text("ticket_id", "Id of the ticket."),
    text("metric", "Which promise, by the operating model's name: first_response, resolution, ..."),
    integer("cycle", "Which turn of it, from 1; a new customer message or a new level starts another."),
)

TICKET_SLA = Table(
    "ticket_sla",
    "One row per ticket, metric and cycle: the promise and how it stands at the ticket's newest fact.",
    key=("ticket_id", "metric", "cycle"),
    columns=(
        *_WHICH,
        text("customer_id", "Opaque id of the customer."),
        text("purpose", "promise, made to the customer; or escalation, a rule of our own that no compliance counts."),
        text("priority", "Priority whose target holds."),
        text("level", "Support level whose time an escalation counts; null for promises."),
        text("policy_ref", "Operating model whose target holds, by version and digest."),
        text("calendar_ref", "Calendar that counts, and how many of its facts were known: business@3."),
        instant("started_at", "When the clock started."),
        integer("target_s", "Target in business seconds; null: it lies beyond the calendar's horizon."),
        instant("due_at", "Earliest instant by which the target has run; null while paused or beyond the horizon."),
        instant("breach_at", "First instant at which one moment more runs; null while paused or beyond the horizon."),
        instant("stopped_at", "When the clock stopped; null: it has not."),
        instant("counted_to", "Up to when time is counted here: stopped_at, or the ticket's newest fact."),
        integer("elapsed_s", "Business seconds counted, cut to whole ones."),
        integer("elapsed_us", "Business microseconds counted; this one decides."),
        integer("paused_s", "Business seconds held by pauses, cut to whole ones."),
        integer("paused_us", "Business microseconds held by pauses."),
        text("outcome", "met, breached, cancelled; or running, paused, overdue as of counted_to."),
        instant("earlier_breach_at", "When a target that was replaced since was breached; null: none was."),
        integer("last_position", "Position of the newest fact used, one of a calendar included."),
    ),
    indexes=(("outcome", "breach_at"), ("started_at",)),
)

TICKET_SLA_SEGMENT = Table(
    "ticket_sla_segment",
    "One row per stretch of a clock. Lengths of the counted ones sum to elapsed_us, of the paused ones to paused_us.",
    key=("ticket_id", "metric", "cycle", "from_at"),
    columns=(
        *_WHICH,
        instant("from_at", "Start of the stretch."),
        instant("to_at", "End of the stretch, not part of it."),
        text("kind", "counted; paused, business time that was held; closed, outside business hours; stopped, resolved meanwhile."),
        integer("length_us", "Length in microseconds."),
        integer("cause_position", "Position of the fact that began the mode in which the clock was."),
    ),
)

TICKET_SLA_VERDICT = Table(
    "ticket_sla_verdict",
    "One row per position at which another outcome or due time became known than was known before.",
    key=("ticket_id", "metric", "cycle", "known_from_position"),
    columns=(
        *_WHICH,
        integer("known_from_position", "From which position of the ledger on this was known."),
        text("policy_ref", "Operating model that it was known by; null when withdrawn."),
        text("calendar_ref", "Calendar that it was known by; null when withdrawn."),
        instant("due_at", "Due time as known then; null: none."),
        text("outcome", "Outcome as known then, at the newest happening known; withdrawn: it turned out that no clock ran."),
        integer("cause_position", "Position of the fact that changed it; null: nothing did, time had passed."),
    ),
)

SLA_DEADLINE = Table(
    "sla_deadline",
    "One row per warning, breach or escalation that a clock runs towards, has passed, or was seen to pass.",
    key=("ticket_id", "metric", "cycle", "kind", "target_s", "threshold_pct"),
    columns=(
        *_WHICH,
        text("kind", "warn, breach or escalate."),
        integer("target_s", "Target in business seconds that it belongs to."),
        integer("threshold_pct", "Share of the target that has run then, in percent."),
        text("stream", "Stream of the thing that it concerns: ticket:T-1042."),
        instant("passes_at", "When it passes; null: it does not, as things stand."),
        text("state", "open: the clock has not stopped; ended: it has."),
        instant("observed_at", "When a look saw that it had passed; null: none has, or what it saw no longer holds."),
        instant("observed_due_at", "The instant of passing that the look saw."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("state", "passes_at"),),
)

Which = tuple[str, int]


@dataclass(slots=True)
class _State:
    ticket_id: str
    customer_id: str = ""
    last_position: int = 0
    newest: int = 0  # when the newest happening known happened
    known: Known = field(default_factory=Known)
    clocks: Clocks = field(default_factory=lambda: Clocks(Known()))
    times: dict[int, int] = field(default_factory=dict)  # of every happening, by its position, corrected
    said: list[Signal] = field(default_factory=list)  # in the order of recording
    heard: tuple[int, int] = (0, 0)  # time and position of the newest signal
    judged: dict[Which, tuple[int, Reading]] = field(default_factory=dict)  # the clock's turns at a reading, and the reading
    wakes_at: int = 0  # when a verdict changes although nothing is said
    verdicts: list[Row] = field(default_factory=list)
    seen: dict[sla.Key, sla.DeadlineObserved] = field(default_factory=dict)


def start(ticket_id: str) -> _State:
    """Return the state before the first fact."""
    return _State(ticket_id)


def fold(state: _State, recorded: Recorded, known: Known) -> _State:
    """Return the state after one more fact, taken in the order of recording, with what was known then."""
    event = recorded.fact
    state.known, state.last_position = known, recorded.position
    again = False
    match event:
        case t.Registered():
            state.customer_id = event.customer_id
        case sla.DeadlineObserved():
            state.seen[sla.key_of(event)] = event
        case sla.DeadlineSuperseded():
            state.seen.pop(sla.key_of(event), None)
        case _:
            pass
    corrects = fact_type(recorded.topic).corrects
    if corrects is None:
        state.times[recorded.position] = recorded.occurred_at
        state.newest = max(state.newest, recorded.occurred_at)
        signals = t.signals(recorded)
        again = _hear(state, signals)
        if not signals and state.newest < state.wakes_at:
            return state
    elif (correction := corrects(event)) is not None and correction[0] in state.times:
        state.times[correction[0]] = micros(correction[1])
        state.newest = max(state.times.values())
        again = True
    if again:
        _run_again(state)
    _judge(state, recorded.position, everything=again)
    return state


def reaches(state: _State, change: CalendarChange) -> bool:
    """Return whether a clock depends on instants that count differently: one that is open, or one that ran through them."""
    return any(clock.started_at < change.stop and _reach(clock) > change.start for clock in state.clocks)


def reached(tables: Mapping[str, sa.Table], change: CalendarChange) -> sa.Select[tuple[str]]:
    """Select the tickets whose states a calendar change reaches, by the rule of `reaches`."""
    row = tables[TICKET_SLA.name].c
    begin, end = moment(change.start), moment(min(change.stop, _LAST))
    no_end = sa.or_(row.stopped_at.is_(None), sa.and_(row.breach_at.is_(None), row.outcome != "cancelled"))
    depends = sa.or_(no_end, row.stopped_at > begin, row.breach_at > begin)
    return sa.select(row.ticket_id).where(row.started_at < end, depends).distinct()


def relearn(state: _State, change: CalendarChange) -> _State:
    """Return the state once a calendar change is known."""
    state.known, state.last_position = change.known, change.position
    _run_again(state)
    _judge(state, change.position, everything=True)
    return state


def rows(state: _State) -> Rows:
    """Return the rows of one ticket."""
    newest = state.newest
    segments: list[Row] = []
    for clock in state.clocks:
        which = (state.ticket_id, clock.metric.name, clock.cycle)
        segments += [(*which, each.start, each.stop, each.kind, each.stop - each.start, each.position) for each in clock.segments(newest)]
    return {
        "ticket_sla": [_row(state, clock, newest) for clock in state.clocks],
        "ticket_sla_segment": segments,
        "ticket_sla_verdict": state.verdicts,
        "sla_deadline": _deadlines(state),
    }


_LAST = micros(datetime(9999, 1, 1, tzinfo=UTC))


def _reach(clock: Clock) -> int:
    if clock.stopped_at is None:
        return FOR_EVER
    if clock.cancelled:
        return clock.stopped_at
    breach_at = clock.due()[1]
    return FOR_EVER if breach_at is None else max(clock.stopped_at, breach_at)


def _hear(state: _State, signals: tuple[Signal, ...]) -> bool:
    """Let the clocks hear what was just said; return whether it came late, so that they must hear all again in order."""
    state.said += signals
    if not signals:
        return False
    began = state.times[state.said[0].position]
    order = (max(signals[0].at, began), signals[0].position)
    if order < state.heard:
        return True
    state.heard, state.clocks.knows = order, state.known
    for signal in signals:
        state.clocks.hear(signal if signal.at >= began else signal._replace(at=began))
    return False


def _run_again(state: _State) -> None:
    """Let the clocks hear everything, at corrected times and none before the ticket began, with what is known now."""
    began = state.times[state.said[0].position]
    signals = [signal._replace(at=max(began, state.times[signal.position])) for signal in state.said]
    state.heard = max(signal[:2] for signal in signals)
    state.clocks = run(signals, state.known)


def _judge(state: _State, position: int, *, everything: bool) -> None:
    """Add a verdict for each clock whose outcome or due time became another one with the fact at `position`."""
    newest, wakes_at = state.newest, FOR_EVER
    gone = set(state.judged) if everything else set()
    for clock in state.clocks if everything else state.clocks.recent():
        which = (clock.metric.name, clock.cycle)
        gone.discard(which)
        before = state.judged.get(which)
        same = before is not None and before[0] == clock.turns
        if before is not None and same and not everything and (ends_at := _settled(clock, before[1])) > newest:
            wakes_at = min(wakes_at, ends_at)
            continue  # nothing that was said concerns it
        reading = clock.reading(newest)
        wakes_at = min(wakes_at, _settled(clock, reading))
        state.judged[which] = (clock.turns, reading)
        if before is None or (before[1].outcome, before[1].due_at) != (reading.outcome, reading.due_at):
            cause = None if same and not everything else position
            ref = state.known.calendar_ref(clock.calendar_name)
            state.verdicts.append((state.ticket_id, *which, position, clock.policy, ref, reading.due_at, reading.outcome, cause))
    state.wakes_at = wakes_at
    for which in gone:
        del state.judged[which]
        state.verdicts.append((state.ticket_id, *which, position, None, None, None, "withdrawn", position))


def _settled(clock: Clock, reading: Reading) -> int:
    """Return the instant at which a reading changes although nothing happens to its clock."""
    open_ended = clock.stopped_at is not None or reading.outcome == "overdue" or reading.breach_at is None
    return FOR_EVER if open_ended or reading.breach_at is None else reading.breach_at


def _row(state: _State, clock: Clock, newest: int) -> Row:
    reading = clock.reading(newest)
    return (
        state.ticket_id,
        clock.metric.name,
        clock.cycle,
        state.customer_id,
        clock.metric.purpose,
        clock.priority,
        clock.level if clock.metric.purpose == "escalation" else None,
        clock.policy,
        state.known.calendar_ref(clock.calendar_name),
        clock.started_at,
        None if clock.target is None else whole_seconds(clock.target),
        reading.due_at,
        reading.breach_at,
        clock.stopped_at,
        newest if clock.stopped_at is None else clock.stopped_at,
        whole_seconds(reading.elapsed),
        reading.elapsed,
        whole_seconds(reading.paused),
        reading.paused,
        reading.outcome,
        clock.earlier_breaches[0][1] if clock.earlier_breaches else None,
        state.last_position,
    )


def _deadlines(state: _State) -> list[Row]:
    found: dict[sla.Key, tuple[int | None, str]] = {}
    for deadline in sla.deadlines(state.clocks):
        found[deadline.key] = (deadline.passes_at, "open" if deadline.open else "ended")
    for key in state.seen:
        found.setdefault(key, (None, "ended"))
    made = []
    for key, (passes_at, standing) in found.items():
        metric, cycle, kind, target_s, threshold_pct = key
        seen = state.seen.get(key)
        looked = (None, None) if seen is None else (micros(seen.observed_at), micros(seen.due_at))
        which = (state.ticket_id, metric, cycle, kind, target_s, threshold_pct)
        made.append((*which, f"ticket:{state.ticket_id}", passes_at, standing, *looked, state.last_position))
    return made


PROJECTIONS = (
    Knowing(
        "ticket_sla",
        1,
        concept="ticket",
        tables=(TICKET_SLA, TICKET_SLA_SEGMENT, TICKET_SLA_VERDICT, SLA_DEADLINE),
        start=start,
        fold=fold,
        rows=rows,
        reaches=reaches,
        relearn=relearn,
        reached=reached,
    ),
)
