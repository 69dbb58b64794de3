"""Survey scores, in integers: net promoter score, customer satisfaction, customer effort, and how sure they are.

    NPS  = 100 * (promoters - detractors) / n           of answers 0 to 10; 9 and 10 promote, 0 to 6 detract
    SE   = 100 * sqrt((p + d - (p - d)^2) / n)          with p and d the shares of promoters and detractors
    CSAT = answers from `favourable_from` on / n        of 1 to 5 usually the upper two; the mean is another measure, beside it
    CES  = mean of the answers, usually 1 to 7          with the share from `favourable_from` on beside it

Scores are given in hundredths, rounded half up (away from zero, as money is); what falls on the half is decided by exact
integers, the root included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isqrt
from typing import Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from opsledger.errors import BadInput
from opsledger.policies.money import half_up
from opsledger.policies.support import Section

__all__ = [
    "DETRACTORS_TO",
    "NPS_SCALE",
    "Nps",
    "Rated",
    "ScaleRule",
    "SurveyType",
    "Surveys",
    "nps",
    "nps_counts",
    "rated",
]

SurveyType = Literal["nps", "csat", "ces"]


class ScaleRule(Section):
    """Which answers there are, and from which on they speak well of us."""

    lowest: int
    highest: int
    favourable_from: int

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if not self.lowest < self.favourable_from <= self.highest:
            raise ValueError(f"from {self.favourable_from} on cannot be well on a scale from {self.lowest} to {self.highest}")
        return self


class Surveys(Section):
    """By which scales we ask, and how many answers a score needs. The scale of the net promoter score is always 0 to 10."""

    csat: ScaleRule = ScaleRule(lowest=1, highest=5, favourable_from=4)
    ces: ScaleRule = ScaleRule(lowest=1, highest=7, favourable_from=5)
    minimum_account: int = Field(default=5, ge=1, description="A customer with fewer answers has no score.")
    minimum_portfolio: int = Field(default=30, ge=1, description="A segment, or all customers, with fewer answers has no score.")

    def scale(self, survey_type: SurveyType) -> ScaleRule:
        """Return the scale on which a survey of a type is answered."""
        return {"nps": NPS_SCALE, "csat": self.csat, "ces": self.ces}[survey_type]


NPS_SCALE: Final = ScaleRule(lowest=0, highest=10, favourable_from=9)
DETRACTORS_TO: Final = 6


class Nps(NamedTuple):
    """A net promoter score with its standard error and the interval that holds it 95 times of 100 (1.96 SE). Hundredths."""

    score_x100: int
    se_x100: int
    low_x100: int
    high_x100: int


class Rated(NamedTuple):
    """Answers on a scale: their mean and the share of favourable ones, in hundredths (of a per cent: basis points)."""

    n: int
    mean_x100: int
    favourable_bp: int


def nps_counts(scores: Iterable[int]) -> tuple[int, int, int]:
    """Return how many answers promote, are passive, detract. Raises BadInput at one that is no integer from 0 to 10."""
    counts = Counter(scores)
    _check(counts, NPS_SCALE)
    promoters = sum(count for score, count in counts.items() if score >= NPS_SCALE.favourable_from)
    detractors = sum(count for score, count in counts.items() if score <= DETRACTORS_TO)
    return promoters, counts.total() - promoters - detractors, detractors


def nps(promoters: int, passives: int, detractors: int) -> Nps | None:
    """Return the net promoter score of so many answers; None where there are none."""
    n = promoters + passives + detractors
    if n == 0:
        return None
    net, spread = promoters - detractors, (promoters + detractors) * n - (promoters - detractors) ** 2
    middle, wide = 10_000 * net * n, 19_600**2 * spread * n  # both over n * n, the second under a root: 1.96 SE
    return Nps(
        score_x100=half_up(Fraction(10_000 * net, n)),
        se_x100=_nearest(0, 1, 100_000_000 * spread * n, n * n),
        low_x100=_nearest(middle, -1, wide, n * n),
        high_x100=_nearest(middle, 1, wide, n * n),
    )


def rated(counts: Mapping[int, int], scale: ScaleRule) -> Rated | None:
    """Return mean and favourable share of answers, given by score how many; None where there are none."""
    _check(counts, scale)
    n = sum(counts.values())
    if n == 0:
        return None
    total = sum(score * count for score, count in counts.items())
    favourable = sum(count for score, count in counts.items() if score >= scale.favourable_from)
    return Rated(n, half_up(Fraction(100 * total, n)), half_up(Fraction(10_000 * favourable, n)))


def _nearest(whole: int, sign: Literal[-1, 1], square: int, over: int) -> int:
    """Return the integer nearest to (whole ± sqrt(square)) / over, halves away from zero, which are only met where the root is whole."""
    root = isqrt(square)
    if root * root == square:
        return half_up(Fraction(whole + sign * root, over))
    doubled = isqrt(4 * square)
    return (2 * whole + over + (doubled if sign > 0 else -doubled - 1)) // (2 * over)


def _check(scores: Iterable[int], scale: ScaleRule) -> None:
    for score in scores:
        if type(score) is not int or not scale.lowest <= score <= scale.highest:
            raise BadInput("survey.score", f"{score!r} is no answer; answers are whole numbers from {scale.lowest} to {scale.highest}.")
