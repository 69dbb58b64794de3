"""How long an audience waited between words: gaps between updates, and those that were too long.

Source: Operating Model, "Support Tier Structure": hourly updates while it is critical.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Gap", "gaps"]


class Gap(NamedTuple):
    """A stretch [start, end) without a word; `end` None: it lasts. Microseconds."""

    start: int
    end: int | None

    def too_long_at(self, within: int) -> int | None:
        """Return the last instant at which a word would have been in time, if none came by then or none has come yet."""
        due = self.start + within
        return due if self.end is None or self.end > due else None


def gaps(start: int, updates: Iterable[int], end: int | None) -> list[Gap]:
    """Return the gaps from a start, over the updates between, to the end; None: it has not ended. Exactly the time allowed is in time."""
    told = sorted(at for at in updates if at >= start and (end is None or at <= end))
    found = [Gap(one, other) for one, other in pairwise([start, *told])]
    return [*found, Gap(told[-1] if told else start, end)]
