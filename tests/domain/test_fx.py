"""Exchange rates: published from a time on, corrected by two people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opsledger.domain import fx
from opsledger.testing import Spec, at

SPEC = Spec("fx:EUR/USD")
PEOPLE: dict[str, Any] = {"requested_by": "u-1", "approved_by": "u-2", "reason": "Two digits were swapped"}


def published(day: str, rate: str, holds_from: str | None = None) -> fx.RatePublished:
    since = at(holds_from or day)
    return fx.RatePublished(published_at=at(day), base="EUR", quote="USD", rate=Decimal(rate), holds_from=since, provider="the bank")


def test_a_rate_is_published_for_the_pair_that_the_id_names() -> None:
    SPEC.when(fx.publish_rate, at=at("2026-03-01"), rate=Decimal("1.08"), provider="the bank").then(published("2026-03-01", "1.08"))
    for id in ("EUR", "EUR/EUR", "/USD"):
        Spec(f"fx:{id}").when(fx.publish_rate, at=at("2026-03-01"), rate=Decimal("1.08"), provider="b").then_refused(
            "no pair of currencies"
        )


def test_the_same_rate_again_adds_nothing_and_another_of_the_same_instant_is_refused() -> None:
    known = SPEC.given(published("2026-03-01", "1.08"))
    again: dict[str, Any] = {"provider": "the bank", "holds_from": at("2026-03-01")}
    known.when(fx.publish_rate, at=at("2026-03-02"), rate=Decimal("1.080"), **again).then_nothing()
    known.when(fx.publish_rate, at=at("2026-03-02"), rate=Decimal("1.09"), **again).then_refused("correct that rate")
    known.when(fx.publish_rate, at=at("2026-03-02"), rate=Decimal("1.09"), provider="b", holds_from=at("2026-03-03")).then_refused(
        "has not come"
    )


def test_a_rate_of_earlier_that_comes_late_holds_until_the_one_after_it() -> None:
    state = None
    for event in (published("2026-03-01", "1.08"), published("2026-03-03", "1.10"), published("2026-03-04", "1.09", "2026-03-02")):
        state = fx.evolve(state, event)
    assert state is not None
    days = ("2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03")
    assert [state.rate(at(day)) for day in days] == [None, Decimal("1.08"), Decimal("1.09"), Decimal("1.10")]


def test_a_wrong_rate_is_corrected_and_holds_from_when_it_did() -> None:
    position = SPEC.known.position + 1
    known = SPEC.given(published("2026-03-01", "1.80"))
    asked: dict[str, Any] = {"corrects": position, "was": Decimal("1.80"), "to": Decimal("1.08"), **PEOPLE}
    outcome = known.when(fx.correct_rate, at=at("2026-03-05"), **asked)
    (corrected,) = outcome.facts
    assert (corrected.now, corrected.holds_from, corrected.approved_by) == (Decimal("1.08"), at("2026-03-01"), "u-2")
    after = SPEC.given(published("2026-03-01", "1.80"), corrected)
    after.when(fx.correct_rate, at=at("2026-03-06"), **asked).then_refused("is known to say 1.08, not 1.80")
    after.when(fx.correct_rate, at=at("2026-03-06"), **{**asked, "was": Decimal("1.08")}).then_nothing()
    after.when(fx.correct_rate, at=at("2026-03-06"), **{**asked, "corrects": position + 1}).then_refused("publishes no rate")
    known.when(fx.correct_rate, at=at("2026-03-05"), **{**asked, "approved_by": "u-1"}).then_refused("cannot approve it too")
