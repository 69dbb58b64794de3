"""What the rows of a ServiceNow log become, what is set aside, and what a second reading adds."""

from __future__ import annotations

from pathlib import Path

import pytest
from servicenow_log import facts, life, quarantine, take, update, write

from opsledger.app import OpsLedger
from opsledger.domain import ticket as t
from opsledger.errors import BadInput
from opsledger.policies.instants import at, micros
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


def test_row_to_row_changes_become_facts_at_their_own_times(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *life()))
    assert result.policy_ref is not None
    assert facts(opsledger_sqlite) == [
        t.Registered(
            registered_at=at("2016-03-01T12:00:00Z"),
            customer_id="Caller 1",
            requester_id="Caller 1",
            channel="phone",
            priority=Priority.MEDIUM,
            summary=None,
            policy=result.policy_ref,
        ),
        t.Assigned(assigned_at=at("2016-03-01T12:05:00Z"), group="Group 1"),
        t.Assigned(assigned_at=at("2016-03-01T13:00:00Z"), group="Group 1", assignee_id="Resolver 4"),
        t.InvestigationStarted(started_at=at("2016-03-01T13:00:00Z"), agent_id="Resolver 4"),
        t.Paused(paused_at=at("2016-03-01T14:00:00Z"), reason="awaiting_customer", requester_id="Caller 1"),
        t.PriorityChanged(changed_at=at("2016-03-01T18:00:00Z"), was=Priority.MEDIUM, priority=Priority.HIGH, requester_id="Caller 1"),
        t.Resumed(resumed_at=at("2016-03-01T18:00:00Z")),
        # The outcome columns of this row tell of the day after, so that who pressed the button counts.
        t.Resolved(resolved_at=at("2016-03-01T20:00:00Z"), agent_id="Updated by 1", requester_id="Caller 1"),
        t.Reopened(reopened_at=at("2016-03-02T12:00:00Z"), requester_id="Caller 1"),
        t.Resolved(resolved_at=at("2016-03-02T18:00:00Z"), agent_id="Resolved by 9", code="code 6", requester_id="Caller 1"),
        t.Closed(closed_at=at("2016-03-07T18:00:00Z"), code="code 6"),
    ]


def test_the_vendors_own_answers_are_stated_whenever_one_changes_and_on_the_last_row(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [*life()[:2], update("1/3/2016 10:30", sys_mod_count="2", incident_state="Active", assignment_group="Group 2")]
    rows += [update("1/3/2016 10:40", sys_mod_count="3", incident_state="Active", assignment_group="Group 2")]
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    said = [recorded for recorded in opsledger_sqlite.history("ticket:INC1") if recorded.topic == "ticket.source_stated"]
    assert [(recorded.source_id, recorded.fact) for recorded in said if isinstance(recorded.fact, t.SourceStated)] == [
        ("INC1/0#2", stated("2016-03-01T12:05:00Z", "New")),
        ("INC1/1#2", stated("2016-03-01T13:00:00Z", "Active")),
        ("INC1/3", stated("2016-03-01T13:40:00Z", "Active")),
    ]


def stated(when: str, status: str) -> t.SourceStated:
    return t.SourceStated(stated_at=at(when), status=status, reopen_count=0, reassignment_count=0, sla_met=True, priority="3 - Moderate")


@pytest.mark.parametrize(
    ("contact_type", "channel"), [("Phone", "phone"), ("Email", "email"), ("Self service", "Self service"), ("?", "unknown")]
)
def test_a_channel_of_the_operating_model_is_used_and_any_other_kept_as_it_is(
    opsledger_sqlite: OpsLedger, tmp_path: Path, contact_type: str, channel: str
) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", update(contact_type=contact_type)))
    registered = facts(opsledger_sqlite)[0]
    assert isinstance(registered, t.Registered)
    assert registered.channel == channel


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("Awaiting User Info", "awaiting_customer"),
        ("Awaiting Vendor", "awaiting_vendor"),
        ("Awaiting Problem", "awaiting_problem"),
        ("Awaiting Evidence", "awaiting_evidence"),
    ],
)
def test_an_awaiting_state_pauses_and_the_next_state_ends_the_wait(
    opsledger_sqlite: OpsLedger, tmp_path: Path, state: str, reason: str
) -> None:
    first = update("1/3/2016 09:10", incident_state=state)
    take(opsledger_sqlite, write(tmp_path / "log.csv", first, update("1/3/2016 09:20", sys_mod_count="1", incident_state="Active")))
    _, paused, resumed, investigated = facts(opsledger_sqlite)
    assert isinstance(paused, t.Paused)
    assert paused.reason == reason
    assert resumed == t.Resumed(resumed_at=at("2016-03-01T12:20:00Z"))
    assert investigated == t.InvestigationStarted(started_at=at("2016-03-01T12:20:00Z"), agent_id="Updated by 1")


def test_going_from_one_wait_to_another_changes_the_reason(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    first = update("1/3/2016 09:10", incident_state="Awaiting User Info")
    take(
        opsledger_sqlite, write(tmp_path / "log.csv", first, update("1/3/2016 09:20", sys_mod_count="1", incident_state="Awaiting Vendor"))
    )
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("ticket")
    assert (row["status"], row["pause_reason"]) == ("pending", "awaiting_vendor")
    assert [type(fact) for fact in facts(opsledger_sqlite)] == [t.Registered, t.Paused, t.Paused]


@pytest.mark.parametrize("back", ["New", "Active", "Awaiting User Info"])
@pytest.mark.parametrize("ended", ["Resolved", "Closed"])
def test_leaving_resolved_or_closed_for_work_is_a_reopening(opsledger_sqlite: OpsLedger, tmp_path: Path, ended: str, back: str) -> None:
    first = update("1/3/2016 09:10", incident_state=ended)
    again = update("1/3/2016 09:20", sys_mod_count="1", incident_state=back, reopen_count="1")
    take(opsledger_sqlite, write(tmp_path / "log.csv", first, again))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("import_reconciliation")
    assert (row["reopen_count"], row["reopen_count_agrees"], row["status_agrees"]) == (1, True, True)


def test_from_resolved_to_closed_and_back_is_no_reopening(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    states = ["Resolved", "Closed", "Resolved"]
    rows = [update(f"1/3/2016 09:1{i}", sys_mod_count=str(i), incident_state=state) for i, state in enumerate(states)]
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("import_reconciliation")
    assert (row["reopen_count"], row["status"], row["status_agrees"]) == (0, "resolved", True)


@pytest.mark.parametrize("state", ["-100", "On Fire", "?", ""])
def test_at_a_state_that_nobody_knows_the_earlier_one_stays(opsledger_sqlite: OpsLedger, tmp_path: Path, state: str) -> None:
    rows = [
        update("1/3/2016 09:10", incident_state="Awaiting Vendor"),
        update("1/3/2016 09:20", sys_mod_count="1", incident_state=state),
        update("1/3/2016 09:30", sys_mod_count="2", incident_state="Awaiting Vendor"),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert [type(fact) for fact in facts(opsledger_sqlite)] == [t.Registered, t.Paused]
    assert result.dirt["unknown_state"].first_rows == (3,)
    said = [recorded.fact.status for recorded in opsledger_sqlite.history("ticket:INC1") if recorded.topic == "ticket.source_stated"]
    assert said == ["Awaiting Vendor", state if state not in ("?", "") else "unknown", "Awaiting Vendor"]


def test_a_priority_that_nobody_knows_leaves_the_earlier_one_and_cannot_register(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [
        update("1/3/2016 09:10", priority="?"),
        update("1/3/2016 09:20", sys_mod_count="1", priority="2 - High"),
        update("1/3/2016 09:30", sys_mod_count="2", priority="?"),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    (registered,) = facts(opsledger_sqlite)
    assert isinstance(registered, t.Registered)
    assert registered.priority == Priority.HIGH
    assert result.dirt["unknown_priority"].first_rows == (2, 4)
    assert quarantine(opsledger_sqlite) == [(2, "malformed", "INC1/0", "priority")]


def test_a_classification_is_recorded_when_it_changes_and_kept_when_it_is_missing(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [
        update("1/3/2016 09:10"),
        update("1/3/2016 09:20", sys_mod_count="1", category="Category 5", subcategory="Subcategory 7"),
        update("1/3/2016 09:30", sys_mod_count="2", category="Category 5", subcategory="Subcategory 7"),
        update("1/3/2016 09:40", sys_mod_count="3"),
        update("1/3/2016 09:50", sys_mod_count="4", category="Category 5", cmdb_ci="Database 2"),
    ]
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert facts(opsledger_sqlite)[1:] == [
        t.Classified(classified_at=at("2016-03-01T12:20:00Z"), category="Category 5", subcategory="Subcategory 7"),
        t.Classified(classified_at=at("2016-03-01T12:50:00Z"), category="Category 5", service_id="Database 2"),
    ]


def test_a_row_later_than_the_next_counts_at_the_next_ones_time(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [
        update("1/3/2016 11:10", incident_state="Active"),
        update("1/3/2016 09:52", sys_mod_count="1", incident_state="Resolved"),
        update("1/3/2016 11:03", sys_mod_count="2", incident_state="Closed"),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    times = {recorded.topic: recorded.occurred_at for recorded in opsledger_sqlite.history("ticket:INC1")}
    assert times["ticket.investigation_started"] == times["ticket.resolved"] == micros(at("2016-03-01T12:52:00Z"))
    assert times["ticket.closed"] == micros(at("2016-03-01T14:03:00Z"))
    assert result.dirt["later_than_next"].first_rows == (2,)


def test_rows_from_before_the_opening_count_at_the_opening(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [
        update("1/3/2016 08:59", incident_state="Active"),
        update("1/3/2016 09:00", sys_mod_count="1", incident_state="Resolved", resolved_at="1/3/2016 09:00"),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    opened = micros(at("2016-03-01T12:00:00Z"))
    assert {recorded.occurred_at for recorded in opsledger_sqlite.history("ticket:INC1")} == {opened}
    assert {kind: dirt.first_rows for kind, dirt in result.dirt.items()} == {"before_opened": (2,)}  # on the minute is not before


def test_versions_that_repeat_fall_or_skip_are_taken_in_as_they_stand(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    versions = ["2", "1", "2", "5", "5"]
    groups = ["Group 1", "Group 2", "Group 3", "Group 4", "Group 5"]
    rows = [
        update(f"1/3/2016 09:1{i}", sys_mod_count=version, assignment_group=group)
        for i, (version, group) in enumerate(zip(versions, groups, strict=True))
    ]
    path = write(tmp_path / "log.csv", *rows)
    result = take(opsledger_sqlite, path)
    assert [fact.group for fact in facts(opsledger_sqlite) if isinstance(fact, t.Assigned)] == groups
    assert {kind: dirt.first_rows for kind, dirt in result.dirt.items()} == {
        "duplicate_version": (4, 6),
        "version_falls": (3,),
        "version_skips": (5,),
    }
    assert take(opsledger_sqlite, path).known == 5


def test_ties_within_a_minute_keep_the_files_order(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    states = ["Active", "Resolved", "Active", "Resolved"]
    rows = [update("1/3/2016 09:10", sys_mod_count=str(i), incident_state=state) for i, state in enumerate(states)]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("ticket")
    assert (row["status"], row["reopen_count"]) == ("resolved", 1)
    assert result.dirt["same_minute"].first_rows == (3, 4, 5)


def test_a_resolution_without_a_time_is_counted_once_and_names_who_wrote_the_row(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    outcome = {"resolved_by": "Resolved by 9", "closed_code": "code 6"}
    rows = [
        update("1/3/2016 09:10", incident_state="Resolved", **outcome),
        update("1/3/2016 09:20", sys_mod_count="1", incident_state="Closed", **outcome),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert facts(opsledger_sqlite)[1:] == [
        t.Resolved(resolved_at=at("2016-03-01T12:10:00Z"), agent_id="Updated by 1", requester_id="Caller 1"),
        t.Closed(closed_at=at("2016-03-01T12:20:00Z"), code="code 6"),
    ]
    assert result.dirt["resolved_without_resolved_at"].first_rows == (2,)


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"sys_updated_at": "31/2/2016 09:00"}, "sys_updated_at"),
        ({"sys_updated_at": "?"}, "sys_updated_at"),
        ({"sys_updated_at": "1/3/2016 24:00"}, "sys_updated_at"),
        ({"opened_at": "2016-03-01 09:00"}, "opened_at"),
        ({"opened_at": "31/12/1899 23:59"}, "opened_at"),
        ({"resolved_at": "soon"}, "resolved_at"),
        ({"sys_mod_count": "?"}, "sys_mod_count"),
        ({"reopen_count": "-1"}, "reopen_count"),
        ({"reassignment_count": "many"}, "reassignment_count"),
        ({"made_sla": "maybe"}, "made_sla"),
        ({"number": "?"}, "number"),
        ({"number": " INC1"}, "number"),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside_and_the_others_are_taken_in(
    opsledger_sqlite: OpsLedger, tmp_path: Path, columns: dict[str, str], column: str
) -> None:
    rows = [
        update("1/3/2016 09:00"),
        {**update("1/3/2016 09:10", sys_mod_count="1"), **columns},
        update("1/3/2016 09:20", sys_mod_count="2"),
    ]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert (result.rows, result.new, result.quarantined) == (3, 2, 1)
    assert quarantine(opsledger_sqlite) == [(3, "malformed", None, column)]


def test_a_line_that_is_no_row_spoils_no_other(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", update(), update("1/3/2016 09:10", sys_mod_count="1"))
    header, first, second = path.read_bytes().splitlines(keepends=True)
    short, long = first.rpartition(b",")[0] + b"\n", first.rstrip() + b",more\n"
    quote, zero, bytes_ = first.replace(b"Phone", b'"Phone'), first.replace(b"Phone", b"Ph\x00ne"), first.replace(b"Phone", b"Ph\xffne")
    path.write_bytes(header + first + short + long + quote + zero + bytes_ + b"\n" + second)
    result = take(opsledger_sqlite, path)
    assert (result.rows, result.new, result.quarantined) == (7, 2, 5)
    assert quarantine(opsledger_sqlite) == [(row, "malformed", None, None) for row in (3, 4, 5, 6, 7)]
    assert [each.row for each in result.first_quarantined] == [3, 4, 5, 6, 7]


def test_a_row_from_the_future_is_set_aside(opsledger_sqlite: OpsLedger, opsledger_clock: Clock, tmp_path: Path) -> None:
    opsledger_clock.set("2026-03-02T09:00:00Z")
    rows = [update("2/3/2026 06:00"), update("2/3/2026 06:01", sys_mod_count="1"), update(number="INC2", opened_at="3/3/2026 06:00")]
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert quarantine(opsledger_sqlite) == [(3, "future", None, "sys_updated_at"), (4, "future", None, "opened_at")]
    assert len(opsledger_sqlite.history("ticket:INC1")) == 2


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "lacks number and 35 more of the log's 36 columns"),
        (b"id,name\n1,Ann\n", "lacks number and 35 more"),
        (b"\x89PNG\r\n\x1a\n", "lacks number"),
    ],
)
def test_a_file_that_is_not_this_log_is_refused_and_nothing_recorded(
    opsledger_sqlite: OpsLedger, tmp_path: Path, content: bytes, part: str
) -> None:
    path, head = tmp_path / "other.csv", opsledger_sqlite.store.head()
    path.write_bytes(content)
    with pytest.raises(BadInput, match=part):
        take(opsledger_sqlite, path)
    assert opsledger_sqlite.store.head() == head


def test_a_header_that_lacks_one_column_says_which(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    columns = tuple(name for name in update() if name != "made_sla")
    row = {name: value for name, value in update().items() if name != "made_sla"}
    with pytest.raises(BadInput, match=r"'log.csv' is not a ServiceNow incident log: its first line lacks made_sla; give"):
        take(opsledger_sqlite, write(tmp_path / "log.csv", row, columns=columns))


def test_columns_in_another_order_and_others_besides_make_the_same_rows(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", *life()))
    turned = tuple(reversed(update()))
    rows = [{**row, "short_description": "the printer, again"} for row in life()]
    result = take(opsledger_sqlite, write(tmp_path / "turned.csv", *rows, columns=(*turned, "short_description")))
    assert (result.new, result.known, result.changed) == (0, 8, 0)


def test_a_file_with_a_header_alone_is_a_run_without_rows(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    models = opsledger_sqlite.known.models()
    result = take(opsledger_sqlite, write(tmp_path / "log.csv"))
    assert (result.rows, result.new, result.policy_ref) == (0, 0, None)
    assert opsledger_sqlite.known.models() == models
