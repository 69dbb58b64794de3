"""Plans: versions, prices, and the terms on which they are sold."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import plan
from opsledger.domain.billing import ProrationRule, Terms
from opsledger.errors import Unknown
from opsledger.testing import Spec, at

SPEC = Spec("plan:pro")
EUR = plan.Price(currency="EUR", unit_amount_minor=1000)
USD = plan.Price(currency="USD", unit_amount_minor=1100)
ASKED: dict[str, Any] = {"name": "Pro", "interval": "month", "prices": (EUR, USD), "proposed_by": "u-1", "approved_by": "u-2"}


def published(day: str, version: int = 1, prices: tuple[plan.Price, ...] = (EUR, USD), sold_from: str | None = None) -> plan.Published:
    return plan.Published(
        published_at=at(day),
        version=version,
        name="Pro",
        interval="month",
        interval_count=1,
        pricing="per_unit",
        prices=prices,
        proration=ProrationRule(),
        sold_from=at(sold_from or day),
        proposed_by="u-1",
        approved_by="u-2",
    )


def test_a_plan_is_published_with_another_persons_approval() -> None:
    SPEC.when(plan.publish, at=at("2026-03-01"), **ASKED).then(published("2026-03-01"))
    SPEC.when(plan.publish, at=at("2026-03-01"), **{**ASKED, "approved_by": "u-1"}).then_refused("cannot approve it too")


def test_other_content_is_the_next_version_and_the_same_adds_nothing() -> None:
    known = SPEC.given(published("2026-03-01"))
    known.when(plan.publish, at=at("2026-04-01"), **ASKED).then_nothing()
    known.when(plan.publish, at=at("2026-04-01"), **{**ASKED, "prices": (EUR,)}).then(published("2026-04-01", 2, (EUR,)))


def test_a_plan_has_one_price_in_a_currency() -> None:
    SPEC.when(plan.publish, at=at("2026-03-01"), **{**ASKED, "prices": (EUR, EUR)}).then_refused("two prices in one currency")


def test_a_retired_plan_is_sold_no_longer() -> None:
    retired = plan.Retired(retired_at=at("2026-06-01"))
    SPEC.given(published("2026-03-01")).when(plan.retire, at=at("2026-06-01")).then(retired)
    over = SPEC.given(published("2026-03-01"), retired)
    over.when(plan.retire, at=at("2026-06-02")).then_nothing()
    over.when(plan.publish, at=at("2026-06-01"), **ASKED).then_refused("publish another plan")


def test_terms_are_those_of_the_version_that_is_sold_at_the_time() -> None:
    dearer = plan.Price(currency="EUR", unit_amount_minor=1200)
    state = None
    for event in (published("2026-03-01"), published("2026-03-20", 2, (dearer,), "2026-04-01"), plan.Retired(retired_at=at("2026-06-01"))):
        state = plan.evolve(state, event)
    assert state is not None
    assert state.terms("pro", "EUR", at=at("2026-03-31T23:59:59Z"), quantity=3) == Terms(
        plan_id="pro", plan_version=1, interval="month", quantity=3, unit_amount_minor=1000, currency="EUR"
    )
    assert state.terms("pro", "EUR", at=at("2026-04-01")).unit_amount_minor == 1200
    with pytest.raises(Unknown, match="no price in USD, but in EUR"):
        state.terms("pro", "USD", at=at("2026-04-01"))
    for day in ("2026-02-28", "2026-06-01"):
        with pytest.raises(Unknown, match="No version of this plan is sold"):
            state.terms("pro", "EUR", at=at(day))
