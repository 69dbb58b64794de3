"""A host's own event log, taken in as the host's mapping says."""

from __future__ import annotations

import lzma
from datetime import datetime
from pathlib import Path

import pytest
from desk_log import desk, event, facts, quarantine, take, write

from opsledger.app import OpsLedger
from opsledger.domain import ticket as t
from opsledger.errors import BadInput, Refused
from opsledger.importers import cases
from opsledger.importers.event_log import check_event_log, import_event_log
from opsledger.policies.instants import at
from opsledger.policies.support import Priority

LIFE = [
    event("02/02/2026 09:00", "New", severity="Urgent"),
    event("02/02/2026 09:10", "Working", severity="Urgent"),
    event("02/02/2026 09:15", "Answered", severity="Urgent"),
    event("02/02/2026 09:30", "Waiting", severity="Urgent"),
    event("02/02/2026 11:00", "Working", team="Ledgers", line="Second"),
    event("02/02/2026 12:00", "Done", team="Ledgers", line="Second"),
    event("03/02/2026 08:00", "Waiting", team="Ledgers", line="Second"),
    event("03/02/2026 10:00", "Done at once", team="Ledgers", line="Second"),
]


def utc(day: int, clock: str) -> datetime:
    return at(f"2026-02-{day:02}T{clock}:00Z")


def test_a_tickets_life_becomes_its_facts(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE))
    assert (result.rows, result.new, result.known, result.quarantined, result.dirt) == (8, 8, 0, 0, {})
    assert result.policy_ref is not None
    assert facts(opsledger_sqlite) == [
        t.Registered(
            registered_at=utc(2, "08:00"),
            customer_id="acme",
            requester_id="acme",
            channel="unknown",
            priority=Priority.CRITICAL,
            summary=None,
            policy=result.policy_ref,
        ),
        t.InvestigationStarted(started_at=utc(2, "08:10"), agent_id="u-ann"),
        t.Assigned(assigned_at=utc(2, "08:10"), group="Payments", assignee_id="u-ann"),
        t.Responded(responded_at=utc(2, "08:15"), agent_id="u-ann", requester_id="acme"),
        t.Paused(paused_at=utc(2, "08:30"), reason="awaiting_customer", requester_id="acme"),
        t.Resumed(resumed_at=utc(2, "10:00")),
        t.PriorityChanged(changed_at=utc(2, "10:00"), was=Priority.CRITICAL, priority=Priority.MEDIUM, requester_id="acme"),
        t.Escalated(escalated_at=utc(2, "10:00"), was="l1", level="l2", trigger="person", requester_id="acme"),
        t.Assigned(assigned_at=utc(2, "10:00"), group="Ledgers", assignee_id="u-ann"),
        t.Resolved(resolved_at=utc(2, "11:00"), agent_id="u-ann", requester_id="acme"),
        t.Reopened(reopened_at=utc(3, "07:00"), requester_id="acme"),
        t.Paused(paused_at=utc(3, "07:00"), reason="awaiting_customer", requester_id="acme"),
        t.Resolved(resolved_at=utc(3, "09:00"), agent_id="u-ann", requester_id="acme"),
        t.Closed(closed_at=utc(3, "09:00")),
    ]


def test_the_sources_own_word_is_kept_where_it_changes(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    again = event("02/02/2026 09:20", "Answered", severity="Urgent")
    take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE[:3], again))
    stated = [each.fact for each in opsledger_sqlite.history("ticket:4711") if isinstance(each.fact, t.SourceStated)]
    assert [(each.status, each.priority) for each in stated] == [("New", "Urgent"), ("Working", "Urgent"), ("Answered", "Urgent")]


def test_what_has_ended_does_not_end_again_and_takes_no_other_team(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [
        event("02/02/2026 09:00", "Done"),
        event("02/02/2026 10:00", "Done", line="Third", severity="Urgent"),
        event("02/02/2026 11:00", "Archived", team="Ledgers"),
        event("02/02/2026 12:00", "Done"),
        event("02/02/2026 13:00", "Withdrawn"),
    ]
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows))
    assert [type(fact) for fact in facts(opsledger_sqlite)] == [t.Registered, t.Resolved, t.Closed]


def test_a_withdrawn_ticket_is_cancelled(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", event("02/02/2026 09:00", "New"), event("02/02/2026 10:00", "Withdrawn")))
    assert facts(opsledger_sqlite)[1:] == [t.Cancelled(cancelled_at=utc(2, "09:00"), requester_id="acme")]


def test_a_priority_known_at_the_end_only_is_not_told_before(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [event(each, word, severity="Urgent") for each, word in (("02/02/2026 09:00", "Working"), ("02/02/2026 10:00", "Done"))]
    mapping = desk(("Normal: medium}}", "Normal: medium}, otherwise: low, known: end}"))
    take(opsledger_sqlite, write(tmp_path / "log.csv", *rows), mapping)
    registered, *_, changed, resolved = facts(opsledger_sqlite)
    assert isinstance(registered, t.Registered)
    assert registered.priority == Priority.LOW
    assert changed == t.PriorityChanged(changed_at=utc(2, "09:00"), was=Priority.LOW, priority=Priority.CRITICAL, requester_id="acme")
    assert isinstance(resolved, t.Resolved)
    later = [rows[0].replace("Urgent", "Normal"), rows[1]]  # a later export writes another last word onto the first row
    assert take(opsledger_sqlite, write(tmp_path / "later.csv", *later), mapping).known == 2


def test_a_packed_log_with_a_mark_other_columns_and_quotes_is_the_same(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = tmp_path / "log.csv.xz"
    text = '\ufeffX;X;Time;Number;"Status"\n1;2;02/02/2026 09:00;"47;11";Done\n'
    path.write_bytes(lzma.compress(text.encode()))
    bare = desk(
        (", customer: Client, group: Team, assignee: Person, agent: Person, level: Line", ""),
        ("levels: {First: l1, Second: l2, Third: engineering}\n", "delimiter: ;\n"),
        ("priority: {column: Severity, words: {Urgent: critical, Normal: medium}}\n", ""),
        ("[work, assign]", "[work]"),
    )
    assert take(opsledger_sqlite, path, bare).new == 1
    assert [type(fact) for fact in facts(opsledger_sqlite, "47;11")] == [t.Registered, t.Resolved]


def test_the_same_again_adds_nothing_and_a_longer_log_its_new_rows(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    assert take(opsledger_sqlite, write(tmp_path / "february.csv", *LIFE[:5])).new == 5
    longer = take(opsledger_sqlite, write(tmp_path / "march.csv", *LIFE))
    assert (longer.new, longer.known) == (3, 5)
    again = take(opsledger_sqlite, write(tmp_path / "march.csv", *LIFE))
    assert (again.import_id, again.new, again.known, again.facts) == ("desk/3", 0, 8, 0)


def test_a_row_that_says_something_else_now_is_set_aside(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE))
    before = opsledger_sqlite.history("ticket:4711")
    result = take(opsledger_sqlite, write(tmp_path / "changed.csv", LIFE[0], LIFE[1].replace("Payments", "Ledgers"), *LIFE[2:]))
    assert (result.new, result.known, result.changed, result.quarantined) == (0, 7, 1, 1)
    assert quarantine(opsledger_sqlite) == [(3, "changed", "4711/02/02/2026 09:10/Working", None)]
    assert opsledger_sqlite.history("ticket:4711") == before


def test_an_event_written_twice_counts_once_and_one_that_contradicts_it_is_set_aside(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    other = LIFE[1].replace("Payments", "Ledgers")
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE[:2], LIFE[1], other))
    assert (result.rows, result.new, result.known, result.changed, result.quarantined) == (4, 2, 1, 1, 1)
    assert result.dirt["same_event_twice"].first_rows == (4, 5)
    assert quarantine(opsledger_sqlite) == [(5, "changed", "4711/02/02/2026 09:10/Working", None)]


def test_an_event_is_known_by_the_columns_that_name_it(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    mapping = desk(("source: desk", "source: desk\nidentity: [Number, Time, Status, Team]"))
    other = LIFE[1].replace("Payments", "Ledgers")
    assert take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE[:2], other), mapping).new == 3


def test_rows_that_stand_together_are_put_in_order_and_one_before_what_is_known_is_late(
    opsledger_sqlite: OpsLedger, tmp_path: Path
) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", LIFE[5], LIFE[0], LIFE[1]))
    assert (result.new, result.dirt["out_of_order"].first_rows) == (3, (3,))
    assert [type(fact) for fact in facts(opsledger_sqlite)][-1] is t.Resolved
    take(opsledger_sqlite, write(tmp_path / "more.csv", LIFE[4]))
    assert quarantine(opsledger_sqlite) == [(2, "late", "4711/02/02/2026 11:00/Working", None)]


def test_tickets_mixed_over_batches_go_on_from_what_is_known(
    opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 2)
    mixed = [row for each in LIFE for row in (each, each.replace("4711", "4712"), each.replace("4711", "4713"))]
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *mixed))
    assert (result.new, result.quarantined) == (24, 0)
    assert [type(fact) for fact in facts(opsledger_sqlite, "4712")] == [type(fact) for fact in facts(opsledger_sqlite, "4713")]
    assert len(facts(opsledger_sqlite)) == 14


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (event("31/02/2026 09:00", "New"), "Time"),
        (event("02/02/2026 24:00", "New"), "Time"),
        (event("2026-02-02 09:00", "New"), "Time"),
        (event("02/02/1999 09:00", "New"), "Time"),
        (event("02/02/2026 09:00", "New", ""), "Number"),
        (event("02/02/2026 09:00", "New", " 4711"), "Number"),
        (event("02/02/2026 09:00", ""), "Status"),
        ("4711,02/02/2026 09:00,New", None),
        (event("02/02/2026 09:00", '"New'), None),
    ],
)
def test_a_line_that_cannot_be_read_is_listed_with_its_column(
    line: str, column: str | None, opsledger_sqlite: OpsLedger, tmp_path: Path
) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", line, *LIFE[:1]))
    assert (result.rows, result.new, result.quarantined) == (2, 1, 1)
    assert quarantine(opsledger_sqlite) == [(2, "malformed", None, column)]


def test_a_row_from_the_future_is_set_aside(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", event("02/02/2050 09:00", "New"), *LIFE[:1]))
    assert quarantine(opsledger_sqlite) == [(2, "future", "4711/02/02/2050 09:00/New", "Time")]


def test_a_ticket_that_the_ledger_has_from_elsewhere_is_foreign(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE[:1]))
    take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE[:1]), desk(("source: desk", "source: other")))
    assert quarantine(opsledger_sqlite) == [(2, "foreign", "4711/02/02/2026 09:00/New", None)]


def test_words_that_the_mapping_forgets_are_counted_and_change_nothing(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    odd = event("02/02/2026 10:00", "Printed", line="Fourth", severity="Huge").replace("acme", "other")
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", LIFE[0], odd))
    assert {kind: each.first_rows for kind, each in result.dirt.items()} == {
        "customer_changes": (3,),
        "unknown_level": (3,),
        "unknown_priority": (3,),
        "unknown_word": (3,),
    }
    assert [type(fact) for fact in facts(opsledger_sqlite)] == [t.Registered]


def test_a_time_that_the_clock_skips_or_reads_twice_has_one_meaning(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    skipped, twice = event("30/03/2025 02:30", "New", "1"), event("26/10/2025 02:30", "New", "2")
    take(opsledger_sqlite, write(tmp_path / "log.csv", skipped, twice))
    registered = [facts(opsledger_sqlite, number)[0] for number in ("1", "2")]
    assert [each.registered_at for each in registered if isinstance(each, t.Registered)] == [
        at("2025-03-30T01:00:00Z"),
        at("2025-10-26T00:30:00Z"),
    ]


def test_a_file_without_a_column_of_the_mapping_or_with_two_leaves_nothing_behind(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    before = opsledger_sqlite.store.head().position
    for header in ("Number,Time,Status,Team,Person,Line,Severity,Customer", "Number,Time,Status,Team,Client,Line,Severity,Client"):
        with pytest.raises(BadInput, match=r"Person|Client"):
            take(opsledger_sqlite, write(tmp_path / "log.csv", *LIFE, header=header))
    assert opsledger_sqlite.store.head().position == before


def test_nobody_approves_what_they_proposed(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", *LIFE)
    with pytest.raises(Refused):
        check_event_log(path, desk(), proposer="u-ann", approver="u-ann")
    with pytest.raises(Refused):
        import_event_log(opsledger_sqlite, path, desk(), proposer="u-ann", approver="u-ann")


def test_a_file_without_rows_is_an_import_of_nothing(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "log.csv"))
    assert (result.rows, result.new, result.policy_ref) == (0, 0, None)
