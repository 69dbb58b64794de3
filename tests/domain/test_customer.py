"""Customers: segment, entitlements and owners, said once, anew, late, and corrected."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import customer as c
from opsledger.testing import Spec, at

MARCH_1, MARCH_5, MARCH_9 = at("2026-03-01T09:00:00Z"), at("2026-03-05T09:00:00Z"), at("2026-03-09T09:00:00Z")
EARLIER = at("2026-02-28T09:00:00Z")

somebody = Spec("customer:C-7")
REGISTERED = c.Registered(registered_at=MARCH_1, segment="small")
ENTITLED = c.Entitled(entitled_at=MARCH_5, seats=20, api=True, features=("reports", "search"), cases_per_28_days=40)
TERMS: dict[str, Any] = {"seats": 20, "api": True, "features": ("search", "reports", "search"), "cases_per_28_days": 40}
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The contract says so"}


def manager(owner_id: str, when: Any) -> c.OwnerAssigned:
    return c.OwnerAssigned(assigned_at=when, role="customer_success_manager", owner_id=owner_id)


def test_a_customer_is_registered_with_a_segment() -> None:
    somebody.when(c.register, at=MARCH_1, segment="small").then(REGISTERED)


def test_the_same_registration_again_adds_nothing_and_another_one_is_refused() -> None:
    somebody.given(REGISTERED).when(c.register, at=MARCH_1, segment="small").then_nothing()
    somebody.given(REGISTERED).when(c.register, at=MARCH_5, segment="small").then_refused("is a customer since")


def test_a_customer_is_counted_to_another_segment() -> None:
    somebody.given(REGISTERED).when(c.change_segment, at=MARCH_5, segment="large").then(
        c.SegmentChanged(changed_at=MARCH_5, segment="large")
    )
    somebody.given(REGISTERED).when(c.change_segment, at=MARCH_5, segment="small").then_nothing()


def test_a_segment_of_earlier_that_is_typed_in_late_does_not_change_the_present_one() -> None:
    large = c.SegmentChanged(changed_at=MARCH_9, segment="large")
    middle = c.SegmentChanged(changed_at=MARCH_5, segment="middle")
    somebody.given(REGISTERED, large).when(c.change_segment, at=MARCH_5, segment="middle").then(middle)
    somebody.given(REGISTERED, large, middle).when(c.change_segment, at=MARCH_9, segment="large").then_nothing()


def test_entitlements_are_said_all_at_once_and_features_by_name() -> None:
    somebody.given(REGISTERED).when(c.entitle, at=MARCH_5, **TERMS).then(ENTITLED)
    somebody.given(REGISTERED, ENTITLED).when(c.entitle, at=MARCH_9, **TERMS).then_nothing()
    (fewer,) = somebody.given(REGISTERED, ENTITLED).when(c.entitle, at=MARCH_9, seats=5).facts
    assert (fewer.seats, fewer.api, fewer.features) == (5, False, ())


def test_an_entitlement_of_earlier_is_recorded_also_where_it_says_what_holds_now() -> None:
    somebody.given(REGISTERED, ENTITLED).when(c.entitle, at=MARCH_1, **TERMS).then(
        c.Entitled(entitled_at=MARCH_1, seats=20, api=True, features=("reports", "search"), cases_per_28_days=40)
    )


def test_owners_follow_each_other_in_a_role() -> None:
    first, second = manager("u-1", MARCH_1), manager("u-2", MARCH_5)
    somebody.given(REGISTERED).when(c.assign_owner, at=MARCH_1, role="customer_success_manager", owner_id="u-1").then(first)
    somebody.given(REGISTERED, first).when(c.assign_owner, at=MARCH_5, role="customer_success_manager", owner_id="u-1").then_nothing()
    somebody.given(REGISTERED, first).when(c.assign_owner, at=MARCH_5, role="customer_success_manager", owner_id="u-2").then(second)
    somebody.given(REGISTERED, second).when(c.assign_owner, at=MARCH_1, role="customer_success_manager", owner_id="u-1").then(first)


def test_an_owner_is_released_once_and_only_in_the_role_that_they_have() -> None:
    held = somebody.given(REGISTERED, manager("u-1", MARCH_1))
    held.when(c.release_owner, at=MARCH_5, role="support_specialist").then_nothing()
    released = c.OwnerReleased(released_at=MARCH_5, role="customer_success_manager")
    held.when(c.release_owner, at=MARCH_5, role="customer_success_manager").then(released)
    somebody.given(REGISTERED, manager("u-1", MARCH_1), released).when(
        c.release_owner, at=MARCH_9, role="customer_success_manager"
    ).then_nothing()


@pytest.mark.parametrize(
    ("decision", "arguments"),
    [
        (c.change_segment, {"segment": "large"}),
        (c.entitle, {"seats": 1}),
        (c.assign_owner, {"role": "support_specialist", "owner_id": "u-1"}),
        (c.release_owner, {"role": "support_specialist"}),
    ],
)
def test_nothing_happens_to_a_customer_before_the_registration(decision: Any, arguments: dict[str, Any]) -> None:
    somebody.given(REGISTERED).when(decision, at=EARLIER, **arguments).then_refused("before the customer was registered")
    somebody.when(decision, at=MARCH_1, **arguments).then_refused("no facts")


def position(number: int) -> int:
    """Return where the fact with that number in the stream stands, from 1."""
    return somebody.known.position + number


def test_a_time_is_corrected_by_two_people_and_what_holds_follows() -> None:
    facts = (REGISTERED, c.SegmentChanged(changed_at=MARCH_9, segment="large"))
    asked = {"corrects": position(2), "was": MARCH_9, "to": MARCH_5, **PEOPLE}
    (corrected,) = somebody.given(*facts).when(c.correct_time, at=MARCH_9, **asked).facts
    assert (corrected.corrects, corrected.was, corrected.now, corrected.subject_id) == (position(2), MARCH_9, MARCH_5, "customer:C-7")
    somebody.given(*facts, corrected).when(c.change_segment, at=at("2026-03-06"), segment="large").then_nothing()
    somebody.given(*facts, corrected).when(c.correct_time, at=MARCH_9, **asked).then_refused("is known to say")
    somebody.given(*facts, corrected).when(c.correct_time, at=MARCH_9, **{**asked, "was": MARCH_5}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": MARCH_1}, "is known to say"),
        ({"to": at("2026-03-09T09:00:01Z")}, "has not come yet"),
        ({"to": EARLIER}, "before the customer was registered"),
        ({"corrects": 999}, "is no fact of customer:C-7"),
    ],
)
def test_what_is_no_correction_of_a_time_is_refused(changed: dict[str, Any], refusal: str) -> None:
    facts = (REGISTERED, c.SegmentChanged(changed_at=MARCH_5, segment="large"))
    asked = {"corrects": position(2), "was": MARCH_5, "to": MARCH_1, **PEOPLE, **changed}
    somebody.given(*facts).when(c.correct_time, at=MARCH_9, **asked).then_refused(refusal)


def test_a_correction_is_not_corrected_itself() -> None:
    moved = c.TimeCorrected(corrected_at=MARCH_9, corrects=position(1), was=MARCH_1, now=EARLIER, subject_id="customer:C-7", **PEOPLE)
    asked = {"corrects": position(2), "was": MARCH_9, "to": MARCH_5, **PEOPLE}
    somebody.given(REGISTERED, moved).when(c.correct_time, at=MARCH_9, **asked).then_refused("is a correction itself")
    somebody.given(REGISTERED, moved).when(c.change_segment, at=EARLIER, segment="large").then(
        c.SegmentChanged(changed_at=EARLIER, segment="large")
    )
