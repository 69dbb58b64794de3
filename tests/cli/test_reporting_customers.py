"""Reports of the business with customers: revenue, customers, health, onboarding; on a small history, as known before, and on none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import activity as a
from opsledger.domain import customer, health_model, health_override, onboarding, renewal, ticket
from opsledger.domain import subscription as s
from opsledger.domain.billing import Terms
from opsledger.policies import documents
from opsledger.policies.health import DEFAULT
from opsledger.policies.support import Priority
from opsledger.testing import at
from opsledger.testing.plugin import Clock

TERMS = Terms(plan_id="pro", plan_version=1, interval="month", quantity=10, unit_amount_minor=1000, currency="EUR")
REPORTS = ("revenue", "customers", "health", "onboarding")


@pytest.fixture
def business(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """C-1 pays 200.00, is used and overridden; C-2 pays 50.00 and is not; C-3 is registered alone. March of 2026."""
    ledger, actor = opsledger_sqlite, opsledger_sqlite.by("u-7")
    model = {"document": documents.canonical(DEFAULT), "proposed_by": "u-1", "approved_by": "u-2"}
    actor.record(health_model.publish, "opsledger-health-1", **model)
    for id, segment in (("C-1", "large"), ("C-2", "small"), ("C-3", "small")):
        actor.record(customer.register, id, segment=segment)
    actor.record(customer.entitle, "C-1", seats=10)
    actor.record(customer.assign_owner, "C-1", role="customer_success_manager", owner_id="u-9")
    actor.record(onboarding.create, "O-1", customer_id="C-1", go_live_on=date(2026, 3, 1))
    for id, of, terms in (("S-1", "C-1", TERMS), ("S-2", "C-2", replace(TERMS, plan_id="mini", quantity=5))):
        actor.record(s.create, id, customer_id=of, terms=terms)
        actor.record(s.activate, id)
    actor.record(renewal.forecast, "R-1", customer_id="C-1", probability_bp=8000, forecast_by="u-9")
    actor.record(ticket.register, "T-1", customer_id="C-1", requester_id="p-1", channel="email", priority=Priority.CRITICAL, summary=None)
    for day in range(3):
        opsledger_clock.forward(days=1)
        today = (opsledger_clock.now - timedelta(days=1)).date()
        users = a.UsersActive(counted_until=at(str(today + timedelta(days=1))), customer_id="C-1", day=today, daily=3, weekly=6, monthly=8)
        ledger.by("u-7").observe([_taken(f"{day}", users)], source="product")
        ledger.tick()
    actor.record(s.change_plan, "S-1", terms=replace(TERMS, plan_id="big", unit_amount_minor=2000))
    until = at("2026-06-01T00:00:00Z")
    ledger.by("u-9").record(health_override.override, "C-1", score_x10=900, expires_at=until, reason="They told me")
    opsledger_clock.forward(days=1)
    ledger.tick()
    ledger.catch_up()
    return ledger


def _taken(id: str, fact: Any) -> Any:
    from opsledger.app import Taken

    return Taken(id, ((a.stream_of(fact), fact),))


def said(run: Any, ledger: OpsLedger, *words: str) -> list[dict[str, Any]]:
    done = run("report", *words, "--ledger", ledger.url.shown, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def told(run: Any, ledger: OpsLedger, *words: str) -> str:
    done = run("report", *words, "--ledger", ledger.url.shown)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout) + str(done.stderr)


def test_revenue_is_rolled_forward_with_what_was_kept(business: OpsLedger, run: Any) -> None:
    (row,) = said(run, business, "revenue")
    assert (row["month"], row["new_minor"], row["expansion_minor"], row["mrr_end_minor"], row["customers_end"]) == (
        "2026-03",
        15_000,
        10_000,
        25_000,
        2,
    )
    assert row["grr_bp"] is None
    text = told(run, business, "revenue", "--month", "2026-03")
    assert "150.00" in text and "250.00" in text and "contraction" not in text


def test_revenue_is_split_by_plan_and_segment(business: OpsLedger, run: Any) -> None:
    plans = {
        row["plan_id"]: (row["expansion_minor"], row["moved_minor"], row["mrr_end_minor"])
        for row in said(run, business, "revenue", "--by", "plan")
    }
    assert plans == {"pro": (0, -10_000, 0), "big": (10_000, 10_000, 20_000), "mini": (0, 0, 5000)}
    assert [row["segment"] for row in said(run, business, "revenue", "--by", "segment")] == ["large", "small"]
    assert len(said(run, business, "revenue", "--by", "both")) == 3


def test_revenue_is_told_as_it_was_known_before(business: OpsLedger, run: Any) -> None:
    (row,) = said(run, business, "revenue", "--as-of", "2026-03-04T00:00:00Z")
    assert (row["expansion_minor"], row["mrr_end_minor"]) == (0, 15_000)


def test_customers_are_told_with_all_that_matters(business: OpsLedger, run: Any) -> None:
    rows = {row["customer_id"]: row for row in said(run, business, "customers")}
    first = rows["C-1"]
    assert (first["mrr_minor"], first["score_x10"], first["band"], first["open_tickets"]) == ({"EUR": 20_000}, 900, "green", 1)
    assert (first["forecast_bp"], first["customer_success_manager_id"]) == (8000, "u-9")
    assert (rows["C-2"]["mrr_minor"], rows["C-2"]["score_x10"], rows["C-3"]["mrr_minor"]) == ({"EUR": 5000}, None, {})
    assert [row["customer_id"] for row in said(run, business, "customers", "--segment", "small")] == ["C-2", "C-3"]
    assert [row["customer_id"] for row in said(run, business, "customers", "--owner", "u-9")] == ["C-1"]
    text = told(run, business, "customers")
    assert "200.00 EUR" in text and "90.0" in text and "80.00 %" in text


def test_who_has_left_is_told_where_that_is_asked_for(business: OpsLedger, run: Any) -> None:
    business.by("u-7").record(s.end, "S-1")
    business.catch_up()
    for report in ("customers", "health"):
        present = {row["customer_id"] for row in said(run, business, report)}
        assert {row["customer_id"] for row in said(run, business, report, "--left")} - present == {"C-1"}
    assert len(said(run, business, "health", "--customer", "C-1")) == 1


def test_health_names_the_override_the_computed_score_and_what_took_most(business: OpsLedger, run: Any) -> None:
    (row,) = said(run, business, "health")
    assert (row["final_score_x10"], row["final_band"]) == (900, "green")
    (before,) = said(run, business, "health", "--day", "2026-03-02")
    assert before["override_score_x10"] is None and before["final_score_x10"] == before["score_x10"] != 900
    text = told(run, business, "health")
    assert f"{before['score_x10'] // 10}." in text and "increased_tickets -10.0" in text and "1 green" in text
    assert said(run, business, "health", "--band", "red") == said(run, business, "health", "--model", "ours-2") == []


def test_a_score_is_explained_from_the_sum_down_to_the_facts(business: OpsLedger, run: Any) -> None:
    done = run("explain", "health_score", "C-1", "2026-03-05", "--ledger", business.url.shown)
    assert done.exit_code == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    (override,) = business.history("health_override:C-1")
    assert f"overridden by u-9 to 90.0, green, until 2026-06-01T00:00:00+00:00; computed was 10.1, red  [{override.position}]" in lines
    assert any(
        line.startswith("active_users: +13.0, 100.00 of 100 at weight 8.33 (wau_of_seats 0.6000, dau_of_mau 0.3750)  [") for line in lines
    )
    assert any(line.startswith("increased_tickets: -10.0  [") for line in lines)
    assert "20.1 given, 10.0 taken: 10.1" in lines
    assert "health_contribution: 18 rows; `opsledger select health_contribution customer_id=C-1 as_of_day=2026-03-05 " in done.stdout
    assert "health_override.set" in done.stdout.partition("Facts")[2]


def test_onboarding_is_told_with_the_time_to_a_first_value(business: OpsLedger, run: Any) -> None:
    (row,) = said(run, business, "onboarding")
    assert (row["plan_id"], row["customer_id"], row["done"], row["total"]) == ("O-1", "C-1", 0, 16)
    assert row["overdue"] == 4, "what was to be done before go-live"
    assert "1 of 1 have none yet" in told(run, business, "onboarding")
    assert said(run, business, "onboarding", "--status", "completed") == []


@pytest.mark.parametrize("name", REPORTS)
def test_of_an_empty_ledger_there_is_nothing_to_report(opsledger_sqlite: OpsLedger, run: Any, name: str) -> None:
    opsledger_sqlite.catch_up()
    assert said(run, opsledger_sqlite, name) == []
    assert "There is nothing to report" in told(run, opsledger_sqlite, name)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("revenue", "--month", "March"), "is no month"),
        (("health", "--day", "2026-02-30"), "is no day"),
        (("revenue", "--as-of", "1999-01-01T00:00:00Z"), "Nothing was recorded"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(opsledger_sqlite: OpsLedger, run: Any, words: tuple[str, ...], sentence: str) -> None:
    opsledger_sqlite.catch_up()
    done = run("report", *words, "--ledger", opsledger_sqlite.url.shown)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
