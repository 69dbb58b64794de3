"""Back-tests: exact figures of small books, and what must hold of any."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.health import DEFAULT, band_of
from opsledger.policies.health_backtest import Backtest, Outcome, backtest, wilson_bp


def book(*scored: tuple[int | None, bool]) -> list[Outcome]:
    return [Outcome(score, "unknown" if score is None else band_of(score, DEFAULT.bands), churned) for score, churned in scored]


def test_a_score_that_tells_all_of_them_apart_has_an_auc_of_one() -> None:
    found = backtest(book((100, True), (400, True), (600, False), (900, False)))
    assert (found.auc_x10000, found.precision_bp, found.recall_bp, found.green_churned) == (10_000, 10_000, 10_000, 0)
    assert (found.auc, found.lift) == (Fraction(1), None)  # of the others none left: there is nothing to compare with


def test_ties_count_half_and_a_green_one_who_left_is_counted() -> None:
    found = backtest(book((300, True), (900, True), (300, False), (600, False)))
    assert found.auc_x10000 == 3750  # 300: a tie and a win; 900: none; 1.5 of 4
    assert (found.precision_bp, found.recall_bp, found.green_churned) == (5000, 5000, 1)
    assert (found.auc, found.lift) == (Fraction(3, 8), Fraction(1))


def test_what_was_not_scored_is_counted_beside() -> None:
    found = backtest(book((None, True), (300, True), (600, False)))
    assert (found.n, found.churned, found.auc_x10000, found.recall_bp) == (3, 2, 10_000, 5000)
    assert {each.band: (each.n, each.churned) for each in found.bands}["unknown"] == (1, 1)


def test_where_nobody_left_there_is_nothing_to_tell() -> None:
    found = backtest(book((300, False), (900, False)))
    assert (found.auc_x10000, found.precision_bp, found.recall_bp) == (None, 0, None)
    assert backtest([]) == Backtest(0, 0, None, None, None, 0, backtest([]).bands)


@pytest.mark.parametrize(
    ("hits", "n", "interval"), [(0, 10, (0, 2776)), (10, 10, (7224, 10_000)), (5, 10, (2365, 7635)), (1, 1, (2065, 10_000))]
)
def test_wilson_intervals_are_rounded_outwards(hits: int, n: int, interval: tuple[int, int]) -> None:
    assert wilson_bp(hits, n) == interval
    assert wilson_bp(0, 0) is None


@given(scored=st.lists(st.tuples(st.none() | st.integers(0, 1000), st.booleans()), max_size=40))
def test_the_auc_is_the_count_of_all_pairs_and_bands_are_everybody(scored: list[tuple[int | None, bool]]) -> None:
    found = backtest(book(*scored))
    gone, stayed = ([score for score, churned in scored if churned is which and score is not None] for which in (True, False))
    pairs = [2 * (one < other) + (one == other) for one in gone for other in stayed]
    if pairs and found.auc_x10000 is not None:
        assert abs(found.auc_x10000 * 2 * len(pairs) - 10_000 * sum(pairs)) <= len(pairs)
    assert (found.auc_x10000 is None) == (not pairs)
    assert sum(each.n for each in found.bands) == found.n
    for each in found.bands:
        if each.churn_rate_bp is not None and each.wilson_low_bp is not None and each.wilson_high_bp is not None:
            assert each.wilson_low_bp <= each.churn_rate_bp <= each.wilson_high_bp
