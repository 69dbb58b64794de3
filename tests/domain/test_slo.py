"""Publishing and withdrawing service level objectives."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opsledger.domain import slo
from opsledger.domain.months import months_of
from opsledger.testing import Spec, at

spec = Spec("slo:platform-uptime")
NOW, LATER = at("2026-03-02T09:00:00Z"), at("2026-04-02T09:00:00Z")
TWO: dict[str, Any] = {"proposed_by": "u-1", "approved_by": "u-2"}
GIVEN: dict[str, Any] = {"service_id": "platform", **TWO}
FIRST = slo.Published(
    published_at=NOW,
    version=1,
    service_id="platform",
    effective_from=NOW,
    objective="availability",
    target_pct=Decimal("99.9"),
    window="calendar_month",
    rolling_days=None,
    months=months_of("UTC"),
    measured_by="probes",
    reason="",
    **TWO,
)


def test_the_target_is_what_the_operating_model_promises_and_the_months_are_those_of_the_reports() -> None:
    spec.when(slo.publish, at=NOW, **GIVEN).then(FIRST)


def test_an_objective_says_its_own_terms() -> None:
    latency = (slo.LatencyBound(share_pct=Decimal(95), below_us=150_000),)
    own: dict[str, Any] = {"target_pct": Decimal("99.95"), "objective": "requests", "series_id": "api-latency", "latency": latency}
    (fact,) = spec.when(slo.publish, at=NOW, **GIVEN, **own, zone="America/New_York", window="rolling", rolling_days=28).facts
    assert (fact.target_pct, fact.series_id, fact.latency, fact.rolling_days) == (Decimal("99.95"), "api-latency", latency, 28)
    assert fact.months.zone == "America/New_York"


def test_another_version_is_published_beside_the_first() -> None:
    (fact,) = spec.given(FIRST).when(slo.publish, at=LATER, **GIVEN, target_pct=Decimal("99.95")).facts
    assert (fact.version, fact.target_pct, fact.effective_from) == (2, Decimal("99.95"), LATER)


def test_the_same_terms_again_add_nothing_whoever_publishes_them() -> None:
    again = {**GIVEN, "proposed_by": "u-8", "approved_by": "u-9"}
    spec.given(FIRST).when(slo.publish, at=LATER, **again, target_pct=Decimal("99.90")).then_nothing()


def test_the_same_terms_from_an_earlier_time_are_another_version() -> None:
    (fact,) = spec.given(FIRST).when(slo.publish, at=LATER, **GIVEN, effective_from=at("2026-01-01"), reason="As the contract says").facts
    assert (fact.version, fact.effective_from) == (2, at("2026-01-01"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"approved_by": "u-1"}, "u-1 asked for this objective and cannot approve it too"),
        ({"service_id": "web"}, "promises nothing for web, only for api, database, platform; give a target_pct"),
        ({"effective_from": at("2026-03-01")}, "before now; say why with a reason"),
        ({"window": "rolling"}, "give days with rolling alone"),
        ({"rolling_days": 28}, "give days with rolling alone"),
        ({"objective": "requests"}, "name one where requests are counted"),
        ({"series_id": "api-latency"}, "name one where requests are counted"),
        ({"zone": "Atlantis"}, "has no zone 'Atlantis'"),
    ],
)
def test_terms_that_do_not_fit_are_refused(given: dict[str, Any], sentence: str) -> None:
    spec.when(slo.publish, at=NOW, **{**GIVEN, **given}).then_refused(sentence)


def test_an_objective_stays_with_its_service() -> None:
    spec.given(FIRST).when(slo.publish, at=LATER, **{**GIVEN, "service_id": "api"}).then_refused("publish one of api under another id")


def test_an_objective_is_withdrawn_once_and_comes_back_with_another_version() -> None:
    ended: dict[str, Any] = {"reason": "The contract ended", **TWO}
    withdrawn = slo.Withdrawn(withdrawn_at=LATER, **ended)
    spec.given(FIRST).when(slo.withdraw, at=LATER, **ended).then(withdrawn)
    spec.given(FIRST).when(slo.withdraw, at=LATER, **{**ended, "approved_by": "u-1"}).then_refused("cannot approve it too")
    spec.given(FIRST, withdrawn).when(slo.withdraw, at=LATER, **ended).then_nothing()
    spec.given(FIRST, withdrawn).when(slo.withdraw, at=at("2026-05-01"), **ended).then_refused("was withdrawn at")
    (fact,) = spec.given(FIRST, withdrawn).when(slo.publish, at=at("2026-05-01"), **GIVEN).facts
    assert (fact.version, fact.target_pct) == (2, Decimal("99.9"))


def test_nothing_is_withdrawn_that_was_not_published() -> None:
    spec.when(slo.withdraw, at=NOW, reason="It never was", **TWO).then_refused("has no facts")
