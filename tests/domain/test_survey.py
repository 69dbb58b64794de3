"""Survey waves and responses: one answer for each contact and wave, on the scale that holds, corrected by two people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from opsledger.domain import survey as s
from opsledger.domain import survey_response as r
from opsledger.testing import Spec, at

MARCH_1, MARCH_5, MARCH_9 = at("2026-03-01T09:00:00Z"), at("2026-03-05T09:00:00Z"), at("2026-03-09T09:00:00Z")
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "Typed in wrongly"}

wave = Spec("survey:W-1")
TERMS: dict[str, Any] = {"survey_type": "nps", "questionnaire": "nps-3", "trigger": "relationship", "closes_at": MARCH_9}
OPENED = s.WaveOpened(opened_at=MARCH_1, **TERMS)


def test_a_wave_is_opened_once() -> None:
    wave.when(s.open_wave, at=MARCH_1, **TERMS).then(OPENED)
    wave.given(OPENED).when(s.open_wave, at=MARCH_1, **TERMS).then_nothing()
    wave.given(OPENED).when(s.open_wave, at=MARCH_5, **TERMS).then_refused("with other terms")
    wave.when(s.open_wave, at=MARCH_9, **TERMS).then_refused("cannot close")


def test_a_wave_is_closed_and_may_be_found_to_have_ended_earlier() -> None:
    closed, earlier = s.WaveClosed(closed_at=MARCH_5), s.WaveClosed(closed_at=MARCH_1)
    wave.given(OPENED).when(s.close, at=MARCH_5).then(closed)
    wave.given(OPENED, closed).when(s.close, at=MARCH_9).then_nothing()
    wave.given(OPENED, closed).when(s.close, at=MARCH_1).then(earlier)
    wave.given(OPENED).when(s.close, at=MARCH_1 - timedelta(microseconds=1)).then_refused("cannot have ended before")


one = Spec("survey_response:W-1/p-17")
WHO: dict[str, Any] = {"wave_id": "W-1", "survey_type": "nps", "customer_id": "C-7", "contact_id": "p-17"}
SENT = r.InvitationSent(sent_at=MARCH_1, channel="email", **WHO)
SCALE = r.Scale(lowest=0, highest=10, favourable_from=9)


def answered(score: int, when: Any) -> r.ResponseRecorded:
    return r.ResponseRecorded(responded_at=when, score=score, scale=SCALE, channel="email", comment=None, **WHO)


def test_a_contact_is_asked_and_reminded() -> None:
    one.when(r.invite, at=MARCH_1, **WHO).then(SENT)
    one.given(SENT).when(r.invite, at=MARCH_1, **WHO).then_nothing()
    one.given(SENT).when(r.invite, at=MARCH_5, **WHO).then(r.InvitationSent(sent_at=MARCH_5, channel="email", **WHO))


def test_an_invitation_does_not_arrive() -> None:
    failed = r.InvitationFailed(failed_at=MARCH_5, customer_id="C-7", code="bounced")
    one.given(SENT).when(r.fail, at=MARCH_5, code="bounced").then(failed)
    one.given(SENT, failed).when(r.fail, at=MARCH_5, code="bounced").then_nothing()
    one.given(answered(9, MARCH_1)).when(r.fail, at=MARCH_5).then_refused("was not invited by then")
    one.given(SENT).when(r.fail, at=MARCH_1 - timedelta(seconds=1)).then_refused("was not invited by then")


def test_a_contact_answers_invited_or_not_and_changes_the_answer() -> None:
    one.given(SENT).when(r.respond, at=MARCH_5, score=10, **WHO).then(answered(10, MARCH_5))
    one.when(r.respond, at=MARCH_5, score=0, **WHO).then(answered(0, MARCH_5))
    one.given(answered(9, MARCH_5)).when(r.respond, at=MARCH_5, score=9, **WHO).then_nothing()
    one.given(answered(9, MARCH_5)).when(r.respond, at=MARCH_9, score=9, **WHO).then(answered(9, MARCH_9))
    one.given(answered(9, MARCH_5)).when(r.respond, at=MARCH_1, score=2, **WHO).then(answered(2, MARCH_1))


@pytest.mark.parametrize(("survey_type", "score"), [("nps", -1), ("nps", 11), ("csat", 0), ("csat", 6), ("ces", 0), ("ces", 8)])
def test_a_score_that_is_not_on_the_scale_is_refused(survey_type: str, score: int) -> None:
    one.when(r.respond, at=MARCH_5, score=score, **{**WHO, "survey_type": survey_type}).then_refused("is no answer")


@pytest.mark.parametrize(("survey_type", "lowest", "highest"), [("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7)])
def test_the_ends_of_a_scale_are_answers_and_the_scale_is_kept(survey_type: str, lowest: int, highest: int) -> None:
    for score in (lowest, highest):
        (made,) = one.when(r.respond, at=MARCH_5, score=score, **{**WHO, "survey_type": survey_type}).facts
        assert (made.score, made.scale.lowest, made.scale.highest) == (score, lowest, highest)


def test_a_response_belongs_to_one_wave_contact_customer_and_survey() -> None:
    one.when(r.respond, at=MARCH_5, score=9, **{**WHO, "contact_id": "p-18"}).then_refused("W-1/p-18")
    one.when(r.invite, at=MARCH_5, **{**WHO, "wave_id": "W-2"}).then_refused("W-2/p-17")
    one.given(SENT).when(r.respond, at=MARCH_5, score=9, **{**WHO, "customer_id": "C-8"}).then_refused("cannot be of C-8")
    one.given(SENT).when(r.respond, at=MARCH_5, score=3, **{**WHO, "survey_type": "csat"}).then_refused("cannot be of C-7 and csat")


POSITION = one.known.position + 1
CORRECTION: dict[str, Any] = {"corrects": POSITION, "was": 3, "to": 9, **PEOPLE}


def test_an_answer_is_corrected_and_taken_back_by_two_people() -> None:
    (corrected,) = one.given(answered(3, MARCH_1)).when(r.correct, at=MARCH_5, **CORRECTION).facts
    assert (corrected.was, corrected.now, corrected.subject_id, corrected.customer_id) == (3, 9, "p-17", "C-7")
    after = one.given(answered(3, MARCH_1), corrected)
    after.when(r.correct, at=MARCH_9, **CORRECTION).then_refused("is known to say 9, not 3")
    after.when(r.correct, at=MARCH_9, **{**CORRECTION, "was": 9}).then_nothing()
    (taken_back,) = after.when(r.correct, at=MARCH_9, **{**CORRECTION, "was": 9, "to": None}).facts
    assert taken_back.now is None


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": 4}, "is known to say 3, not 4"),
        ({"to": 11}, "is no answer"),
        ({"corrects": POSITION + 1}, "is no answer; name the one"),
        ({"corrects": 999}, "is no fact of survey_response:W-1/p-17"),
    ],
)
def test_what_is_no_correction_of_an_answer_is_refused(changed: dict[str, Any], refusal: str) -> None:
    one.given(answered(3, MARCH_1), SENT).when(r.correct, at=MARCH_5, **{**CORRECTION, **changed}).then_refused(refusal)
