"""What a person asks for, and when they are answered."""

from __future__ import annotations

from typing import Any

import pytest
from person import ANSWER_BY, ERASED, asked, decided, on, spec

from opsledger.domain import subject as s
from opsledger.policies.operating_model import default_model
from opsledger.testing import Spec, at, known_with

GDPR = {"jurisdiction": "gdpr", "handled_by": "u-7"}


def test_a_request_for_erasure_says_by_when_it_must_be_answered() -> None:
    spec.when(s.request_erasure, at=on("09:00"), **GDPR).then(asked())


def test_one_received_days_ago_is_recorded_as_received_then() -> None:
    """The time to answer counts from receipt, not from when somebody typed it in."""
    (late,) = spec.when(s.request_erasure, at=on("23:30", "03-01"), **GDPR).facts
    assert (late.requested_at, late.answer_by) == (on("23:30", "03-01"), ANSWER_BY), "half past midnight of the second in Brussels"


def test_the_same_request_again_adds_nothing() -> None:
    spec.given(asked()).when(s.request_erasure, at=on("09:00"), **GDPR).then_nothing()


def test_another_one_waits_for_the_answer_to_the_first() -> None:
    spec.given(asked()).when(s.request_erasure, at=on("09:01"), **GDPR).then_refused("subject.erasure_open")


def test_after_a_refusal_a_person_may_ask_again() -> None:
    (second,) = spec.given(asked(), decided("refused")).when(s.request_erasure, at=on("11:00"), **GDPR).facts
    assert second.number == 2


def test_who_is_erased_is_not_erased_again() -> None:
    spec.given(asked(), decided()).when(s.request_erasure, at=on("11:00"), **GDPR).then_refused("subject.erased")
    spec.given(*ERASED).when(s.request_erasure, at=on("11:00"), **GDPR).then_refused("erasure-status")


@pytest.mark.parametrize("decision", [s.request_erasure, s.request_access])
def test_a_jurisdiction_that_the_model_does_not_know_is_refused_with_those_that_it_knows(decision: Any) -> None:
    spec.when(decision, at=on("09:00"), jurisdiction="lgpd", handled_by="u-7").then_refused("'lgpd'; it knows: gdpr, pipeda")


def test_a_model_without_jurisdictions_knows_none() -> None:
    model = default_model().model_copy(update={"personal_data": default_model().personal_data.model_copy(update={"jurisdictions": {}})})
    bare = Spec("subject:p-1", known_with(model))
    bare.when(s.request_access, at=on("09:00"), **GDPR).then_refused("it knows: none")


def test_access_and_erasure_are_numbered_together() -> None:
    spec.given(asked(s.AccessRequested)).when(s.request_erasure, at=on("09:00"), **GDPR).then(asked(number=2))


# Extensions.


def extended(wall: str, day: str, **more: Any) -> dict[str, Any]:
    return {"at": on(wall, day), "number": 1, "reason": "Many requests", "handled_by": "u-7", **more}


def test_an_answer_is_put_off_once_by_what_the_law_allows() -> None:
    until = at("2026-06-02T22:00Z")
    told = s.AnswerExtended(extended_at=on("10:00", "04-01"), number=1, answer_by=until, reason="Many requests", handled_by="u-7")
    spec.given(asked()).when(s.extend_answer, **extended("10:00", "04-01")).then(told)
    spec.given(asked(), told).when(s.extend_answer, **extended("10:00", "04-01")).then_refused("subject.extended")


def test_the_person_is_told_before_the_time_is_over() -> None:
    before = {"at": at("2026-04-02T21:59:59.999999Z"), "number": 1, "reason": "Many", "handled_by": "u-7"}
    assert spec.given(asked()).when(s.extend_answer, **before).facts
    spec.given(asked()).when(s.extend_answer, **{**before, "at": ANSWER_BY}).then_refused("subject.late")


def test_an_answer_is_not_put_off_without_a_reason_after_it_was_given_or_where_there_is_no_request() -> None:
    spec.given(asked()).when(s.extend_answer, **extended("10:00", "03-03", reason=" ")).then_refused("subject.no_reason")
    spec.given(asked(), decided("refused")).when(s.extend_answer, **extended("10:00", "03-03")).then_refused("subject.answered")
    spec.given(asked()).when(s.extend_answer, **extended("10:00", "03-03", number=2)).then_refused("their requests are: 1")


def test_where_the_law_knows_no_extension_there_is_none() -> None:
    rules = default_model().personal_data
    strict = {**rules.jurisdictions, "gdpr": rules.jurisdictions["gdpr"].model_copy(update={"extension": None})}
    model = default_model().model_copy(update={"personal_data": rules.model_copy(update={"jurisdictions": strict})})
    hard = Spec("subject:p-1", known_with(model))
    (request,) = hard.when(s.request_erasure, at=on("09:00"), **GDPR).facts
    hard.given(request).when(s.extend_answer, **extended("10:00", "03-03")).then_refused("subject.no_extension")


# Access.


def given(name: str = "case-1.json", wall: str = "10:00", number: int | None = None) -> s.AccessGiven:
    return s.AccessGiven(given_at=on(wall), number=number, name=name, facts=4, opened=2, given_by="u-8")


EXPORT: dict[str, Any] = {"name": "case-1.json", "facts": 4, "opened": 2, "given_by": "u-8"}


def test_an_export_is_recorded_by_its_name_though_nobody_asked() -> None:
    spec.when(s.give_access, at=on("10:00"), **EXPORT).then(given())
    spec.given(given()).when(s.give_access, at=on("10:00"), **EXPORT).then_nothing()


def test_an_export_answers_the_open_request_and_the_next_one_does_not() -> None:
    request = asked(s.AccessRequested)
    spec.given(request).when(s.give_access, at=on("10:00"), **EXPORT).then(given(number=1))
    spec.given(request, given(number=1)).when(s.give_access, at=on("11:00"), **EXPORT).then(given(wall="11:00"))


def test_one_made_before_the_request_does_not_answer_it() -> None:
    spec.given(asked(s.AccessRequested)).when(s.give_access, at=on("08:59"), **EXPORT).then(given(wall="08:59"))


def test_an_export_without_a_name_could_not_be_found_again() -> None:
    spec.when(s.give_access, at=on("10:00"), **{**EXPORT, "name": " "}).then_refused("subject.unnamed")


def refused_access(wall: str = "10:00", until: str = "2026-09-03T04:00Z") -> s.AccessRefused:
    return s.AccessRefused(refused_at=on(wall), number=1, basis="S. 9(3)(a)", decided_by="u-9", keep_until=at(until))


REFUSAL: dict[str, Any] = {"at": on("10:00"), "number": 1, "basis": "S. 9(3)(a)", "decided_by": "u-9"}


def test_refused_access_says_until_when_nothing_is_erased() -> None:
    request = asked(s.AccessRequested, jurisdiction="pipeda")
    spec.given(request).when(s.refuse_access, **REFUSAL).then(refused_access())


def test_access_is_refused_by_another_on_a_basis_and_once() -> None:
    request = asked(s.AccessRequested, jurisdiction="pipeda")
    spec.given(request).when(s.refuse_access, **{**REFUSAL, "decided_by": "u-7"}).then_refused("approval.same_person")
    spec.given(request).when(s.refuse_access, **{**REFUSAL, "basis": ""}).then_refused("subject.no_basis")
    spec.given(request).when(s.refuse_access, **{**REFUSAL, "at": on("08:00")}).then_refused("subject.too_early")
    spec.given(request, refused_access()).when(s.refuse_access, **REFUSAL).then_refused("subject.no_request")
    spec.given(asked()).when(s.refuse_access, **REFUSAL).then_refused("no request for access")
