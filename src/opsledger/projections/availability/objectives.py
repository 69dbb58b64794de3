"""When objectives hold, and which version of each: shared by the tables that judge by them. No table of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opsledger.domain import slo
from opsledger.policies.instants import micros
from opsledger.policies.months import Month, Months
from opsledger.policies.voices import FOREVER
from opsledger.projections.availability.sources import Objectives

__all__ = ["Held", "Life", "held_months", "lives"]


class Life(NamedTuple):
    """An objective holds in [start, stop)."""

    start: int
    stop: int


class Held(NamedTuple):
    """A month in which an objective holds in [begin, end), up to where it is known, by one version of it."""

    month: Month
    life: Life
    begin: int
    end: int
    position: int  # of the fact that published the version
    version: slo.Published
    months: Months


def held_months(told: Objectives, retired_at: int | None, until: int, months: Months | None = None) -> Iterator[Held]:
    """Yield the months in which an objective holds, in order, up to `until`. A month keeps the version in force when it begins.

    `months` are by default those of the version that takes effect last.
    """
    life, versions = lives(told, retired_at), _by_effect(told)
    if not life:
        return
    counted = months or versions[-1][1].months.known()
    for month in counted.between(life[0].start, min(life[-1].stop, until)):
        lived = [each for each in life if each.start < min(month.stop, until) and each.stop > month.start]
        if lived:
            begin, end = max(month.start, lived[-1].start), min(month.stop, lived[-1].stop, until)
            if begin < end:
                yield Held(month, lived[-1], begin, end, *_in_force(versions, begin), counted)


def _by_effect(told: Objectives) -> list[tuple[int, slo.Published]]:
    """Return the versions of an objective, each with its position, in the order in which they take effect."""
    return sorted(told.versions, key=lambda each: (each[1].effective_from, each[0]))


def _in_force(versions: Sequence[tuple[int, slo.Published]], at: int) -> tuple[int, slo.Published]:
    """Return the version in force at an instant, with its position; the first one before any is."""
    place = bisect_right(versions, at, key=lambda each: micros(each[1].effective_from)) - 1
    return versions[max(0, place)]


def lives(told: Objectives, retired_at: int | None) -> list[Life]:
    """Return when an objective holds: from a version's effect to the next withdrawal, or until the service is retired."""
    edges = [(micros(version.effective_from), position, True) for position, version in told.versions]
    edges += [(at, position, False) for at, position in told.withdrawals]
    last = FOREVER if retired_at is None else retired_at
    found: list[Life] = []
    begun: int | None = None
    for at, _, begins in sorted(edges):
        if begins and begun is None:
            begun = at
        elif not begins and begun is not None:
            found.append(Life(begun, at))
            begun = None
    if begun is not None:
        found.append(Life(begun, FOREVER))
    return [Life(life.start, min(life.stop, last)) for life in found if life.start < min(life.stop, last)]
