"""The arithmetic of health scores: exact sums, no metric that lowers a score by rising, edges on the line."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opsledger.errors import BadInput
from opsledger.policies.health import DEFAULT, STAGES, Measured, Part, Risks, Score, band_of, decay, deductions, lin, score
from opsledger.policies.health_presets import impact, pointed, trend_pct

VALUES = st.fractions(min_value=-2, max_value=40, max_denominator=1000)
RISKS = st.builds(
    Risks,
    fall=st.none() | st.fractions(min_value=-2, max_value=1, max_denominator=100),
    tickets=st.integers(0, 20),
    tickets_before=st.fractions(min_value=0, max_value=10, max_denominator=2),
    urgent=st.booleans(),
    detractors=st.integers(0, 2),
    csat=st.integers(0, 5).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    unforecast=st.booleans(),
    past_due_days=st.integers(0, 40),
    cancelled=st.booleans(),
)
MORE = st.fractions(min_value=0, max_value=20, max_denominator=50)
STAGE = st.sampled_from(STAGES)
NAMES = [(metric.name, bounds.part) for metric in DEFAULT.metrics for bounds in metric.parts]
VALUED = st.dictionaries(st.sampled_from(NAMES), VALUES)


def measured(values: dict[tuple[str, str], Fraction]) -> dict[str, Measured]:
    parts: dict[str, list[Part]] = {}
    for (metric, part), value in values.items():
        parts.setdefault(metric, []).append(Part(part, value, Fraction(3)))
    return {metric: Measured(tuple(each)) for metric, each in parts.items()}


def total(found: Score) -> int:
    return sum(line.contribution_x10 - line.deduction_x10 for line in found.lines)


@given(values=VALUED, risks=RISKS, stage=STAGE)
def test_contributions_minus_deductions_are_the_score(values: Any, risks: Risks, stage: Any) -> None:
    found = score(DEFAULT, stage, measured(values), risks)
    assert total(found) == (found.score_x10 or 0)
    assert found.score_x10 is None or 0 <= found.score_x10 <= 1000
    assert all(line.contribution_x10 >= 0 and line.deduction_x10 >= 0 for line in found.lines)
    assert (found.band == "unknown") == (found.score_x10 is None or found.coverage_bp < 5000)
    if risks.cancelled:
        assert (found.score_x10 or 0) <= 250


@given(
    values=VALUED, risks=RISKS, stage=STAGE, name=st.sampled_from(NAMES), more=st.fractions(min_value=0, max_value=20, max_denominator=50)
)
def test_a_metric_that_gets_better_never_lowers_the_score(values: Any, risks: Risks, stage: Any, name: Any, more: Fraction) -> None:
    assume(name in values)
    metric = next(each for each in DEFAULT.metrics if each.name == name[0])
    bounds = next(each for each in metric.parts if each.part == name[1])
    better = values[name] + (more if bounds.all_bp > bounds.nothing_bp else -more)
    before = score(DEFAULT, stage, measured(values), risks).score_x10
    after = score(DEFAULT, stage, measured({**values, name: better}), risks).score_x10
    assert (after or 0) >= (before or 0)


@pytest.mark.parametrize(("value", "worth"), [("0.1", 0), ("0.35", 5000), ("0.6", 10_000), ("0", 0), ("7", 10_000), ("0.100025", 1)])
def test_worth_lies_between_the_bounds(value: str, worth: int) -> None:
    assert lin(Fraction(value), Fraction("0.1"), Fraction("0.6")) == worth


def test_less_may_be_better() -> None:
    assert [lin(Fraction(each), Fraction(20), Fraction(5)) for each in (25, 20, 5, 0)] == [0, 0, 10_000, 10_000]
    with pytest.raises(BadInput, match="two that differ"):
        lin(Fraction(1), Fraction(1), Fraction(1))


def test_bands_have_their_upper_edge() -> None:
    assert [band_of(each, DEFAULT.bands) for each in (500, 501, 750, 751)] == ["red", "yellow", "yellow", "green"]


@pytest.mark.parametrize(("fall", "points"), [("0.1999", 0), ("0.2", 50), ("0.35", 100), ("0.5", 150), ("1", 150)])
def test_a_fall_is_deducted_from_its_edge_on(fall: str, points: int) -> None:
    assert deductions(DEFAULT.risks, Risks(fall=Fraction(fall)))["declining_usage"] == points


@pytest.mark.parametrize(("tickets", "before", "points"), [(2, 0, 0), (3, 0, 50), (3, 2, 0), (4, 2, 50)])
def test_more_tickets_are_three_and_twice_the_usual(tickets: int, before: int, points: int) -> None:
    assert deductions(DEFAULT.risks, Risks(tickets=tickets, tickets_before=Fraction(before)))["increased_tickets"] == points


def test_deductions_have_a_limit_and_a_cancellation_a_cap() -> None:
    best = measured({name: Fraction(0 if name[1] in ("error_share", "per_100_users") else 40) for name in NAMES})
    everything = Risks(Fraction(1), 9, Fraction(0), urgent=True, detractors=1, csat=(0, 3), unforecast=True, past_due_days=15)
    assert score(DEFAULT, "mature", best, Risks()).score_x10 == 1000
    assert score(DEFAULT, "mature", best, everything).score_x10 == 700
    assert score(DEFAULT, "mature", best, Risks(cancelled=True)).score_x10 == 250
    assert score(DEFAULT, "mature", {}, everything).score_x10 is None


def test_a_few_answers_are_pulled_towards_what_all_say() -> None:
    one = {"csat": Measured((Part("favourable", Fraction(0), Fraction(1)),))}
    (line,) = [line for line in score(DEFAULT, "mature", one, Risks()).lines if line.name == "csat"]
    assert line.subscore_bp == 5333  # (0 + 2 * 0.8) / (1 + 2)


def test_old_answers_weigh_half_after_each_half_life() -> None:
    assert [decay(age, 180) for age in (0, 180, 360)] == [1, Fraction(1, 2), Fraction(1, 4)]
    assert decay(90, 180) == Fraction(707_106_781, 10**9)


@pytest.mark.parametrize("stage", STAGES)
def test_the_weights_of_a_stage_are_all_there_is(stage: Any) -> None:
    assert sum(DEFAULT.weights(stage).values()) == 10_000


def test_presets_refuse_what_cannot_be_counted() -> None:
    with pytest.raises(BadInput, match="Nothing rises"):
        trend_pct(1, 0)
    with pytest.raises(BadInput, match="cannot have the weights"):
        pointed(["good"], {"good": 1}, [1, 2])
    assert impact(Fraction(12), (0, 10), (-5, 5), bounded=True) is None
