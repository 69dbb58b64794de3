"""The phases of onboarding as policy: those of the source by default, one's own, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from opsledger.policies import documents
from opsledger.policies.onboarding import Onboarding
from opsledger.policies.operating_model import OperatingModel, default_model

WITHOUT: dict[str, Any] = {
    "pre_onboarding": {"from_day": -14, "until_day": 0},
    "initial_setup": {"from_day": 0, "until_day": 7},
    "adoption": {"from_day": 7, "until_day": 28},
    "optimization": {"from_day": 28, "until_day": 56},
}


def test_a_document_from_before_activities_and_surveys_means_those_of_the_source() -> None:
    older = json.loads(documents.canonical(default_model()))
    del older["surveys"]
    older["onboarding"] = WITHOUT
    read = documents.restored(OperatingModel, json.dumps(older))
    phases = [(name, activities) for name, _, activities in read.onboarding.phases()]
    assert phases == [(name, activities) for name, _, activities in default_model().onboarding.phases()]
    assert read.surveys == default_model().surveys


def test_activities_of_ones_own_take_the_place_of_those_of_the_source() -> None:
    own = Onboarding.model_validate({**WITHOUT, "adoption": {**WITHOUT["adoption"], "activities": ["office_hours"]}})
    found = {name: activities for name, _, activities in own.phases()}
    assert found["adoption"] == ("office_hours",)
    assert len(found["optimization"]) == 4


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"adoption": {"from_day": 7, "until_day": 7}}, "does not run forwards"),
        ({"adoption": {"from_day": 7, "until_day": 28, "activities": ["welcome_call"]}}, "name each once"),
        ({"first_value_needs": ["lunch"]}, "an activity of no phase"),
        ({"adoption": {"from_day": 7, "until_day": 28, "activities": ["Office hours"]}}, "pattern"),
    ],
)
def test_phases_that_contradict_themselves_are_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Onboarding.model_validate({**WITHOUT, **changed})
