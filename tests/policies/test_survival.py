"""How long something takes, with what has not happened yet: against the paper's own example, and on the line."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.survival import MEDIAN, NINTH_DECILE, Estimate, Step, estimate

OBSERVATIONS = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=40)


def test_the_example_of_the_paper() -> None:
    """Eight watched: it happened at 0.8, 3.1, 5.4 and 9.2 months, and four were lost at 1.0, 2.7, 7.0 and 12.1."""
    happened, lost = (8, 31, 54, 92), (10, 27, 70, 121)
    found = estimate([*((time, False) for time in happened), *((time, True) for time in lost)])
    assert [(step.time, step.watched, step.left) for step in found.steps] == [
        (8, 8, Fraction(7, 8)),
        (31, 5, Fraction(7, 10)),
        (54, 4, Fraction(21, 40)),
        (92, 2, Fraction(21, 80)),
    ]
    assert found.quantile(MEDIAN) == 92
    assert found.quantile(NINTH_DECILE) is None
    assert (found.n, found.censored) == (8, 4)


def test_of_the_same_length_what_happened_counts_before_what_was_lost() -> None:
    assert estimate([(5, False), (5, True)]).steps == (Step(5, 2, 1, Fraction(1, 2)),)


def test_the_median_is_reached_exactly_on_the_half() -> None:
    assert estimate([(3, False), (9, True)]).quantile(MEDIAN) == 3
    assert estimate([(3, False), (9, True), (9, True)]).quantile(MEDIAN) is None


def test_the_unfinished_make_it_longer_than_the_finished_alone() -> None:
    finished = [(10, False), (12, False), (14, False)]
    assert estimate(finished).quantile(MEDIAN) == 12
    assert estimate([*finished, (11, True), (40, True), (40, True)]).quantile(MEDIAN) == 14


def test_of_nothing_nothing_is_known() -> None:
    assert estimate([]) == Estimate(0, 0, ())
    assert estimate([]).quantile(MEDIAN) is None
    assert estimate([(7, True)]).left_at(100) == 1


def test_a_share_is_left_until_the_time_and_less_from_it_on() -> None:
    found = estimate([(5, False), (8, False)])
    assert [found.left_at(time) for time in (4, 5, 7, 8)] == [1, Fraction(1, 2), Fraction(1, 2), 0]


@given(OBSERVATIONS)
def test_without_the_unfinished_it_is_the_share_that_is_left(observations: list[tuple[int, bool]]) -> None:
    finished = [(time, False) for time, _ in observations]
    found = estimate(finished)
    for time in range(61):
        left = sum(each > time for each, _ in finished)
        assert found.left_at(time) == (Fraction(left, len(finished)) if finished else 1)


@given(OBSERVATIONS)
def test_it_only_falls_and_watching_longer_never_shortens_it(observations: list[tuple[int, bool]]) -> None:
    found = estimate(observations)
    shares = [step.left for step in found.steps]
    assert shares == sorted(shares, reverse=True)
    longer = estimate([(time + 5 if censored else time, censored) for time, censored in observations])
    assert all(longer.left_at(time) >= found.left_at(time) for time in range(66))


@given(OBSERVATIONS)
def test_the_order_of_observations_does_not_matter(observations: list[tuple[int, bool]]) -> None:
    assert estimate(observations) == estimate(list(reversed(observations)))
