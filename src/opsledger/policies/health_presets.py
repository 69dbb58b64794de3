"""How other scorecards count, for hosts that come from one: points by state, trends, thresholds by age, points on a line.

Each is a rule of its own, named after what it does; the model of `policies.health` uses none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from opsledger.errors import BadInput
from opsledger.policies.health import Band

__all__ = [
    "FIVES",
    "LICENCE_USE",
    "SIXTIES",
    "AgeBand",
    "banded_by_age",
    "impact",
    "missing_as",
    "percent_mean",
    "pointed",
    "trend_band",
    "trend_pct",
]

FIVES: Final[Mapping[str, int]] = {"healthy": 10, "good": 10, "average": 5, "concerning": 5, "poor": 0}
"""Ten points, five, none."""
SIXTIES: Final[Mapping[str, int]] = {"healthy": 100, "good": 100, "average": 60, "concerning": 60, "poor": 0}
"""A hundred points, sixty, none."""


class AgeBand(NamedTuple):
    """From which age in months on, and from which value on, something is yellow and green."""

    from_month: int
    yellow_from: int
    green_from: int


LICENCE_USE: Final = (AgeBand(0, 0, 10), AgeBand(2, 10, 50), AgeBand(6, 50, 80), AgeBand(9, 75, 90))
"""Licences in use, in percent, by months since the purchase: what is enough hardens with age, so that 60 is green, yellow, then red.
Where exactly the other edges lie is our example."""


def pointed(states: Sequence[str], points: Mapping[str, int], weights: Sequence[int] | None = None) -> Fraction:
    """Return the mean of the points of states, by weight."""
    shares = list(weights) if weights is not None else [1] * len(states)
    if len(shares) != len(states) or sum(shares) <= 0:
        raise BadInput("health.weights", f"{len(states)} states cannot have the weights {shares}; give one for each, not all of them 0.")
    return Fraction(sum(weight * points[state] for state, weight in zip(states, shares, strict=True)), sum(shares))


def percent_mean(values: Sequence[int]) -> Fraction:
    """Return a mean in which each value weighs a whole percent, as some pages print it: three weigh 33 each, and one is lost."""
    return sum((Fraction(100 // len(values) * value, 100) for value in values), Fraction(0))


def missing_as(scores: Mapping[str, Fraction | None], neutral: int) -> dict[str, Fraction | None]:
    """Return scores in which what is missing counts as so many points."""
    return {name: Fraction(neutral) if each is None else each for name, each in scores.items()}


def trend_pct(now: int, before: int) -> Fraction:
    """Return by how many percent something rose, below 0 where it fell."""
    if before <= 0:
        raise BadInput("health.trend", f"Nothing rises from {before}; a trend needs something before.")
    return Fraction(100 * now, before) - 100


def trend_band(trend: Fraction) -> Band:
    """Return red for a fall of more than 50 percent, yellow for one of 20 to 50, both included, and green above."""
    return "red" if trend < -50 else "yellow" if trend <= -20 else "green"


def banded_by_age(value: int, age_months: int, table: Sequence[AgeBand]) -> Band:
    """Return the band of a value by the row of a table that holds at an age."""
    row = next(each for each in reversed(table) if each.from_month <= age_months)
    return "green" if value >= row.green_from else "yellow" if value >= row.yellow_from else "red"


def impact(value: Fraction, span: tuple[int, int], points: tuple[int, int], *, bounded: bool = False) -> Fraction | None:
    """Return the points of a value on a line, those of the nearer end outside of it; `bounded`: None there."""
    place = (value - span[0]) / (span[1] - span[0])
    if bounded and not 0 <= place <= 1:
        return None
    return points[0] + min(max(place, Fraction(0)), Fraction(1)) * (points[1] - points[0])
