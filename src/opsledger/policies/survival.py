"""How long something takes where some of it has not happened yet: the product-limit estimate of Kaplan and Meier.

    S(t) = product over the times t_i <= t at which it happened of (1 - happened_i / still_watched_i)

What has not happened yet was watched for so long and then lost from sight (right-censored); of the same length, those that happened
count first. A quantile is the first time at which S is at most 1 - q; where S stays above, it is not known, which is an answer. The
mean of the finished alone would be too short. Exact fractions throughout. Source: Kaplan and Meier, 1958.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

__all__ = ["MEDIAN", "NINTH_DECILE", "Estimate", "Step", "estimate"]

MEDIAN: Final = Fraction(1, 2)
NINTH_DECILE: Final = Fraction(9, 10)


class Step(NamedTuple):
    """At a time some more had happened: of those watched until then how many, and which share of all is left."""

    time: int
    watched: int
    happened: int
    left: Fraction


class Estimate(NamedTuple):
    """How many were watched, of how many it has not happened yet, and the share left after each time at which it did."""

    n: int
    censored: int
    steps: tuple[Step, ...]

    def left_at(self, time: int) -> Fraction:
        """Return the share of which it has not happened by a time, that time included."""
        return next((step.left for step in reversed(self.steps) if step.time <= time), Fraction(1))

    def quantile(self, share: Fraction) -> int | None:
        """Return the time by which it has happened to this share; None where so many have not been seen to."""
        return next((step.time for step in self.steps if step.left <= 1 - share), None)


def estimate(observations: Iterable[tuple[int, bool]]) -> Estimate:
    """Return the estimate from (time watched, whether it was censored), times in any one unit."""
    seen = list(observations)
    happened = Counter(time for time, censored in seen if not censored)
    lost = Counter(time for time, censored in seen if censored)
    watched, left, steps = len(seen), Fraction(1), []
    for time in sorted({*happened, *lost}):
        if happened[time]:
            left *= Fraction(watched - happened[time], watched)
            steps.append(Step(time, watched, happened[time], left))
        watched -= happened[time] + lost[time]
    return Estimate(len(seen), lost.total(), tuple(steps))
