"""Health models and overrides: what is published, put in the place of a score, taken back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from opsledger.domain import health_model as m
from opsledger.domain import health_override as o
from opsledger.policies import documents
from opsledger.policies.health import DEFAULT
from opsledger.testing import Spec, at

MARCH_1, MARCH_5, MARCH_9 = at("2026-03-01T09:00:00Z"), at("2026-03-05T09:00:00Z"), at("2026-03-09T09:00:00Z")
TEXT = documents.canonical(DEFAULT)

model = Spec("health_model:opsledger-health-1")
PEOPLE: dict[str, Any] = {"proposed_by": "u-1", "approved_by": "u-2"}
PUBLISHED = m.Published(published_at=MARCH_1, document=TEXT, digest=documents.digest(TEXT), **PEOPLE)


def test_a_model_is_published_with_its_digest_by_two_people() -> None:
    model.when(m.publish, at=MARCH_1, document=TEXT, **PEOPLE).then(PUBLISHED)
    model.when(m.publish, at=MARCH_1, document=TEXT, proposed_by="u-1", approved_by="u-1").then_refused("name another approver")


def test_a_published_model_is_never_changed() -> None:
    model.given(PUBLISHED).when(m.publish, at=MARCH_5, document=TEXT, **PEOPLE).then_nothing()
    other = documents.canonical(DEFAULT.model_copy(update={"stages": tuple(reversed(DEFAULT.stages))}))
    model.given(PUBLISHED).when(m.publish, at=MARCH_5, document=other, **PEOPLE).then_refused("under another id")
    model.given(PUBLISHED).when(m.publish, at=MARCH_5, document=TEXT, scores_from=date(2026, 4, 1), **PEOPLE).then_refused(
        "another content"
    )


def test_a_document_that_disagrees_with_itself_is_no_model() -> None:
    twice = documents.canonical(DEFAULT.model_copy(update={"metrics": (*DEFAULT.metrics, DEFAULT.metrics[0])}))
    model.when(m.publish, at=MARCH_1, document=twice, **PEOPLE).then_refused("a metric is there twice")
    without = documents.canonical(DEFAULT.model_copy(update={"stages": DEFAULT.stages[1:]}))
    model.when(m.publish, at=MARCH_1, document=without, **PEOPLE).then_refused("needs its weights")


def test_a_model_is_retired_once_at_the_earliest_time_known() -> None:
    model.given(PUBLISHED).when(m.retire, at=MARCH_9).then(m.Retired(retired_at=MARCH_9))
    model.given(PUBLISHED, m.Retired(retired_at=MARCH_5)).when(m.retire, at=MARCH_9).then_nothing()
    model.given(PUBLISHED, m.Retired(retired_at=MARCH_9)).when(m.retire, at=MARCH_5).then(m.Retired(retired_at=MARCH_5))
    model.given(PUBLISHED).when(m.retire, at=at("2026-02-01")).then_refused("was not published")


override = Spec("health_override:C-7")
ASKED: dict[str, Any] = {"score_x10": 300, "expires_at": MARCH_9, "reason": "Their sponsor left", "set_by": "u-7"}
SET = o.Set(set_at=MARCH_1, customer_id="C-7", subject_id="health_override:C-7", **ASKED)
CLEARED = o.Cleared(cleared_at=MARCH_5, customer_id="C-7", cleared_by="u-8")


def test_a_score_is_overridden_with_reason_author_and_end() -> None:
    override.when(o.override, at=MARCH_1, **ASKED).then(SET)
    override.given(SET).when(o.override, at=MARCH_1, **ASKED).then_nothing()
    (later,) = override.given(SET).when(o.override, at=MARCH_5, **{**ASKED, "score_x10": 200}).facts
    assert later.score_x10 == 200


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"score_x10": -1}, "are no score"),
        ({"score_x10": 1001}, "are no score"),
        ({"expires_at": MARCH_1}, "cannot expire"),
        ({"reason": " "}, "say which"),
    ],
)
def test_what_is_no_override_is_refused(changed: dict[str, Any], refusal: str) -> None:
    override.when(o.override, at=MARCH_1, **{**ASKED, **changed}).then_refused(refusal)


def test_an_override_is_cleared_while_it_stands() -> None:
    override.given(SET).when(o.clear, at=MARCH_5, cleared_by="u-8").then(CLEARED)
    override.given(SET, CLEARED).when(o.clear, at=MARCH_5, cleared_by="u-8").then_nothing()
    override.given(SET).when(o.clear, at=MARCH_9, cleared_by="u-8").then_nothing()  # it expired at that instant


def test_what_is_set_after_a_clearing_stands() -> None:
    again = o.Set(set_at=at("2026-03-06"), customer_id="C-7", subject_id="health_override:C-7", **ASKED)
    (cleared,) = override.given(SET, CLEARED, again).when(o.clear, at=at("2026-03-07"), cleared_by="u-8").facts
    assert cleared.cleared_at == at("2026-03-07")
