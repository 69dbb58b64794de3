"""What a failure loses, on the line; when a recovery point is young enough; how many rows may differ."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.policies.instants import SECOND
from opsledger.policies.recovery import Point, covered, kept, sound

QUARTER = 900  # seconds
MIN = 60 * SECOND


@pytest.mark.parametrize(
    ("length", "met"), [(899 * SECOND, True), (QUARTER * SECOND - 1, True), (QUARTER * SECOND, False), (0, True), (None, None)]
)
def test_the_bound_itself_is_too_much(length: int | None, met: bool | None) -> None:
    assert kept(length, QUARTER) is met


@pytest.mark.parametrize(
    ("rows", "mismatches", "promised", "held"),
    [
        (10**9, 0, "100", True),
        (10**9, 1, "100", False),
        (0, 0, "100", None),
        (1000, 1, "99.9", True),
        (1000, 2, "99.9", False),
        (999, 1, "99.9", False),
    ],
)
def test_as_many_rows_as_promised_are_as_they_should_be(rows: int, mismatches: int, promised: str, held: bool | None) -> None:
    assert sound(rows, mismatches, Decimal(promised)) is held


def test_a_point_serves_from_its_completion_until_it_is_too_old() -> None:
    point = Point(completed=5 * MIN, recoverable=3 * MIN, covers_from=None, lost_at_most=None, lost=None)
    assert covered([(point, QUARTER)]) == [(5 * MIN, 18 * MIN)]
    assert covered([(point._replace(lost=6 * MIN), QUARTER)]) == [(5 * MIN, 6 * MIN)]
    assert covered([(point._replace(completed=18 * MIN), QUARTER)]) == []  # too old when it was done


def test_a_stretch_of_points_serves_on_from_its_newest() -> None:
    stretch = Point(completed=100 * MIN, recoverable=60 * MIN, covers_from=0, lost_at_most=5 * MIN, lost=None)
    assert covered([(stretch, QUARTER)]) == [(0, 70 * MIN)]
    assert covered([(stretch._replace(lost_at_most=QUARTER * SECOND), QUARTER)]) == []


times = st.integers(0, 40)


@st.composite
def points(draw: st.DrawFn) -> Point:
    recoverable = draw(times)
    since = draw(st.none() | st.integers(0, recoverable))
    return Point(
        recoverable + draw(st.integers(0, 12)),
        recoverable,
        since,
        None if since is None else draw(st.integers(0, 12)),
        draw(st.none() | times),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(points(), max_size=5))
def test_every_moment_is_covered_when_some_point_there_was_young_enough(found: list[Point]) -> None:
    below = 8
    spans = covered([(scaled(each), below) for each in found])
    for minute in range(70):
        young = any(served(each, minute, below) for each in found)
        assert young is any(low <= minute * SECOND < high for low, high in spans), minute


def scaled(point: Point) -> Point:
    return Point(*(None if value is None else value * SECOND for value in point))  # type: ignore[arg-type]  # in the order of its fields


def served(point: Point, now: int, below: int) -> bool:
    """Return whether a failure at an instant would have lost less than the bound, by asking of each shipment of a stretch."""
    if point.lost is not None and now >= point.lost:
        return False
    if point.completed <= now and now - point.recoverable < below:
        return True
    if point.covers_from is None or point.lost_at_most is None or now < point.covers_from:
        return False
    newest = min(now, point.recoverable) - point.lost_at_most
    return point.lost_at_most < below and now - newest < below
