"""How recurring revenue moves: by customer, at instants, by the choices of the operating model; live and rebuilt, on both databases."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from subscription_acts import BIG, HEAD, PEOPLE, TERMS, act, on, rebuilt_as_it_stood, select, subscribe

from opsledger.app import OpsLedger
from opsledger.domain import customer, fx, policy
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.policies import documents
from opsledger.policies.instants import micros
from opsledger.policies.mrr import Revenue
from opsledger.policies.operating_model import default_model
from opsledger.replay.asof import as_of, replay
from opsledger.replay.explain import explain
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


MOVED = ("occurred_at", "movement_type", "amount_minor", "reason")


def moved(ledger: OpsLedger, *columns: str) -> list[tuple[Any, ...]]:
    return select(ledger, "mrr_movements", *(columns or MOVED))


def month(ledger: OpsLedger, table: str, name: str) -> dict[str, Any]:
    scope = {"plan_id": "*", "segment": "*"} if table == "mrr_monthly" else {}
    (found,) = ledger.tables.select(table, at_least=ledger.store.head().position, month=name, **scope)
    return found


def choose(ledger: OpsLedger, **choices: Any) -> None:
    model = default_model().model_copy(update={"revenue": Revenue(**choices)})
    said: dict[str, Any] = {"document": documents.canonical(model), "proposed_by": "u-7", "approved_by": "u-8"}
    ledger.by("u-7").record(policy.publish, "operating-model", **said)


def back(ledger: OpsLedger, day: str) -> None:
    previous = ledger.state(s.Subscription, "S-1")
    act(ledger, day, s.reactivate, "S-3", previous=previous, previous_subscription_id="S-1", terms=BIG)


def rate(ledger: OpsLedger, day: str, of: str) -> int:
    return act(ledger, day, fx.publish_rate, "EUR/USD", rate=Decimal(of), provider="bank").position


def test_a_customer_comes_grows_shrinks_leaves_and_comes_back(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "03-10", s.change_quantity, quantity=12)
    subscribe(ledger, "04-01", "S-2")
    act(ledger, "04-15", s.end, "S-2")
    act(ledger, "05-01", s.end)
    back(ledger, "06-01")
    assert moved(ledger) == [
        (on("03-01"), "new", 10_000, "activated"),
        (on("03-10"), "expansion", 2000, "quantity_changed"),
        (on("04-01"), "expansion", 10_000, "activated"),
        (on("04-15"), "contraction", -10_000, "cancelled_voluntary"),
        (on("05-01"), "churn", -12_000, "cancelled_voluntary"),
        (on("06-01"), "reactivation", 20_000, "reactivated"),
    ]
    row = month(ledger, "mrr_monthly", "2026-04")
    assert (row["mrr_start_minor"], row["expansion_minor"], row["contraction_minor"], row["mrr_end_minor"]) == (
        12_000,
        10_000,
        10_000,
        12_000,
    )
    assert rebuilt_as_it_stood(ledger)
    told = explain(ledger.store, ledger.tables.tables, "mrr_movements", ["C-1", "4"])
    assert told.story == [
        "contraction of -100.00 EUR a month, from 220.00 to 120.00: cancelled_voluntary",
        "S-1 brings 120.00 EUR a month since 2026-03-10T00:00:00.000000Z: quantity_changed",
        "S-2 brings 0.00 EUR a month since 2026-04-15T00:00:00.000000Z: cancelled_voluntary",
    ]
    behind = explain(ledger.store, ledger.tables.tables, "mrr_monthly", ["2026-04", "EUR"])
    assert [tuple(each.key) for each in behind.counted] == [("C-1", 3), ("C-1", 4)]


def test_a_plan_that_takes_the_place_of_another_at_once_is_no_churn(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-01", s.end, end_reason="migrated", successor_id="S-2")
    subscribe(ledger, "04-01", "S-2", terms=BIG)
    assert moved(ledger)[1:] == [(on("04-01"), "expansion", 10_000, "several")]


def test_a_trial_brings_nothing_until_it_is_paid_for(ledger: OpsLedger) -> None:
    act(ledger, "03-01", s.create, customer_id="C-1", terms=TERMS)
    act(ledger, "03-01", s.start_trial, trial_ends_at=on("03-15"))
    assert moved(ledger) == []
    act(ledger, "03-15", s.convert_trial)
    assert moved(ledger) == [(on("03-15"), "new", 10_000, "trial_converted")]


def test_a_discount_that_ends_by_its_own_time_expands_the_revenue_then_and_not_before(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    subscribe(ledger, "07-01")
    act(ledger, "07-01", s.apply_discount, discount=Discount(discount_id="D-1", off_bp=5000, ends_at=on("08-01")))
    assert moved(ledger) == [(on("07-01"), "new", 5000, "discount_applied"), (on("08-01"), "expansion", 5000, "discount_ended")]
    assert month(ledger, "mrr_monthly", "2026-07")["mrr_end_minor"] == 5000
    assert select(ledger, "mrr_monthly", "month", plan_id="*", segment="*") == [("2026-07",)]
    opsledger_clock.set("2026-08-01T00:00:00Z")
    act(ledger, "08-01", s.create, "S-2", customer_id="C-2", terms=TERMS)
    assert month(ledger, "mrr_monthly", "2026-08")["mrr_end_minor"] == 10_000


def test_a_discount_of_all_leaves_a_customer_who_brings_nothing(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-10", s.apply_discount, discount=Discount(discount_id="D-1", off_bp=10_000))
    assert moved(ledger)[1:] == [(on("04-10"), "contraction", -10_000, "discount_applied")]
    row = month(ledger, "mrr_monthly", "2026-05")
    assert (row["mrr_end_minor"], row["customers_end"]) == (0, 1)
    choose(ledger, free="inactive")
    assert moved(ledger)[1:] == [(on("04-10"), "churn", -10_000, "discount_applied")]


def test_a_pause_contracts_to_nothing_and_the_customer_stays(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "05-01", s.pause)
    act(ledger, "07-01", s.resume)
    assert moved(ledger)[1:] == [(on("05-01"), "contraction", -10_000, "paused"), (on("07-01"), "expansion", 10_000, "resumed")]
    row = month(ledger, "mrr_committed", "2026-05")
    assert (row["mrr_minor"], row["paused_minor"]) == (0, 10_000)
    assert month(ledger, "churn_monthly", "2026-05")["logo_churn_bp"] == 0
    choose(ledger, paused="full")
    assert len(moved(ledger)) == 1


def test_one_who_leaves_out_of_a_pause_is_gone_though_no_revenue_moves(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-01", s.pause)
    act(ledger, "05-02", s.end)
    assert moved(ledger)[-1] == (on("05-02"), "churn", 0, "cancelled_voluntary")
    assert month(ledger, "churn_monthly", "2026-05")["logo_churn_bp"] == 10_000


def test_an_agreed_end_counts_when_it_comes_and_is_shown_as_not_committed_before(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "03-10", s.schedule_cancellation, cancel_at=on("06-01"))
    assert len(moved(ledger)) == 1
    row = month(ledger, "mrr_committed", "2026-04")
    assert (row["mrr_minor"], row["leaving_minor"], row["committed_minor"]) == (10_000, 10_000, 0)
    act(ledger, "06-01", s.end)
    assert moved(ledger)[1:] == [(on("06-01"), "churn", -10_000, "cancelled_voluntary")]
    choose(ledger, churn_at="cancellation")
    assert moved(ledger)[1:] == [(on("03-10"), "churn", -10_000, "cancelled_voluntary")]


def test_late_payment_counts_until_collection_fails(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-01", s.mark_past_due)
    assert (len(moved(ledger)), month(ledger, "mrr_committed", "2026-04")["past_due_minor"]) == (1, 10_000)
    act(ledger, "05-01", s.mark_unpaid)
    assert moved(ledger)[1:] == [(on("05-01"), "churn", -10_000, "marked_unpaid")]
    row = month(ledger, "churn_monthly", "2026-05")
    assert (row["customers_churned"], row["churned_involuntary"], row["churned_voluntary"]) == (1, 1, 0)
    choose(ledger, past_due="excluded")
    assert moved(ledger)[1] == (on("04-01"), "contraction", -10_000, "marked_past_due")


@pytest.mark.parametrize(("days", "called"), [(31, "reactivation"), (30, "new")])
def test_one_who_comes_back_on_the_last_day_of_the_window_is_reactivated_and_later_new(
    opsledger_sqlite: OpsLedger, opsledger_clock: Clock, days: int, called: str
) -> None:
    opsledger_clock.set(HEAD)
    choose(opsledger_sqlite, reactivation_within_days=days)
    subscribe(opsledger_sqlite, "03-01")
    act(opsledger_sqlite, "05-01", s.end)
    back(opsledger_sqlite, "06-01")
    assert moved(opsledger_sqlite)[-1][1] == called
    cohorts = select(opsledger_sqlite, "customer_month", "cohort_month", month="2026-06")
    assert cohorts == [("2026-03",)]


def test_who_comes_and_goes_in_one_month_counts_as_both_or_not_at_all(ledger: OpsLedger) -> None:
    subscribe(ledger, "04-05")
    act(ledger, "04-10", s.change_quantity, quantity=3)
    act(ledger, "04-25", s.end)
    row = month(ledger, "churn_monthly", "2026-04")
    assert (row["customers_new"], row["customers_churned"], row["churned_of_start"]) == (1, 1, 0)
    assert (row["logo_churn_bp"], row["null_reason"]) == (None, "no customers at the start")
    choose(ledger, same_month="neither")
    assert moved(ledger) == []
    assert rebuilt_as_it_stood(ledger)


def test_rates_move_the_report_and_not_the_customer(ledger: OpsLedger) -> None:
    choose(ledger, reporting_currency="USD")
    rate(ledger, "04-20", "1.10")
    june = rate(ledger, "05-15", "1.16")
    subscribe(ledger, "03-01")
    assert moved(ledger, "occurred_at", "movement_type", "amount_minor", "rate", "amount_reporting_minor") == [
        (on("03-01"), "new", 10_000, "1.1", 11_000),
        (on("06-01"), "fx", 0, "1.16", 600),
    ]
    row = month(ledger, "mrr_monthly", "2026-06")
    assert (row["currency"], row["mrr_start_minor"], row["expansion_minor"], row["fx_impact_minor"], row["mrr_end_minor"]) == (
        "USD",
        11_000,
        0,
        600,
        11_600,
    )
    assert month(ledger, "churn_monthly", "2026-06")["nrr_bp"] == 10_000
    ledger.by("u-7").record(fx.correct_rate, "EUR/USD", corrects=june, was=Decimal("1.16"), to=Decimal("1.20"), **PEOPLE)
    assert month(ledger, "mrr_monthly", "2026-06")["fx_impact_minor"] == 1000
    assert rebuilt_as_it_stood(ledger)


def test_without_a_rate_each_currency_is_reported_by_itself(ledger: OpsLedger) -> None:
    choose(ledger, reporting_currency="JPY")
    subscribe(ledger, "03-01")
    subscribe(ledger, "04-01", "S-2", terms=replace(TERMS, currency="JPY"))
    assert select(ledger, "mrr_monthly", "currency", "mrr_end_minor", month="2026-04", plan_id="*", segment="*") == [
        ("EUR", 10_000),
        ("JPY", 10_000),
    ]


def test_what_comes_late_restates_the_months_and_what_was_known_before_stays_to_be_asked_for(ledger: OpsLedger, tmp_path: Path) -> None:
    subscribe(ledger, "03-01")
    known = ledger.store.head().position
    act(ledger, "04-01", s.change_quantity, quantity=5)
    assert month(ledger, "mrr_monthly", "2026-05")["mrr_end_minor"] == 5000
    tables = Tables(engine(LedgerUrl("sqlite", tmp_path / "then.db"), "itself"))
    replay(ledger.store, tables, as_of(ledger.store, position=known, effective_at=micros(on("05-31"))))
    assert [row["mrr_end_minor"] for row in tables.select("mrr_monthly", plan_id="*", segment="*")] == [10_000] * 3
    tables.close()
    assert rebuilt_as_it_stood(ledger)


def test_retention_locks_the_customers_of_the_start_and_caps_each_for_the_gross(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    subscribe(ledger, "03-02", "S-2", customer="C-2")
    act(ledger, "04-10", s.end)
    act(ledger, "04-11", s.change_quantity, "S-2", quantity=25)
    subscribe(ledger, "04-12", "S-4", customer="C-3")
    row = month(ledger, "churn_monthly", "2026-04")
    assert (row["grr_bp"], row["nrr_bp"], row["gross_mrr_churn_bp"], row["logo_churn_bp"]) == (5000, 12_500, 5000, 5000)
    (cohort,) = ledger.tables.select("retention_cohort", cohort_month="2026-03", age_months=1)
    assert (cohort["cohort_customers"], cohort["retained"], cohort["logo_retention_bp"]) == (2, 1, 5000)
    assert (cohort["grr_bp"], cohort["nrr_bp"]) == (5000, 12_500)
    kpis = {name: (top, bottom) for name, top, bottom in select(ledger, "kpi", "kpi", "numerator", "denominator", period_start="2026-04")}
    assert kpis["customer_churn"] == (1, 2)
    assert kpis["net_revenue_retention"] == (25_000, 20_000)


BY = ("plan_id", "segment", "mrr_start_minor", "new_minor", "expansion_minor", "moved_minor", "mrr_end_minor", "customers_end")


def test_revenue_is_told_by_plan_and_by_the_segment_of_the_time(ledger: OpsLedger) -> None:
    act(ledger, "03-01", customer.register, "C-1", segment="small")
    subscribe(ledger, "03-01")
    subscribe(ledger, "03-01", "S-2", terms=replace(TERMS, plan_id="mini", quantity=5))
    subscribe(ledger, "03-05", "S-3", customer="C-2")
    act(ledger, "04-10", s.change_plan, terms=BIG)
    act(ledger, "04-20", customer.change_segment, "C-1", segment="large")
    assert select(ledger, "mrr_monthly", *BY, month="2026-04") == [
        ("*", "*", 25_000, 0, 10_000, 0, 35_000, 2),
        ("*", "large", 0, 0, 0, 25_000, 25_000, 1),
        ("*", "none", 10_000, 0, 0, 0, 10_000, 1),
        ("*", "small", 15_000, 0, 10_000, -25_000, 0, 0),
        ("big", "*", 0, 0, 10_000, 10_000, 20_000, 1),
        ("big", "large", 0, 0, 0, 20_000, 20_000, 1),
        ("big", "small", 0, 0, 10_000, -10_000, 0, 0),
        ("mini", "*", 5000, 0, 0, 0, 5000, 1),
        ("mini", "large", 0, 0, 0, 5000, 5000, 1),
        ("mini", "small", 5000, 0, 0, -5000, 0, 0),
        ("pro", "*", 20_000, 0, 0, -10_000, 10_000, 1),
        ("pro", "none", 10_000, 0, 0, 0, 10_000, 1),
        ("pro", "small", 10_000, 0, 0, -10_000, 0, 0),
    ]
    assert rebuilt_as_it_stood(ledger)


def test_a_row_of_one_plan_leads_to_the_parts_of_movements_and_the_sum_to_the_movements(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-10", s.change_plan, terms=BIG)
    ledger.catch_up()
    whole = explain(ledger.store, ledger.tables.tables, "mrr_monthly", ["2026-04"])
    assert [tuple(each) for each in whole.counted] == [("mrr_movements", ("C-1", 2), "expansion 10000 minor units")]
    for view, key in (("customer_month", ["C-1", "2026-04"]), ("churn_monthly", ["2026-04"])):
        assert explain(ledger.store, ledger.tables.tables, view, key).counted == whole.counted
    part = explain(ledger.store, ledger.tables.tables, "mrr_monthly", ["2026-04", "EUR", "pro", "*"])
    assert [(each.table, each.result) for each in part.counted] == [("mrr_part", "moved -10000 minor units")]
    (line, *_) = explain(ledger.store, ledger.tables.tables, "mrr_part", [str(each) for each in part.counted[0].key]).story
    assert line == "moved -100.00 EUR, plan pro, segment none"


def test_what_is_past_due_or_paused_stands_beside_the_revenue_of_its_plan(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    subscribe(ledger, "03-01", "S-2", terms=BIG)
    act(ledger, "04-10", s.mark_past_due)
    act(ledger, "04-11", s.pause, "S-2")
    columns = ("plan_id", "mrr_end_minor", "past_due_minor", "paused_minor")
    assert select(ledger, "mrr_monthly", *columns, month="2026-04", segment="*") == [
        ("*", 10_000, 10_000, 20_000),
        ("big", 0, 0, 20_000),
        ("pro", 10_000, 10_000, 0),
    ]


def test_a_subscription_is_shown_with_what_it_brings_at_the_time(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    subscribe(ledger, "07-01")
    act(ledger, "07-01", s.apply_discount, discount=Discount(discount_id="D-1", off_bp=5000, ends_at=on("08-01")))
    subscribe(ledger, "07-01", "S-2")
    act(ledger, "07-02", s.pause, "S-2")
    assert select(ledger, "subscription_current", "subscription_id", "amount_minor", "mrr_minor") == [
        ("S-1", 10_000, 5000),
        ("S-2", 10_000, 0),
    ]
    opsledger_clock.set("2026-08-01T00:00:00Z")
    act(ledger, "08-01", s.create, "S-3", customer_id="C-2", terms=TERMS)
    assert select(ledger, "subscription_current", "mrr_minor") == [(10_000,), (0,), (0,)]
    found = explain(ledger.store, ledger.tables.tables, "subscription_current", ["S-1"])
    assert [told.topic for told in found.facts] == ["subscription.created", "subscription.activated", "subscription.discount_applied"]
