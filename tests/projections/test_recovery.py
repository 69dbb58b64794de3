"""The rows of recovery: points, restores, drills, checks and runs; what is restated by what comes late; on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from recovery_acts import HEAD, US, act, check, drill, fail, heal, on, one, rebuilt_as_it_stood, select, take

from opsledger.app import OpsLedger
from opsledger.domain import automation_run, integrity_check, recovery_drill, recovery_point, restore
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.replay.asof import as_of, replay
from opsledger.replay.explain import explain
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock

MIN = 60 * US
TWO: dict[str, Any] = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


def says(found: dict[str, Any], **expected: Any) -> None:
    assert {name: found[name] for name in expected} == expected


def test_a_restore_says_what_was_lost_and_how_long_it_took(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", None, incident_id="INC-1", point_id="P-1")
    says(one(ledger, "restore"), status="started", rpo_us=None, rpo_met=None, rto_us=None, rto_met=None, null_reason="it is not completed")
    act(ledger, "11:15", restore.complete, "R-1", recovered_to=on("10:00"))
    found = one(ledger, "restore")
    says(found, status="completed", rpo_us=20 * MIN, rpo_below_s=900, rpo_met=False, rto_us=55 * MIN, rto_below_s=3600, rto_met=True)
    says(found, missed="rpo", null_reason=None, incident_id="INC-1", point_id="P-1", led_by="u-7", recovered_to_at=on("10:00"))
    assert found["last_position"] == ledger.store.head().position
    assert rebuilt_as_it_stood(ledger)


@pytest.mark.parametrize(
    ("recovered", "restored", "missed"),
    [
        ("2026-03-02T09:45:00.000001Z", "2026-03-02T10:59:59.999999Z", None),
        ("2026-03-02T09:45:00Z", "2026-03-02T10:59:59.999999Z", "rpo"),
        ("2026-03-02T09:45:00.000001Z", "2026-03-02T11:00:00Z", "rto"),
        ("2026-03-02T09:45:00Z", "2026-03-02T11:00:00Z", "rpo, rto"),
    ],
)
def test_exactly_fifteen_minutes_and_exactly_an_hour_are_too_much(
    ledger: OpsLedger, recovered: str, restored: str, missed: str | None
) -> None:
    drill(ledger, "10:00", recovered, restored)
    says(one(ledger, "recovery_drill"), missed=missed, null_reason=None)


def test_a_drill_after_which_nothing_came_back_has_missed_both(ledger: OpsLedger) -> None:
    drill(ledger, "10:00", None, None)
    says(one(ledger, "recovery_drill"), rpo_us=None, rpo_met=False, rto_us=None, rto_met=False, missed="rpo, rto")


def test_what_is_not_promised_is_measured_and_not_judged(ledger: OpsLedger) -> None:
    drill(ledger, "10:00", "09:00", "11:30", service_id="web")
    says(one(ledger, "recovery_drill"), rpo_us=60 * MIN, rpo_below_s=None, rpo_met=None, rto_us=90 * MIN, rto_met=None, missed=None)
    says(one(ledger, "recovery_drill"), null_reason="nothing is promised of the service")


def test_a_corrected_time_restates_the_row_and_a_restore_given_up_is_not_judged(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", "11:15")
    said = ledger.history("restore:R-1")[-1]
    act(ledger, "12:00", restore.correct, "R-1", corrects=said.position, what="recovered_to", was=on("10:00"), to=on("10:10"), **TWO)
    act(ledger, "12:10", restore.correct, "R-1", corrects=said.position, what="restored_at", was=on("11:15"), to=on("11:20"), **TWO)
    says(one(ledger, "restore"), rpo_us=10 * MIN, rto_us=60 * MIN, missed="rto", correction_count=2, restored_at=on("11:20"))
    fail(ledger, "05T10:00", "05T09:55", None, id="R-2")
    act(ledger, "05T10:30", restore.abandon, "R-2", reason="The disk is gone")
    says(one(ledger, "restore", restore_id="R-2"), status="abandoned", rto_met=None, null_reason="it was given up")
    assert rebuilt_as_it_stood(ledger)


def test_a_row_says_why_a_target_was_missed(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", "11:40")
    says(one(ledger, "restore"), missed="rpo, rto", rpo_cause=None, rto_cause="slow_restore")  # of points nothing is recorded
    take(ledger, "10:01", "10:00", "P-1")
    point = ledger.store.head().position
    says(one(ledger, "restore"), rpo_cause="no_young_point", last_position=point)
    take(ledger, "10:16", "10:15", "P-2")
    says(one(ledger, "restore"), rpo_cause="older_point")
    told = explain(ledger.store, ledger.tables.tables, "restore", ["database", "R-1"])
    assert told.story[-2:] == [
        "Too much was lost: a recovery point was young enough when it failed, and an older one was taken.",
        "It took too long: bringing it back did.",
    ]
    assert point + 1 in [each.position for each in told.facts]
    act(ledger, "12:00", restore.start, "R-2", service_id="database", failed_at=on("11:00"), cause="other")
    act(ledger, "12:01", restore.complete, "R-2", recovered_to=on("10:59"))
    says(one(ledger, "restore", restore_id="R-2"), missed="rto", rpo_cause=None, rto_cause="late_start")
    drill(ledger, "05T10:00", None, None)
    says(one(ledger, "recovery_drill"), rpo_cause="nothing_recovered", rto_cause="not_restored")
    assert rebuilt_as_it_stood(ledger)


def test_a_check_is_intact_when_all_rows_are_as_they_should_be(ledger: OpsLedger) -> None:
    check(ledger, "10:00")
    says(one(ledger, "integrity_check"), rows_checked=1000, mismatches=0, intact=True, repaired_at=None)
    found = check(ledger, "11:00", 1, "IC-2").position
    act(ledger, "12:00", integrity_check.repair, "IC-2", by="u-9", rows=1)
    says(one(ledger, "integrity_check", check_id="IC-2"), intact=False, repaired_at=on("12:00"), repaired_rows=1, repaired_by="u-9")
    act(ledger, "13:00", integrity_check.correct, "IC-2", corrects=found, what="mismatches", was=1, to=0, **TWO)
    says(one(ledger, "integrity_check", check_id="IC-2"), mismatches=0, intact=True, correction_count=1)
    check(ledger, "14:00", id="IC-3", rows=0)
    says(one(ledger, "integrity_check", check_id="IC-3"), intact=None)
    kpi = one(ledger, "kpi", kpi="data_integrity")
    says(kpi, scope="service:database", period_start="2026-03", numerator=2000, denominator=2000, n=3, null_reason=None)
    assert rebuilt_as_it_stood(ledger)


def test_a_point_says_to_when_it_brings_data_back_as_corrected_and_found(ledger: OpsLedger) -> None:
    take(ledger, "10:05", "10:00", "P-1", size_bytes=5000, digest="ab", place="zone-b")
    take(ledger, "11:05", "11:00", "P-2", covers_from=on("10:00"), lost_at_most_us=300 * US)
    says(one(ledger, "recovery_point", point_id="P-1"), recoverable_at=on("10:00"), behind_us=300 * US, usable=True, service_id="database")
    said = ledger.history("recovery_point:database/2026-03")[0].position
    act(ledger, "12:00", recovery_point.correct, "database/2026-03", corrects=said, was=on("10:00"), to=on("09:58"), **TWO)
    act(ledger, "12:30", recovery_point.find_unusable, "database/2026-03", point_id="P-2", defect="damaged")
    says(one(ledger, "recovery_point", point_id="P-1"), recoverable_at=on("09:58"), behind_us=420 * US, correction_count=1)
    says(one(ledger, "recovery_point", point_id="P-2"), usable=False, defect="damaged", unusable_found_at=on("12:30"))
    says(one(ledger, "recovery_readiness"), point_id="P-1", recoverable_at=on("09:58"))
    assert rebuilt_as_it_stood(ledger)


def test_ages_grow_with_the_clock_and_no_row_does(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-02T12:00:00Z")
    take(ledger, "10:05", "10:00", "P-1")
    drill(ledger, "09:00", "08:50", "09:40", over="11:00")
    check(ledger, "11:30")
    says(one(ledger, "recovery_readiness"), point_age_s=7200, drill_age_s=3600, check_age_s=1800, drill_rto_met=True, check_intact=True)
    stored = select(ledger, "recovery_point"), select(ledger, "recovery_drill")
    opsledger_clock.set("2026-03-02T13:00:00Z")
    heal(ledger, "13:00", "succeeded", "1")
    says(one(ledger, "recovery_readiness"), point_age_s=10_800, drill_age_s=7200, check_age_s=5400)
    assert (select(ledger, "recovery_point"), select(ledger, "recovery_drill")) == stored


def test_the_evidence_of_failures_real_and_played_stands_together(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", "11:15")
    drill(ledger, "05T10:00", "05T09:55", "05T10:30")
    found = [(row["kind"], row["evidence_id"], row["missed"]) for row in select(ledger, "recovery_evidence")]
    assert sorted(found) == [("drill", "D-1", None), ("restore", "R-1", "rpo")]
    figures = {row["scope"]: (row["numerator"], row["denominator"]) for row in select(ledger, "kpi", kpi="recovery_objectives_met")}
    assert figures == {"service:database kind:restore": (0, 1), "service:database kind:drill": (1, 1)}


def test_runs_are_counted_by_month_and_kind_as_corrected(ledger: OpsLedger) -> None:
    for day, outcome in enumerate(("succeeded", "succeeded", "handed_over", "failed"), 1):
        heal(ledger, f"{day:02d}T10:00", outcome, f"{day}")  # type: ignore[arg-type]  # one of the three
    last = heal(ledger, "09T10:00", "succeeded", "9", "deployment").position
    says(one(ledger, "automation_month", kind="self_healing"), month="2026-03", runs=4, succeeded=2, failed=1, handed_over=1)
    says(one(ledger, "automation_month", kind="*"), runs=5, succeeded=3, last_position=last)
    says(one(ledger, "kpi", kpi="self_healing"), scope="all", period_start="2026-03", numerator=2, denominator=4)
    first = ledger.history("automation_run:restart/2026-03")[0].position
    act(ledger, "09T11:00", automation_run.correct, "restart/2026-03", corrects=first, was="succeeded", to="failed", **TWO)
    says(one(ledger, "automation_run", run_id="1"), outcome="failed", correction_count=1)
    says(one(ledger, "kpi", kpi="self_healing"), numerator=1, denominator=4)
    assert rebuilt_as_it_stood(ledger)


def test_rows_are_explained_as_a_person_would_say_it(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", "11:15")
    check(ledger, "12:00", 1)
    drill(ledger, "05T10:00", None, None)
    heal(ledger, "13:00", "succeeded", "1")
    ledger.catch_up()
    tables = ledger.tables.tables
    told = explain(ledger.store, tables, "restore", ["database", "R-1"])
    assert told.story == [
        "The service failed at 2026-03-02T10:20:00.000000Z.",
        "Its data came back as they were at 2026-03-02T10:00:00.000000Z: 1200 s lost; less than 900 s is promised: missed.",
        "It could be used again at 2026-03-02T11:15:00.000000Z: after 3300 s; less than 3600 s is promised: met.",
    ]
    assert [each.topic for each in told.facts] == ["restore.started", "restore.completed"]
    assert explain(ledger.store, tables, "recovery_drill", ["database", "D-1"]).story[1:] == [
        "No data came back; less than 900 s is promised: missed.",
        "It could not be used again; less than 3600 s is promised: missed.",
    ]
    assert explain(ledger.store, tables, "integrity_check", ["database", "IC-1"]).story == [
        "1000 rows of invoices were compared with checksums; 1 were not as they should be.",
        "100 percent of the rows are promised to be: broken.",
    ]
    behind = explain(ledger.store, tables, "automation_month", ["2026-03", "self_healing"]).counted
    assert [(each.table, each.key, each.result) for each in behind] == [("automation_run", ("restart/2026-03", "1"), "succeeded")]


def test_tables_as_of_then_say_what_was_known_then(ledger: OpsLedger, tmp_path: Any) -> None:
    check(ledger, "10:00", 1)
    then = ledger.store.head().position
    act(ledger, "12:00", integrity_check.repair, "IC-1", rows=1)
    drill(ledger, "05T10:00", "05T09:55", "05T10:30")
    tables = Tables(engine(LedgerUrl("sqlite", tmp_path / "then.db"), "itself"))
    replay(ledger.store, tables, as_of(ledger.store, position=then))
    assert [(row["intact"], row["repaired_at"]) for row in tables.select("integrity_check")] == [(False, None)]
    assert tables.select("recovery_drill") == []
    tables.close()


def test_a_drill_corrected_before_it_was_recorded_last_keeps_the_correction(ledger: OpsLedger) -> None:
    drill(ledger, "10:00", "09:55", "10:30")
    said = ledger.history("recovery_drill:D-1")[0].position
    given = {"what": "restored_at", "was": on("10:30"), "to": on("11:00")}
    act(ledger, "11:59", recovery_drill.correct, "D-1", corrects=said, **given, **TWO)
    says(one(ledger, "recovery_drill"), rto_us=3600 * US, rto_met=False)
    assert rebuilt_as_it_stood(ledger)
