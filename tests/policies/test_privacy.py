"""Periods as laws count them: the day of receipt is not counted, the last day counts whole, in the zone that is named."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opsledger.errors import PolicyError
from opsledger.policies import documents
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.policies.privacy import Jurisdiction, Period, PersonalData, period

GDPR = default_model().personal_data.jurisdictions["gdpr"]
PIPEDA = default_model().personal_data.jurisdictions["pipeda"]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("1 month", "2026-01-15", "2026-02-15"),
        ("1 month", "2026-01-31", "2026-02-28"),  # no such day: the last of the month
        ("1 month", "2028-01-31", "2028-02-29"),
        ("1 month", "2026-02-28", "2026-03-28"),
        ("1 month", "2026-12-31", "2027-01-31"),
        ("11 months", "2026-01-31", "2026-12-31"),
        ("24 months", "2028-02-29", "2030-02-28"),
        ("30 days", "2026-02-20", "2026-03-22"),
        ("30 days", "2028-02-20", "2028-03-21"),
        ("0 days", "2026-02-20", "2026-02-20"),
    ],
)
def test_a_period_ends_on_a_day(text: str, begin: str, end: str) -> None:
    assert period(text).after(date.fromisoformat(begin)) == date.fromisoformat(end)


@given(st.dates(date(1970, 1, 1), date(2300, 1, 1)), st.integers(0, 600))
def test_a_month_ends_on_the_same_day_or_on_the_last_of_a_month_without_it(begin: date, months: int) -> None:
    end = Period(months, 0).after(begin)
    assert (end.year * 12 + end.month) - (begin.year * 12 + begin.month) == months
    tomorrow = date.fromordinal(end.toordinal() + 1)
    assert end.day == begin.day or (end.day < begin.day and tomorrow.day == 1)


@pytest.mark.parametrize("text", ["a month", "1 year", "-1 days", "5 business days", "1month", "", "99999 days"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        period(text)


@pytest.mark.parametrize(
    ("received", "answer_by"),
    [
        ("2026-03-02T09:00:00Z", "2026-04-02T22:00:00.000000Z"),  # midnight after the second of April in Brussels, in summer time
        ("2026-03-01T22:59:59Z", "2026-04-01T22:00:00.000000Z"),
        ("2026-03-01T23:00:00Z", "2026-04-02T22:00:00.000000Z"),  # the second of March there
        ("2026-01-31T12:00:00Z", "2026-02-28T23:00:00.000000Z"),
    ],
)
def test_a_month_by_the_gdpr_lasts_until_the_midnight_of_its_last_day(received: str, answer_by: str) -> None:
    assert iso(GDPR.answer_by(parse(received))) == answer_by


def test_an_extension_is_counted_from_receipt() -> None:
    received = parse("2026-03-02T09:00:00Z")
    assert iso(GDPR.answer_by(received, extended=True)) == "2026-06-02T22:00:00.000000Z"
    assert iso(PIPEDA.answer_by(received)) == "2026-04-02T04:00:00.000000Z", "the first of April is the thirtieth day"
    assert iso(PIPEDA.answer_by(received, extended=True)) == "2026-05-02T04:00:00.000000Z"


def test_what_was_asked_for_is_kept_after_a_refusal_as_long_as_the_law_says() -> None:
    refused = parse("2026-03-02T09:00:00Z")
    assert GDPR.keep_until(refused) == refused
    assert iso(PIPEDA.keep_until(refused)) == "2026-09-03T04:00:00.000000Z"


@given(st.integers(0, 4_000_000_000), st.integers(0, 24), st.integers(0, 400))
def test_a_person_never_has_to_be_answered_before_the_period_is_over(second: int, months: int, days: int) -> None:
    rule = Jurisdiction(
        zone="America/St_Johns", answer_within=f"{days} days", extension=f"{months} months", keep_after_refused_access="0 days"
    )
    answer_by = rule.answer_by(second * SECOND)
    assert answer_by % SECOND == 0
    assert days * DAY_S < answer_by // SECOND - second + 7200, "a day may be two hours shorter"
    assert answer_by // SECOND - second <= (days + 1) * DAY_S + 7200
    assert rule.answer_by(second * SECOND, extended=True) >= answer_by


# Retention, purging and holds.


def test_the_default_model_keeps_incidents_for_24_months_and_lets_correspondence_go_after_as_many() -> None:
    rules = default_model().personal_data
    name, rule = rules.category_of("incident") or ("", None)
    assert (name, rule and iso(rule.keep_from(parse("2026-03-02T09:30Z"))), rule and rule.due_from(0)) == (
        "incident_record",
        "2028-03-02T09:30:00.000000Z",
        None,
    )
    name, rule = rules.category_of("ticket") or ("", None)
    now = parse("2026-03-02T09:30Z")
    assert (name, rule and rule.keep_from(now), rule and iso(rule.due_from(now) or 0)) == (
        "correspondence",
        now,
        "2028-03-02T09:30:00.000000Z",
    )
    assert rules.category_of("calendar") is None
    assert iso(rules.purge_from(now)) == "2026-04-01T09:30:00.000000Z"
    assert iso(rules.latest_review(now) or 0) == "2027-03-02T09:30:00.000000Z"


def test_a_model_published_before_there_was_such_a_section_knows_no_jurisdiction() -> None:
    document = default_model().model_dump(mode="json", by_alias=True)
    del document["personal_data"]
    old = documents.read(OperatingModel, json.dumps(document)).personal_data
    assert (old, old.jurisdictions, old.retention) == (PersonalData(), {}, {})
    assert (old.purge_from(7), old.latest_review(7)) == (7, None)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"jurisdictions": {"x": {**GDPR.model_dump(), "zone": "Europe/Atlantis"}}}, "has no zone 'Europe/Atlantis'"),
    ({"jurisdictions": {"x": {**GDPR.model_dump(), "answer_within": "soon"}}}, "'soon' is not a period"),
    (
        {
            "retention": {
                "a": {"concepts": ["ticket"], "keep_at_least": "0 days", "keep_at_most": None},
                "b": {"concepts": ["ticket"], "keep_at_least": "0 days", "keep_at_most": None},
            }
        },
        "retention.b.concepts names ticket, which retention.a has already",
    ),
    ({"retention": {"a": {"concepts": [], "keep_at_least": "0 days", "keep_at_most": None}}}, "at least 1 item"),
    ({"purge_afer": "1 month"}, "there is no such field"),
]


@pytest.mark.parametrize(("section", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_section_that_cannot_be_meant_is_refused_with_its_path(section: dict[str, Any], said: str) -> None:
    document = default_model().model_dump(mode="json", by_alias=True) | {"personal_data": section}
    with pytest.raises(PolicyError, match=said) as refused:
        documents.read(OperatingModel, json.dumps(document))
    assert refused.value.path.startswith("personal_data")


def test_a_section_is_not_changed_after_reading() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GDPR.zone = "UTC"  # type: ignore[misc]
