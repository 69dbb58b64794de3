"""Was the score right? Scores as they were known then, against who left afterwards, in exact integers.

    AUC       = how often one who left scored lower than one who stayed, ties counted half
    precision = of the red ones, those who left             recall = of those who left, the red ones

Rates of bands come with a Wilson interval (1.96 standard errors), rounded outwards. What nobody could score counts in the band
`unknown` and not in the AUC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from fractions import Fraction
from math import isqrt
from typing import Final, NamedTuple, get_args

from opsledger.policies.health import BP, Band
from opsledger.policies.money import half_up

__all__ = ["Backtest", "BandResult", "Outcome", "backtest", "wilson_bp"]

_Z: Final = 196  # hundredths of a standard error


class Outcome(NamedTuple):
    """A customer as scored at some time, by what was known then, and whether they left within the horizon after it."""

    score_x10: int | None
    band: Band
    churned: bool


class BandResult(NamedTuple):
    """How those of a band fared. Rates in basis points; None where there are none."""

    band: Band
    n: int
    churned: int
    churn_rate_bp: int | None
    wilson_low_bp: int | None
    wilson_high_bp: int | None


class Backtest(NamedTuple):
    """How well scores told who would leave. None where nothing can be said: nobody left, nobody stayed, nobody was red."""

    n: int
    churned: int
    auc_x10000: int | None
    precision_bp: int | None
    recall_bp: int | None
    green_churned: int
    bands: tuple[BandResult, ...]
    auc: Fraction | None = None  # exactly
    lift: Fraction | None = None  # how many times as often as all others together a red one left, exactly


def backtest(outcomes: Iterable[Outcome]) -> Backtest:
    """Return how scores compare with what happened. Those of one customer at several times count several times."""
    held = list(outcomes)
    left = [each for each in held if each.churned]
    bands = tuple(_band(band, [each for each in held if each.band == band]) for band in get_args(Band))
    by_band = {each.band: each for each in bands}
    red = by_band["red"]
    auc = _auc(held)
    return Backtest(
        n=len(held),
        churned=len(left),
        auc_x10000=None if auc is None else half_up(10_000 * auc),
        precision_bp=_share_bp(red.churned, red.n),
        recall_bp=_share_bp(red.churned, len(left)),
        green_churned=by_band["green"].churned,
        bands=bands,
        auc=auc,
        lift=_lift(red, len(held), len(left)),
    )


def wilson_bp(hits: int, n: int) -> tuple[int, int] | None:
    """Return between which rates `hits` of `n` leave us, in basis points, rounded outwards; None where n is 0."""
    if n == 0:
        return None
    middle = BP * (2 * BP * hits + _Z**2)
    spread = Fraction(BP**2 * _Z**2 * (_Z**2 * n + 4 * BP * hits * (n - hits)), n)
    root = isqrt(spread.numerator // spread.denominator)
    wide, whole = root if root * root == spread else root + 1, 2 * (BP * n + _Z**2)
    return max(0, (middle - wide) // whole), min(BP, -(-(middle + wide) // whole))


def _auc(outcomes: list[Outcome]) -> Fraction | None:
    scored = [(each.score_x10, each.churned) for each in outcomes if each.score_x10 is not None]
    gone, stayed = [score for score, churned in scored if churned], sorted(score for score, churned in scored if not churned)
    if not gone or not stayed:
        return None
    halves = sum(2 * len(stayed) - bisect_left(stayed, score) - bisect_right(stayed, score) for score in gone)
    return Fraction(halves, 2 * len(gone) * len(stayed))


def _lift(red: BandResult, n: int, churned: int) -> Fraction | None:
    """Return the rate of the red ones by that of all others; None where one of the two is empty, or none of the others left."""
    others, gone = n - red.n, churned - red.churned
    return Fraction(red.churned * others, red.n * gone) if red.n and gone else None


def _band(band: Band, own: list[Outcome]) -> BandResult:
    churned = sum(each.churned for each in own)
    low, high = wilson_bp(churned, len(own)) or (None, None)
    return BandResult(band, len(own), churned, _share_bp(churned, len(own)), low, high)


def _share_bp(part: int, whole: int) -> int | None:
    return half_up(Fraction(BP * part, whole)) if whole else None
