"""OpenSLO in and out, and Sloth's service levels in: the published examples, and every rule about what an objective can say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conftest import shared_data
from opsledger.app import OpsLedger
from opsledger.domain import slo
from opsledger.errors import BadInput
from opsledger.importers import openslo, sloth
from opsledger.importers.yaml_documents import loaded
from opsledger.policies.platform import CreditTier
from opsledger.testing.plugin import Clock

PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}


@pytest.fixture(scope="module")
def specs() -> Path:
    return shared_data() / "slo_specs"


def document(**changes: Any) -> str:
    """An SLO that can be taken, in YAML, with other values at paths such as `budgetingMethod`."""
    spec: dict[str, Any] = {
        "service": "api",
        "indicatorRef": "api-requests",
        "timeWindow": [{"duration": "28d", "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [{"target": Decimal("0.9995")}],
        **changes,
    }
    made = {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "api-slo"}, "spec": spec}
    return openslo.written([openslo.SloDocument.model_validate(made)])


# OpenSLO's own examples.


def test_every_example_of_openslo_is_written_as_it_was_read(specs: Path) -> None:
    paths = sorted((specs / "openslo").rglob("*.yaml"))
    assert len(paths) >= 4
    for path in paths:
        text = path.read_text(encoding="utf-8")
        found = openslo.read(text)
        assert (len(found.slos), found.others) == (1, []), path.name
        assert loaded(openslo.written(found.slos)) == loaded(text), path.name


def test_an_example_with_a_threshold_asks_for_requests_below_it(specs: Path) -> None:
    (found,) = openslo.read((specs / "openslo/budgeting-method/occurences-slo.yaml").read_text(encoding="utf-8")).slos
    terms = openslo.terms(found, unit="ms")
    assert terms.slo_id == "search-slo"
    assert terms.arguments == {
        "service_id": "web-shop",
        "window": "rolling",
        "rolling_days": 14,
        "objective": "requests",
        "series_id": "search-latency",
        "target_pct": Decimal(0),
        "latency": (slo.LatencyBound(share_pct=Decimal(99), below_us=500_000),),
    }
    assert [each.partition(":")[0] for each in terms.left_out] == ["spec.indicator", "metadata.displayName", "spec.description"]


@pytest.mark.parametrize("name", ["budgeting-method/ratio-timeslices", "budgeting-method/timeslices-slo"])
def test_an_example_with_slices_of_time_is_refused_with_a_sentence(specs: Path, name: str) -> None:
    (found,) = openslo.read((specs / f"openslo/{name}.yaml").read_text(encoding="utf-8")).slos
    with pytest.raises(BadInput, match="slices of time; objectives here count requests or time itself"):
        openslo.terms(found)


# What an objective of ours can say.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"window": "rolling", "rolling_days": 28, "target_pct": Decimal("99.95")}),
        ({"timeWindow": [{"duration": "4w", "isRolling": True}]}, {"rolling_days": 28}),
        ({"timeWindow": [{"duration": "48h", "isRolling": True}]}, {"rolling_days": 2}),
        ({"objectives": [{"targetPercent": Decimal("99.9")}]}, {"target_pct": Decimal("99.9")}),
        (
            {
                "timeWindow": [
                    {
                        "duration": "1M",
                        "isRolling": False,
                        "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": "America/Toronto"},
                    }
                ]
            },
            {"window": "calendar_month", "zone": "America/Toronto"},
        ),
    ],
)
def test_what_can_be_said_is_taken(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    (found,) = openslo.read(document(**changes)).slos
    arguments = openslo.terms(found).arguments
    assert {key: arguments.get(key) for key in expected} == expected


def calendar(duration: str, start: str = "2026-01-01 00:00:00") -> dict[str, Any]:
    return {"timeWindow": [{"duration": duration, "isRolling": False, "calendar": {"startTime": start, "timeZone": "UTC"}}]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"budgetingMethod": "Timeslices"}, "counts by Timeslices"),
        (calendar("1m"), r"calendar windows of 1m \(m is a minute, M a month\)"),
        (calendar("1w"), "calendar windows of 1w"),
        (calendar("1M", "2026-01-15 00:00:00"), "do not begin on the first"),
        ({"timeWindow": [{"duration": "90m", "isRolling": True}]}, "whole days"),
        ({"timeWindow": [{"duration": "a month", "isRolling": True}]}, "write it like 30d"),
        ({"objectives": [{"target": Decimal("0.9")}, {"target": Decimal("0.99")}]}, "2 targets for one ratio"),
        ({"objectives": [{"displayName": "none"}]}, "without a target"),
        ({"objectives": [{"op": "gt", "value": 5, "target": Decimal("0.9")}]}, "take less than a time"),
        ({"objectives": [{"target": Decimal("0.9"), "indicatorRef": "x"}]}, "composed of several"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    (found,) = openslo.read(document(**changes)).slos
    with pytest.raises(BadInput, match=sentence):
        openslo.terms(found, unit="ms")


def test_a_threshold_without_a_unit_is_refused() -> None:
    (found,) = openslo.read(document(objectives=[{"op": "lt", "value": 5, "target": Decimal("0.9")}])).slos
    with pytest.raises(BadInput, match="nobody says the unit"):
        openslo.terms(found)


def test_at_most_is_below_one_microsecond_more() -> None:
    (found,) = openslo.read(document(objectives=[{"op": "lte", "value": Decimal("1.5"), "target": Decimal("0.9")}])).slos
    assert openslo.terms(found, unit="ms").arguments["latency"] == (slo.LatencyBound(share_pct=Decimal(90), below_us=1501),)


def test_a_field_that_the_specification_does_not_have_is_named() -> None:
    with pytest.raises(BadInput, match=r"spec\.objectives\.0\.targets: there is no such field"):
        openslo.read(document().replace("target:", "targets:"))


def test_documents_of_other_kinds_are_named_and_left_alone() -> None:
    found = openslo.read("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: api}\n---\n" + document())
    assert (len(found.slos), found.others) == (1, ["openslo/v1 Service api"])


# An objective of ours, out and in again.


@pytest.mark.parametrize(
    "terms",
    [
        {"target_pct": Decimal("99.95"), "objective": "availability", "excludes_maintenance": True, "unknown_time": "down"},
        {"target_pct": Decimal("99.9"), "objective": "availability", "zone": "America/New_York", "measured_by": "both"},
        {
            "target_pct": Decimal("99.99"),
            "objective": "requests",
            "series_id": "api-requests",
            "window": "rolling",
            "rolling_days": 28,
            "error_rate_below_pct": Decimal("0.1"),
        },
    ],
)
def test_an_objective_of_ours_comes_back_as_it_went_out(opsledger_sqlite: OpsLedger, opsledger_clock: Clock, terms: dict[str, Any]) -> None:
    opsledger_clock.set("2026-03-02T09:00:00Z")
    actor = opsledger_sqlite.by("u-1")
    (published,) = actor.record(slo.publish, "api-slo", service_id="api", **terms, **PEOPLE).facts
    tiers = (CreditTier(uptime_from_pct=Decimal("99.0"), credit_pct=Decimal(10)),)
    (written,) = openslo.read(openslo.written(openslo.documents("api-slo", published, tiers))).slos
    back = openslo.terms(written)
    assert (back.slo_id, back.credits) == ("api-slo", tiers)
    assert actor.record(slo.publish, back.slo_id, **back.arguments, **PEOPLE).facts == ()  # it says the same


def test_bounds_on_time_go_out_as_an_slo_of_their_own(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-02T09:00:00Z")
    bounds = tuple(slo.LatencyBound(share_pct=Decimal(share), below_us=us) for share, us in (("95", 150_000), ("99.5", 500_001)))
    terms: dict[str, Any] = {"objective": "requests", "series_id": "api-requests", "target_pct": Decimal(99), "latency": bounds}
    (published,) = opsledger_sqlite.by("u-1").record(slo.publish, "api-slo", service_id="api", **terms, **PEOPLE).facts
    ratio, latency = openslo.read(openslo.written(openslo.documents("api-slo", published))).slos
    assert openslo.terms(ratio).arguments["target_pct"] == Decimal(99)
    back = openslo.terms(latency)
    assert (back.slo_id, back.arguments["latency"]) == ("api-slo-latency", bounds)
    assert [(each.op, each.value, each.target) for each in latency.spec.objectives] == [
        ("lt", Decimal(150), Decimal("0.95")),
        ("lt", Decimal("500.001"), Decimal("0.995")),
    ]


# Sloth.


def test_every_example_of_sloth_is_read_or_said_to_be_refused(specs: Path) -> None:
    paths = sorted((specs / "sloth").rglob("*.y*ml"))
    assert len(paths) >= 20
    for path in paths:
        told = sloth.read(path.read_text(encoding="utf-8"))
        assert told.terms or told.burn or told.refused, path.name
        for terms in told.terms:
            assert terms.arguments["objective"] == "requests"
            assert terms.arguments["rolling_days"] == 30


def test_an_example_of_sloth_is_published(specs: Path, opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-02T09:00:00Z")
    told = sloth.read((specs / "sloth/getting-started.yml").read_text(encoding="utf-8"))
    (terms,) = told.terms
    (published,) = opsledger_sqlite.by("u-1").record(slo.publish, terms.slo_id, **terms.arguments, **PEOPLE).facts
    said = (published.service_id, published.series_id, published.target_pct, published.rolling_days)
    assert said == ("myservice", "myservice.requests-availability", Decimal("99.9"), 30)
    assert [each.partition(":")[0] for each in terms.left_out] == ["sli.events", "alerting", "description"]


def test_sloths_alert_windows_are_rules_of_ours(specs: Path) -> None:
    told = sloth.read((specs / "sloth/windows/7d.yaml").read_text(encoding="utf-8"))
    rules = told.burn[7]
    assert [(rule.severity, rule.budget_pct, rule.long, rule.short) for rule in rules] == [
        ("page", Decimal(8), 3600, 300),
        ("page", Decimal("12.5"), 21_600, 1800),
        ("ticket", Decimal(20), 86_400, 7200),
        ("ticket", Decimal(42), 259_200, 21_600),
    ]


def test_an_indicator_without_events_is_refused_and_the_others_are_taken() -> None:
    text = """
version: prometheus/v1
service: web
slos:
  - {name: raw, objective: 95, sli: {raw: {error_ratio_query: x}}}
  - {name: made, objective: 99.9, sli: {plugin: {id: sloth.dev/x}}}
  - {name: counted, objective: 99.90, sli: {events: {error_query: x, total_query: y}}}
"""
    told = sloth.read(text)
    assert [(terms.slo_id, terms.arguments["target_pct"]) for terms in told.terms] == [("web.counted", Decimal("99.9"))]
    assert [each.partition(":")[0] for each in told.refused] == ["web.raw", "web.made"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version: prometheus/v2", "of the form prometheus/v2"),
        ("version: prometheus/v1\nservice: web", "web has no slos"),
        ("- a list", "holds list where named fields belong"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_text_of_no_form_of_sloth_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        sloth.read(text)


def test_dates_and_decimals_of_yaml_stay_what_was_written() -> None:
    assert loaded("a: 2022-01-01 12:00:00\nb: 99.90\nc: 1e-3\n") == [{"a": "2022-01-01 12:00:00", "b": Decimal("99.90"), "c": "1e-3"}]
