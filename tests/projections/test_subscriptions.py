"""The rows of subscriptions: how they stand, what changed, who wished to leave; live and rebuilt, on both databases."""

from __future__ import annotations

from datetime import date

import pytest
from subscription_acts import BIG, HEAD, PEOPLE, act, on, rebuilt_as_it_stood, row, select, subscribe

from opsledger.app import OpsLedger
from opsledger.domain import renewal
from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


HISTORY = ("state_from", "state_to", "valid_from_at", "valid_to_at", "topic")


def test_a_subscription_is_shown_with_its_terms_and_what_is_agreed_for_later(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "03-10", s.apply_discount, discount=Discount(discount_id="D-1", off_bp=2000, ends_at=on("09-01")))
    act(ledger, "03-11", s.schedule_plan_change, terms=BIG, change_at=on("04-01"))
    act(ledger, "03-12", s.schedule_cancellation, cancel_at=on("05-01"))
    act(ledger, "03-25", s.remind_renewal, channel="email")
    found = row(ledger)
    assert (found["state"], found["entitled"], found["amount_minor"], found["discount_minor"]) == ("active", True, 10_000, 2000)
    assert (found["period_starts_at"], found["period_ends_at"], found["reminder_count"]) == (on("03-01"), on("04-01"), 1)
    assert (found["scheduled_plan_id"], found["scheduled_change_at"], found["cancel_at"]) == ("big", on("04-01"), on("05-01"))
    act(ledger, "04-01", s.change_plan)
    act(ledger, "04-01", s.renew)
    act(ledger, "05-01", s.end)
    found = row(ledger)
    assert (found["state"], found["end_reason"], found["ended_at"]) == ("ended", "cancelled_voluntary", on("05-01"))
    assert (found["plan_id"], found["entitled"], found["cancel_at"], found["scheduled_change_at"]) == ("big", False, None, None)
    assert (found["reminder_count"], found["renewal_count"]) == (0, 1)
    assert found["last_position"] == ledger.store.head().position
    assert rebuilt_as_it_stood(ledger)


def test_states_follow_each_other_without_a_gap(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "04-01", s.mark_past_due)
    act(ledger, "04-10", s.recover)
    act(ledger, "05-01", s.pause)
    assert select(ledger, "subscription_history", *HISTORY) == [
        (None, "pending", on("03-01"), on("03-01"), "subscription.created"),
        ("pending", "active", on("03-01"), on("04-01"), "subscription.activated"),
        ("active", "past_due", on("04-01"), on("04-10"), "subscription.marked_past_due"),
        ("past_due", "active", on("04-10"), on("05-01"), "subscription.recovered"),
        ("active", "paused", on("05-01"), None, "subscription.paused"),
    ]
    act(ledger, "04-20", s.mark_past_due)
    assert select(ledger, "subscription_history", *HISTORY)[-2:] == [
        ("active", "past_due", on("04-20"), on("05-01"), "subscription.marked_past_due"),
        ("past_due", "paused", on("05-01"), None, "subscription.paused"),
    ]
    assert rebuilt_as_it_stood(ledger)


def test_a_correction_moves_a_state_and_a_retraction_takes_it_away(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    paused = act(ledger, "05-01", s.pause).position
    act(ledger, "07-01", s.correct_time, corrects=paused, was=on("05-01"), to=on("04-15"), **PEOPLE)
    assert row(ledger)["state_since_at"] == on("04-15")
    ended = act(ledger, "06-01", s.end).position
    assert row(ledger)["state"] == "ended"
    last = act(ledger, "07-02", s.retract, retracts=ended, **PEOPLE).position
    found = row(ledger)
    assert (found["state"], found["ended_at"], found["end_reason"], found["last_position"]) == ("paused", None, None, last)
    act(ledger, "07-03", s.resume)
    assert row(ledger)["state"] == "active"
    assert rebuilt_as_it_stood(ledger)


def test_nothing_moves_what_has_ended(ledger: OpsLedger) -> None:
    """The end of the 10th is typed in after a change of plan of the 20th, which then never took effect."""
    subscribe(ledger, "03-01")
    act(ledger, "03-20", s.change_plan, terms=BIG)
    act(ledger, "03-10", s.end)
    assert (row(ledger)["plan_id"], row(ledger)["ended_at"]) == ("pro", on("03-10"))
    assert select(ledger, "subscription_change", "kind") == []
    assert rebuilt_as_it_stood(ledger)


def test_changes_keep_their_amounts(ledger: OpsLedger) -> None:
    subscribe(ledger, "03-01")
    act(ledger, "2026-03-16T12:00:00Z", s.change_quantity, quantity=20)
    act(ledger, "03-20", s.change_plan, terms=BIG)
    act(ledger, "04-16", s.end, give_back=True)
    columns = ("kind", "direction", "quantity_from", "quantity_to", "plan_to", "part", "whole", "credit_minor", "charge_minor", "net_minor")
    assert select(ledger, "subscription_change", *columns) == [
        ("quantity", None, 10, 20, "pro", 1_339_200, 2_678_400, -5000, 10_000, 5000),
        ("plan", "lateral", 20, 10, "big", 1_036_800, 2_678_400, -7742, 7742, 0),
        ("end", None, 10, None, None, 1_296_000, 2_592_000, -10_000, 0, -10_000),
    ]
    assert rebuilt_as_it_stood(ledger)


def test_wishes_to_leave_come_out_one_way_or_the_other(ledger: OpsLedger) -> None:
    for number in range(1, 5):
        subscribe(ledger, "03-01", f"S-{number}", customer=f"C-{number}")
        act(ledger, "03-10", s.request_cancellation, f"S-{number}", reason="price")
    act(ledger, "03-11", s.make_offer, "S-1", offer_id="O-1", kind="discount", discount=Discount(discount_id="D", off_bp=1000))
    act(ledger, "03-12", s.accept_offer, "S-1", offer_id="O-1")
    act(ledger, "03-11", s.make_offer, "S-2", offer_id="O-1", kind="pause")
    act(ledger, "03-12", s.decline_offer, "S-2", offer_id="O-1")
    act(ledger, "04-01", s.end, "S-2")
    act(ledger, "03-20", s.request_cancellation, "S-3", reason="competitor")
    columns = (
        "subscription_id",
        "seq",
        "reason",
        "monthly_minor",
        "offer_count",
        "accepted_count",
        "declined_count",
        "outcome",
        "settled_at",
    )
    assert select(ledger, "subscription_cancellation", *columns) == [
        ("S-1", 1, "price", 10_000, 1, 1, 0, "saved", on("03-12")),
        ("S-2", 1, "price", 10_000, 1, 0, 1, "lost", on("04-01")),
        ("S-3", 1, "price", 10_000, 0, 0, 0, "renewed", on("03-20")),
        ("S-3", 2, "competitor", 10_000, 0, 0, 0, "open", None),
        ("S-4", 1, "price", 10_000, 0, 0, 0, "open", None),
    ]
    reasons = ("month", "reason", "wishes", "mrr_minor", "offered", "saved", "lost", "still_open", "saved_bp", "null_reason")
    assert select(ledger, "cancellation_reasons", *reasons) == [
        ("2026-03", "competitor", 1, 10_000, 0, 0, 0, 1, None, "none is settled yet"),
        ("2026-03", "price", 3, 30_000, 2, 1, 1, 1, 5000, None),
    ]
    assert rebuilt_as_it_stood(ledger)


def test_trials_are_counted_by_the_month_in_which_they_began(ledger: OpsLedger) -> None:
    for number, converts in enumerate((5, 9, 30, None, None), 1):
        id = f"S-{number}"
        act(ledger, "03-01", s.create, id, customer_id=f"C-{number}", terms=BIG)
        act(ledger, "03-01", s.start_trial, id, trial_ends_at=on("04-01"))
        if converts is not None:
            act(ledger, f"03-{converts + 1:02d}", s.convert_trial, id)
    act(ledger, "04-01", s.expire_trial, "S-4")
    act(ledger, "04-30", s.create, "S-6", customer_id="C-6", terms=BIG)
    act(ledger, "04-30", s.start_trial, "S-6", trial_ends_at=on("05-30"))
    columns = ("cohort_month", "trials", "converted", "lost", "running", "decided", "conversion_bp", "median_convert_s", "null_reason")
    assert select(ledger, "trial_funnel", *columns) == [
        ("2026-03", 5, 3, 1, 1, 4, 7500, 9 * 86_400, None),
        ("2026-04", 1, 0, 0, 1, 0, None, None, "none is decided yet"),
    ]


def test_renewals_are_due_when_the_newest_period_ends(ledger: OpsLedger) -> None:
    subscribe(ledger, "07-01")
    subscribe(ledger, "06-20", "S-2")
    subscribe(ledger, "07-01", "S-3")
    act(ledger, "07-02", s.schedule_cancellation, "S-3")
    act(ledger, "07-03", s.apply_discount, "S-1", discount=Discount(discount_id="D", off_minor=500, ends_at=on("08-01")))
    act(ledger, "07-20", s.remind_renewal, "S-1", channel="email")
    subscribe(ledger, "2026-06-20T12:00:00Z", "S-5")
    subscribe(ledger, "2026-06-20T12:00:01Z", "S-6")
    subscribe(ledger, "07-01", "S-4")
    act(ledger, "07-05", s.pause, "S-4")
    columns = ("subscription_id", "renewal_on", "days_left", "overdue", "renews", "reminders_sent", "renewal_minor")
    assert select(ledger, "renewal_calendar", *columns) == [
        ("S-1", "2026-08-01", 11, False, True, 1, 10_000),
        ("S-2", "2026-07-20", -1, True, True, 0, 10_000),
        ("S-3", "2026-08-01", 11, False, False, 0, 10_000),
        ("S-5", "2026-07-20", 0, True, True, 0, 10_000),
        ("S-6", "2026-07-20", 0, False, True, 0, 10_000),
    ]


def test_a_renewal_is_as_likely_as_the_newest_forecast_of_it_says(ledger: OpsLedger) -> None:
    subscribe(ledger, "07-01")
    subscribe(ledger, "07-01", "S-2")
    subscribe(ledger, "07-01", "S-3", customer="C-2")
    said = {"customer_id": "C-1", "forecast_by": "u-9"}
    act(ledger, "06-01", renewal.forecast, "R-0", probability_bp=1000, **said)
    act(ledger, "07-02", renewal.forecast, "R-1", probability_bp=2000, renewal_on=date(2026, 7, 1), **said)
    act(ledger, "07-03", renewal.forecast, "R-2", probability_bp=8000, renewal_on=date(2026, 8, 1), **said)
    act(ledger, "07-05", renewal.forecast, "R-3", probability_bp=9000, subscription_id="S-2", **said)
    act(ledger, "07-06", renewal.forecast, "R-4", probability_bp=7000, renewal_on=date(2026, 9, 1), **said)
    assert select(ledger, "renewal_calendar", "subscription_id", "forecast_bp", "forecast_at") == [
        ("S-1", 8000, on("07-03")),
        ("S-2", 9000, on("07-05")),
        ("S-3", None, None),
    ]
