"""Business time against a slow walk over local clocks, in all zones, wherever clocks jump; and the laws that it keeps."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from slow import DAY, SECOND, Walk, local_clock

from opsledger.errors import PolicyError, Uncovered
from opsledger.policies.calendar import BusinessTime, CalendarDefinition, compile_calendar
from opsledger.policies.instants import iso, parse
from opsledger.testing.strategies import calendars, hours, places, zones

ALWAYS = CalendarDefinition(zone="UTC", weekly=None)


class Case:
    """A calendar over some days around an instant, twice: compiled, and walked."""

    def __init__(self, definition: CalendarDefinition, around: int, *, grain: int, days: int) -> None:
        self.begin = (around - days * DAY) // DAY * DAY
        self.end = self.begin + (2 * days + 1) * DAY
        self.definition = definition
        self.grain = grain
        self.fast = BusinessTime(compile_calendar(definition, self.begin, self.end))

    @cached_property
    def slow(self) -> Walk:
        return Walk(self.definition, self.begin, self.end, grain=self.grain)

    def __repr__(self) -> str:
        return f"{self.definition!r} over {iso(self.begin * SECOND)} to {iso(self.end * SECOND)}"


@st.composite
def cases(draw: st.DrawFn, *, grain: int = 15, days: int = 9) -> Case:
    zone, around = draw(places())
    definition = draw(calendars(zone, around, grain=grain))
    try:
        return Case(definition, around, grain=grain, days=days)
    except PolicyError:
        assume(False)
        raise


def within(case: Case) -> st.SearchStrategy[int]:
    """Give an instant of a case, often on the line: an edge, a step, or a microsecond beside it."""
    edges = [edge for span in case.fast.open_spans() for edge in span]
    near = st.builds(lambda edge, aside: edge + aside, st.sampled_from(edges), st.sampled_from([-1, 0, 0, 0, 1]))
    anywhere = st.integers(case.begin * SECOND, case.end * SECOND)
    return st.one_of(near, anywhere).map(lambda instant: min(max(instant, case.begin * SECOND), case.end * SECOND))


def answer(ask: Any, *arguments: Any, **options: Any) -> int | None:
    """Return an answer of business time, None where it lies beyond the horizon."""
    try:
        found: int = ask(*arguments, **options)
    except Uncovered:
        return None
    return found


@settings(max_examples=100)
@given(cases(), st.data())
def test_every_instant_is_open_as_the_slow_walk_finds_it(case: Case, data: st.DataObject) -> None:
    walked = [(second, second + case.slow.step) for second, _, is_open in case.slow.steps if is_open]
    joined: list[list[int]] = []
    for low, high in walked:
        if joined and joined[-1][1] == low:
            joined[-1][1] = high
        else:
            joined.append([low, high])
    assert [[low // SECOND, high // SECOND] for low, high in case.fast.open_spans()] == joined
    start, stop = sorted((data.draw(within(case)), data.draw(within(case))))
    assert case.fast.elapsed(start, stop) == case.slow.elapsed(start, stop)
    clipped = [(max(start, low * SECOND), min(stop, high * SECOND)) for low, high in joined]
    assert case.fast.spans(start, stop) == [(low, high) for low, high in clipped if low < high]


@settings(max_examples=40)
@given(cases(grain=1, days=2))
def test_wall_times_to_the_minute_open_and_close_on_the_minute(case: Case) -> None:
    opened = sum(high - low for low, high in case.fast.open_spans())
    assert opened == case.slow.elapsed(case.begin * SECOND, case.end * SECOND)


@pytest.mark.parametrize(
    ("zone", "around", "low", "high"),
    [
        ("Europe/Amsterdam", "1937-06-30T23:40:28Z", "00:00", "00:20"),  # 28 seconds forward
        ("Europe/Berlin", "1893-03-31T23:06:32Z", "00:00", "01:00"),  # from the sun's time to the zone's
        ("America/New_York", "1883-11-18T17:00:00Z", "12:00", "13:00"),
        ("Africa/Monrovia", "1972-01-07T00:44:30Z", "00:00", "01:00"),
    ],
)
def test_offsets_of_odd_seconds_are_exact_to_the_second(zone: str, around: str, low: str, high: str) -> None:
    middle = parse(around) // SECOND
    day = date.fromordinal(date(1970, 1, 1).toordinal() + local_clock(zone)(middle) // DAY)
    definition = CalendarDefinition.model_validate({"zone": zone, "weekly": {}, "shifts": {str(day): [(low, high)]}})
    begin, end = middle - 3600, middle + 3600
    slow = Walk(definition, begin, end, grain=1, before=3600)
    fast = BusinessTime(compile_calendar(definition, begin, end))
    assert fast.elapsed(begin * SECOND, end * SECOND) == slow.elapsed(begin * SECOND, end * SECOND) > 0


@settings(max_examples=100)
@given(cases(), st.data())
def test_due_and_breach_are_those_of_the_slow_walk(case: Case, data: st.DataObject) -> None:
    start = data.draw(within(case))
    left = case.slow.elapsed(start, case.end * SECOND)
    length = data.draw(st.one_of(st.integers(0, left + 1), st.integers(0, left // (900 * SECOND)).map(lambda n: n * 900 * SECOND)))
    assert answer(case.fast.due, start, length) == case.slow.due(start, length)
    assert answer(case.fast.breach, start, length) == case.slow.breach(start, length)


@settings(max_examples=100)
@given(cases(), st.data())
def test_due_and_breach_bracket_the_moment_at_which_the_target_has_run(case: Case, data: st.DataObject) -> None:
    start = data.draw(within(case))
    left = case.fast.elapsed(start, case.fast.end)
    assume(left > 0)
    length = data.draw(st.integers(0, left - 1))
    due, breach = case.fast.due(start, length), case.fast.breach(start, length)
    assert start <= due <= breach
    assert case.fast.elapsed(start, due) == case.fast.elapsed(start, breach) == length
    assert case.fast.elapsed(start, breach + 1) > length
    assert due == start or case.fast.elapsed(start, due - 1) < length


@settings(max_examples=100)
@given(cases(), st.data())
def test_elapsed_adds_up_over_every_split_and_never_falls(case: Case, data: st.DataObject) -> None:
    a, b, c = sorted(data.draw(within(case)) for _ in range(3))
    assert case.fast.elapsed(a, b) + case.fast.elapsed(b, c) == case.fast.elapsed(a, c)
    assert 0 <= case.fast.elapsed(a, b) <= min(b - a, case.fast.elapsed(a, c))
    assert sum(high - low for low, high in case.fast.spans(a, c)) == case.fast.elapsed(a, c)


@settings(max_examples=100)
@given(cases(), st.data(), st.integers(0, 8), st.booleans())
def test_business_days_are_those_of_the_slow_walk(case: Case, data: st.DataObject, days: int, end_of_day: bool) -> None:
    start = data.draw(within(case))
    assert answer(case.fast.business_days, start, days, end_of_day=end_of_day) == case.slow.business_days(
        start, days, end_of_day=end_of_day
    )


@given(places(), st.data())
def test_a_shift_cut_at_midnight_gives_the_same_answers_without_holidays(place: tuple[str, int], data: st.DataObject) -> None:
    zone, around = place
    whole = data.draw(calendars(zone, around, always=False).map(lambda found: found.model_copy(update={"holidays": (), "shifts": {}})))
    days = list(whole.weekly or {})
    begin = (around - 9 * DAY) // DAY * DAY
    assert days
    cut = whole.model_copy(update={"weekly": _cut_at_midnight(whole)})
    try:
        ours, theirs = (BusinessTime(compile_calendar(each, begin, begin + 18 * DAY)) for each in (whole, cut))
    except PolicyError:
        assume(False)
        raise
    assert ours.open_spans() == theirs.open_spans()


def _cut_at_midnight(calendar: CalendarDefinition) -> dict[str, tuple[tuple[str, str], ...]]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    parts: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for day, spans in (calendar.weekly or {}).items():
        for low, high in spans:
            first, last = (int(wall[:2]) * 60 + int(wall[3:]) for wall in (low, high))
            for later in range(3):
                begin, end = max(first - later * 1440, 0), min(last - later * 1440, 1440)
                if begin < end:
                    name = names[(names.index(day) + later) % 7]
                    parts[name].append((f"{begin // 60:02d}:{begin % 60:02d}", f"{end // 60:02d}:{end % 60:02d}"))
    return {name: tuple(spans) for name, spans in parts.items()}


@given(zones(), st.integers(parse("1980-01-01"), parse("2030-01-01")), st.integers(0, 10**15), st.integers(0, 10**15))
def test_around_the_clock_is_plain_subtraction_in_every_zone(zone: str, start: int, length: int, target: int) -> None:
    begin = parse("1970-01-01") // SECOND
    time = BusinessTime(compile_calendar(ALWAYS.model_copy(update={"zone": zone}), begin, begin + 120 * 366 * DAY))
    assert time.elapsed(start, start + length) == length
    assert time.due(start, target) == time.breach(start, target) == start + target


@given(hours())
def test_hours_run_forwards(span: tuple[str, str]) -> None:
    assert span[0] < span[1]
