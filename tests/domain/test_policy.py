"""Decisions on operating models: published by two people, effective from a time, never changed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from opsledger.domain import policy
from opsledger.domain.concept import SYSTEM
from opsledger.domain.governance import learn
from opsledger.policies import documents
from opsledger.policies.instants import micros, parse
from opsledger.policies.known import InForce, Known
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.policies.zones import VERSION
from opsledger.testing import Spec, at, default_known, recorded

NOW = at("2026-03-02T09:00:00Z")
STREAM = "policy:operating-model"
TEXT = documents.canonical(default_model())
TWO = {"proposed_by": "u-1", "approved_by": "u-2"}


def changed(**values: Any) -> str:
    """Return the default document with other values of its maintenance section."""
    document = json.loads(TEXT)
    document["maintenance"].update(values)
    return json.dumps(document)


OTHER, THIRD = changed(notice=96 * 3600), changed(notice=120 * 3600)


def knowing(*facts: policy.Published) -> Spec:
    """Return the operating model after facts, in a ledger that knows its calendars and them; they stand from position 11 on."""
    return Spec(STREAM, told(*facts))


def told(*facts: policy.Published) -> Known:
    known = calendars_only()
    for i, fact in enumerate(facts):
        known = learn(known, recorded(fact, STREAM, i + 1, 11 + i))
    return known


def calendars_only() -> Known:
    known = Known()
    for name in default_known().calendars():
        for version in default_known().versions(name):
            known = known.with_calendar(version.position, name, version)
    return known


def published(text: str, effective: str, *before: policy.Published, now: datetime = NOW) -> policy.Published:
    arguments = {"document": text, "effective_from": at(effective), "reason": "a test", **TWO}
    (fact,) = knowing(*before).given(*before).when(policy.publish, at=now, **arguments).facts
    assert isinstance(fact, policy.Published)
    return fact


FIRST = published(TEXT, "2026-01-01T00:00:00Z")


def test_a_model_is_published_as_one_canonical_text_with_its_digest() -> None:
    (fact,) = knowing(FIRST).given(FIRST).when(policy.publish, at=NOW, document=OTHER, **TWO).facts
    text = documents.canonical(documents.read(OperatingModel, OTHER))
    assert (fact.version, fact.published_at, fact.effective_from) == (2, NOW, NOW)
    assert (fact.document, fact.digest, fact.reason) == (text, documents.digest(text), "")
    assert (fact.proposed_by, fact.approved_by) == ("u-1", "u-2")


def test_a_model_carries_the_months_of_its_reporting_zone() -> None:
    document = json.loads(TEXT)
    document["reporting"]["month_zone"] = "America/New_York"
    months = published(json.dumps(document), "2026-03-02T09:00:00Z").months
    assert (months.zone, months.first, months.tz_version) == ("America/New_York", "2000-01", VERSION)
    november = (2024 - 2000) * 12 + 10
    assert months.starts[november] * 1_000_000 == parse("2024-11-01T04:00:00Z")
    assert months.starts[november + 1] - months.starts[november] == 721 * 3600
    assert len(months.starts) == 51 * 12 + 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"approved_by": "u-1"}, "u-1 asked for this operating model and cannot approve it too"),
        ({"proposed_by": SYSTEM, "approved_by": SYSTEM}, "cannot approve it too"),
        ({"effective_from": at("2026-03-02T08:59:59.999999Z")}, "before now; say why with a reason"),
        ({"effective_from": datetime(2026, 4, 1)}, "has no zone"),
        ({"document": "support: {}"}, "Field required"),
        ({"document": changed(notise="72 h")}, "maintenance.notise: there is no such field"),
    ],
)
def test_a_model_that_cannot_be_published_is_refused(changes: dict[str, Any], sentence: str) -> None:
    arguments = {"document": OTHER, **TWO, **changes}
    knowing(FIRST).given(FIRST).when(policy.publish, at=NOW, **arguments).then_refused(sentence)


def test_a_model_that_counts_on_a_calendar_that_nobody_published_is_refused() -> None:
    document = json.loads(TEXT)
    document["support"]["channels"]["email"]["calendar"] = "nights"
    outcome = knowing(FIRST).given(FIRST).when(policy.publish, at=NOW, document=json.dumps(document), **TWO)
    outcome.then_refused("The model counts on the calendar 'nights', which is not published; publish it first")


def test_there_is_one_operating_model() -> None:
    Spec("policy:other").when(policy.publish, at=NOW, document=TEXT, **TWO).then_refused("its id is operating-model, not other")


def test_the_model_that_holds_then_already_is_not_published_again() -> None:
    given = knowing(FIRST).given(FIRST)
    given.when(policy.publish, at=NOW, document=TEXT, **TWO).then_nothing()
    given.when(policy.publish, at=NOW, document=changed(notice="3 days"), **TWO).then_nothing()


def test_a_model_that_another_version_replaces_meanwhile_is_published_again() -> None:
    second = published(OTHER, "2026-07-01T00:00:00Z", FIRST)
    given = knowing(FIRST, second).given(FIRST, second)
    given.when(policy.publish, at=NOW, document=TEXT, effective_from=at("2026-06-01"), **TWO).then_nothing()
    (third,) = given.when(policy.publish, at=NOW, document=TEXT, effective_from=at("2026-09-01"), **TWO).facts
    assert (third.version, third.digest) == (3, FIRST.digest)


def test_a_model_for_the_past_is_published_late_with_a_reason() -> None:
    fact = published(OTHER, "2025-01-01T00:00:00Z", FIRST)
    assert (fact.effective_from, fact.reason) == (at("2025-01-01"), "a test")


def test_in_force_is_the_newest_version_that_is_effective() -> None:
    second = published(OTHER, "2026-07-01T00:00:00Z", FIRST)
    known = told(FIRST, second)
    in_force = [known.in_force(parse(at_)).ref.partition(":")[0] for at_ in ("2026-01-01", "2026-06-30T23:59:59.999999Z", "2026-07-01")]
    assert in_force == ["operating-model@1", "operating-model@1", "operating-model@2"]


def test_of_two_versions_from_the_same_instant_the_one_published_later_is_in_force() -> None:
    second = published(OTHER, "2026-07-01T00:00:00Z", FIRST)
    third = published(THIRD, "2026-07-01T00:00:00Z", FIRST, second)
    assert told(FIRST, second, third).in_force(micros(at("2026-08-01"))).ref.startswith("operating-model@3:")


def test_before_the_first_version_nothing_is_in_force_and_the_cure_is_named() -> None:
    outcome_of = InForce(told(FIRST), at("2025-12-31"))
    with pytest.raises(Exception, match=r"No operating model is in force at 2025-12-31T00:00:00\.000000Z; publish one"):
        _ = outcome_of.in_force


def test_a_pinned_version_is_asked_for_by_its_number_and_digest() -> None:
    second = published(OTHER, "2026-07-01T00:00:00Z", FIRST)
    known = told(FIRST, second)
    assert known.model(f"operating-model@1:{FIRST.digest[:12]}").maintenance.notice == 72 * 3600
    assert known.model(f"operating-model@2:{second.digest[:12]}").maintenance.notice == 96 * 3600
    with pytest.raises(Exception, match="No operating model 'operating-model@3:x' is published at position 12"):
        known.model("operating-model@3:x")


def test_a_stored_model_reads_back_as_it_was_published() -> None:
    assert policy.published_model(11, "operating-model", FIRST).model == default_model()
