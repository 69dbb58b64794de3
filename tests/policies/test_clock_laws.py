"""The laws of the clock fold: any history, any order of telling, and every second accounted for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slow_clock import SECOND, Slow

from opsledger.policies.calendar import BusinessTime, Compiled
from opsledger.policies.clock import Clock, Reading
from opsledger.policies.clocks import Clocks, run
from opsledger.policies.metric import Metric, Rules, Signal, Target
from opsledger.policies.operating_model import default_model
from opsledger.policies.zones import LocalTime

HORIZON = 6000
"""Seconds that the calendars cover; histories end at half of it, so that dues to come can be walked to."""
METRICS = default_model().support.rules.metrics


class Known:
    """One policy, and calendars given by their opening and closing seconds."""

    def __init__(self, rules: Rules, edges: dict[str, list[int]]) -> None:
        self._rules = rules
        self.edges = edges
        self._times = {name: BusinessTime(Compiled(0, HORIZON, tuple(each), LocalTime((0,), (0,)))) for name, each in edges.items()}

    def rules(self, ref: str) -> Rules:
        return self._rules

    def calendar(self, name: str) -> BusinessTime:
        return self._times[name]

    def hours(self) -> dict[str, set[int]]:
        return {
            name: {second for low, high in zip(each[::2], each[1::2], strict=True) for second in range(low, high)}
            for name, each in self.edges.items()
        }

    def __repr__(self) -> str:
        return f"{self._rules} by {self.edges}"


def edges() -> st.SearchStrategy[list[int]]:
    """Give openings and closings, each open for a while; the last span is long, so that targets can be met."""
    cuts = st.lists(st.integers(0, HORIZON // 2), max_size=6, unique=True).map(sorted).filter(lambda each: len(each) % 2 == 0)
    return cuts.map(lambda each: [*each, HORIZON // 2 + 500, HORIZON])


PRIORITY = st.sampled_from(["high", "low", "none"]).map(lambda value: ("priority_changed", value))
PAUSE = st.sampled_from(["customer", "vendor", "mood"]).map(lambda value: ("paused", value))
RESUME, RESOLVE, REOPEN = (st.just((kind, "")) for kind in ("resumed", "resolved", "reopened"))
OTHER = st.sampled_from([("agent_reply", ""), ("cancelled", ""), ("voided", "")])
EPISODES = st.one_of(
    st.tuples(PAUSE, RESUME),
    st.tuples(PRIORITY, PRIORITY),
    st.tuples(RESOLVE, REOPEN),
    st.tuples(RESOLVE, REOPEN, PRIORITY),
    st.tuples(RESOLVE, PRIORITY, REOPEN),
    st.tuples(PAUSE, RESOLVE, REOPEN),
    st.tuples(RESOLVE, PAUSE, REOPEN, RESUME),
    st.tuples(PAUSE, PRIORITY, RESUME),
    st.tuples(st.one_of(PRIORITY, PAUSE, RESUME, RESOLVE, REOPEN, OTHER)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Signal]:
    """Give what is said of one thing, much of it at the same second."""
    start = draw(st.integers(0, 200))
    signals = [
        Signal(start * SECOND, 1, "policy", "p"),
        Signal(start * SECOND, 2, "created", draw(st.sampled_from(["high", "low", "none"]))),
    ]
    said = [each for episode in draw(st.lists(EPISODES, min_size=1, max_size=4)) for each in episode]
    for position, (kind, value) in enumerate(said, 3):
        start = min(start + draw(st.sampled_from([0, 1, 7, 60, 300, 900])), HORIZON // 2)
        signals.append(Signal(start * SECOND, position, kind, value))
    return signals


@st.composite
def worlds(draw: st.DrawFn) -> Known:
    """Give a metric like resolution with any rule of reopening, two targets on two calendars, and a priority without."""
    metric = Metric(
        "resolution",
        frozenset({"created"}),
        frozenset({"resolved"}),
        frozenset(draw(st.sets(st.sampled_from(["customer", "vendor"])))),
        reopen=draw(st.sampled_from(["resume", "new_cycle", "first_only", "count_through"])),
    )
    length = st.sampled_from([0, 1, 60, 300, 600, 1000])
    targets = {("resolution", "high", ""): Target("a", draw(length)), ("resolution", "low", ""): Target("b", draw(length))}
    change, breach = draw(st.sampled_from(["keep_elapsed", "restart"])), draw(st.sampled_from(["stands", "erased"]))
    return Known(Rules((metric,), targets, change, breach), {"a": draw(edges()), "b": draw(edges())})


@settings(max_examples=300)
@given(worlds(), histories())
def test_every_reading_is_that_of_a_clock_walked_second_by_second(known: Known, signals: list[Signal]) -> None:
    (metric,) = known.rules("p").metrics
    as_of = signals[-1].at // SECOND + 250
    slow = Slow(metric, known.rules("p"), known.hours())
    slow.walk(signals, as_of)
    clocks = list(run(signals, known))
    assert len(clocks) == len(slow.cycles)
    for number, (clock, cycle) in enumerate(zip(clocks, slow.cycles, strict=True), 1):
        reading = clock.reading(as_of * SECOND)
        outcome = _outcome(known, cycle, as_of)
        assert (clock.cycle, clock.started_at, clock.target) == (number, cycle.started * SECOND, cycle.target * SECOND)
        assert (reading.outcome, reading.elapsed, reading.paused) == (outcome, len(cycle.ran) * SECOND, cycle.held * SECOND)
        assert clock.stopped_at == (None if cycle.stopped is None else cycle.stopped * SECOND)
        assert clock.earlier_breaches == [(target * SECOND, at * SECOND) for target, at in cycle.breaches]
        assert (reading.due_at, reading.breach_at) == _to_come(known, cycle, as_of)


def _outcome(known: Known, cycle: Any, as_of: int) -> str:
    if cycle.cancelled:
        return "cancelled"
    late = len(cycle.ran) > cycle.target
    if cycle.stopped is not None:
        return "breached" if late or (cycle.breaches and known.rules("p").earlier_breach == "stands") else "met"
    breach_at = _to_come(known, cycle, as_of)[1]
    return "overdue" if breach_at is not None and breach_at <= as_of * SECOND else cycle.mode


def _to_come(known: Known, cycle: Any, as_of: int) -> tuple[int | None, int | None]:
    """Return (due_at, breach_at) of a cycle as if it went on in its mode from here, or from where it stopped."""
    if cycle.cancelled:
        return None, None
    ahead = deepcopy(cycle)
    if ahead.mode == "running":
        here = as_of if cycle.stopped is None else cycle.stopped
        hours = known.hours()[cycle.calendar]
        ahead.ran += [(second, second) for second in range(here, HORIZON) if second in hours]
    due_at, breach_at = ahead.due(), ahead.breach()
    return None if due_at is None else due_at * SECOND, None if breach_at is None else breach_at * SECOND


@settings(max_examples=200)
@given(worlds(), histories(), st.integers(0, 400))
def test_segments_explain_every_moment_and_sum_to_the_reading(known: Known, signals: list[Signal], later: int) -> None:
    as_of = signals[-1].at + later * SECOND
    positions = {signal.position for signal in signals}
    for clock in run(signals, known):
        parts, reading = clock.segments(as_of), clock.reading(as_of)
        end = clock.stopped_at if clock.stopped_at is not None else as_of
        assert [parts[0].start, parts[-1].stop] == [clock.started_at, end] if parts else clock.started_at == end
        assert all(one.stop == following.start for one, following in pairwise(parts))
        assert all(part.start < part.stop and part.position in positions for part in parts)
        assert sum(part.stop - part.start for part in parts if part.kind == "counted") == reading.elapsed
        assert sum(part.stop - part.start for part in parts if part.kind == "paused") == reading.paused


@settings(max_examples=200)
@given(worlds(), histories(), st.randoms(use_true_random=False))
def test_heard_one_by_one_or_all_at_once_in_any_order_it_is_the_same(known: Known, signals: list[Signal], dice: Any) -> None:
    shuffled = list(signals)
    dice.shuffle(shuffled)
    clocks = Clocks(known)
    for signal in signals:
        clocks.hear(signal)
        for clock in clocks:  # looking changes nothing
            clock.reading(signal.at)
            clock.segments(signal.at)
            clock.due()
    as_of = signals[-1].at + 99 * SECOND
    assert shown(clocks, as_of) == shown(run(shuffled, known), as_of)


def shown(clocks: Clocks, as_of: int) -> list[tuple[str, int, Reading, Any]]:
    return [(clock.metric.name, clock.cycle, clock.reading(as_of), clock.segments(as_of)) for clock in clocks]


def all_metrics() -> Known:
    """Return the default model's promises, shortened so that a history of an hour sees them kept and broken."""
    rules = default_model().support.rules
    targets = {
        key: Target("a" if target.calendar == "always" else "b", max(target.seconds // 60, 1)) for key, target in rules.targets.items()
    }
    return Known(replace(rules, targets=targets), {"a": [0, HORIZON], "b": [100, 900, 1200, HORIZON]})


DESK = st.one_of(
    st.tuples(st.just("paused"), st.sampled_from(["awaiting_customer", "awaiting_vendor", "on_hold"])),
    st.tuples(
        st.sampled_from(["resumed", "resolved", "closed", "reopened", "agent_reply", "public_update", "customer_reply"]), st.just("")
    ),
    st.tuples(st.just("priority_changed"), st.sampled_from(["critical", "high", "medium", "low"])),
    st.tuples(st.just("level_entered"), st.sampled_from(["l1", "l2", "engineering", "executive"])),
)


@st.composite
def desk_histories(draw: st.DrawFn) -> list[Signal]:
    """Give what is said of a ticket, to all metrics of the operating model."""
    priority = draw(st.sampled_from(["critical", "high", "medium", "low"]))
    signals = [Signal(0, 1, "policy", "p"), Signal(0, 2, "created", priority), Signal(0, 3, "level_entered", "l1")]
    at = 0
    for position, (kind, value) in enumerate(draw(st.lists(DESK, max_size=16)), 4):
        at = min(at + draw(st.sampled_from([0, 1, 20, 60, 300])), HORIZON // 2)
        signals.append(Signal(at * SECOND, position, kind, value))
    return signals


def concerns(metric: Metric, signal: Signal) -> bool:
    """Return whether a signal may say something to a metric, by its definition."""
    everything = {"policy", "created", "priority_changed", "resolved", "closed", "reopened", "level_entered"}
    pausing = signal.kind in ("paused", "resumed") and bool(metric.pause_while)
    return signal.kind in everything or signal.kind in metric.start_on | metric.stop_on | {metric.after} or pausing


@settings(max_examples=150)
@given(desk_histories())
def test_what_a_metric_does_not_listen_to_changes_nothing(signals: list[Signal]) -> None:
    known, as_of = all_metrics(), signals[-1].at + 60 * SECOND
    everything = run(signals, known)
    for metric in known.rules("p").metrics:
        heard = run([signal for signal in signals if concerns(metric, signal)], known)
        ours = [each for each in shown(everything, as_of) if each[0] == metric.name]
        assert ours == [each for each in shown(heard, as_of) if each[0] == metric.name]


@settings(max_examples=150)
@given(desk_histories())
def test_signals_that_no_metric_knows_change_nothing(signals: list[Signal]) -> None:
    known, as_of = all_metrics(), signals[-1].at + 60 * SECOND
    noise = [Signal(signal.at, signal.position, kind, "x") for signal in signals for kind in ("noted", "assigned", "acknowledged")]
    assert shown(run([*signals, *noise], known), as_of) == shown(run(signals, known), as_of)


@settings(max_examples=150)
@given(desk_histories())
def test_of_each_metric_at_most_one_clock_is_live_and_cycles_are_numbered(signals: list[Signal]) -> None:
    found: dict[str, list[Clock]] = {}
    for clock in run(signals, all_metrics()):
        found.setdefault(clock.metric.name, []).append(clock)
    for clocks in found.values():
        assert [clock.cycle for clock in clocks] == list(range(1, len(clocks) + 1))
        assert not any(clock.live for clock in clocks[:-1])


@settings(max_examples=150)
@given(desk_histories())
def test_a_promise_is_overdue_from_its_breach_on_and_never_before(signals: list[Signal]) -> None:
    as_of = signals[-1].at
    for clock in run(signals, all_metrics()):
        breach_at = clock.due()[1]
        if not clock.live or clock.mode == "paused" or breach_at is None:
            continue
        if breach_at > as_of:
            assert clock.reading(breach_at - 1).outcome == "running"
        assert clock.reading(max(as_of, breach_at)).outcome == "overdue"
