"""Several versions of a calendar as one, and where two of them count differently."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opsledger.errors import PolicyError
from opsledger.policies.calendar import FOR_EVER, BusinessTime, CalendarDefinition, Compiled, compile_calendar, compose, difference
from opsledger.policies.instants import DAY_S, SECOND, parse
from opsledger.policies.known import extended
from opsledger.testing.strategies import calendars, places

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "17:00"),))
OFFICE = CalendarDefinition(zone="America/New_York", weekly=WEEK)
BEGIN, END = parse("2024-06-01") // SECOND, parse("2024-09-01") // SECOND


def compiled(definition: CalendarDefinition, begin: int = BEGIN, end: int = END) -> Compiled:
    return compile_calendar(definition, begin, end)


def time(definition: CalendarDefinition, begin: int = BEGIN, end: int = END) -> BusinessTime:
    return BusinessTime(compiled(definition, begin, end))


@st.composite
def versions(draw: st.DrawFn, count: int) -> tuple[int, int, list[Compiled]]:
    """Give a span and some calendars compiled over it, of one zone or of two."""
    zone, around = draw(places())
    other = draw(st.one_of(st.just(zone), places().map(lambda place: place[0])))
    begin, end = around // DAY_S * DAY_S - 7 * DAY_S, around // DAY_S * DAY_S + 8 * DAY_S
    try:
        found = [compile_calendar(draw(calendars(draw(st.sampled_from([zone, other])), around)), begin, end) for _ in range(count)]
    except PolicyError:
        assume(False)
        raise
    return begin, end, found


@settings(max_examples=100)
@given(versions(3), st.data())
def test_versions_as_one_count_as_each_part_counts_by_itself(made: tuple[int, int, list[Compiled]], data: st.DataObject) -> None:
    begin, end, parts = made
    first, second = sorted(data.draw(st.integers(begin, end)) for _ in range(2))
    whole = BusinessTime(compose([(begin, parts[0]), (first, parts[1]), (second, parts[2])]))
    start, stop = sorted(data.draw(st.integers(begin * SECOND, end * SECOND)) for _ in range(2))
    in_force = zip(parts, (begin, first, second), (first, second, end), strict=True)
    by_itself = 0
    for part, low, high in in_force:
        since, until = max(start, low * SECOND), min(stop, high * SECOND)
        by_itself += BusinessTime(part).elapsed(since, until) if since < until else 0
    assert whole.elapsed(start, stop) == by_itself


@settings(max_examples=100)
@given(versions(1), st.data())
def test_hours_compiled_in_two_pieces_are_those_compiled_at_once(made: tuple[int, int, list[Compiled]], data: st.DataObject) -> None:
    begin, end, (whole,) = made
    at = data.draw(st.integers(begin // DAY_S + 1, end // DAY_S - 1)) * DAY_S
    halves = [Compiled(low, high, _cut(whole.edges, low, high), whole.local.between(low, high)) for low, high in ((begin, at), (at, end))]
    joined = extended(*halves)
    assert (joined.begin, joined.end, joined.edges) == (whole.begin, whole.end, whole.edges)
    assert all(joined.local.read(second) == whole.local.read(second) for second in range(begin, end, 1800))


def _cut(edges: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
    pairs = ((max(opened, low), min(closed, high)) for opened, closed in zip(edges[::2], edges[1::2], strict=True))
    return tuple(edge for opened, closed in pairs if opened < closed for edge in (opened, closed))


@settings(max_examples=100)
@given(versions(2), st.data())
def test_the_difference_is_exactly_the_span_outside_which_all_answers_agree(
    made: tuple[int, int, list[Compiled]], data: st.DataObject
) -> None:
    begin, end, (a, b) = made
    old, new = BusinessTime(a), BusinessTime(b)
    apart = difference(old, new)
    low, high = apart or (end * SECOND, end * SECOND)
    for since, until in ((begin * SECOND, low), (high, end * SECOND)):
        start, stop = sorted(data.draw(st.integers(since, until)) for _ in range(2))
        assert old.spans(start, stop) == new.spans(start, stop)
        assert old.elapsed(start, stop) == new.elapsed(start, stop)
    if apart is not None:
        for second in (low // SECOND, high // SECOND - 1):
            ours, theirs = (time.elapsed(second * SECOND, (second + 1) * SECOND) for time in (old, new))
            assert ours != theirs or a.local.read(second) != b.local.read(second)


def test_equal_calendars_do_not_differ() -> None:
    assert difference(time(OFFICE), time(OFFICE)) is None


def test_a_holiday_makes_one_day_different_from_its_opening_to_its_closing() -> None:
    closed = OFFICE.model_copy(update={"holidays": (_date("2024-07-04"),)})
    assert difference(time(OFFICE), time(closed)) == (parse("2024-07-04T13:00:00Z"), parse("2024-07-04T21:00:00Z"))


def test_a_calendar_that_goes_on_differs_for_ever_from_where_the_other_ends() -> None:
    assert difference(time(OFFICE), time(OFFICE, end=END + 30 * DAY_S)) == (END * SECOND, FOR_EVER)


def test_the_same_instants_under_another_clock_differ_for_business_days() -> None:
    utc = CalendarDefinition(zone="UTC", weekly={"mon": (("13:00", "21:00"),)})
    york = CalendarDefinition(zone="America/New_York", weekly={"mon": (("09:00", "17:00"),)})
    assert time(utc).open_spans() == time(york).open_spans()
    assert difference(time(utc), time(york)) == (BEGIN * SECOND, END * SECOND)


def test_a_later_version_holds_from_its_own_start_and_not_before() -> None:
    late = CalendarDefinition(zone="America/New_York", weekly=dict.fromkeys(WEEK, (("10:00", "18:00"),)))
    noon = parse("2024-06-12T16:00:00Z") // SECOND
    whole = BusinessTime(compose([(BEGIN, compiled(OFFICE)), (noon, compiled(late, noon, END))]))
    assert whole.spans(parse("2024-06-12"), parse("2024-06-13")) == [(parse("2024-06-12T13:00:00Z"), parse("2024-06-12T22:00:00Z"))]
    assert whole.spans(parse("2024-06-13"), parse("2024-06-14")) == [(parse("2024-06-13T14:00:00Z"), parse("2024-06-13T22:00:00Z"))]


def test_of_two_versions_from_the_same_instant_the_one_published_later_holds() -> None:
    shut = CalendarDefinition(zone="America/New_York", weekly={"sat": (("09:00", "10:00"),)})
    whole = BusinessTime(compose([(BEGIN, compiled(OFFICE)), (BEGIN, compiled(shut))]))
    assert whole.open_spans() == time(shut).open_spans()


def test_the_first_version_also_answers_for_the_time_before_it_is_effective() -> None:
    whole = BusinessTime(compose([(BEGIN + 30 * DAY_S, compiled(OFFICE))]))
    assert whole.open_spans() == time(OFFICE).open_spans()


@pytest.mark.parametrize("at", ["2024-06-12T13:00:00Z", "2024-06-12T16:00:00Z", "2024-06-12T21:00:00Z"])
def test_a_version_that_changes_nothing_changes_nothing(at: str) -> None:
    second = parse(at) // SECOND
    whole = compose([(BEGIN, compiled(OFFICE)), (second, compiled(OFFICE, second, END))])
    assert whole.edges == compiled(OFFICE).edges


def _date(text: str) -> date:
    return date.fromisoformat(text)
