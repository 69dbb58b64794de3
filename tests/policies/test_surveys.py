"""Survey scores: rounded on the line, and held against decimal arithmetic with many digits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opsledger.policies.surveys import Nps, ScaleRule, Surveys, nps, nps_counts, rated


def rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def by_decimals(promoters: int, passives: int, detractors: int) -> Nps:
    """Return the same by the textbook, with sixty digits."""
    with localcontext(prec=60):
        n = Decimal(promoters + passives + detractors)
        p, d = promoters / n, detractors / n
        error = (p + d - (p - d) ** 2) / n
        error = max(error, Decimal(0)).sqrt() * 10_000
        middle = (p - d) * 10_000
        wide = Decimal("1.96") * error
        return Nps(rounded(middle), rounded(error), rounded(middle - wide), rounded(middle + wide))


COUNT = st.integers(0, 5000)


@given(counts=st.tuples(COUNT, COUNT, COUNT).filter(any))
def test_the_integers_say_what_sixty_digits_say(counts: tuple[int, int, int]) -> None:
    found, expected = nps(*counts), by_decimals(*counts)
    assert found is not None
    # Sixty digits may fall a hair below a half that is exact; the integers decide it.
    assert all(abs(one - other) <= 1 for one, other in zip(found, expected, strict=True))
    assert sum(one != other for one, other in zip(found, expected, strict=True)) <= 1


@pytest.mark.parametrize(
    ("counts", "score_x100"),
    [
        ((1, 2, 0), 3333),
        ((2, 1, 0), 6667),
        ((0, 1, 2), -6667),
        ((1, 15_999, 0), 1),  # 0.625 hundredths
        ((1, 19_999, 0), 1),  # exactly half a hundredth
        ((0, 19_999, 1), -1),  # away from zero
        ((1, 20_000, 0), 0),
    ],
)
def test_a_score_is_rounded_half_up_away_from_zero(counts: tuple[int, int, int], score_x100: int) -> None:
    found = nps(*counts)
    assert found is not None
    assert found.score_x100 == score_x100


def test_where_all_agree_there_is_no_error() -> None:
    assert nps(7, 0, 0) == Nps(10_000, 0, 10_000, 10_000)
    assert nps(0, 7, 0) == Nps(0, 0, 0, 0)


def test_an_interval_whose_root_is_whole_is_rounded_like_any_other_number() -> None:
    assert nps(1, 0, 1) == Nps(0, 7071, -13_859, 13_859)
    assert nps(2, 0, 2) == Nps(0, 5000, -9800, 9800)


def test_six_detracts_seven_is_passive_and_nine_promotes() -> None:
    assert nps_counts([6, 7, 8, 9]) == (1, 2, 1)


@given(st.lists(st.integers(0, 10), min_size=1))
def test_a_better_answer_never_lowers_the_score(scores: list[int]) -> None:
    better = [min(10, score + 1) for score in scores]
    one, other = nps(*nps_counts(scores)), nps(*nps_counts(better))
    assert one is not None
    assert other is not None
    assert one.score_x100 <= other.score_x100


def test_satisfaction_is_a_share_and_its_mean_another_measure() -> None:
    answers = rated({5: 1, 4: 1, 1: 1}, Surveys().csat)
    assert answers == (3, 333, 6667)


@pytest.mark.parametrize(("lowest", "favourable_from", "highest"), [(1, 1, 5), (1, 6, 5), (5, 5, 5)])
def test_a_scale_has_answers_that_speak_well_of_us_and_others(lowest: int, favourable_from: int, highest: int) -> None:
    with pytest.raises(ValidationError, match="cannot be well"):
        ScaleRule(lowest=lowest, favourable_from=favourable_from, highest=highest)
