"""The ledger's facts about itself."""

from __future__ import annotations

from datetime import date

from opsledger.domain import ledger
from opsledger.testing import Spec, at

spec = Spec("ledger:self")
NOON = at("2026-03-02T12:00:00Z")
BEGUN = {"ledger_id": "0" * 32, "simulated": True, "program": "opsledger 0.1.0"}
CREATED = ledger.Created(created_at=NOON, **BEGUN)


def test_a_ledger_begins_and_says_for_good_whether_it_is_simulated() -> None:
    spec.when(ledger.create, at=NOON, **BEGUN).then(CREATED)
    assert ledger.evolve(None, CREATED).simulated


def test_a_ledger_begins_once() -> None:
    spec.given(CREATED).when(ledger.create, at=NOON, **BEGUN).then_refused("created already; open it instead")


def test_a_clock_that_fell_behind_is_noticed_once_for_each_standstill() -> None:
    early = at("2026-03-02T11:00:00Z")
    noticed = ledger.ClockRegressed(noticed_at=NOON, clock_at=early)
    spec.given(CREATED).when(ledger.notice_clock, at=early, last_at=NOON).then(noticed)
    spec.given(CREATED, noticed).when(ledger.notice_clock, at=at("2026-03-02T11:00:10Z"), last_at=NOON).then_nothing()
    again = at("2026-03-02T13:00:00Z")
    spec.given(CREATED, noticed).when(ledger.notice_clock, at=early, last_at=again).then(
        ledger.ClockRegressed(noticed_at=again, clock_at=early)
    )


def test_nothing_is_noticed_of_a_ledger_that_does_not_exist() -> None:
    spec.when(ledger.notice_clock, at=NOON, last_at=NOON).then_refused("has no facts")
    spec.when(ledger.close_day, at=NOON).then_refused("has no facts")


def closed(day: str, wall: str) -> ledger.DayClosed:
    return ledger.DayClosed(closed_at=at(wall), day=date.fromisoformat(day))


def test_the_day_before_is_closed_from_midnight_on() -> None:
    spec.given(CREATED).when(ledger.close_day, at=at("2026-03-03T00:00:00Z")).then(closed("2026-03-02", "2026-03-03T00:00:00Z"))
    last = at("2026-03-02T23:59:59.999999Z")
    spec.given(CREATED).when(ledger.close_day, at=last).then(ledger.DayClosed(closed_at=last, day=date(2026, 3, 1)))


def test_a_day_is_closed_once() -> None:
    given = spec.given(CREATED, closed("2026-03-01", "2026-03-02T12:00:00Z"))
    given.when(ledger.close_day, at=at("2026-03-02T23:59:59Z")).then_nothing()


def test_days_that_nobody_closed_need_no_fact_of_their_own() -> None:
    given = spec.given(CREATED, closed("2026-03-01", "2026-03-02T12:00:00Z"))
    given.when(ledger.close_day, at=at("2026-03-09T00:00:00Z")).then(closed("2026-03-08", "2026-03-09T00:00:00Z"))


def test_a_tick_that_comes_late_opens_no_day_again() -> None:
    given = spec.given(CREATED, closed("2026-03-08", "2026-03-09T00:00:00Z"))
    given.when(ledger.close_day, at=at("2026-03-05T00:00:00Z")).then_nothing()
