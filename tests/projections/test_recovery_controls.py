"""Findings about recovery: from which instant on, by which facts; live and rebuilt. All of it on 2 March 2026 and after."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from recovery_acts import US, act, check, drill, fail, findings, on, rebuilt_as_it_stood, run, select, take

from opsledger.app import OpsLedger
from opsledger.domain import integrity_check, policy, recovery_point, restore, service
from opsledger.policies import documents
from opsledger.policies.operating_model import default_model
from opsledger.replay.explain import explain
from opsledger.testing.plugin import Clock

TOO_OLD, DRILL, CHECK = "recovery_point_old", "recovery_drill_late", "integrity_check_late"
MISSED = ("recovery_point_missed", "recovery_time_missed")
LAST = timedelta(microseconds=1)


@pytest.fixture
def ledger(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-03-20T00:00:00Z")
    return opsledger_sqlite


def days(number: int) -> datetime:
    return on("00:00") + timedelta(days=number)


def test_a_failure_that_lost_too_much_or_lasted_too_long_is_found(ledger: OpsLedger) -> None:
    fail(ledger, "10:20", "10:00", "11:20")
    found = findings(ledger, *MISSED)
    assert found == [("recovery_point_missed", on("10:20"), None), ("recovery_time_missed", on("11:20") - LAST, on("11:20"))]
    assert [row["severity"] for row in select(ledger, "control_finding", subject="restore:R-1")] == ["high", "high"]
    assert rebuilt_as_it_stood(ledger)


def test_a_restore_that_is_not_done_is_found_when_its_time_is_over_unless_it_was_given_up(
    ledger: OpsLedger, opsledger_clock: Clock
) -> None:
    opsledger_clock.set("2026-03-02T10:59:59.999999Z")
    fail(ledger, "10:00", "09:59", None)
    assert findings(ledger, *MISSED) == []
    opsledger_clock.set("2026-03-02T11:00:00Z")
    fail(ledger, "10:00", "09:59", None, id="R-2", service_id="web")
    assert findings(ledger, *MISSED) == [("recovery_time_missed", on("11:00") - LAST, None)]
    act(ledger, "11:00", restore.abandon, "R-1")
    assert findings(ledger, *MISSED) == []


def test_a_drill_that_missed_a_target_is_found_and_one_of_what_is_not_promised_is_not(ledger: OpsLedger) -> None:
    drill(ledger, "10:00", "09:59", "11:00")
    drill(ledger, "10:00", "08:00", "11:30", id="D-2", service_id="web")
    assert findings(ledger, *MISSED) == [("recovery_time_missed", on("11:00") - LAST, on("11:00"))]
    assert [row["severity"] for row in select(ledger, "control_finding", subject="recovery_drill:D-1")] == ["medium"]


def test_a_mismatch_breaks_the_promise_of_sound_data_until_it_is_repaired(ledger: OpsLedger) -> None:
    found = check(ledger, "10:00", 1).position
    assert findings(ledger, "integrity_breach") == [("integrity_breach", on("10:00"), None)]
    repaired = act(ledger, "12:00", integrity_check.repair, "IC-1", rows=1).position
    assert findings(ledger, "integrity_breach") == [("integrity_breach", on("10:00"), on("12:00"))]
    assert select(ledger, "control_finding", control="integrity_breach")[0]["evidence"] == f"{found},{repaired}"
    people: dict[str, Any] = {"requested_by": "u-7", "approved_by": "u-8", "reason": "A bug of the checker"}
    act(ledger, "13:00", integrity_check.correct, "IC-1", corrects=found, what="mismatches", was=1, to=0, **people)
    assert findings(ledger, "integrity_breach") == []


# What is asked for again and again, from the registration of the service on.


def test_a_drill_is_held_within_92_days(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-10-01T00:00:00Z")
    run(ledger)
    assert findings(ledger, DRILL) == [(DRILL, days(92), None)]
    drill(ledger, "10:00", "09:59", "10:30", over=f"{days(92).isoformat()}")  # just in time
    assert findings(ledger, DRILL) == [(DRILL, days(184), None)]
    drill(ledger, "10:00", "09:59", "10:30", id="D-2", over=f"{(days(184) + LAST).isoformat()}")
    assert findings(ledger, DRILL) == [(DRILL, days(184), days(184) + LAST)]
    assert rebuilt_as_it_stood(ledger)


def test_a_check_is_made_within_eight_days(ledger: OpsLedger) -> None:
    run(ledger)
    check(ledger, "08T00:00")
    check(ledger, "17T00:00", id="IC-2")
    assert findings(ledger, CHECK) == [(CHECK, days(14), days(15))]


def test_a_service_of_which_nothing_is_promised_or_that_is_retired_needs_neither(ledger: OpsLedger) -> None:
    run(ledger, id="web")
    run(ledger)
    act(ledger, "09T00:00", service.retire, "database")
    assert findings(ledger, TOO_OLD, DRILL, CHECK) == [(TOO_OLD, on("03T02:00"), None)]


@pytest.mark.parametrize(("retired", "late"), [(days(8), False), (days(8) + LAST, True)])
def test_what_is_due_when_a_service_is_retired_is_due_no_more(ledger: OpsLedger, retired: datetime, late: bool) -> None:
    run(ledger)
    act(ledger, retired.isoformat(), service.retire, "database")
    assert findings(ledger, CHECK) == ([(CHECK, days(8), None)] if late else [])


def test_a_service_that_nobody_registered_is_watched_from_its_first_evidence_on(ledger: OpsLedger) -> None:
    check(ledger, "10:00")
    assert findings(ledger, CHECK) == [(CHECK, on("10T10:00"), None)]


# Recovery points.


def test_a_gap_in_which_a_failure_would_have_lost_too_much_is_found(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-03T00:00:00Z")
    run(ledger)
    take(ledger, "00:05", "00:04", "P-1")
    take(ledger, "00:19", "00:18", "P-2")  # P-1 holds until 00:19, not part of it
    assert findings(ledger, TOO_OLD) == []
    take(ledger, "00:34", "00:33", "P-3")  # P-2 holds until 00:33
    assert findings(ledger, TOO_OLD) == [(TOO_OLD, on("00:33"), on("00:34"))]
    positions = [each.position for each in ledger.history("recovery_point:database/2026-03")]
    assert select(ledger, "control_finding", control=TOO_OLD)[0]["evidence"] == f"{positions[1]},{positions[2]}"
    assert rebuilt_as_it_stood(ledger)


def test_a_stretch_summed_up_later_takes_the_finding_away_unless_it_would_have_lost_too_much(ledger: OpsLedger) -> None:
    run(ledger)
    take(ledger, "03T00:10", "03T00:00", "P-1", covers_from=on("00:00"), lost_at_most_us=300 * US)
    take(ledger, "05T00:10", "05T00:00", "P-3", covers_from=on("04T00:00"), lost_at_most_us=300 * US)
    gap = (TOO_OLD, on("03T00:15"), on("04T00:00"))
    unheard = (TOO_OLD, on("06T02:15"), None)
    assert findings(ledger, TOO_OLD) == [gap, unheard]
    take(ledger, "06T00:10", "04T00:00", "P-2", covers_from=on("03T00:00"), lost_at_most_us=300 * US)
    assert findings(ledger, TOO_OLD) == [unheard]
    take(ledger, "07T00:10", "07T00:00", "P-5", covers_from=on("05T00:00"), lost_at_most_us=900 * US)
    assert findings(ledger, TOO_OLD) == [(TOO_OLD, on("05T00:15"), on("07T00:10")), (TOO_OLD, on("08T02:15"), None)]
    assert rebuilt_as_it_stood(ledger)


@pytest.mark.parametrize(("defect", "found"), [("damaged", "00:15"), ("lost", "00:20")])
def test_a_point_found_unusable_never_was_one_or_was_until_it_was_lost(
    ledger: OpsLedger, opsledger_clock: Clock, defect: recovery_point.Defect, found: str
) -> None:
    opsledger_clock.set("2026-03-03T00:00:00Z")
    run(ledger)
    take(ledger, "00:01", "00:00", "P-1")
    take(ledger, "00:14", "00:13", "P-2")
    take(ledger, "00:27", "00:26", "P-3")
    assert findings(ledger, TOO_OLD) == []
    act(ledger, "00:20", recovery_point.find_unusable, "database/2026-03", point_id="P-2", defect=defect)
    assert findings(ledger, TOO_OLD) == [(TOO_OLD, on(found), on("00:27"))]


def test_a_service_that_is_promised_later_is_watched_from_then_on(ledger: OpsLedger) -> None:
    run(ledger, id="web")
    model = default_model()
    both = model.model_copy(update={"recovery": model.recovery.model_copy(update={"services": ("database", "web")})})
    people: dict[str, Any] = {"proposed_by": "u-1", "approved_by": "u-2", "reason": "pages hold data too"}
    act(ledger, "05T00:00", policy.publish, policy.NAME, document=documents.canonical(both), **people)
    assert findings(ledger, CHECK) == [(CHECK, on("13T00:00"), None)]


def test_every_finding_is_explained(ledger: OpsLedger) -> None:
    run(ledger)
    check(ledger, "10:00", 1)
    ledger.catch_up()
    breach = explain(ledger.store, ledger.tables.tables, "control_watch", ["integrity_check:IC-1", "integrity_breach", "2026-03-02T10:00Z"])
    assert breach.story == ["As many rows are as they should be as the operating model promises."]
    assert [each.topic for each in breach.facts] == ["integrity_check.completed"]
    late = explain(ledger.store, ledger.tables.tables, "control_watch", ["service:database", CHECK, "2026-03-10T10:00:00Z"])
    assert [each.topic for each in late.facts] == ["integrity_check.completed"]
