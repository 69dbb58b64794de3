"""recovery_point: to which instants can the data of a service be brought back, and of how much would a failure have cost us?

Grain: one row per recovery point. Controls take `start`, `fold` and `reaches` from here. How old the newest is grows with
the clock and stands in the view recovery_readiness; when one was too old, in control_finding.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from opsledger.domain import recovery_point as r
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.policies.intervals import Interval
from opsledger.policies.known import Known
from opsledger.policies.recovery import Point, covered
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Table, boolean, instant, integer, text

__all__ = ["PROJECTIONS", "RECOVERY_POINT", "Points", "Reach", "fold", "reaches", "rows", "start"]

RECOVERY_POINT = Table(
    "recovery_point",
    "One row per recovery point.",
    key=("service_month", "point_id"),
    columns=(
        text("service_month", "Service and UTC month of its completion, as in database/2026-03: what it is recorded under."),
        text("point_id", "Id of the point, the host's."),
        text("service_id", "Id of the service."),
        text("kind", "full, differential, incremental, log, snapshot or replica."),
        instant("completed_at", "When it could be restored from."),
        instant("recoverable_at", "The instant to which it brings the data back, corrected."),
        integer("behind_us", "completed_at - recoverable_at: how old the data were when it was done."),
        instant("covers_from", "Since then, up to recoverable_at, points were taken all the time; null: this one alone."),
        integer("lost_at_most_us", "What a failure in that time would have lost at most; null: this one alone."),
        text("place", "Where it is kept; null: not said."),
        integer("size_bytes", "How large it is; null: not said."),
        text("digest", "Digest of what is kept; null: none was made."),
        boolean("usable", "Whether it can be restored from, as far as is known."),
        instant("unusable_found_at", "When it was seen that it cannot; null: it was not."),
        text("defect", "damaged, incomplete or lost; null: none is known."),
        integer("correction_count", "How often recoverable_at was corrected."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("service_id", "recoverable_at"),),
)


_Bounds = Sequence[tuple[int, int]]
"""Below how many seconds a loss was promised to stay, and from when on; the first from ever."""


class Reach(NamedTuple):
    """What the points of a service and month cover: when a failure would have lost less than was promised. Microseconds."""

    spans: list[Interval]  # in order, joined
    taken: list[tuple[int, int]]  # when each usable point was completed, with the newest position on it; in order
    last_position: int

    @property
    def since(self) -> int | None:
        """When the first of them was there, or what it covers began; None: no point counts."""
        return min([*(at for at, _ in self.taken[:1]), *(low for low, _ in self.spans[:1])], default=None)

    def covers(self, instant: int) -> bool:
        """Return whether a failure at an instant would have lost less than was promised."""
        place = bisect_right(self.spans, instant, key=lambda span: span[0])
        return place > 0 and instant < self.spans[place - 1][1]

    def before(self, instant: int) -> tuple[int, int] | None:
        """Return the last point that was there before an instant."""
        place = bisect_left(self.taken, (instant, 0))
        return self.taken[place - 1] if place else None

    def after(self, instant: int) -> tuple[int, int] | None:
        """Return the first point that was there from an instant on."""
        place = bisect_left(self.taken, (instant, 0))
        return self.taken[place] if place < len(self.taken) else None


@dataclass(slots=True)
class Points:
    """The points of a service and month, by their ids, with what was found and corrected. Times in microseconds."""

    service_month: str
    taken: dict[str, tuple[int, r.Taken]] = field(default_factory=dict)  # with the position
    unusable: dict[str, tuple[int, int, r.Defect]] = field(default_factory=dict)  # when, position, how
    corrected: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # of the fact at a position: position, right instant
    last_position: int = 0
    reached: tuple[_Bounds, Reach] | None = field(default=None, compare=False, repr=False)  # once asked for, until the next fact

    @property
    def service_id(self) -> str:
        """Whose points they are; the month stands behind the last stroke."""
        return self.service_month.rpartition("/")[0]


def start(service_month: str) -> Points:
    """Return the state before the first fact."""
    return Points(service_month)


def fold(points: Points, recorded: Recorded) -> Points:
    """Return the state after one more fact. Of two facts that say when a point was taken the one recorded first counts."""
    event: r.Fact = recorded.fact
    points.last_position, points.reached = max(points.last_position, recorded.position), None
    match event:
        case r.Taken():
            known = points.taken.get(event.point_id)
            if known is None or recorded.position < known[0]:
                points.taken[event.point_id] = recorded.position, event
        case r.FoundUnusable():
            points.unusable.setdefault(event.point_id, (recorded.occurred_at, recorded.position, event.defect))
        case r.Corrected():
            points.corrected.setdefault(event.corrects, []).append((recorded.position, micros(event.now)))
    return points


def reaches(states: Iterable[Any], known: Known) -> list[Reach]:
    """Return what the points among the states of a service cover, month by month."""
    bounds = [(each.effective_from, each.model.availability.recovery_point_below) for each in known.models()]
    return [_reach(each, bounds) for each in states if isinstance(each, Points)]


def _reach(points: Points, bounds: _Bounds) -> Reach:
    """Return what points cover, each by the bound in force at its completion: a month that has not changed is not looked at again."""
    if points.reached is None or points.reached[0] != bounds:
        found = _counting(points)
        since = [at for at, _ in bounds]
        spans = covered((point, bounds[max(0, bisect_right(since, point.completed) - 1)][1]) for point, _ in found)
        points.reached = bounds, Reach(spans, sorted((point.completed, position) for point, position in found), points.last_position)
    return points.reached[1]


def _counting(points: Points) -> list[tuple[Point, int]]:
    """Return what counts, each with the position of the newest fact on it: a point that never was of use does not."""
    found = []
    for point_id, (position, taken) in points.taken.items():
        seen = points.unusable.get(point_id)
        if seen is not None and seen[2] != "lost":
            continue
        recoverable, last, _ = _recoverable(points, position, taken)
        since = None if taken.covers_from is None else micros(taken.covers_from)
        lost = None if seen is None else seen[0]
        found.append(
            (Point(micros(taken.completed_at), recoverable, since, taken.lost_at_most_us, lost), max(last, seen[1] if seen else 0))
        )
    return found


def rows(points: Points) -> Rows:
    """Return the rows of a service and month."""
    made = []
    for point_id, (position, taken) in sorted(points.taken.items()):
        completed = micros(taken.completed_at)
        recoverable, last, corrections = _recoverable(points, position, taken)
        seen = points.unusable.get(point_id)
        made.append(
            (
                points.service_month,
                point_id,
                taken.service_id,
                taken.kind,
                completed,
                recoverable,
                completed - recoverable,
                None if taken.covers_from is None else micros(taken.covers_from),
                taken.lost_at_most_us,
                taken.place,
                taken.size_bytes,
                taken.digest,
                seen is None,
                seen and seen[0],
                seen and seen[2],
                corrections,
                max(last, seen[1] if seen else 0),
            )
        )
    return {"recovery_point": made}


def _recoverable(points: Points, position: int, taken: r.Taken) -> tuple[int, int, int]:
    """Return to when a point brings data back, by the correction recorded last, the newest position that says so, and how many do."""
    corrections = points.corrected.get(position, [])
    last, recoverable = max(corrections, default=(position, micros(taken.recoverable_at)))
    return recoverable, last, len(corrections)


PROJECTIONS = (Entity("recovery_point", 1, "recovery_point", (RECOVERY_POINT,), start, fold, rows),)
