"""Stretches of a service's time: laid over each other, corrected, judged and added up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.availability import Reckoning, in_series, measured
from opsledger.policies.timeline import MINUTE, Cells, Judged, Planned, State, Stretch, cells, corrected, judged, laid, within

STATES: list[State] = ["up", "unknown", "degraded", "down"]
END = 100


def stretch(start: int, stop: int, state: State = "down", position: int | None = None) -> Stretch:
    return Stretch(start, stop, state, None if position is None else f"incident:{position}", position)


def shown(stretches: Any) -> list[tuple[int, int, str]]:
    return [(each.start, each.stop, each.state) for each in stretches]


# Laid over each other.


def test_the_worst_state_of_an_instant_counts_and_nothing_is_added() -> None:
    layers = [[stretch(10, 30)], [stretch(20, 60, "degraded")]]
    assert shown(laid(0, END, "up", layers)) == [(0, 10, "up"), (10, 30, "down"), (30, 60, "degraded"), (60, 100, "up")]


def test_outages_within_another_and_next_to_it_make_one_stretch_of_downtime_each_moment_once() -> None:
    found = list(laid(0, END, "up", [[stretch(10, 40, position=1), stretch(20, 30, position=2), stretch(40, 50, position=3)]]))
    assert [(each.start, each.stop, each.position) for each in found] == [(0, 10, None), (10, 40, 1), (40, 50, 3), (50, 100, None)]


def test_of_equally_bad_ones_the_first_to_start_is_the_cause() -> None:
    found = list(laid(0, END, "up", [[stretch(10, 30, position=2)], [stretch(20, 50, position=1)]]))
    assert [(each.start, each.stop, each.position) for each in found if each.state == "down"] == [(10, 30, 2), (30, 50, 1)]


def test_what_begins_before_and_ends_after_is_cut_to_the_period() -> None:
    assert shown(laid(0, END, "up", [[stretch(-50, 10), stretch(90, 1 << 62)]])) == [(0, 10, "down"), (10, 90, "up"), (90, 100, "down")]
    assert shown(laid(0, END, "up", [[stretch(100, 110), stretch(200, 300)]])) == [(0, 100, "up")]


def test_a_stretch_without_length_says_nothing() -> None:
    assert shown(laid(0, END, "up", [[stretch(10, 10), stretch(20, 15)]])) == [(0, 100, "up")]


pieces = st.builds(stretch, st.integers(-5, 40), st.integers(0, 60), st.sampled_from(STATES), st.integers(1, 9))


@given(st.lists(st.lists(pieces, max_size=6), max_size=3))
def test_every_instant_has_the_worst_state_that_is_said_of_it(layers: list[list[Stretch]]) -> None:
    ordered = [sorted(layer, key=lambda each: each.start) for layer in layers]
    found = list(laid(0, 50, "up", ordered))
    assert [each.start for each in found] + [50] == [0] + [each.stop for each in found]
    for each in found:
        for at in range(each.start, each.stop):
            said = [piece.state for layer in layers for piece in layer if piece.start <= at < piece.stop]
            assert each.state == max(["up", *said], key=STATES.index)


# Corrected.


def test_a_correction_replaces_what_was_said_in_its_time() -> None:
    found = corrected([stretch(0, 50, "up"), stretch(50, 100)], [stretch(40, 60, "unknown", 9)], 0, END)
    assert shown(found) == [(0, 40, "up"), (40, 50, "unknown"), (50, 60, "unknown"), (60, 100, "down")]


def test_of_two_corrections_the_one_recorded_last_counts() -> None:
    found = corrected([stretch(0, 100, "down")], [stretch(10, 40, "up", 9), stretch(30, 60, "degraded", 8)], 0, END)
    assert shown(found) == [(0, 10, "down"), (10, 40, "up"), (40, 60, "degraded"), (60, 100, "down")]


@given(st.lists(pieces, max_size=6))
def test_every_instant_has_the_state_of_the_last_correction_of_it(corrections: list[Stretch]) -> None:
    numbered = [each._replace(position=place) for place, each in enumerate(corrections, 1)]
    found = list(corrected([stretch(0, 20, "up"), stretch(20, 50, "down")], numbered, 0, 50))
    assert sum(each.stop - each.start for each in found) == 50
    for each in found:
        for at in range(each.start, each.stop):
            said = [piece.state for piece in numbered if piece.start <= at < piece.stop]
            assert each.state == (said[-1] if said else "up" if at < 20 else "down")


# Judged.


def planned(start: int, stop: int, *, excluded: bool = True, rank: int = 1, window_id: str | None = "M-1") -> Planned:
    return Planned(start, stop, rank, excluded, window_id, "planned maintenance" if excluded else "notice")


def test_only_what_lies_in_maintenance_is_taken_out() -> None:
    found = list(judged([stretch(0, 30, "up"), stretch(30, 70), stretch(70, 100, "up")], [planned(40, 80)], 0, END))
    assert [(each.start, each.stop, each.state, each.scheduled) for each in found] == [
        (0, 30, "up", False),
        (30, 40, "down", False),
        (40, 70, "down", True),
        (70, 80, "up", True),
        (80, 100, "up", False),
    ]
    assert cells(found) == Cells(up=50, up_scheduled=10, down=10, down_scheduled=30)


def test_maintenance_that_fails_a_rule_counts_and_says_which() -> None:
    found = list(judged([stretch(0, 100)], [planned(40, 80, excluded=False)], 0, END))
    assert [(each.scheduled, each.window_id, each.reason) for each in found] == [
        (False, None, None),
        (False, "M-1", "notice"),
        (False, None, None),
    ]
    assert cells(found) == Cells(down=100, maintenance_counted=40)


def test_where_two_lie_over_each_other_the_higher_rank_counts() -> None:
    marks = [planned(0, 60), planned(40, 100, excluded=False, rank=0), planned(50, 55, excluded=False, rank=9, window_id=None)]
    found = list(judged([stretch(0, 100)], marks, 0, END))
    assert [(each.start, each.stop, each.scheduled) for each in found] == [(0, 50, True), (50, 55, False), (55, 60, True), (60, 100, False)]


@pytest.mark.parametrize(("length", "counted"), [(299, 0), (300, 300), (301, 301)])
def test_an_outage_as_long_as_the_least_one_counts_and_a_shorter_one_does_not(length: int, counted: int) -> None:
    found = list(judged([stretch(0, length), stretch(length, 1000, "up")], (), 0, 1000, minimum=300))
    assert cells(found) == Cells(up=1000 - counted, down=counted, forgiven=length - counted)
    assert found[0].state == "down"


def test_an_outage_is_as_long_as_all_its_stretches_whatever_caused_them() -> None:
    parts = [stretch(0, 200, position=1), stretch(200, 320, position=2), stretch(320, 1000, "up")]
    assert cells(judged(parts, (), 0, 1000, minimum=300)).down == 320
    parted = [stretch(0, 200), stretch(200, 201, "degraded"), stretch(201, 401), stretch(401, 1000, "up")]
    assert cells(judged(parted, (), 0, 1000, minimum=300)).down == 0


def test_the_length_of_an_outage_is_measured_before_maintenance_is_taken_out() -> None:
    found = cells(judged([stretch(0, 320), stretch(320, 1000, "up")], [planned(0, 200)], 0, 1000, minimum=300))
    assert found == Cells(up=680, down=120, down_scheduled=200)


@pytest.mark.parametrize(("seconds", "minutes"), [(59, 0), (60, 1), (119, 1), (120, 2), (150, 2)])
def test_partial_minutes_are_not_counted_where_whole_ones_are(seconds: int, minutes: int) -> None:
    end = 10 * MINUTE
    found = cells(judged([stretch(0, seconds * 1_000_000), stretch(seconds * 1_000_000, end, "up")], (), 0, end, whole_minutes=True))
    assert found.down == minutes * MINUTE
    assert found.period == end


def test_stretches_are_cut_to_a_period() -> None:
    found = list(judged([stretch(0, 30, "up"), stretch(30, 100)], (), 0, END))
    assert shown(within(found, 20, 40)) == [(20, 30, "up"), (30, 40, "down")]
    assert shown(within(found, 30, 30)) == []


marks = st.builds(
    lambda start, stop, rank: planned(start, stop, excluded=rank % 2 == 1, rank=rank),
    st.integers(-5, 40),
    st.integers(0, 60),
    st.integers(0, 5),
)


@given(st.lists(pieces, max_size=8), st.lists(marks, max_size=5), st.integers(0, 20), st.integers(0, 50), st.integers(0, 50))
def test_the_cells_of_any_period_add_up_to_it(said: list[Stretch], taken: list[Planned], minimum: int, one: int, other: int) -> None:
    layer = sorted(said, key=lambda each: each.start)
    found: list[Judged] = list(judged(laid(0, 50, "up", [layer]), taken, 0, 50, minimum=minimum))
    begin, end = sorted((one, other))
    first, second, third = (cells(within(found, *span)) for span in ((0, begin), (begin, end), (end, 50)))
    assert (first.period, second.period, third.period) == (begin, end - begin, 50 - end)
    whole = cells(found)
    assert all(getattr(whole, name) == sum(getattr(part, name) for part in (first, second, third)) for name in Cells.__slots__)
    assert whole.degraded + whole.forgiven <= whole.up
    for each in found:
        on_top = max((mark for mark in taken if mark.start <= each.start < mark.stop), key=lambda mark: mark.rank, default=None)
        assert each.scheduled == (on_top is not None and on_top.excluded)


# Measured.


def of(**lengths: int) -> Cells:
    return Cells(**lengths)


def test_the_same_month_is_met_by_one_denominator_and_missed_by_the_other() -> None:
    month = of(up=2_592_000 - 14_400 - 2_580, up_scheduled=14_400, down=2_580)
    found = measured(month)
    assert found.counted.share == Fraction(2_592_000 - 2_580, 2_592_000)
    assert found.removed.share == Fraction(2_577_600 - 2_580, 2_577_600)
    assert found.counted.met(Decimal("99.9")) is True
    assert found.removed.met(Decimal("99.9")) is False


def test_unknown_time_leaves_both_numbers_or_counts_as_up_or_down() -> None:
    month = of(up=60, down=10, unknown=20, unknown_scheduled=10)
    by_rule: dict[str, Reckoning] = {rule: measured(month, unknown_time=rule) for rule in ("excluded", "up", "down")}  # type: ignore[arg-type]
    assert {rule: found.removed.share for rule, found in by_rule.items()} == {
        "excluded": Fraction(60, 70),
        "up": Fraction(80, 90),
        "down": Fraction(60, 90),
    }
    assert by_rule["excluded"].counted.share == Fraction(70, 80)  # what was taken out is no unknown time any more


def test_degraded_time_counts_as_down_by_its_weight() -> None:
    found = measured(of(up=90, degraded=30, down=10), degraded_weight_pct=Decimal(30)).removed
    assert found.down == 19
    assert measured(of(up=90, degraded=1, down=10), degraded_weight_pct=Decimal("33.3")).removed.down == Fraction(10333, 1000)


def test_nothing_measured_is_neither_met_nor_missed() -> None:
    found = measured(of(unknown=100)).removed
    assert (found.total, found.share, found.met(Decimal("99.9"))) == (0, None, None)


def test_one_microsecond_above_the_budget_is_missed() -> None:
    assert measured(of(up=999, down=1)).removed.met(Decimal("99.9")) is True
    assert measured(of(up=998_999, down=1_001)).removed.met(Decimal("99.9")) is False
    assert measured(of(up=998_999, down=1_001)).removed.budget(Decimal("99.9")) == 1_000


def test_services_that_need_each_other_multiply() -> None:
    assert in_series([Fraction(999, 1000), Fraction(1, 2)]) == Fraction(999, 2000)
    assert in_series([]) == 1
