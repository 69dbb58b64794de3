"""Customers, their activity and their renewals as tables: late facts restate, corrections count, live equals rebuild."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from opsledger.app import OpsLedger, Taken
from opsledger.domain import activity, customer, renewal
from opsledger.policies.instants import at
from opsledger.replay.explain import explain
from opsledger.testing.plugin import Clock

ROLE = "customer_success_manager"


def select(ledger: OpsLedger, table: str, **equal: Any) -> list[dict[str, Any]]:
    return ledger.tables.select(table, at_least=ledger.store.head().position, **equal)


def rebuilt(ledger: OpsLedger) -> list[str]:
    return [each.table for each in ledger.tables.rebuild() if each.rows]


def observe(ledger: OpsLedger, *observations: activity.Observation, run: str = "1") -> None:
    taken = [
        Taken(f"{run}/{'/'.join(activity.identity(each))}/{each.customer_id}", ((activity.stream_of(each), each),)) for each in observations
    ]
    ledger.by("u-7").observe(taken, source="product")


def users(day: date, daily: int, weekly: int | None = None, monthly: int | None = None) -> activity.UsersActive:
    until = at(str(day + timedelta(days=1)))
    return activity.UsersActive(counted_until=until, customer_id="C-7", day=day, daily=daily, weekly=weekly, monthly=monthly)


def days(ledger: OpsLedger) -> dict[str, dict[str, Any]]:
    return {row["day"]: row for row in select(ledger, "customer_activity_day", customer_id="C-7")}


def test_who_looked_after_a_customer_is_known_for_any_time(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, begin = opsledger_sqlite, opsledger_clock.now
    ledger.by("u-7").record(customer.register, "C-7", segment="small")
    opsledger_clock.forward(days=9)
    third, sixth = begin + timedelta(days=3), begin + timedelta(days=6)
    ledger.by("u-7", at=sixth).record(customer.assign_owner, "C-7", role=ROLE, owner_id="u-2")
    ledger.by("u-7", at=third).record(customer.assign_owner, "C-7", role=ROLE, owner_id="u-1")
    ledger.by("u-7").record(customer.release_owner, "C-7", role=ROLE)
    owners = [(row["owner_id"], row["valid_from_at"], row["valid_to_at"]) for row in select(ledger, "customer_owner")]
    assert owners == [("u-1", third, sixth), ("u-2", sixth, opsledger_clock.now)]
    (row,) = select(ledger, "customer", customer_id="C-7")
    assert (row["customer_success_manager_id"], row["segment"], row["seats"]) == (None, "small", None)
    assert rebuilt(ledger) == []


def test_what_a_customer_might_use_is_known_for_any_time(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, begin = opsledger_sqlite, opsledger_clock.now
    ledger.by("u-7").record(customer.register, "C-7", segment="small")
    ledger.by("u-7").record(customer.entitle, "C-7", seats=10, features=("search",))
    opsledger_clock.forward(days=9)
    ledger.by("u-7").record(customer.entitle, "C-7", seats=20, api=True, features=("search", "reports"))
    spans = [(row["seats"], row["features"], row["valid_from_at"], row["valid_to_at"]) for row in select(ledger, "customer_entitlement")]
    assert spans == [(10, "search", begin, opsledger_clock.now), (20, "reports, search", opsledger_clock.now, None)]
    (row,) = select(ledger, "customer")
    assert (row["seats"], row["api"], row["community"], row["feature_count"]) == (20, True, False, 2)


def test_a_corrected_time_moves_the_span(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, begin = opsledger_sqlite, opsledger_clock.now
    ledger.by("u-7").record(customer.register, "C-7", segment="small")
    changed_at = opsledger_clock.forward(days=5)
    position = ledger.by("u-7").record(customer.change_segment, "C-7", segment="large").position
    assert len(select(ledger, "customer_segment")) == 2
    asked = {"corrects": position, "was": changed_at, "to": begin + timedelta(days=1), "reason": "Signed earlier"}
    ledger.by("u-7").record(customer.correct_time, "C-7", requested_by="u-7", approved_by="u-8", **asked)
    assert [row["valid_from_at"] for row in select(ledger, "customer_segment")] == [begin, begin + timedelta(days=1)]
    assert rebuilt(ledger) == []


def test_a_day_of_activity_has_what_was_counted_and_null_for_what_was_not(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    ledger.by("u-7").record(customer.register, "C-7", segment="small")
    ledger.by("u-7").record(customer.entitle, "C-7", seats=10)
    until = at(str(day + timedelta(days=1)))
    opsledger_clock.forward(days=2)
    named: dict[str, Any] = {"counted_until": until, "customer_id": "C-7", "day": day}
    observe(
        ledger,
        users(day, 4, 6, 8),
        activity.FeatureUsed(feature="search", users=2, **named),
        activity.FeatureUsed(feature="reports", users=0, **named),
        activity.CasesCompleted(cases=0, **named),
    )
    (row,) = select(ledger, "customer_activity_day")
    assert (row["day"], row["dau"], row["wau"], row["mau"], row["seats"]) == (str(day), 4, 6, 8, 10)
    assert (row["features_used"], row["cases"], row["api_calls"], row["training_invited"]) == (1, 0, None, None)
    assert (row["dau_28d_sum"], row["dau_28d_count"], row["dau_mau_bp"]) == (4, 1, 5000)
    assert rebuilt(ledger) == []


def test_the_mean_of_daily_users_takes_the_days_counted_of_the_last_28(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    opsledger_clock.forward(days=40)
    observe(ledger, users(day, 9), users(day + timedelta(days=1), 3), users(day + timedelta(days=28), 4, 4, 7))
    last = days(ledger)[str(day + timedelta(days=28))]
    assert (last["dau_28d_sum"], last["dau_28d_count"], last["dau_mau_bp"]) == (7, 2, 5000)
    assert days(ledger)[str(day)]["dau_mau_bp"] is None


def test_a_late_count_restates_the_days_whose_window_contains_it_and_no_other(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    opsledger_clock.forward(days=60)
    observe(ledger, *(users(day + timedelta(days=i), 5, 5, 10) for i in range(50) if i != 10))
    before = days(ledger)
    observe(ledger, users(day + timedelta(days=10), 50, 50, 50))
    after = days(ledger)
    changed = [date.fromisoformat(name) - day for name in after if after[name] != before.get(name)]
    assert [each.days for each in changed] == list(range(10, 38))
    assert rebuilt(ledger) == []


def test_a_day_counted_again_takes_the_place_of_the_first_count(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    opsledger_clock.forward(days=3)
    observe(ledger, users(day, 5), run="1")
    observe(ledger, users(day, 6), run="2")
    partial = activity.UsersActive(counted_until=at(f"{day}T12:00:00Z"), customer_id="C-7", day=day, daily=2)
    observe(ledger, partial, run="3")
    row = days(ledger)[str(day)]
    assert (row["dau"], row["superseded_count"]) == (6, 2)
    assert rebuilt(ledger) == []


def test_the_same_record_with_another_count_is_reported_and_not_taken_in(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    opsledger_clock.forward(days=3)
    first, other = (Taken("d-1", ((activity.stream_of(users(day, n)), users(day, n)),)) for n in (5, 6))
    ledger.by("u-7").observe([first], source="product")
    assert ledger.by("u-7").observe([other], source="product").changed == ["d-1"]
    assert days(ledger)[str(day)]["dau"] == 5


def test_a_correction_of_a_count_restates_its_day(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    opsledger_clock.forward(days=3)
    arguments: dict[str, Any] = {"customer_id": "C-7", "day": day, "daily": 5, "monthly": 9}
    id = f"C-7/{day:%Y-%m}"
    position = ledger.by("u-7").record(activity.count_users, id, **arguments).position
    asked = {"corrects": position, "what": "monthly", "was": 9, "to": 10, "reason": "The export had a gap"}
    ledger.by("u-7").record(activity.correct_count, id, requested_by="u-7", approved_by="u-8", **asked)
    row = days(ledger)[str(day)]
    assert (row["dau"], row["mau"], row["dau_mau_bp"]) == (5, 10, 5000)
    assert row["last_position"] == ledger.store.head().position
    assert rebuilt(ledger) == []


def test_a_session_moved_to_another_month_is_counted_where_it_is_planned_last(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger = opsledger_sqlite
    opsledger_clock.set("2026-04-20T09:00:00Z")
    for said, planned, invited in (("2026-03-20", "2026-03-28", 8), ("2026-04-01", "2026-04-07", 9)):
        made = activity.TrainingInvited(invited_at=at(said), customer_id="C-7", session_id="S-1", session_at=at(planned), invited=invited)
        observe(ledger, made, run=said)
    held = activity.TrainingAttended(held_at=at("2026-04-07T10:00:00Z"), customer_id="C-7", session_id="S-1", attended=6)
    observe(ledger, held)
    assert {name: (row["training_invited"], row["training_attended"]) for name, row in days(ledger).items()} == {"2026-04-07": (9, 6)}


def test_explain_tells_what_a_day_was_made_of(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, day = opsledger_sqlite, opsledger_clock.now.date()
    ledger.by("u-7").record(customer.register, "C-7", segment="small")
    ledger.by("u-7").record(customer.entitle, "C-7", seats=10)
    opsledger_clock.forward(days=5)
    observe(ledger, users(day, 3), users(day + timedelta(days=1), 4, 6))
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "customer_activity_day", ["C-7", str(day + timedelta(days=1))])
    assert found.story == ["daily 4, weekly 6, monthly not known", "1 of the 27 days before it, for the mean", "10 seats"]
    assert [told.topic for told in found.facts] == ["customer.entitled", "activity.users_active", "activity.users_active"]


def test_forecasts_and_opportunities_have_rows_as_corrected_and_as_ended(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger, begin = opsledger_sqlite, opsledger_clock.now
    actor = ledger.by("u-1")
    position = actor.record(renewal.forecast, "R-1", customer_id="C-7", probability_bp=8000, forecast_by="u-1").position
    asked = {"corrects": position, "was_bp": 8000, "to_bp": 800, "reason": "A digit too much"}
    actor.record(renewal.correct_forecast, "R-1", requested_by="u-1", approved_by="u-2", **asked)
    assert [(row["probability_bp"], row["forecast_at"]) for row in select(ledger, "renewal_forecast")] == [(800, begin)]
    more: dict[str, Any] = {"customer_id": "C-7", "opportunity_id": "X-1", "currency": "USD", "identified_by": "u-1"}
    opsledger_clock.forward(days=3)
    actor.record(renewal.identify_expansion, "R-1", mrr_minor=5000, **more)
    earlier = begin - timedelta(days=7)
    ledger.by("u-1", at=earlier).record(renewal.identify_expansion, "R-1", mrr_minor=4000, **more)
    actor.record(renewal.win_expansion, "R-1", opportunity_id="X-1")
    (row,) = select(ledger, "expansion_opportunity")
    assert (row["status"], row["identified_at"], row["mrr_minor"], row["ended_at"]) == ("won", earlier, 5000, opsledger_clock.now)
    assert rebuilt(ledger) == []
