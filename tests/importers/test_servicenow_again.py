"""What a second reading of a ServiceNow log adds, whatever happened to the log or the ledger between the two."""

from __future__ import annotations

from pathlib import Path

import pytest
from servicenow_log import ZONE, facts, life, quarantine, take, update, write

from opsledger.app import OpsLedger
from opsledger.domain import ticket as t
from opsledger.errors import BadInput, Refused
from opsledger.importers import cases
from opsledger.importers.servicenow import ImportResult, import_servicenow
from opsledger.policies.instants import at, micros
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


def test_the_same_file_again_adds_nothing_but_the_run(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", *life(), *life("INC2"))
    first, version = take(opsledger_sqlite, path), len(opsledger_sqlite.history("ticket:INC1"))
    again = take(opsledger_sqlite, path)
    assert (first.import_id, first.new, first.known) == ("servicenow/1", 16, 0)
    assert (again.import_id, again.new, again.known, again.facts) == ("servicenow/2", 0, 16, 0)
    assert again.policy_ref == first.policy_ref
    assert len(opsledger_sqlite.history("ticket:INC1")) == version


def test_new_rows_of_a_longer_file_go_on_from_the_last_row_known(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "march.csv", *rows[:3]))
    result = take(opsledger_sqlite, write(tmp_path / "april.csv", *rows))
    assert (result.new, result.known) == (5, 3)
    assert [type(fact) for fact in facts(opsledger_sqlite)][4:] == [
        t.Paused,
        t.PriorityChanged,
        t.Resumed,
        t.Resolved,
        t.Reopened,
        t.Resolved,
        t.Closed,
    ]


def test_new_rows_without_the_known_ones_before_them_go_on_as_well(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "march.csv", *rows[:3]))
    result = take(opsledger_sqlite, write(tmp_path / "april.csv", *rows[3:]))
    assert (result.new, result.known, result.quarantined) == (5, 0, 0)
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("import_reconciliation")
    assert (row["status"], row["priority"], row["reopen_count"], row["reopen_count_agrees"]) == ("closed", "high", 1, True)


def test_a_number_that_comes_back_later_goes_on_from_what_is_known(
    opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 2)  # so that the rows fall into several batches
    one, other = life("INC1"), life("INC2")
    mixed = [row for pair in zip(one, other, strict=True) for row in pair]
    path = write(tmp_path / "log.csv", *mixed)
    result = take(opsledger_sqlite, path)
    assert (result.new, result.quarantined) == (16, 0)
    opsledger_sqlite.catch_up()
    rows = opsledger_sqlite.tables.select("import_reconciliation")
    assert [(row["status"], row["reopen_count"], row["reopen_count_agrees"]) for row in rows] == [("closed", 1, True)] * 2
    assert take(opsledger_sqlite, path).known == 16


def test_a_row_whose_content_changed_is_listed_and_nothing_of_it_recorded(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "march.csv", *rows[:7]))
    before = len(opsledger_sqlite.history("ticket:INC1"))
    rows[2] = {**rows[2], "incident_state": "Awaiting Vendor"}
    result = take(opsledger_sqlite, write(tmp_path / "april.csv", *rows))
    assert (result.new, result.known, result.changed, result.quarantined) == (1, 6, 1, 1)
    assert quarantine(opsledger_sqlite) == [(4, "changed", "INC1/2", None)]
    added = opsledger_sqlite.history("ticket:INC1")[before:]
    assert [recorded.topic for recorded in added] == ["ticket.closed", "ticket.source_stated"]


def test_what_follows_a_changed_row_goes_on_from_what_was_recorded(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "march.csv", update(), update("1/3/2016 09:10", sys_mod_count="1", incident_state="Active")))
    changed = update("1/3/2016 09:10", sys_mod_count="1", incident_state="Awaiting Vendor")
    after = update("1/3/2016 09:20", sys_mod_count="2", incident_state="Active")
    take(opsledger_sqlite, write(tmp_path / "april.csv", update(), changed, after))
    assert [type(fact) for fact in facts(opsledger_sqlite)] == [t.Registered, t.InvestigationStarted]  # and no end of a wait


def test_a_new_row_before_known_ones_is_listed_and_not_recorded(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "april.csv", *rows[:1], *rows[2:]))
    before = opsledger_sqlite.history("ticket:INC1")
    result = take(opsledger_sqlite, write(tmp_path / "repaired.csv", *rows))
    assert (result.new, result.known) == (0, 7)
    assert quarantine(opsledger_sqlite) == [(3, "late", "INC1/1", None)]
    assert opsledger_sqlite.history("ticket:INC1") == before


def test_an_older_export_read_after_a_newer_one_reopens_nothing(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "april.csv", *rows[4:]))
    result = take(opsledger_sqlite, write(tmp_path / "march.csv", *rows[:4]))
    assert (result.new, result.quarantined) == (0, 4)
    assert {reason for _, reason, _, _ in quarantine(opsledger_sqlite)} == {"late"}
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("import_reconciliation")
    assert (row["status"], row["reopen_count"]) == ("closed", 1)


def test_a_row_of_the_very_minute_that_is_known_last_goes_on(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "march.csv", update("1/3/2016 09:10", incident_state="Active")))
    after = update("1/3/2016 09:10", sys_mod_count="1", incident_state="Resolved")
    assert take(opsledger_sqlite, write(tmp_path / "april.csv", after)).new == 1


def test_a_following_row_with_an_earlier_time_counts_at_the_newest_time_known(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    known = update("1/3/2016 11:10", incident_state="Active")
    take(opsledger_sqlite, write(tmp_path / "march.csv", known))
    take(opsledger_sqlite, write(tmp_path / "april.csv", known, update("1/3/2016 09:52", sys_mod_count="1", incident_state="Resolved")))
    assert opsledger_sqlite.history("ticket:INC1")[-1].occurred_at == micros(at("2016-03-01T14:10:00Z"))
    opsledger_sqlite.catch_up()
    assert opsledger_sqlite.tables.select("ticket")[0]["status"] == "resolved"


def test_a_ticket_of_our_own_with_the_same_id_is_left_alone(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    opsledger_sqlite.by("u-7").record(
        t.register, "INC1", customer_id="C-1", requester_id="p-1", channel="email", priority=Priority.HIGH, summary="Help"
    )
    before = opsledger_sqlite.history("ticket:INC1")
    result = take(opsledger_sqlite, write(tmp_path / "log.csv", *life()[:2], *life("INC2")))
    assert (result.new, result.quarantined) == (8, 2)
    assert quarantine(opsledger_sqlite) == [(2, "foreign", "INC1/0", None), (3, "foreign", "INC1/1", None)]
    assert opsledger_sqlite.history("ticket:INC1") == before


def test_what_we_recorded_on_an_imported_ticket_is_not_taken_for_the_vendors_word(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = life()
    take(opsledger_sqlite, write(tmp_path / "march.csv", *rows[:2]))
    opsledger_sqlite.by("u-7").record(t.assign, "INC1", group="Ours")  # today, years later
    result = take(opsledger_sqlite, write(tmp_path / "april.csv", *rows))
    assert (result.new, result.quarantined) == (6, 0)
    assert opsledger_sqlite.history("ticket:INC1")[-1].occurred_at == micros(at("2016-03-07T18:00:00Z"))


def test_an_import_that_was_cut_off_goes_on_when_repeated(
    opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 8)
    path = write(tmp_path / "log.csv", *life("INC1"), *life("INC2"), *life("INC3"))

    def cut(done: int, of: int) -> None:
        assert of == 24
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_servicenow(opsledger_sqlite, path, ZONE, progress=cut)
    result = take(opsledger_sqlite, path)
    assert (result.import_id, result.new, result.known) == ("servicenow/2", 8, 16)
    opsledger_sqlite.catch_up()
    runs = opsledger_sqlite.tables.select("import_run")
    assert [(row["import_id"], row["finished_at"] is not None) for row in runs] == [("servicenow/1", False), ("servicenow/2", True)]


def test_two_imports_of_one_file_at_once_take_each_row_in_once(
    opsledger_sqlite: OpsLedger, opsledger_clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 8)
    path = write(tmp_path / "log.csv", *life("INC1"), *life("INC2"), *life("INC3"))
    others: list[ImportResult] = []

    def meanwhile(done: int, of: int) -> None:
        if done == 8:
            with OpsLedger.open(f"sqlite:///{tmp_path}/ops.db", clock=opsledger_clock) as other:
                others.append(take(other, path))

    ours = import_servicenow(opsledger_sqlite, path, ZONE, progress=meanwhile)
    (theirs,) = others
    assert (ours.import_id, ours.new, ours.known) == ("servicenow/1", 8, 16)
    assert (theirs.import_id, theirs.new, theirs.known) == ("servicenow/2", 16, 8)
    assert theirs.policy_ref == ours.policy_ref


def test_progress_is_told_in_rows(opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 8)
    told: list[tuple[int, int]] = []
    path = write(tmp_path / "log.csv", *life("INC1"), *life("INC2"), *life("INC3"))
    import_servicenow(opsledger_sqlite, path, ZONE, progress=lambda done, of: told.append((done, of)))
    assert told == [(8, 24), (16, 24), (24, 24)]


def test_a_file_of_nothing_but_bad_rows_is_listed_in_batches(
    opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH_ROWS", 10)
    path = write(tmp_path / "log.csv", *[update(number="?") for _ in range(35)])
    told: list[tuple[int, int]] = []
    result = import_servicenow(opsledger_sqlite, path, ZONE, progress=lambda done, of: told.append((done, of)))
    assert told == [(10, 35), (20, 35), (30, 35), (35, 35)]
    assert (result.rows, result.new, result.quarantined, result.policy_ref) == (35, 0, 35, None)
    assert len(quarantine(opsledger_sqlite)) == 35
    assert len(result.first_quarantined) == 20


def test_nobody_approves_what_they_propose(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    head = opsledger_sqlite.store.head()
    with pytest.raises(Refused, match="name another approver"):
        import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), ZONE, proposer="u-7", approver="u-7")
    assert opsledger_sqlite.store.head() == head


def test_an_unknown_zone_is_refused_and_nothing_recorded(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    head = opsledger_sqlite.store.head()
    with pytest.raises(BadInput, match="has no zone 'Brazil/Nowhere'"):
        import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), "Brazil/Nowhere")
    assert opsledger_sqlite.store.head() == head


def test_a_tick_raises_no_alarm_about_imported_tickets_that_have_ended(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "log.csv", *life()))
    assert opsledger_sqlite.tick().deadlines == 0


def test_on_postgresql_an_import_gives_the_same_tables(opsledger_pg: OpsLedger, opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", *life("INC1"), *life("INC2"), update(number="?"))
    tables = ("ticket", "ticket_sla", "import_reconciliation", "import_run", "import_dirt", "import_quarantine")
    found = []
    for ledger in (opsledger_pg, opsledger_sqlite):
        take(ledger, path)
        ledger.catch_up()
        found.append({table: ledger.tables.select(table) for table in tables})
    assert found[0] == found[1]
    assert found[0]["import_reconciliation"][0]["reopen_count_agrees"] is True
