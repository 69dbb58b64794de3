"""Change control as pure rules: who has to approve, what a planned window collides with, what a freeze stops.

Times are integer microseconds and intervals half-open: a change that ends when another starts does not collide with it.
Kinds of conflicts are those of ServiceNow's conflict detection.

Source: Operating Model, "Change Control Process".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from opsledger.policies.intervals import Interval, overlap, union

__all__ = ["CONFLICT_KINDS", "Approval", "Authority", "Booking", "Collision", "ConflictKind", "FreezeWindow", "conflicts", "frozen_by"]

ConflictKind = Literal["ci_already_scheduled", "not_in_maintenance_window", "in_freeze", "assignee_already_scheduled"]
CONFLICT_KINDS: Final[tuple[ConflictKind, ...]] = (
    "ci_already_scheduled",
    "not_in_maintenance_window",
    "in_freeze",
    "assignee_already_scheduled",
)


class Approval(NamedTuple):
    """Who approved or signed off, and in which role."""

    by: str
    role: str


class Authority(NamedTuple):
    """What makes a change authorised: so many approvals, these roles among them, and sign-offs of these roles."""

    approvals: int
    roles: tuple[str, ...] = ()
    sign_off_roles: tuple[str, ...] = ()

    def given(self, requested_by: str, approvals: Iterable[Approval], sign_offs: Iterable[Approval]) -> bool:
        """Return whether it is given. Who asked does not count; who approves twice counts once."""
        others = [each for each in approvals if each.by != requested_by]
        enough = len({each.by for each in others}) >= self.approvals
        signed = {each.role for each in sign_offs if each.by != requested_by}
        return enough and {each.role for each in others}.issuperset(self.roles) and signed.issuperset(self.sign_off_roles)


class Booking(NamedTuple):
    """A window [start, end) in which a change works on configuration items, and by whom (empty: nobody named)."""

    change_id: str
    start: int
    end: int
    ci_ids: tuple[str, ...]
    assignee_id: str = ""


class FreezeWindow(NamedTuple):
    """A window [start, end) in which these configuration items shall stay as they are; none named: all."""

    freeze_id: str
    start: int
    end: int
    ci_ids: tuple[str, ...] = ()


class Collision(NamedTuple):
    """What a planned window collides with: the id of the change or freeze, empty where there is none to name."""

    kind: ConflictKind
    other_id: str = ""


def conflicts(
    planned: Booking, others: Iterable[Booking], maintenance: Iterable[Interval] | None, freezes: Iterable[FreezeWindow]
) -> tuple[Collision, ...]:
    """Return what a planned window collides with, by kind and then by id.

    `maintenance` None: work on these items is not bound to maintenance windows; else the whole window must lie in them.
    """
    found = set(_booked(planned, others))
    found |= {Collision("in_freeze", each) for each in frozen_by(planned, freezes)}
    if maintenance is not None and overlap([(planned.start, planned.end)], union(maintenance)) < planned.end - planned.start:
        found.add(Collision("not_in_maintenance_window"))
    return tuple(sorted(found, key=lambda each: (CONFLICT_KINDS.index(each.kind), each.other_id)))


def frozen_by(planned: Booking, freezes: Iterable[FreezeWindow]) -> Sequence[str]:
    """Return the ids of the freezes in which some of the planned window lies."""
    return sorted(each.freeze_id for each in freezes if _meet(planned, each) and _share(planned.ci_ids, each.ci_ids or planned.ci_ids))


def _booked(planned: Booking, others: Iterable[Booking]) -> Iterator[Collision]:
    for other in others:
        if other.change_id == planned.change_id or not _meet(planned, other):
            continue
        if set(planned.ci_ids) & set(other.ci_ids):
            yield Collision("ci_already_scheduled", other.change_id)
        if planned.assignee_id and planned.assignee_id == other.assignee_id:
            yield Collision("assignee_already_scheduled", other.change_id)


def _meet(one: Booking, other: Booking | FreezeWindow) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)


def _share(some: Sequence[str], others: Sequence[str]) -> bool:
    return not some or not set(some).isdisjoint(others)
