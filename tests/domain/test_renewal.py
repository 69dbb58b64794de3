"""Renewals: forecasts of people, and what more a customer might buy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from opsledger.domain import renewal as r
from opsledger.testing import Spec, at

MARCH_1, MARCH_5, MARCH_9 = at("2026-03-01T09:00:00Z"), at("2026-03-05T09:00:00Z"), at("2026-03-09T09:00:00Z")
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "A digit too much"}

renewal = Spec("renewal:C-7/2026-06")
THOUGHT: dict[str, Any] = {
    "customer_id": "C-7",
    "subscription_id": "S-1",
    "renewal_on": date(2026, 6, 1),
    "probability_bp": 8000,
    "forecast_by": "u-1",
}
FORECAST = r.ForecastRecorded(forecast_at=MARCH_1, source="person", subject_id="renewal:C-7/2026-06", note=None, **THOUGHT)
MORE: dict[str, Any] = {"customer_id": "C-7", "opportunity_id": "X-1", "mrr_minor": 5000, "currency": "USD", "identified_by": "u-1"}
IDENTIFIED = r.ExpansionIdentified(identified_at=MARCH_1, **MORE)
WON = r.ExpansionWon(won_at=MARCH_5, customer_id="C-7", opportunity_id="X-1")


def test_somebody_says_how_likely_a_renewal_is() -> None:
    renewal.when(r.forecast, at=MARCH_1, **THOUGHT).then(FORECAST)


def test_the_same_forecast_is_the_same_only_at_the_same_time() -> None:
    renewal.given(FORECAST).when(r.forecast, at=MARCH_1, **THOUGHT).then_nothing()
    (fresh,) = renewal.given(FORECAST).when(r.forecast, at=MARCH_5, **THOUGHT).facts
    assert fresh.forecast_at == MARCH_5


def test_a_forecast_of_earlier_is_recorded_late() -> None:
    (late,) = renewal.given(FORECAST).when(r.forecast, at=at("2026-02-01"), **{**THOUGHT, "probability_bp": 9000}).facts
    assert (late.forecast_at, late.probability_bp) == (at("2026-02-01"), 9000)


@pytest.mark.parametrize("probability_bp", [-1, 10_001])
def test_a_probability_lies_between_nothing_and_all(probability_bp: int) -> None:
    renewal.when(r.forecast, at=MARCH_1, **{**THOUGHT, "probability_bp": probability_bp}).then_refused("no probability")


@pytest.mark.parametrize("probability_bp", [0, 10_000])
def test_certainty_is_a_probability(probability_bp: int) -> None:
    (made,) = renewal.when(r.forecast, at=MARCH_1, **{**THOUGHT, "probability_bp": probability_bp}).facts
    assert made.probability_bp == probability_bp


def test_a_renewal_is_of_one_customer() -> None:
    for decision, arguments in ((r.forecast, THOUGHT), (r.identify_expansion, MORE), (r.assess_expansion, {"assessed_by": "u-1"})):
        asked = {**arguments, "customer_id": "C-8"}
        renewal.given(FORECAST).when(decision, at=MARCH_5, **asked).then_refused("is a renewal of C-7")


POSITION = renewal.known.position + 1
CORRECTION: dict[str, Any] = {"corrects": POSITION, "was_bp": 8000, "to_bp": 800, **PEOPLE}


def test_a_forecast_is_corrected_by_two_people() -> None:
    (corrected,) = renewal.given(FORECAST).when(r.correct_forecast, at=MARCH_5, **CORRECTION).facts
    assert (corrected.was_bp, corrected.now_bp, corrected.customer_id) == (8000, 800, "C-7")
    renewal.given(FORECAST, corrected).when(r.correct_forecast, at=MARCH_5, **CORRECTION).then_refused("is known to say 800")
    renewal.given(FORECAST, corrected).when(r.correct_forecast, at=MARCH_5, **{**CORRECTION, "was_bp": 800}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was_bp": 800}, "is known to say 8000"),
        ({"to_bp": 10_001}, "no probability"),
        ({"corrects": POSITION + 1}, "is no forecast"),
    ],
)
def test_what_is_no_correction_of_a_forecast_is_refused(changed: dict[str, Any], refusal: str) -> None:
    renewal.given(FORECAST, IDENTIFIED).when(r.correct_forecast, at=MARCH_5, **{**CORRECTION, **changed}).then_refused(refusal)


def test_somebody_looks_for_more_and_may_find_nothing() -> None:
    assessed = r.ExpansionAssessed(assessed_at=MARCH_1, customer_id="C-7", assessed_by="u-1")
    renewal.when(r.assess_expansion, at=MARCH_1, customer_id="C-7", assessed_by="u-1").then(assessed)
    renewal.given(assessed).when(r.assess_expansion, at=MARCH_1, customer_id="C-7", assessed_by="u-1").then_nothing()


def test_an_opportunity_is_identified_and_its_amount_changes() -> None:
    renewal.when(r.identify_expansion, at=MARCH_1, **MORE).then(IDENTIFIED)
    renewal.given(IDENTIFIED).when(r.identify_expansion, at=MARCH_5, **MORE).then_nothing()
    (changed,) = renewal.given(IDENTIFIED).when(r.identify_expansion, at=MARCH_5, **{**MORE, "mrr_minor": 6000}).facts
    assert changed.mrr_minor == 6000
    (earlier,) = renewal.given(IDENTIFIED).when(r.identify_expansion, at=at("2026-02-01"), **MORE).facts
    assert earlier.identified_at == at("2026-02-01")
    renewal.when(r.identify_expansion, at=MARCH_1, **{**MORE, "mrr_minor": 0}).then_refused("is no expansion")


def test_an_opportunity_is_won_or_lost_once() -> None:
    lost = r.ExpansionLost(lost_at=MARCH_5, customer_id="C-7", opportunity_id="X-1", reason="budget")
    known = renewal.given(IDENTIFIED)
    known.when(r.win_expansion, at=MARCH_5, opportunity_id="X-1").then(WON)
    known.when(r.lose_expansion, at=MARCH_5, opportunity_id="X-1", reason="budget").then(lost)
    renewal.given(IDENTIFIED, WON).when(r.win_expansion, at=MARCH_5, opportunity_id="X-1").then_nothing()
    renewal.given(IDENTIFIED, WON).when(r.lose_expansion, at=MARCH_9, opportunity_id="X-1").then_refused("was won")
    renewal.given(IDENTIFIED, lost).when(r.win_expansion, at=MARCH_9, opportunity_id="X-1").then_refused("was lost")
    renewal.given(IDENTIFIED, WON).when(r.identify_expansion, at=MARCH_9, **MORE).then_refused("identify another one")


def test_what_nobody_identified_by_then_is_not_won() -> None:
    renewal.given(FORECAST).when(r.win_expansion, at=MARCH_5, opportunity_id="X-1").then_refused("was not identified by")
    renewal.given(IDENTIFIED).when(r.lose_expansion, at=at("2026-02-01"), opportunity_id="X-1").then_refused("was not identified by")


def test_an_end_of_earlier_typed_in_late_is_recorded() -> None:
    again = r.ExpansionIdentified(identified_at=MARCH_9, **{**MORE, "mrr_minor": 9000})
    renewal.given(IDENTIFIED, again).when(r.win_expansion, at=MARCH_5, opportunity_id="X-1").then(WON)
