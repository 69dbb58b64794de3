"""The small units: intervals, durations, instants, and local clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow import local_clock

from opsledger.errors import BadInput
from opsledger.policies.duration import Duration, duration
from opsledger.policies.instants import DAY_S, SECOND, at, iso, micros, moment, parse, whole_seconds
from opsledger.policies.intervals import overlap, union, without
from opsledger.policies.zones import LocalTime, local_time
from opsledger.testing.strategies import places, zones

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)

# Intervals.


@given(SPANS, SPANS)
def test_intervals_are_sets_of_moments(ones: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    ours, theirs = ({moment for low, high in spans for moment in range(low, high)} for spans in (ones, others))
    joined, holes = union(ones), union(others)
    assert {moment for low, high in joined for moment in range(low, high)} == ours
    assert all(low < high for low, high in joined)
    assert all(one[1] < following[0] for one, following in pairwise(joined))
    assert {moment for low, high in without(joined, holes) for moment in range(low, high)} == ours - theirs
    assert overlap(joined, holes) == len(ours & theirs)


def test_touching_intervals_are_one_and_empty_ones_none() -> None:
    assert union([(5, 9), (1, 5), (3, 3)]) == [(1, 9)]


def test_a_hole_that_touches_takes_nothing_away() -> None:
    assert without([(1, 5)], [(0, 1), (5, 9)]) == [(1, 5)]
    assert without([(1, 5)], [(1, 5)]) == []
    assert without([(1, 5), (7, 9)], [(2, 8)]) == [(1, 2), (8, 9)]


# Durations.


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0 s", Duration(0)),
        ("15 min", Duration(900)),
        ("4 h", Duration(14_400)),
        ("4h", Duration(14_400)),
        ("1 day", Duration(86_400)),
        ("30 days", Duration(2_592_000)),
        ("1 business day", Duration(0, 1)),
        ("5 business days", Duration(0, 5)),
    ],
)
def test_durations_mean_what_they_say(text: str, length: Duration) -> None:
    assert duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "4", "h", "-1 h", "1.5 h", "4 hours", "4  h", " 4 h", "4 h ", "1 week", "1 month", "5 workdays", "٤ h"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 15 min, 4 h, 30 days or 5 business days"):
        duration(text)


# Instants.


@given(st.integers(micros(datetime(1, 1, 2, tzinfo=UTC)), micros(datetime(9999, 12, 30, tzinfo=UTC))))
def test_an_instant_reads_back_from_every_form(instant: int) -> None:
    assert micros(moment(instant)) == instant
    assert parse(iso(instant)) == instant
    assert micros(at(iso(instant))) == instant
    assert micros(moment(instant).astimezone(timezone(timedelta(hours=-5, minutes=-30)))) == instant


@given(st.integers(-(10**15), 10**16), st.integers(-(10**15), 10**16))
def test_instants_sort_as_their_texts_do(one: int, other: int) -> None:
    assert (one < other) == (iso(one) < iso(other))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-03-01T09:30Z", 1_772_357_400 * SECOND),
        ("2026-03-01T09:30:00.000001Z", 1_772_357_400 * SECOND + 1),
    ],
)
def test_texts_name_instants(text: str, instant: int) -> None:
    assert parse(text) == instant


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-03-01T09:30:00", "time.naive"),
        ("20260301", "time.naive"),
        ("yesterday", "time.malformed"),
        ("2026-02-30", "time.malformed"),
        ("2026-03-01T25:00:00Z", "time.malformed"),
        ("", "time.malformed"),
    ],
)
def test_a_text_that_names_no_instant_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert refused.value.code == code


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="has no zone; add one"):
        micros(datetime(2026, 3, 1))


def test_whole_seconds_drop_the_rest() -> None:
    assert [whole_seconds(length) for length in (0, 999_999, 1_000_000, 1_999_999)] == [0, 0, 1, 1]


# Local clocks.


@given(places())
def test_local_clocks_read_what_the_tz_database_says(place: tuple[str, int]) -> None:
    zone, second = place
    local, read = local_time(zone, second - 40 * DAY_S, second + 40 * DAY_S), local_clock(zone)
    for instant in (second, second - 1, *(start + aside for start in local.starts for aside in (-1, 0) if start != second - 40 * DAY_S)):
        assert local.read(instant) == read(instant)


@given(places(), st.integers(-2 * DAY_S, 2 * DAY_S))
def test_the_first_instant_of_a_reading_is_the_first(place: tuple[str, int], aside: int) -> None:
    zone, second = place
    local = local_time(zone, second - 10 * DAY_S, second + 10 * DAY_S)
    wanted = local.read(second) + aside
    found = local.first(wanted)
    assert local.read(found) >= wanted
    assert all(local.read(earlier) < wanted for earlier in (found - 1, *range(found - 2 * DAY_S, found, 900)))


@given(places())
def test_a_local_day_is_the_seconds_that_read_it(place: tuple[str, int]) -> None:
    zone, second = place
    local = local_time(zone, second - 10 * DAY_S, second + 10 * DAY_S)
    midnight = local.read(second) // DAY_S * DAY_S
    spans = local.within(midnight, midnight + DAY_S)
    assert any(low <= second < high for low, high in spans)
    for low, high in spans:
        assert midnight <= local.read(low) <= local.read(high - 1) < midnight + DAY_S
        assert not midnight <= local.read(high) < midnight + DAY_S
        assert not midnight <= local.read(low - 1) < midnight + DAY_S


@given(zones())
def test_every_zone_of_the_database_can_be_read(zone: str) -> None:
    assert -DAY_S < local_time(zone, 0, DAY_S).offsets[0] < DAY_S


def test_what_a_clock_read_over_part_of_a_span_is_what_it_read_there() -> None:
    york = local_time("America/New_York", parse("2024-01-01") // SECOND, parse("2025-01-01") // SECOND)
    spring = parse("2024-03-10T07:00:00Z") // SECOND
    autumn = parse("2024-11-03T06:00:00Z") // SECOND
    assert york.between(spring, autumn) == LocalTime((spring,), (-14_400,))
    assert york.between(spring - 1, autumn + 1) == LocalTime((spring - 1, spring, autumn), (-18_000, -14_400, -18_000))
    assert york.stretches(spring - 1, autumn) == [(spring - 1, spring), (spring, autumn)]


def test_a_reading_in_a_gap_means_the_moment_of_the_jump_and_one_in_a_fold_its_first_time() -> None:
    york = local_time("America/New_York", parse("2024-01-01") // SECOND, parse("2025-01-01") // SECOND)
    half_past_two = york.read(parse("2024-03-10T06:30:00Z") // SECOND) + 3600
    half_past_one = york.read(parse("2024-11-03T05:30:00Z") // SECOND)
    assert iso(york.first(half_past_two) * SECOND) == "2024-03-10T07:00:00.000000Z"
    assert iso(york.first(half_past_one) * SECOND) == "2024-11-03T05:30:00.000000Z"
    assert york.read(parse("2024-11-03T06:30:00Z") // SECOND) == half_past_one
