"""A change is asked for, judged, approved or rejected; nobody approves what they asked for."""

from __future__ import annotations

from typing import Any

import pytest
from crew import APPROVED, ASSESSED, EMERGENCY, NORMAL, READY, SELF, STANDARD, approved, on, rejected, requested, spec, started

from opsledger.domain import change
from opsledger.policies.operating_model import default_model
from opsledger.policies.platform import Changes
from opsledger.testing import Spec
from opsledger.testing.spec import known_with

JUDGED: dict[str, Any] = {"impact": "low", "risk": "moderate", "backout_planned": True}


@pytest.mark.parametrize("first", [STANDARD, NORMAL, EMERGENCY], ids=lambda first: first.category)
def test_a_request_pins_the_rules_of_its_category_and_both_words_for_it(first: change.Requested) -> None:
    asked = {"category": first.category, "title": "Move the API", "ci_ids": ("api", "api")}
    spec.when(change.request, at=on("09:00"), by="u-1", **asked).then(first)


def test_somebody_may_be_named_who_asks() -> None:
    asked = {"category": "normal", "title": "Move the API", "requested_by": "u-1", "incident_id": "INC-1", "release_id": "R-1"}
    spec.when(change.request, at=on("09:00"), **asked).then(requested("normal", incident_id="INC-1", release_id="R-1"))


def test_a_change_is_requested_once() -> None:
    spec.given(STANDARD).when(change.request, at=on("09:05"), category="normal", title="Again").then_refused("change.exists")


def test_a_category_of_which_the_model_says_nothing_is_refused() -> None:
    model = default_model().model_copy(update={"changes": Changes(itil_type={}, approvals={}, retroactive_approval_within=0)})
    silent = Spec("change:CHG-1", known_with(model))
    silent.when(change.request, at=on("09:00"), category="normal", title="It").then_refused("says nothing of normal changes")


def test_an_assessment_is_recorded_and_the_same_again_adds_nothing() -> None:
    spec.given(STANDARD).when(change.assess, at=on("09:10"), by="u-2", **JUDGED).then(ASSESSED)
    spec.given(STANDARD, ASSESSED).when(change.assess, at=on("09:10"), **JUDGED).then_nothing()


@pytest.mark.parametrize("first", [STANDARD, NORMAL, EMERGENCY], ids=lambda first: first.category)
def test_who_asked_cannot_approve_whatever_the_category(first: change.Requested) -> None:
    spec.given(first, ASSESSED).when(change.approve, at=on("09:20"), by="u-1", in_role="cto").then_refused("approval.same_person")
    spec.given(first, ASSESSED).when(change.approve, at=on("09:20"), by="u-9", approved_by="u-1").then_refused("approval.same_person")
    spec.given(first, ASSESSED).when(change.sign_off, at=on("09:20"), by="u-1").then_refused("approval.same_person")


def test_another_approves_in_their_own_role() -> None:
    spec.given(STANDARD, ASSESSED).when(change.approve, at=on("09:20"), by="u-2", in_role="manager").then(APPROVED)


def test_the_same_approval_again_adds_nothing() -> None:
    spec.given(*READY).when(change.approve, at=on("09:20"), by="u-2", in_role="manager").then_nothing()


def test_a_standard_change_is_assessed_before_it_is_approved() -> None:
    spec.given(STANDARD).when(change.approve, at=on("09:20"), by="u-2").then_refused("change.unassessed")
    spec.given(STANDARD, ASSESSED).when(change.approve, at=on("09:09"), by="u-2").then_refused("change.unassessed")
    spec.given(STANDARD, ASSESSED).when(change.approve, at=on("09:10"), by="u-2", in_role="manager").then(approved("09:10"))


def test_an_emergency_is_approved_without_an_assessment() -> None:
    spec.given(EMERGENCY).when(change.approve, at=on("09:20"), by="u-2", in_role="cto").then(approved("09:20", role="cto"))


def test_an_approval_after_the_work_is_recorded() -> None:
    spec.given(EMERGENCY, started(authorised=False)).when(change.approve, at=on("12:00"), by="u-2", in_role="cto").then(
        approved("12:00", role="cto")
    )


def test_a_rejection_undoes_the_approvals_given_by_then() -> None:
    spec.given(*READY).when(change.reject, at=on("09:30"), by="u-3", in_role="manager", reason="Not now").then(rejected("09:30"))
    spec.given(*READY, rejected("09:30")).when(change.start, at=on("10:00")).then_refused("it was rejected")
    spec.given(*READY, rejected("09:30"), approved("09:25", "u-4")).when(change.start, at=on("10:00")).then_refused("it was rejected")
    spec.given(*READY, rejected("09:30"), approved("09:31")).when(change.start, at=on("10:00")).then(started())


def test_a_stakeholder_signs_off_beside_the_approvers() -> None:
    needs = requested("standard", sign_off_roles=("legal",))
    signed = change.SignedOff(signed_off_at=on("09:25"), signed_off_by="u-5", role="legal", **SELF)
    spec.given(needs, ASSESSED, APPROVED).when(change.start, at=on("10:00")).then_refused("it needs the sign-off of the role legal")
    spec.given(needs, ASSESSED, APPROVED).when(change.sign_off, at=on("09:25"), by="u-5", in_role="legal").then(signed)
    spec.given(needs, ASSESSED, APPROVED, signed).when(change.sign_off, at=on("09:25"), by="u-5", in_role="legal").then_nothing()
    spec.given(needs, ASSESSED, APPROVED, signed).when(change.start, at=on("10:00")).then(started())


def test_a_quorum_is_of_people_and_not_of_approvals() -> None:
    needs = requested("standard", approvals=2)
    twice = (needs, ASSESSED, approved("09:20"), approved("09:21", role="owner"))
    spec.given(*twice).when(change.start, at=on("10:00")).then_refused("it needs 2 approvals and has 1")
    spec.given(*twice, approved("09:22", "u-3")).when(change.start, at=on("10:00")).then(started())


def test_a_change_is_cancelled_before_its_work_begins() -> None:
    cancelled = change.Cancelled(cancelled_at=on("09:40"), reason="No need", **SELF)
    spec.given(*READY).when(change.cancel, at=on("09:40"), reason="No need").then(cancelled)
    spec.given(*READY, cancelled).when(change.cancel, at=on("09:50")).then_nothing()
    spec.given(*READY, cancelled).when(change.start, at=on("09:50")).then_refused("change.cancelled")
    spec.given(*READY, cancelled).when(change.approve, at=on("09:50"), by="u-4").then_refused("A cancelled change takes no approval")
    spec.given(*READY, started()).when(change.cancel, at=on("10:30")).then_refused("complete it or back it out")
