"""Activity: counts of days, sessions and acts; counted again, late, and corrected."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from opsledger.domain import activity as a
from opsledger.testing import Spec, at

DAY = date(2026, 3, 14)
NOON, MIDNIGHT, LATER = at("2026-03-14T12:00:00Z"), at("2026-03-15T00:00:00Z"), at("2026-03-20T08:00:00Z")
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The export had a gap"}

month = Spec("activity:C-7/2026-03")
CASES: dict[str, Any] = {"customer_id": "C-7", "day": DAY}


def cases(count: int, until: Any = MIDNIGHT) -> a.CasesCompleted:
    return a.CasesCompleted(counted_until=until, customer_id="C-7", day=DAY, cases=count)


def test_a_day_is_counted_up_to_now_or_to_its_end() -> None:
    month.when(a.complete_cases, at=NOON, cases=3, **CASES).then(cases(3, NOON))
    month.when(a.complete_cases, at=MIDNIGHT, cases=5, **CASES).then(cases(5))
    month.when(a.complete_cases, at=LATER, cases=5, **CASES).then(cases(5))


def test_a_day_that_has_not_begun_is_not_counted() -> None:
    begin = at("2026-03-14T00:00:00Z")
    month.when(a.complete_cases, at=begin, cases=0, **CASES).then(cases(0, begin))
    month.when(a.complete_cases, at=begin - timedelta(microseconds=1), cases=0, **CASES).then_refused("has not begun")


def test_a_day_counted_again_is_recorded_where_it_says_something_else() -> None:
    month.given(cases(5)).when(a.complete_cases, at=LATER, cases=5, **CASES).then_nothing()
    month.given(cases(5)).when(a.complete_cases, at=LATER, cases=6, **CASES).then(cases(6))
    month.given(cases(5), cases(6)).when(a.complete_cases, at=LATER, cases=5, **CASES).then(cases(5))


def test_people_of_a_day_are_at_most_those_of_a_week_and_these_at_most_those_of_four() -> None:
    made = a.UsersActive(counted_until=MIDNIGHT, customer_id="C-7", day=DAY, daily=4, weekly=9, monthly=9)
    month.when(a.count_users, at=LATER, daily=4, weekly=9, monthly=9, **CASES).then(made)
    month.when(a.count_users, at=LATER, daily=4, **CASES).then(a.UsersActive(counted_until=MIDNIGHT, customer_id="C-7", day=DAY, daily=4))
    month.when(a.count_users, at=LATER, daily=4, weekly=3, **CASES).then_refused("cannot be")
    month.when(a.count_users, at=LATER, daily=4, monthly=3, **CASES).then_refused("cannot be")


def test_of_the_calls_at_most_all_failed() -> None:
    (made,) = month.when(a.count_api_calls, at=LATER, calls=7, errors=7, **CASES).facts
    assert (made.calls, made.errors) == (7, 7)
    month.when(a.count_api_calls, at=LATER, calls=7, errors=8, **CASES).then_refused("cannot have failed")


def test_features_of_a_day_are_told_apart() -> None:
    search = a.FeatureUsed(counted_until=MIDNIGHT, customer_id="C-7", day=DAY, feature="search", users=2)
    month.given(search).when(a.use_feature, at=LATER, feature="search", users=2, **CASES).then_nothing()
    (reports,) = month.given(search).when(a.use_feature, at=LATER, feature="reports", users=2, **CASES).facts
    assert reports.feature == "reports"


def test_what_belongs_to_another_month_is_refused() -> None:
    february = {"customer_id": "C-7", "day": date(2026, 2, 28)}
    month.when(a.complete_cases, at=LATER, cases=1, **february).then_refused("C-7/2026-02")
    month.when(a.complete_cases, at=LATER, cases=1, **{**CASES, "customer_id": "C-8"}).then_refused("C-8/2026-03")


def test_the_last_day_of_a_month_belongs_to_it_though_it_ends_with_the_next() -> None:
    (made,) = month.when(a.complete_cases, at=at("2026-04-02"), cases=1, customer_id="C-7", day=date(2026, 3, 31)).facts
    assert (made.counted_until, a.stream_of(made)) == (at("2026-04-01"), "activity:C-7/2026-03")


def test_a_session_is_announced_and_held() -> None:
    planned = {"customer_id": "C-7", "session_id": "S-1", "session_at": LATER, "invited": 8}
    invited = a.TrainingInvited(invited_at=NOON, **planned)
    month.when(a.invite_to_training, at=NOON, **planned).then(invited)
    month.given(invited).when(a.invite_to_training, at=NOON, **planned).then_nothing()
    held = a.TrainingAttended(held_at=LATER, customer_id="C-7", session_id="S-1", attended=0)
    month.given(invited).when(a.attend_training, at=LATER, customer_id="C-7", session_id="S-1", attended=0).then(held)
    month.given(invited, held).when(a.attend_training, at=LATER, customer_id="C-7", session_id="S-1", attended=0).then_nothing()


def test_a_single_act_is_known_by_its_id() -> None:
    contribution = a.CommunityContributed(contributed_at=NOON, customer_id="C-7", contribution_id="K-1", kind="answer")
    month.when(a.contribute, at=NOON, customer_id="C-7", contribution_id="K-1", kind="answer").then(contribution)
    month.given(contribution).when(a.contribute, at=NOON, customer_id="C-7", contribution_id="K-1", kind="answer").then_nothing()
    feedback = a.FeedbackSubmitted(submitted_at=NOON, customer_id="C-7", feedback_id="F-1", kind="idea")
    month.given(contribution).when(a.submit_feedback, at=NOON, customer_id="C-7", feedback_id="F-1", kind="idea").then(feedback)
    month.given(feedback).when(a.submit_feedback, at=NOON, customer_id="C-7", feedback_id="F-1", kind="idea").then_nothing()


POSITION = month.known.position + 1
CORRECTION: dict[str, Any] = {"corrects": POSITION, "what": "cases", "was": 5, "to": 7, **PEOPLE}


def test_a_count_is_corrected_by_two_people() -> None:
    (corrected,) = month.given(cases(5)).when(a.correct_count, at=LATER, **CORRECTION).facts
    assert (corrected.corrects, corrected.what, corrected.was, corrected.now, corrected.customer_id) == (POSITION, "cases", 5, 7, "C-7")
    month.given(cases(5), corrected).when(a.correct_count, at=LATER, **CORRECTION).then_refused("is known to say 7, not 5")
    month.given(cases(5), corrected).when(a.correct_count, at=LATER, **{**CORRECTION, "was": 7}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": 4}, "is known to say 5, not 4"),
        ({"what": "calls"}, "says nothing of calls"),
        ({"corrects": 999}, "is no fact of activity:C-7/2026-03"),
    ],
)
def test_what_is_no_correction_of_a_count_is_refused(changed: dict[str, Any], refusal: str) -> None:
    month.given(cases(5)).when(a.correct_count, at=LATER, **{**CORRECTION, **changed}).then_refused(refusal)


def test_every_count_of_every_observation_can_be_corrected() -> None:
    for made, names in a.COUNTS.items():
        assert set(names) <= set(made.__dataclass_fields__)
        assert names
