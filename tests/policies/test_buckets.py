"""Exponential buckets: exact at every bound, alike in integers and by definition, merged and lowered without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.buckets import BOUNDS, LIMIT, Ladder, downscaled, index_of, indexes, interval, packed

COUNTS = st.dictionaries(st.integers(-500, 2000), st.integers(1, 1000), max_size=30)


@given(st.integers(1, 1 << 64))
def test_a_time_is_in_the_bucket_that_the_definition_names(us: int) -> None:
    assert index_of(us) == (us**32 - 1).bit_length()  # the lowest i with 2**i >= us**32


@pytest.mark.parametrize("power", range(64))
def test_a_power_of_two_ends_its_bucket_and_one_microsecond_more_begins_the_next(power: int) -> None:
    assert index_of(1 << power) == 32 * power
    assert index_of((1 << power) + 1) > 32 * power
    if power >= 6:  # from 64 on the next bucket is wider than a microsecond
        assert index_of((1 << power) + 1) == 32 * power + 1


def test_a_bound_is_the_last_time_of_its_bucket() -> None:
    for index in range(200, 1400):
        assert index_of(BOUNDS[index]) == index
        assert index_of(BOUNDS[index] + 1) == index + 1


def test_known_bounds_of_the_ladder() -> None:
    assert (BOUNDS[-1], BOUNDS[0], BOUNDS[32], BOUNDS[16 + 32 * 10]) == (1 << 64, 1, 2, 1448)  # 1024 * sqrt(2) is 1448.15


@pytest.mark.parametrize("us", [0, -1, (1 << 64) + 1])
def test_a_time_without_a_bucket_is_refused(us: int) -> None:
    with pytest.raises(BadInput, match="have no bucket"):
        index_of(us)


@given(st.integers(1, 1 << 64))
def test_the_interval_of_its_bucket_holds_a_time_and_is_narrow(us: int) -> None:
    low, high = interval(Ladder(), index_of(us))
    assert low <= us <= high
    assert (high - low - 1) * 45 <= us  # a ratio of 2**(1/32), 1.0219, and whole microseconds


@pytest.mark.parametrize(
    ("ladder", "index", "expected"),
    [
        (Ladder(0, 1000), 10, (513, 1024)),  # powers of two, in microseconds
        (Ladder(0, 1_000_000_000), -3, (62_501, 125_000)),  # an eighth of a second
        (Ladder(0, 1_000_000_000), 0, (500_001, 1_000_000)),
        (Ladder(-1, 1_000_000), 1, (1001, 4000)),  # powers of four, in milliseconds
        (Ladder(1, 1000), 21, (1025, 1449)),  # up to 1448.15
        (Ladder(0, 1), 20, (525, 1049)),  # in nanoseconds: 524.288 to 1048.576
    ],
)
def test_a_bucket_of_any_ladder_has_whole_bounds(ladder: Ladder, index: int, expected: tuple[int, int]) -> None:
    assert interval(ladder, index) == expected


@given(COUNTS, st.integers(0, 5), st.integers(0, 5))
def test_lowering_the_scale_twice_is_lowering_it_at_once(counts: dict[int, int], one: int, two: int) -> None:
    assert downscaled(downscaled(counts, one), two) == downscaled(counts, one + two)
    assert sum(downscaled(counts, one).values()) == sum(counts.values())


@given(st.lists(st.integers(1, 1 << 40), max_size=30), st.integers(1, 5))
def test_buckets_of_a_lower_scale_are_those_in_which_the_times_are(times: list[int], halvings: int) -> None:
    fine: dict[int, int] = {}
    for us in times:
        fine[index_of(us)] = fine.get(index_of(us), 0) + 1
    coarse: dict[int, int] = {}
    for us in times:
        index = (us ** (1 << (5 - halvings)) - 1).bit_length()
        coarse[index] = coarse.get(index, 0) + 1
    assert downscaled(fine, halvings) == coarse


@given(COUNTS)
def test_what_is_packed_for_a_fact_is_read_back(counts: dict[int, int]) -> None:
    steps, held = packed(counts)
    assert dict(zip(indexes(steps), held, strict=True)) == counts
    assert all(step > 0 for step in steps[1:])


def test_no_time_lies_beyond_the_last_bucket() -> None:
    assert index_of(1 << 64) == LIMIT
