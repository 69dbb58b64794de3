"""Tallies: quantiles that lie between their bounds, counts at edges, and the same result in any order."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.buckets import MICROSECOND, Ladder, downscaled, index_of, packed
from opsledger.policies.percentiles import nearest_rank
from opsledger.policies.tally import Quantile, Tally, Times, Within, quantiles_of, rank

TIMES = st.lists(st.integers(0, 40_000_000), min_size=1, max_size=60)
SHARES = (1, 50, 95, 99, 100)


def fine(times: list[int], edges: tuple[int, ...] = (), scale: int = 5) -> Times:
    """Times as a window of exponential buckets."""
    counts: dict[int, int] = {}
    for us in times:
        if us:
            counts[index_of(us)] = counts.get(index_of(us), 0) + 1
    steps, held = packed(downscaled(counts, 5 - scale))
    at_edges = tuple((edge, sum(us <= edge for us in times)) for edge in edges)
    return Times(len(times), at_edges, Ladder(scale, MICROSECOND), times.count(0), steps, held, min(times), max(times))


def classic(times: list[int], edges: tuple[int, ...] = (5_000, 150_000, 2_000_000)) -> Times:
    """Times as a window of a classic histogram, without the shortest and the longest."""
    return Times(len(times), tuple((edge, sum(us <= edge for us in times)) for edge in edges))


def tally(*windows: Times) -> Tally:
    made = Tally()
    for window in windows:
        made.add(window)
    return made


WINDOW = st.one_of(
    TIMES.map(lambda times: (times, fine(times, (149_999,)))),
    st.tuples(TIMES, st.integers(-2, 4)).map(lambda each: (each[0], fine(each[0], (), each[1]))),
    TIMES.map(lambda times: (times, classic(times))),
)


@given(st.lists(WINDOW, min_size=1, max_size=5))
def test_the_true_quantile_lies_between_the_bounds_whatever_is_merged(windows: list[tuple[list[int], Times]]) -> None:
    every = [us for times, _ in windows for us in times]
    for share, found in zip(SHARES, tally(*(window for _, window in windows)).quantiles(*SHARES), strict=True):
        true = nearest_rank(every, share)
        assert found is not None
        assert true is not None
        assert found.lower_us <= true
        assert found.upper_us is None or true <= found.upper_us


@given(TIMES)
def test_of_our_own_buckets_the_estimate_is_off_by_no_more_than_the_buckets_are_wide(times: list[int]) -> None:
    for share, found in zip(SHARES, quantiles_of(fine(times), *SHARES), strict=True):
        true = nearest_rank(times, share)
        assert found is not None
        assert found.estimate_us is not None
        assert true is not None
        assert abs(found.estimate_us - true) <= true * Fraction(109, 10_000) + 1


@given(TIMES)
def test_a_single_window_has_the_quantiles_of_a_tally_of_it(times: list[int]) -> None:
    for window in (fine(times), classic(times)):
        assert quantiles_of(window, *SHARES) == tally(window).quantiles(*SHARES)


@given(st.lists(WINDOW, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_any_order_and_any_grouping_gives_the_same_tally(windows: list[tuple[list[int], Times]], dice: object) -> None:
    made = [window for _, window in windows]
    whole = tally(*made)
    shuffled = sorted(made, key=lambda _: dice.random())  # type: ignore[attr-defined]  # Hypothesis' own dice
    left, right = tally(*shuffled[:2]), tally(*shuffled[2:])
    right.merge(left)
    assert (right.ladders, right.cells, right.edges, right.zero, right.timed) == (
        whole.ladders,
        whole.cells,
        whole.edges,
        whole.zero,
        whole.timed,
    )
    assert (right.min_us, right.max_us, right.ranged) == (whole.min_us, whole.max_us, whole.ranged)
    assert right.quantiles(*SHARES) == whole.quantiles(*SHARES)


def test_a_count_at_an_edge_is_exact_and_elsewhere_lies_between_two() -> None:
    times = [149_999] * 3 + [150_000] * 2 + [400_000]
    found = tally(fine(times, (149_999,)))
    assert found.within(149_999) == Within(3, 3)
    assert found.within(150_000) == Within(0, 5)  # the bucket that holds both has no bound between them


def test_an_edge_that_one_window_lacks_is_no_edge_of_both() -> None:
    found = tally(fine([100_000] * 4, (149_999,)), fine([200_000] * 4, (499_999,)))
    assert found.by_edge() == {}
    assert found.within(149_999) == Within(4, 4)  # the buckets tell
    assert tally(fine([100_000] * 4, (149_999,)), classic([149_000])).within(149_999) == Within(4, 5)


def test_above_the_last_edge_of_a_classic_histogram_no_upper_bound_is_known() -> None:
    assert tally(classic([3_000_000])).quantiles(95) == [Quantile(None, 2_000_001, None)]


def test_no_times_have_no_quantile() -> None:
    assert tally().quantiles(50, 95) == [None, None]
    assert quantiles_of(Times(0), 50) == [None]


def test_times_of_zero_are_zero() -> None:
    assert tally(fine([0, 0, 0])).quantiles(99) == [Quantile(0, 0, 0)]


@pytest.mark.parametrize(
    ("share", "count", "place"), [(95, 20, 19), (99, 20, 20), (95, 100, 95), (95, 101, 96), (0, 7, 1), (Fraction(995, 10), 1010, 1005)]
)
def test_the_place_of_a_quantile_is_counted_in_integers(share: int, count: int, place: int) -> None:
    assert rank(share, count) == place
