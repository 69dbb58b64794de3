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


# Signing keys.

KEY, NEXT = "opsledger/0+00000000+AA==", "opsledger/0+11111111+BB=="
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}
INTRODUCED = ledger.KeyIntroduced(introduced_at=NOON, key=KEY, replaces=None, endorsement=None, reason="", **PEOPLE)


def test_a_signing_key_is_introduced() -> None:
    spec.given(CREATED).when(ledger.introduce_key, at=NOON, key=KEY, **PEOPLE).then(INTRODUCED)
    assert ledger.evolve(ledger.evolve(None, CREATED), INTRODUCED).key == KEY


def test_the_same_key_again_adds_nothing() -> None:
    spec.given(CREATED, INTRODUCED).when(ledger.introduce_key, at=NOON, key=KEY, **PEOPLE).then_nothing()


def test_nobody_approves_the_key_that_they_propose() -> None:
    one = {"proposed_by": "u-1", "approved_by": "u-1"}
    spec.given(CREATED).when(ledger.introduce_key, at=NOON, key=KEY, **one).then_refused("cannot approve it too")
    alone = {"proposed_by": "system:default", "approved_by": "system:default"}
    spec.given(CREATED, INTRODUCED).when(ledger.introduce_key, at=NOON, key=NEXT, replaces=KEY, endorsement="x", **alone).then_refused(
        "cannot approve it too"
    )


def test_a_key_follows_the_one_in_use_and_is_endorsed_by_it() -> None:
    given = spec.given(CREATED, INTRODUCED)
    given.when(ledger.introduce_key, at=NOON, key=NEXT, replaces=KEY, endorsement="x", **PEOPLE).then(
        ledger.KeyIntroduced(introduced_at=NOON, key=NEXT, replaces=KEY, endorsement="x", reason="", **PEOPLE)
    )
    given.when(ledger.introduce_key, at=NOON, key=NEXT, endorsement="x", **PEOPLE).then_refused("say that the new one replaces it")
    given.when(ledger.introduce_key, at=NOON, key=NEXT, replaces=NEXT, endorsement="x", **PEOPLE).then_refused(f"The key in use is {KEY}")


def test_a_key_that_was_stolen_is_replaced_with_a_reason_alone() -> None:
    given = spec.given(CREATED, INTRODUCED)
    given.when(ledger.introduce_key, at=NOON, key=NEXT, replaces=KEY, **PEOPLE).then_refused("say why it cannot with a reason")
    given.when(ledger.introduce_key, at=NOON, key=NEXT, replaces=KEY, reason="It was stolen", **PEOPLE).then(
        ledger.KeyIntroduced(introduced_at=NOON, key=NEXT, replaces=KEY, endorsement=None, reason="It was stolen", **PEOPLE)
    )


# Restores.

LOST = {"lost_from": 8, "lost_to": 9, "reason": "The disk died", "requested_by": "u-1", "approved_by": "u-2"}


def test_a_restore_begins_another_incarnation() -> None:
    restored = ledger.Restored(restored_at=NOON, incarnation=2, checkpoint="", **LOST)
    spec.given(CREATED).when(ledger.restore, at=NOON, **LOST).then(restored)
    assert ledger.evolve(ledger.evolve(None, CREATED), restored).incarnation == 2
    spec.given(CREATED, restored).when(ledger.restore, at=NOON, **LOST).then(
        ledger.Restored(restored_at=NOON, incarnation=3, checkpoint="", **LOST)
    )


def test_a_restore_says_what_was_lost_why_and_who_approved() -> None:
    given = spec.given(CREATED)
    given.when(ledger.restore, at=NOON, **{**LOST, "reason": ""}).then_refused("needs a reason")
    given.when(ledger.restore, at=NOON, **{**LOST, "lost_to": 7}).then_refused("Positions 8 to 7 are none")
    given.when(ledger.restore, at=NOON, **{**LOST, "approved_by": "u-1"}).then_refused("cannot approve it too")
