"""The rows of maintenance windows: what was told, kept, worked; what is restated by what comes late; on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.app.recording import Receipt
from opsledger.domain import maintenance
from opsledger.replay.asof import as_of, replay
from opsledger.replay.explain import explain
from opsledger.replay.tables import Tables
from opsledger.testing import at
from opsledger.testing.plugin import Clock

HOUR = 3600
SEVEN, EIGHT, ELEVEN = (f"2026-01-11T{hour}:00:00Z" for hour in ("07", "08", "11"))  # Sunday, 02:00 to 06:00 in New York


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-02-01T00:00:00Z")
    return made


def act(ledger: OpsLedger, when: str, decision: Any, id: str = "M-1", by: str = "u-7", role: str = "sre", **arguments: Any) -> Receipt:
    return ledger.by(by, role=role, at=at(when)).record(decision, id, **arguments)


def plan(ledger: OpsLedger, id: str = "M-1", start: str = SEVEN, end: str = ELEVEN, **given: Any) -> None:
    asked: dict[str, Any] = {"services": ("platform",), "title": "New disks", "start_at": at(start), "end_at": at(end), **given}
    act(ledger, "2026-01-05T00:00:00Z", maintenance.schedule, id, **asked)


def tell(ledger: OpsLedger, when: str = "2026-01-06T00:00:00Z", id: str = "M-1", audience: str = "customers") -> None:
    act(ledger, when, maintenance.notify, id, audience=audience, channel="email")


def work(ledger: OpsLedger, start: str = SEVEN, end: str = ELEVEN, id: str = "M-1") -> None:
    act(ledger, start, maintenance.start, id)
    act(ledger, end, maintenance.complete, id)


def rows(ledger: OpsLedger, service_id: str = "platform") -> list[dict[str, Any]]:
    return ledger.tables.select("maintenance_window", at_least=ledger.store.head().position, service_id=service_id)


def row(ledger: OpsLedger, id: str = "M-1", service_id: str = "platform") -> dict[str, Any]:
    (found,) = (each for each in rows(ledger, service_id) if each["window_id"] == id)
    return found


def says(found: dict[str, Any], **expected: Any) -> None:
    assert {name: found[name] for name in expected} == {
        name: at(value) if isinstance(value, str) and name.endswith("_at") else value for name, value in expected.items()
    }


def test_a_window_announced_and_done_in_time_does_not_count(ledger: OpsLedger) -> None:
    plan(ledger, services=("platform", "api"))
    tell(ledger)
    says(row(ledger), status="scheduled", qualifies=True, disqualified_by=None, excluded_s=0, counted_s=0, overrun_s=None)
    work(ledger)
    judged = {"in_slot": True, "qualifies": True, "excluded_s": 4 * HOUR, "counted_s": 0, "overrun_s": 0, "cap_used_s": 4 * HOUR}
    for service_id in ("platform", "api"):
        found = row(ledger, service_id=service_id)
        says(found, status="completed", started_at=SEVEN, ended_at=ELEVEN, slot_start_at=SEVEN, slot_end_at=ELEVEN, month="2026-01")
        says(found, notified_at="2026-01-06T00:00:00Z", notice_s=5 * 24 * HOUR + 7 * HOUR, **judged)
        says(found, notice_delay_s=None, notice_met=None, update_gap_s=None, updates_met=None)
    assert row(ledger)["last_position"] == ledger.store.head().position


def test_a_late_notice_turns_maintenance_into_downtime_and_one_found_later_turns_it_back(ledger: OpsLedger) -> None:
    plan(ledger)
    tell(ledger, "2026-01-08T07:00:01Z")
    work(ledger)
    says(row(ledger), notice_s=72 * HOUR - 1, qualifies=False, disqualified_by="notice", excluded_s=0, counted_s=4 * HOUR, cap_used_s=0)
    tell(ledger, "2026-01-08T07:00:00Z", audience="internal")
    assert row(ledger)["qualifies"] is False, "customers are those who must be told"
    tell(ledger, "2026-01-08T07:00:00Z")
    says(row(ledger), notice_s=72 * HOUR, qualifies=True, excluded_s=4 * HOUR, counted_s=0)


def story(ledger: OpsLedger, id: str = "M-1") -> list[str]:
    ledger.catch_up()
    return list(explain(ledger.store, ledger.tables.tables, "maintenance_window", ["platform", id]).story)


def test_the_story_of_a_window_says_what_each_rule_asks_and_what_was_found(ledger: OpsLedger) -> None:
    plan(ledger, start="2026-01-12T06:00:00Z", end="2026-01-12T11:00:00Z")
    tell(ledger, "2026-01-09T07:00:00Z")
    slot = "2026-01-12T07:00:00.000000Z to 2026-01-12T11:00:00.000000Z"
    assert story(ledger) == [
        "Announced for 2026-01-12T06:00:00.000000Z to 2026-01-12T11:00:00.000000Z, 05:00:00; no work is known.",
        "It fails weekday: asked is a Sunday in America/New_York, and 2026-01-12 is none.",
        f"It fails slot: asked is 02:00 to 06:00 in America/New_York, on 2026-01-12 from {slot}.",
        "It fails longest: asked is at most 04:00:00, and it was announced for 05:00:00.",
        "It fails notice: asked is 72:00:00 before the start to customers, and they were told 71:00:00 before.",
        "So it is no planned maintenance, and all of its work counts.",
    ]
    plan(ledger, "M-2", end="2026-01-11T10:00:00Z")
    tell(ledger, id="M-2")
    work(ledger, "2026-01-11T06:50:00Z", "2026-01-11T10:20:00Z", id="M-2")
    assert story(ledger, "M-2")[1:] == [
        "It keeps every rule, and 03:00:00 of it are taken out.",
        "00:10:00 of work before the announced start count.",
        "00:20:00 of work beyond the announced end count.",
    ]


def test_another_start_or_a_later_end_makes_notices_void_and_an_earlier_end_does_not(ledger: OpsLedger) -> None:
    plan(ledger, end="2026-01-11T10:00:00Z")
    tell(ledger)
    act(ledger, "2026-01-07T00:00:00Z", maintenance.reschedule, start_at=at(SEVEN), end_at=at("2026-01-11T09:00:00Z"))
    says(row(ledger), reschedule_count=1, notified_at="2026-01-06T00:00:00Z", qualifies=True)
    act(ledger, "2026-01-08T00:00:00Z", maintenance.reschedule, start_at=at(SEVEN), end_at=at(ELEVEN))
    says(row(ledger), reschedule_count=2, notified_at=None, notice_s=None, disqualified_by="notice")
    tell(ledger, "2026-01-08T06:00:00Z")
    says(row(ledger), qualifies=True)
    act(ledger, "2026-01-10T12:00:00Z", maintenance.reschedule, start_at=at(EIGHT), end_at=at(ELEVEN))
    tell(ledger, "2026-01-10T12:00:00Z")
    says(row(ledger), planned_start_at=EIGHT, notice_s=20 * HOUR, disqualified_by="notice")


def test_what_lies_before_and_beyond_the_announced_time_counts(ledger: OpsLedger) -> None:
    plan(ledger)
    tell(ledger)
    act(ledger, "2026-01-11T06:30:00Z", maintenance.start)
    says(row(ledger), status="in_progress", excluded_s=4 * HOUR, counted_s=None, overrun_s=None, early_s=HOUR // 2)
    act(ledger, "2026-01-11T12:00:00Z", maintenance.complete)
    says(row(ledger), excluded_s=4 * HOUR, early_s=HOUR // 2, overrun_s=HOUR, counted_s=HOUR + HOUR // 2)


def test_the_cap_of_the_month_is_shared_by_the_windows_of_a_service(ledger: OpsLedger) -> None:
    for id, day, end in (("M-1", 11, "10"), ("M-2", 25, "09")):
        plan(ledger, id, f"2026-01-{day}T07:00:00Z", f"2026-01-{day}T{end}:00:00Z")
        tell(ledger, id=id)
        work(ledger, f"2026-01-{day}T07:00:00Z", f"2026-01-{day}T{end}:00:00Z", id)
    says(row(ledger), excluded_s=3 * HOUR, over_cap_s=0, cap_used_s=3 * HOUR)
    says(row(ledger, "M-2"), qualifies=True, excluded_s=HOUR, over_cap_s=HOUR, counted_s=HOUR, cap_used_s=4 * HOUR)
    correct(ledger, "M-1", "started", SEVEN, EIGHT)
    says(row(ledger), excluded_s=2 * HOUR, cap_used_s=2 * HOUR)
    says(row(ledger, "M-2"), excluded_s=2 * HOUR, over_cap_s=0, cap_used_s=4 * HOUR, last_position=ledger.store.head().position)


def correct(ledger: OpsLedger, id: str, what: str, was: str, to: str) -> None:
    (said,) = (each for each in ledger.history(f"maintenance:{id}") if each.topic == f"maintenance.{what}")
    people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
    act(ledger, "2026-01-31T00:00:00Z", maintenance.correct_time, id, corrects=said.position, was=at(was), to=at(to), **people)


def test_a_cancelled_window_takes_nothing_out(ledger: OpsLedger) -> None:
    plan(ledger)
    tell(ledger)
    act(ledger, "2026-01-10T00:00:00Z", maintenance.cancel, reason="No disks")
    says(row(ledger), status="cancelled", qualifies=False, disqualified_by="cancelled", excluded_s=0, counted_s=0)


def test_an_emergency_counts_and_its_approval_notice_and_updates_are_judged(ledger: OpsLedger) -> None:
    asked: dict[str, Any] = {"services": ("platform",), "kind": "emergency", "title": "Leak"}
    act(
        ledger,
        "2026-01-14T18:00:00Z",
        maintenance.schedule,
        start_at=at("2026-01-14T19:00:00Z"),
        end_at=at("2026-01-14T20:00:00Z"),
        **asked,
    )
    says(row(ledger), disqualified_by="emergency, approval", in_slot=None, notice_delay_s=None, notice_met=None, updates_met=None)
    tell(ledger, "2026-01-14T18:15:00Z", audience="public")
    act(ledger, "2026-01-14T18:50:00Z", maintenance.approve_emergency, by="u-1", role="cto")
    act(ledger, "2026-01-14T19:00:00Z", maintenance.start)
    says(row(ledger), disqualified_by="emergency", approved_by="u-1", approver_role="cto", notice_delay_s=900, notice_met=True)
    act(ledger, "2026-01-14T19:20:00Z", maintenance.publish_status, audience="public", message="Half done")
    says(row(ledger), update_gap_s=1200, updates_met=None)
    act(ledger, "2026-01-14T19:50:00Z", maintenance.complete)
    says(row(ledger), excluded_s=0, counted_s=3000, update_gap_s=1800, updates_met=True)
    correct(ledger, "M-1", "notified", "2026-01-14T18:15:00Z", "2026-01-14T18:15:01Z")
    correct(ledger, "M-1", "emergency_approved", "2026-01-14T18:50:00Z", "2026-01-14T19:00:01Z")
    says(row(ledger), notice_delay_s=901, notice_met=False, disqualified_by="emergency, approval")


def test_an_emergency_of_which_nobody_was_told_has_no_notice_in_time_and_silence_from_start_to_end(ledger: OpsLedger) -> None:
    act(ledger, SEVEN, maintenance.schedule, services=("api",), start_at=at(SEVEN), end_at=at(EIGHT), kind="emergency", title="Leak")
    work(ledger, SEVEN, "2026-01-11T07:30:00.000001Z")
    says(row(ledger, service_id="api"), notice_delay_s=None, notice_met=False, update_gap_s=1800, updates_met=False)


def as_known(ledger: OpsLedger, tmp_path: Any, **when: Any) -> dict[str, Any]:
    tables = Tables(sa.create_engine(f"sqlite:///{tmp_path}/{len(list(tmp_path.iterdir()))}.db"))
    replay(ledger.store, tables, as_of(ledger.store, **when))
    (found,) = tables.select("maintenance_window", service_id="platform")
    return found


def test_the_verdict_as_known_then_and_now_and_live_equals_rebuilt(ledger: OpsLedger, tmp_path: Any) -> None:
    plan(ledger)
    tell(ledger, "2026-01-08T12:00:00Z")
    work(ledger)
    before = ledger.store.head().position
    says(row(ledger), disqualified_by="notice")
    correct(ledger, "M-1", "notified", "2026-01-08T12:00:00Z", "2026-01-08T06:00:00Z")
    says(row(ledger), qualifies=True, last_position=before + 1)
    says(as_known(ledger, tmp_path, position=before), disqualified_by="notice")
    says(as_known(ledger, tmp_path, effective_at=micros(EIGHT)), qualifies=True, status="in_progress", excluded_s=4 * HOUR)
    assert sum(difference.rows for difference in ledger.tables.rebuild()) == 0


def micros(time: str) -> int:
    moment: datetime = at(time)
    return int(moment.timestamp()) * 1_000_000
