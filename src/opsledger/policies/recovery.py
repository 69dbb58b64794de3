"""Recovery: what a failure loses and how long it takes, against the promise; when a recovery point is too old; sound data.

Both bounds are strict: exactly 15 minutes lost, or exactly an hour without the service, breaks the promise. Lengths are integer
microseconds, spans half-open. Source: Operating Model, "Platform Availability SLAs": "RTO <1 hour, RPO <15 minutes", "100% data
integrity guarantee".
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from opsledger.policies.duration import Seconds
from opsledger.policies.instants import SECOND
from opsledger.policies.intervals import Interval, union
from opsledger.policies.support import Section

__all__ = ["Cause", "Point", "Recovery", "covered", "kept", "sound"]

Cause = Literal["hardware", "software", "human_error", "provider", "attack", "disaster", "other"]
"""What makes recovery necessary."""


class Recovery(Section):
    """How recovery is prepared and tried. A model published before this section was there is read with what stands here."""

    services: tuple[str, ...] = Field(
        default=("database",), description="Services whose recovery, and whose data, are promised: availability.recovery_... hold for them."
    )
    drill_within: Seconds = Field(default=7_948_800, description="After a drill the next one is held within this.")
    check_within: Seconds = Field(default=691_200, description="After a check of integrity the next one is made within this.")
    point_told_within: Seconds = Field(
        default=93_600, description="The next recovery point is recorded this soon; until then a stretch that it may cover is no finding."
    )


def kept(length: int | None, below_s: int) -> bool | None:
    """Return whether a length stayed below its bound, strictly; None where it is not known."""
    return None if length is None else length < below_s * SECOND


def sound(rows: int, mismatches: int, promised_pct: Decimal) -> bool | None:
    """Return whether so many rows of those looked at are as they should be as is promised; None: none was looked at."""
    return 100 * (rows - mismatches) >= promised_pct * rows if rows else None


class Point(NamedTuple):
    """A recovery point as it counts. Microseconds."""

    completed: int  # it can be restored from since then
    recoverable: int
    covers_from: int | None  # a stretch of points, up to `recoverable`, by which a failure would have lost `lost_at_most`
    lost_at_most: int | None
    lost: int | None  # when the point itself was lost; None: it is there

    def spans(self, below_s: int) -> list[Interval]:
        """Return when a failure would have lost less than the bound, by this point.

        At the end of a stretch of points the newest of them was no older than what would have been lost at most; it lasts from there.
        """
        after = self.completed, self.recoverable + below_s * SECOND
        spans = [after] if after[1] > after[0] else []
        if self.covers_from is not None and self.lost_at_most is not None and kept(self.lost_at_most, below_s):
            spans.append((self.covers_from, self.recoverable + below_s * SECOND - self.lost_at_most))
        end = self.lost
        return spans if end is None else [(low, min(high, end)) for low, high in spans if low < end]


def covered(points: Iterable[tuple[Point, int]]) -> list[Interval]:
    """Return when a failure would have lost less than the bound, by points each with its bound in seconds; in order, joined."""
    return union(span for point, below_s in points for span in point.spans(below_s))
