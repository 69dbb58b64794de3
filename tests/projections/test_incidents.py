"""The rows of incidents: what counts, what is corrected, what comes late; live and rebuilt, on both databases."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from incident_acts import HEAD, act, correct, declare, kpi, on, rebuilt_as_it_stood, row, select

from opsledger.app import OpsLedger
from opsledger.domain import incident
from opsledger.domain.fact import Sealed
from opsledger.errors import Refused
from opsledger.projections.incidents import incidents
from opsledger.testing import at, recorded
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


# One incident.


def test_lengths_are_not_known_while_an_end_point_is_not(ledger: OpsLedger) -> None:
    declare(ledger, "10:04")
    found = row(ledger)
    assert (found["ttd_s"], found["tta_s"], found["ttm_s"], found["ttr_s"], found["open_s"]) == (None,) * 5
    act(ledger, "10:09", incident.acknowledge)
    act(ledger, "10:40", incident.mitigate)
    act(ledger, "11:00", incident.resolve)
    found = row(ledger)
    assert (found["ttd_s"], found["tta_s"], found["ttm_s"], found["ttr_s"], found["open_s"]) == (None, 300, None, None, None)
    act(ledger, "12:00", incident.state_impact, impact_started_at=on("10:00"))
    found = row(ledger)
    assert (found["ttd_s"], found["tta_s"], found["ttm_s"], found["ttr_s"], found["open_s"]) == (240, 300, 2400, 3600, 3600)


def test_lengths_are_cut_to_whole_seconds(ledger: OpsLedger) -> None:
    declare(ledger, "2026-03-02T10:00:01.999999Z", impact_started_at=on("10:00"))
    assert row(ledger)["ttd_s"] == 1
    declare(ledger, "2026-03-02T10:00:02Z", "INC-2", impact_started_at=on("10:00"))
    assert row(ledger, "INC-2")["ttd_s"] == 2


def test_what_was_detected_before_it_hurt_took_no_time_to_detect(ledger: OpsLedger) -> None:
    declare(ledger, "10:30", detection_source="proactive", detected_at=on("10:00"), impact_started_at=on("10:20"))
    assert row(ledger)["ttd_s"] == 0


def test_a_reopened_incident_has_no_end_until_it_is_resolved_again(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "10:20", incident.mitigate)
    act(ledger, "10:25", incident.validate_fix)
    act(ledger, "10:30", incident.resolve)
    act(ledger, "10:40", incident.close)
    act(ledger, "10:50", incident.hold_review)
    assert row(ledger)["status"] == "closed"
    act(ledger, "11:00", incident.reopen)
    found = row(ledger)
    ends = ("mitigated_at", "fix_validated_at", "resolved_at", "closed_at", "review_held_at", "ttm_s", "ttr_s", "open_s")
    assert [found[name] for name in ends] == [None] * len(ends)
    assert (found["status"], found["reopen_count"]) == ("open", 1)
    assert kpi(ledger)["resolved"] == 0
    act(ledger, "11:10", incident.mitigate)
    act(ledger, "11:20", incident.resolve)
    found = row(ledger)
    assert (found["status"], found["ttm_s"], found["ttr_s"]) == ("resolved", 70 * 60, 80 * 60)
    assert rebuilt_as_it_stood(ledger)


def test_a_reopening_at_the_instant_of_the_resolution_opens_it_again(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "10:30", incident.resolve)
    act(ledger, "10:30", incident.reopen)
    assert (row(ledger)["status"], row(ledger)["resolved_at"]) == ("open", None)
    assert select(ledger, "incident_interval", "from_at", "to_at", "status") == [(on("10:00"), None, "open")]


def test_response_and_learning_stand_in_the_row(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "10:05", incident.triage)
    act(ledger, "10:20", incident.triage)
    act(ledger, "10:06", incident.open_war_room)
    act(ledger, "10:07", incident.publish_status, audience="customers", phase="investigating")
    act(ledger, "10:50", incident.publish_status, audience="public", phase="identified")
    act(ledger, "10:45", incident.identify_root_cause, cause="A missing index", category="deployment")
    act(ledger, "10:55", incident.advance_rollout, rollout_pct=10)
    act(ledger, "11:00", incident.advance_rollout, rollout_pct=100)
    act(ledger, "11:05", incident.resolve)
    act(ledger, "11:10", incident.close_war_room)
    act(ledger, "14:00", incident.hold_review)
    act(ledger, "15:00", incident.hold_review)
    found = row(ledger)
    assert (found["triaged_at"], found["war_room_opened_at"], found["war_room_closed_at"]) == (on("10:05"), on("10:06"), on("11:10"))
    assert (found["status_update_count"], found["first_status_update_at"]) == (2, on("10:07"))
    assert (found["root_cause_identified_at"], found["root_cause_category"]) == (on("10:45"), "deployment")
    assert (found["rollout_pct"], found["review_held_at"]) == (100, on("14:00"))
    assert found["last_position"] == ledger.store.head().position


def test_a_service_is_affected_from_the_impact_on_and_again(ledger: OpsLedger) -> None:
    declared = declare(ledger, "10:10", services=("api", "web")).position
    act(ledger, "10:15", incident.affect_service, service_id="mail")
    drawn = act(ledger, "10:12", incident.affect_service, service_id="mail").position  # it had been drawn in before
    act(ledger, "10:30", incident.restore_service, service_id="api")
    again = act(ledger, "10:40", incident.affect_service, service_id="api").position
    columns = ("service_id", "stated_position", "affected_at", "restored_at")
    unknown = [("api", declared, None, on("10:30")), ("api", again, on("10:40"), None)]
    others = [("mail", drawn, on("10:12"), None), ("web", declared, None, None)]
    assert select(ledger, "incident_service", *columns) == unknown + others
    act(ledger, "11:00", incident.state_impact, impact_started_at=on("10:00"))
    assert select(ledger, "incident_service", "affected_at", stated_position=declared) == [(on("10:00"),)] * 2


def test_a_new_commander_relieves_the_old_one_and_responders_stand_side_by_side(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    act(ledger, "10:30", incident.assign_role, role="commander", person_id="p-2")
    act(ledger, "10:10", incident.assign_role, role="commander", person_id="p-1")  # typed in late
    act(ledger, "11:00", incident.release_role, role="commander", person_id="p-2")
    act(ledger, "10:15", incident.assign_role, role="responder", person_id="p-3")
    act(ledger, "10:20", incident.assign_role, role="responder", person_id="p-4")
    act(ledger, "10:40", incident.release_role, role="responder", person_id="p-3")
    found = set(select(ledger, "incident_role", "role", "person_id", "assigned_at", "released_at"))
    commanders = {("commander", "p-1", on("10:10"), on("10:30")), ("commander", "p-2", on("10:30"), on("11:00"))}
    responders = {("responder", "p-3", on("10:15"), on("10:40")), ("responder", "p-4", on("10:20"), None)}
    assert found == commanders | responders
    assert row(ledger)["commander_id"] == "p-2"


def test_action_items_are_counted_by_how_they_stand(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    for item in ("A-1", "A-2", "A-3", "A-4"):
        act(ledger, "12:00", incident.open_action_item, item_id=item, description="Do it", owner_id="p-1", due_at=on("18:00"))
    act(ledger, "13:20", incident.complete_action_item, item_id="A-1")
    act(ledger, "13:00", incident.complete_action_item, item_id="A-1")  # it had been done before
    act(ledger, "14:00", incident.drop_action_item, item_id="A-2")
    act(ledger, "13:30", incident.complete_action_item, item_id="A-2")  # it had been done before it was dropped
    act(ledger, "14:00", incident.drop_action_item, item_id="A-3")
    assert select(ledger, "action_item", "item_id", "completed_at", "dropped_at", "status") == [
        ("A-1", on("13:00"), None, "completed"),
        ("A-2", on("13:30"), on("14:00"), "completed"),
        ("A-3", None, on("14:00"), "dropped"),
        ("A-4", None, None, "open"),
    ]
    assert select(ledger, "action_item", "owner_id", "opened_at", "due_at", item_id="A-4") == [("p-1", on("12:00"), on("18:00"))]
    found = row(ledger)
    assert (found["action_items_open"], found["action_items_done"], found["action_items_dropped"]) == (1, 2, 1)


# Corrections and what comes late.


def test_a_corrected_time_of_a_fact_counts_and_the_old_one_is_shown(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    resolved = act(ledger, "11:00", incident.resolve).position
    first = correct(ledger, resolved, "resolved", "11:00", "10:30")
    assert (row(ledger)["resolved_at"], row(ledger)["ttr_s"]) == (on("10:30"), 30 * 60)
    milestone = ("at", "was_at", "cause_position", "stated_position")
    assert select(ledger, "incident_milestone", *milestone, milestone="resolved") == [(on("10:30"), on("11:00"), first, resolved)]
    second = correct(ledger, resolved, "resolved", "10:30", "10:45")
    assert (row(ledger)["ttr_s"], row(ledger)["last_position"]) == (45 * 60, second)
    assert select(ledger, "incident_milestone", *milestone, milestone="resolved") == [(on("10:45"), on("10:30"), second, resolved)]
    assert rebuilt_as_it_stood(ledger)


@pytest.mark.parametrize(("milestone", "was", "ttd_s", "tta_s"), [("impact_started", "10:00", 180, 300), ("detected", "10:05", 60, 540)])
def test_a_corrected_time_that_is_a_field_counts_and_the_old_one_is_shown(
    ledger: OpsLedger, milestone: str, was: str, ttd_s: int, tta_s: int
) -> None:
    declared = declare(ledger, "10:07", detected_at=on("10:05"), impact_started_at=on("10:00")).position
    act(ledger, "10:10", incident.acknowledge)
    to = "10:02" if milestone == "impact_started" else "10:01"
    position = correct(ledger, declared, milestone, was, to)
    found = row(ledger)
    assert (found[f"{milestone}_at"], found["ttd_s"], found["tta_s"]) == (on(to), ttd_s, tta_s)
    assert found["declared_at"] == on("10:07")
    shown = select(ledger, "incident_milestone", "at", "was_at", "cause_position", milestone=milestone)
    assert shown == [(on(to), on(was), position)]
    assert select(ledger, "incident_milestone", "was_at", milestone="declared") == [(None,)]
    assert rebuilt_as_it_stood(ledger)


def test_a_corrected_impact_that_was_stated_later_counts_from_its_own_fact(ledger: OpsLedger) -> None:
    declare(ledger, "10:05", services=("api",))
    stated = act(ledger, "12:00", incident.state_impact, impact_started_at=on("10:00")).position
    correct(ledger, stated, "impact_started", "10:00", "09:50")
    assert (row(ledger)["impact_started_at"], row(ledger)["ttd_s"]) == (on("09:50"), 15 * 60)
    assert select(ledger, "incident_service", "affected_at") == [(on("09:50"),)]


@pytest.mark.parametrize("milestone", ["resolved", "impact_started"])
def test_of_two_corrections_the_one_recorded_last_holds_though_it_was_decided_first(ledger: OpsLedger, milestone: str) -> None:
    declared = declare(ledger, "10:00", impact_started_at=on("10:00")).position
    resolved = act(ledger, "11:00", incident.resolve).position
    position, was = (resolved, "11:00") if milestone == "resolved" else (declared, "10:00")
    correct(ledger, position, milestone, was, "09:30", when="2026-03-04T09:00:00Z")
    last = correct(ledger, position, milestone, "09:30", "09:40", when="2026-03-03T09:00:00Z")
    assert row(ledger)[f"{milestone}_at"] == on("09:40")
    assert select(ledger, "incident_milestone", "at", "cause_position", milestone=milestone) == [(on("09:40"), last)]
    assert rebuilt_as_it_stood(ledger)


def test_a_correction_that_moves_the_resolution_past_the_reopening_leaves_it_resolved(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    resolved = act(ledger, "10:30", incident.resolve).position
    act(ledger, "10:40", incident.reopen)
    assert row(ledger)["status"] == "open"
    correct(ledger, resolved, "resolved", "10:30", "10:50")
    assert (row(ledger)["status"], row(ledger)["resolved_at"], row(ledger)["open_s"]) == ("resolved", on("10:50"), 50 * 60)
    assert rebuilt_as_it_stood(ledger)


STORY: list[tuple[str, Any, dict[str, Any]]] = [
    ("10:09", incident.acknowledge, {}),
    ("10:12", incident.change_severity, {"severity": "critical"}),
    ("10:20", incident.assign_role, {"role": "commander", "person_id": "p-1"}),
    ("10:40", incident.mitigate, {}),
    ("10:50", incident.change_severity, {"severity": "low"}),
    ("11:00", incident.resolve, {}),
]


def story(ledger: OpsLedger, id: str, declared: str, order: tuple[int, ...]) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    declare(ledger, declared, id, detected_at=on("10:04"), impact_started_at=on("10:00"))
    for number in order:
        time, decision, arguments = STORY[number]
        act(ledger, time, decision, id, **arguments)
    found = row(ledger, id)
    del found["incident_id"], found["last_position"]
    return found, select(ledger, "incident_interval", "from_at", "to_at", "status", "severity", incident_id=id)


def test_facts_typed_in_late_in_any_order_give_the_same_rows(ledger: OpsLedger) -> None:
    orders = list(permutations(range(len(STORY))))[::97]  # eight of them, the order of happening first
    expected = story(ledger, "INC-0", "10:05", orders[0])
    assert expected[0]["ttr_s"] == 3600
    assert [status for _, _, status, _ in expected[1]] == ["open", "open", "mitigated", "mitigated", "resolved"]
    for number, order in enumerate(orders[1:], 1):
        assert story(ledger, f"INC-{number}", "10:05", order) == expected
    assert rebuilt_as_it_stood(ledger)


def test_an_incident_declared_the_day_after_keeps_the_times_at_which_things_happened(ledger: OpsLedger) -> None:
    found, intervals = story(ledger, "INC-1", "2026-03-03T09:00:00Z", (5, 3, 0, 1, 2, 4))
    assert (found["acknowledged_at"], found["mitigated_at"], found["resolved_at"]) == (on("10:09"), on("10:40"), on("11:00"))
    assert (found["ttd_s"], found["tta_s"], found["ttm_s"], found["ttr_s"]) == (240, 300, 2400, 3600)
    assert (found["severity"], found["peak_severity"]) == ("high", "critical")
    assert intervals == [(at("2026-03-03T09:00:00Z"), None, "resolved", "high")]
    assert rebuilt_as_it_stood(ledger)


# Words, and a history that does not begin.


def test_the_words_of_an_incident_are_sealed_for_the_incident_and_shown_in_no_table(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", title="Ada cannot log in")
    act(ledger, "10:30", incident.identify_root_cause, cause="Ada typed it wrong")
    history = ledger.history("incident:INC-1")
    assert isinstance(history[0].fact.title, Sealed)
    assert {each.fact.subject_id for each in history} == {"incident:INC-1"}
    assert {each.fact.title.key if each.version == 1 else each.fact.cause.key for each in history} == {history[0].fact.title.key}
    assert ledger.reveal(history[0])["title"] == "Ada cannot log in"
    assert not any("Ada" in str(value) for (value,) in select(ledger, "audit_trail", "summary"))


def test_a_history_that_does_not_begin_with_a_declaration_is_not_folded() -> None:
    fact = recorded(incident.Closed(closed_at=on("10:00")), "incident:INC-1", 1, 5)
    with pytest.raises(Refused, match="begins with its declaration"):
        incidents.fold(incidents.start("INC-1"), fact)
