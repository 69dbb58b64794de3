"""Usage by period: each event once, conflicts surfaced, closes frozen beside what is known now; on both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from subscription_acts import HEAD, PEOPLE, act, on, rebuilt_as_it_stood, row, select, subscribe, use

from opsledger.app import OpsLedger, metering
from opsledger.domain import subscription as s
from opsledger.domain import usage
from opsledger.errors import Refused
from opsledger.testing.plugin import Clock

MARCH: dict[str, Any] = {"customer_id": "C-1", "subscription_id": "S-1", "meter": "calls"}
MARCH |= {"starts_at": on("03-01"), "ends_at": on("04-01")}


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-02T00:00:00Z")
    return made


def position_of(ledger: OpsLedger, event_id: str) -> int:
    history = ledger.history("usage:S-1/2026-03")
    return next(each.position for each in history if isinstance(each.fact, usage.Used) and each.fact.event_id == event_id)


def test_an_event_counts_once_however_often_it_comes(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    first = use(ledger, "e-1", "03-05", "1.50")
    assert (first.new, first.known, first.conflicts) == (1, 0, [])
    opsledger_clock.set("2027-09-01T00:00:00Z")
    again = use(ledger, "e-1", "03-05", "1.5")
    assert (again.new, again.known, again.conflicts) == (0, 1, [])
    found = row(ledger, "usage_period")
    assert (found["quantity"], found["events"], found["conflicts"]) == ("1.5", 1, 0)


def test_the_same_id_with_other_content_surfaces_and_is_not_counted(ledger: OpsLedger) -> None:
    use(ledger, "e-1", "03-05", "10")
    for _ in range(2):
        assert use(ledger, "e-1", "03-05", "11").conflicts == ["e-1"]
    assert use(ledger, "e-1", "03-06", "10").conflicts == ["e-1"]
    found = row(ledger, "usage_period")
    assert (found["quantity"], found["events"], found["conflicts"]) == ("10", 1, 2)
    told = [each.fact for each in ledger.history("usage:S-1/2026-03") if isinstance(each.fact, usage.ConflictFound)]
    assert [(each.event_id, each.quantity, each.used_at) for each in told] == [
        ("e-1", Decimal(11), on("03-05")),
        ("e-1", Decimal(10), on("03-06")),
    ]


def test_events_of_one_batch_are_told_apart_in_the_same_way(ledger: OpsLedger) -> None:
    event = metering.Event("e-1", "C-1", "S-1", "calls", Decimal(5), on("03-05"))
    done = metering.meter(ledger, "svc", [event, event, event._replace(quantity=Decimal(6))], source="gate")
    assert (done.new, done.known, done.conflicts) == (1, 1, ["e-1"])
    other = metering.meter(ledger, "svc", [event], source="another gate")
    assert (other.new, row(ledger, "usage_period")["quantity"]) == (1, "10")


def test_a_period_closed_by_a_cut_off_stays_beside_what_came_after(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    use(ledger, "e-1", "03-05", "5")
    use(ledger, "e-2", "2026-03-31T23:59:59Z", "2")
    use(ledger, "e-3", "04-01", "100")
    opsledger_clock.set("2026-04-03T00:00:00Z")
    closed = metering.close(ledger, "u-1", **MARCH)
    assert closed.facts[0].quantity == Decimal(7)
    assert metering.close(ledger, "u-1", **MARCH).facts == ()
    use(ledger, "e-4", "03-20", "3")
    found = row(ledger, "usage_period", period_starts_at=on("03-01"))
    assert (found["period_kind"], found["quantity"], found["closed_quantity"], found["restated_quantity"]) == ("closed", "10", "7", "3")
    assert (found["closed_agrees"], found["late_events"], found["knowledge_cutoff_at"]) == (True, 1, on("04-03"))
    opsledger_clock.set("2026-04-10T00:00:00Z")
    metering.close(ledger, "u-1", **MARCH)
    found = row(ledger, "usage_period", period_starts_at=on("03-01"))
    assert (found["closed_quantity"], found["restated_quantity"], found["late_events"]) == ("10", "0", 0)
    assert rebuilt_as_it_stood(ledger)


def test_a_close_that_says_what_was_not_counted_is_found(ledger: OpsLedger) -> None:
    use(ledger, "e-1", "03-05", "5")
    known = {"knowledge_cutoff_at": on("04-02"), "quantity": Decimal(6)}
    ledger.by("u-1").record(usage.close_period, "S-1/2026-03", **MARCH, **known)
    assert row(ledger, "usage_period")["closed_agrees"] is False
    with pytest.raises(Refused, match="is not known yet"):
        metering.close(ledger, "u-1", **MARCH, knowledge_cutoff_at=on("04-03"))


def test_corrections_and_voids_count_from_when_they_were_recorded(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    use(ledger, "e-1", "03-05", "10")
    use(ledger, "e-2", "03-06", "20")
    metering.close(ledger, "u-1", **MARCH)
    ledger.by("u-1").record(usage.correct, "S-1/2026-03", corrects=position_of(ledger, "e-1"), quantity_delta=Decimal("-2.5"), **PEOPLE)
    ledger.by("u-1").record(usage.void, "S-1/2026-03", voids=position_of(ledger, "e-2"), **PEOPLE)
    found = row(ledger, "usage_period")
    assert (found["quantity"], found["corrected_quantity"], found["events"], found["voided_events"]) == ("7.5", "-2.5", 1, 1)
    opsledger_clock.set("2026-04-05T00:00:00Z")
    metering.close(ledger, "u-1", **MARCH)
    assert (row(ledger, "usage_period")["closed_quantity"], row(ledger, "usage_period")["closed_agrees"]) == ("7.5", True)
    assert rebuilt_as_it_stood(ledger)


def test_periods_are_those_of_the_subscription_and_months_before_it(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set(HEAD)
    for event_id, day in (("e-1", "03-05"), ("e-2", "03-10"), ("e-3", "2026-04-09T23:59:59Z"), ("e-4", "04-10"), ("e-5", "06-20")):
        use(ledger, event_id, day, "1")
    subscribe(ledger, "03-10")
    act(ledger, "04-10", s.renew)
    columns = ("period_kind", "period_starts_at", "period_ends_at", "quantity")
    assert select(ledger, "usage_period", *columns) == [
        ("month", on("03-01"), on("03-10"), "1"),
        ("billing", on("03-10"), on("04-10"), "2"),
        ("billing", on("04-10"), on("05-10"), "1"),
        ("month", on("06-01"), on("07-01"), "1"),
    ]
    renewed = ledger.history("subscription:S-1")[-1].position
    act(ledger, "07-01", s.retract, retracts=renewed, **PEOPLE)
    assert select(ledger, "usage_period", *columns)[2:] == [
        ("month", on("04-10"), on("05-01"), "1"),
        ("month", on("06-01"), on("07-01"), "1"),
    ]
    assert rebuilt_as_it_stood(ledger)


def test_a_period_that_is_counted_anew_cuts_the_one_before_it_short(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set(HEAD)
    subscribe(ledger, "03-01")
    act(ledger, "03-10", s.pause)
    act(ledger, "03-20", s.resume, new_period=True)
    use(ledger, "e-1", "03-05", "1")
    use(ledger, "e-2", "03-25", "2")
    columns = ("period_starts_at", "period_ends_at", "quantity")
    assert select(ledger, "usage_period", *columns) == [(on("03-01"), on("03-20"), "1"), (on("03-20"), on("04-20"), "2")]
