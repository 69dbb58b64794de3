"""What controls watch of recovery: targets kept, a recovery point that is young enough, drills and checks in time, sound data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from opsledger.domain import integrity_check as c
from opsledger.domain import recovery_drill as d
from opsledger.domain import service
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import SECOND
from opsledger.policies.intervals import Interval, union
from opsledger.policies.known import Known
from opsledger.policies.recovery import sound
from opsledger.projections.availability.watching import Severity, Watch, asked, model_at, seen
from opsledger.projections.recovery.points import Reach, reaches
from opsledger.projections.recovery.recovery import Told, judged

__all__ = ["Life", "check_watches", "fold_life", "recovery_watches", "service_watches", "start_life"]

_LOST: Final = "What a failure loses of a service whose recovery is promised stays below what the operating model says."
_LASTED: Final = "A service whose recovery is promised can be used again in less than the time that the operating model gives."
_OLD: Final = "At any time a service whose recovery is promised has a recovery point young enough to keep what is promised."
_DRILL: Final = "The recovery of a service for which it is promised is tried as often as the operating model says."
_CHECK: Final = "The data of a service whose integrity is promised are checked as often as the operating model says."
_SOUND: Final = "As many rows are as they should be as the operating model promises."


@dataclass(slots=True)
class Life:
    """From when until when a service is run. Microseconds; None: not said."""

    began_at: int | None = None
    retired_at: int | None = None
    position: int = 0  # of its registration
    last_position: int = 0


def start_life(service_id: str) -> Life:
    """Return the state of a service before its first fact."""
    return Life()


def fold_life(life: Life, recorded: Recorded) -> Life:
    """Return the state after one more fact."""
    if isinstance(recorded.fact, service.Registered):
        life.began_at, life.position = recorded.occurred_at, recorded.position
    elif isinstance(recorded.fact, service.Retired):
        life.retired_at = recorded.occurred_at
    life.last_position = max(life.last_position, recorded.position)
    return life


def recovery_watches(told: Told, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield what is, or would be, a finding about a restore or drill. One that was given up is met by the one that follows it."""
    found, failed = judged(told, known.model(told.said.policy)), told.time("failed_at")
    severity: Severity = "medium" if isinstance(told.said, d.Completed) else "high"
    evidence, last = sorted(told.positions.values()), told.last_position
    assert failed is not None
    if found.rpo_met is False:
        yield seen("recovery_point_missed", failed, _LOST, severity, evidence=evidence, last_position=last)
    if found.rto_below_s is not None and told.abandoned_at is None:
        due = failed + found.rto_below_s * SECOND - 1  # the bound itself is too late
        yield from asked("recovery_time_missed", due, told.time("restored_at"), _LASTED, severity, evidence=evidence, last_position=last)


def check_watches(told: Told, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield that a check found data that are not as they should be, until they were put right."""
    model = known.model(told.said.policy)
    intact = sound(told.count("rows"), told.count("mismatches"), model.availability.data_integrity_pct)
    if intact is False and told.said.service_id in model.recovery.services:
        repaired = None if told.repaired is None else told.repaired[0]
        evidence, last = sorted(told.positions.values()), told.last_position
        yield seen("integrity_breach", told.began_at, _SOUND, "high", evidence=evidence, last_position=last, kept_at=repaired)


class _Stretch(NamedTuple):
    """A time in which recovery is promised of a service; `until` None: it lasts. `position` of the fact by which it began."""

    since: int
    until: int | None
    position: int


def service_watches(service_id: str, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield what is, or would be, too old or overdue of a service while its recovery is promised."""
    drills = [
        (each.began_at, each.last_position) for each in states.values() if isinstance(each, Told) and isinstance(each.said, d.Completed)
    ]
    checks = [
        (each.began_at, each.last_position) for each in states.values() if isinstance(each, Told) and isinstance(each.said, c.Completed)
    ]
    months = reaches(states.values(), known)
    spans = union(span for month in months for span in month.spans)
    first = [month.taken[0] for month in months if month.taken]
    life = states.get(f"service:{service_id}") or _unregistered([*drills, *checks, *first])
    for stretch in _promised(service_id, life, known):
        yield from _waits("recovery_drill_late", _DRILL, drills, stretch, lambda at: model_at(known, at).recovery.drill_within)
        yield from _waits("integrity_check_late", _CHECK, checks, stretch, lambda at: model_at(known, at).recovery.check_within)
        yield from _exposed(spans, months, stretch, known)


def _unregistered(told: Iterable[tuple[int, int]]) -> Life:
    """Return the life of a service that nobody registered: it begins with the first that is told of it."""
    began_at, position = min(told, default=(None, 0))
    return Life(began_at, None, position, position)


def _promised(service_id: str, life: Life, known: Known) -> Iterator[_Stretch]:
    """Yield when the operating model in force named the service, of the time in which it was run."""
    if life.began_at is None:
        return
    models = known.models()
    begins = [life.began_at, *(each.effective_from for each in models if each.effective_from > life.began_at)]
    held: _Stretch | None = None
    for begin in begins:
        if life.retired_at is not None and begin >= life.retired_at:
            break
        named = service_id in model_at(known, begin).recovery.services
        if named and held is None:
            position = life.position if begin == life.began_at else next(each.position for each in models if each.effective_from == begin)
            held = _Stretch(begin, life.retired_at, position)
        elif not named and held is not None:
            yield held._replace(until=begin)
            held = None
    if held is not None:
        yield held


def _waits(control: str, rule: str, held: Iterable[tuple[int, int]], stretch: _Stretch, within_s: Callable[[int], int]) -> Iterator[Watch]:
    """Yield the waits from the begin, and from each that was held, to the next, by the model in force when the wait began."""
    inside = [pair for pair in held if pair[0] >= stretch.since and (stretch.until is None or pair[0] < stretch.until)]
    times = [(stretch.since, stretch.position), *sorted(inside)]
    last = max(position for _, position in times)
    for (since, position), following in zip(times, [*times[1:], None], strict=True):
        due = since + within_s(since) * SECOND
        if stretch.until is not None and due >= stretch.until:
            return
        came, other = (None, None) if following is None else following
        yield from asked(control, due, came, rule, "medium", evidence=(position, other), last_position=last)


def _exposed(spans: list[Interval], months: list[Reach], stretch: _Stretch, known: Known) -> Iterator[Watch]:
    """Yield the times in which a failure would have lost too much, and from when on nothing more is told."""

    def before(instant: int | None) -> int | None:
        found = [month.taken[-1] if instant is None else month.before(instant) for month in months if month.taken]
        return max((each for each in found if each is not None), default=(0, None))[1]

    def after(instant: int) -> int | None:
        found = [month.after(instant) for month in months]
        return min((each for each in found if each is not None), default=(0, None))[1]

    last, until = max([stretch.position, *(month.last_position for month in months)]), stretch.until
    spans = [(low, high) for low, high in spans if high > stretch.since and (until is None or low < until)]
    heard, newest = stretch.since, stretch.position
    if spans:
        first, heard, newest = spans[0][0], spans[-1][1], before(None) or newest
        begin = stretch.since + model_at(known, stretch.since).recovery.point_told_within * SECOND
        evidence = (stretch.position, after(first))
        yield from asked("recovery_point_old", begin, first, _OLD, "high", evidence=evidence, last_position=last)
    for (_, low), (high, _) in pairwise(spans):
        yield seen("recovery_point_old", low, _OLD, "high", evidence=(before(low), after(high)), last_position=last, kept_at=high)
    due = heard + model_at(known, heard).recovery.point_told_within * SECOND
    if until is None or due < until:
        yield from asked("recovery_point_old", due, None, _OLD, "high", evidence=(newest,), last_position=last)
