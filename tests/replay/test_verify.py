"""Verification: what a clean ledger says, and that every way of tampering with the file is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from verified import check_of, not_clean, only, places, register, stored_state, verified

from opsledger.app import OpsLedger
from opsledger.domain import calendar, ticket
from opsledger.errors import BadInput, Unavailable
from opsledger.policies import documents
from opsledger.policies.instants import at
from opsledger.policies.operating_model import default_calendars
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
from opsledger.replay.verify import CHECKS, verify
from opsledger.testing.plugin import Clock
from tampering import attack

# Clean ledgers.


def test_a_clean_ledger_passes_every_check(history: OpsLedger) -> None:
    report = verified(history, strict=True)
    assert report.code == 0
    assert [(check.name, check.verdict) for check in report.checks] == [(name, "clean") for name in CHECKS]
    assert check_of(report, "continuity").looked_at == {"facts": 10, "streams": 6}
    assert check_of(report, "fold").looked_at == {"facts": 10, "streams": 6}
    assert check_of(report, "promises").looked_at["promises"] == 9
    assert check_of(report, "projections").looked_at["tables"] == len(history.tables.tables.schema.declared)


def test_the_report_of_a_simulated_ledger_says_first_that_it_is_one(history: OpsLedger) -> None:
    assert next(verified(history).lines()).startswith("This is a simulated ledger")


def test_the_report_of_a_real_ledger_does_not_say_so(tmp_path: Path) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/real.db") as ledger:
        ledger.catch_up()
        report = verified(ledger)
        assert report.code == 0
        assert next(report.lines()) == f"Ledger {ledger.meta['ledger_id']}, verified up to position 4."


def test_only_the_checks_that_were_asked_for_run(history: OpsLedger) -> None:
    assert [check.name for check in verified(history, "fold").checks] == ["fold"]


def test_an_unknown_check_is_refused(history: OpsLedger) -> None:
    with pytest.raises(BadInput, match="There is no check 'merkle'; there are integrity, checkpoints, continuity, reviews, parts, fold"):
        verified(history, "merkle")


def test_progress_ends_with_all_facts_of_every_check(history: OpsLedger) -> None:
    told: dict[str, tuple[int, int]] = {}
    history.verify(progress=lambda name, done, of: told.update({name: (done, of)}))
    for name in ("integrity", "continuity", "fold", "promises", "projections"):
        assert told[name] == (10, 10), name


def test_verifying_changes_nothing(history: OpsLedger) -> None:
    before = (history.store.page(0, 100), history.tables.as_of(), digests(history.tables.tables))
    verified(history)
    assert (history.store.page(0, 100), history.tables.as_of(), digests(history.tables.tables)) == before


# Continuity; more of it in tests/audit.


def test_a_deleted_middle_row_leaves_a_gap_in_positions_and_versions(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position = 7")
    report = verified(history, "continuity")
    assert report.code == 1
    assert places(report, "continuity") == [(8, "ticket:T-1", "position"), (8, "ticket:T-1", "version")]
    gap, version = check_of(report, "continuity").findings
    assert gap.sentence == "Position 7 is missing; the next fact of the ledger stands at 8."
    assert (version.expected, version.found) == ("2", "3")


def test_text_in_a_column_of_numbers_is_named_and_stops_nothing_else(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET occurred_at = 'noon' WHERE position = 7")
    report = verified(history)
    assert report.code == 1
    assert places(report, "continuity") == [(7, "ticket:T-1", "occurred_at")]
    assert places(report, "fold") == [(7, "ticket:T-1", "occurred_at")]
    assert "ticket:T-1 from position 7" in check_of(report, "promises").undecided[0]
    assert check_of(report, "projections").verdict == "undecided"


# Fold.


def test_a_fact_with_an_unknown_topic_is_named_and_the_other_checks_still_run(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET topic = 'ticket.vanished' WHERE position = 7")
    report = verified(history)
    assert report.code == 1
    assert check_of(report, "continuity").verdict == "clean"
    finding = only(report, "fold")
    assert (finding.position, finding.stream, finding.column, finding.found) == (7, "ticket:T-1", "topic", "ticket.vanished")
    assert "does not know the topic" in check_of(report, "promises").undecided[0]
    assert "Position 7" in check_of(report, "projections").undecided[0]


def test_a_newer_revision_is_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET revision = 7 WHERE position = 7")
    finding = only(verified(history, "fold"), "fold")
    assert (finding.position, finding.stream, finding.column, finding.found) == (7, "ticket:T-1", "revision", "7")


def test_a_revision_below_one_is_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET revision = 0 WHERE position = 7")
    assert places(verified(history, "fold"), "fold") == [(7, "ticket:T-1", "revision")]


def test_truncated_stored_bytes_are_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET state = substr(state, 1, 30) WHERE position = 7")
    report = verified(history, "fold")
    assert places(report, "fold") == [(7, "ticket:T-1", "state")]
    assert check_of(report, "fold").looked_at["facts not evolved"] == 3


def test_an_edited_time_of_happening_no_longer_agrees_with_the_fact(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET occurred_at = occurred_at - 60000000 WHERE position = 7")
    report = verified(history, "continuity", "fold")
    assert check_of(report, "continuity").verdict == "clean"
    finding = only(report, "fold")
    assert (finding.position, finding.stream, finding.column) == (7, "ticket:T-1", "occurred_at")
    assert (finding.expected, finding.found) == ("2026-03-02T09:10:00.000000Z", "2026-03-02T09:09:00.000000Z")


def test_a_stream_that_does_not_evolve_is_named(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position = 6")
    finding = only(verified(history, "fold"), "fold")
    assert (finding.position, finding.stream) == (9, "ticket:T-2")
    assert "A ticket begins with its registration" in finding.sentence


def test_a_fact_of_another_concept_is_named(history: OpsLedger) -> None:
    first = stored_state(history, 1)
    attack(history, f"UPDATE ledger_event SET topic = 'ledger.created', state = CAST('{first}' AS BLOB) WHERE position = 7")
    assert places(verified(history, "fold"), "fold") == [(7, "ticket:T-1", "occurred_at"), (7, "ticket:T-1", "topic")]


def test_a_stream_of_an_unknown_concept_is_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET stream = 'tickets:T-2' WHERE stream = 'ticket:T-2'")
    report = verified(history, "continuity", "fold")
    assert check_of(report, "continuity").verdict == "clean"
    assert places(report, "fold") == [(6, "tickets:T-2", "stream")]


def test_only_strict_sees_a_value_that_no_decision_could_have_made(history: OpsLedger) -> None:
    history.by("u-7").record(ticket.resolve, "T-1")
    history.by("u-7").record(ticket.send_survey, "T-1")
    receipt = history.by("u-7").record(ticket.answer_survey, "T-1", score=5)
    assert verified(history, "fold", strict=True).code == 0
    edited = stored_state(history, receipt.position or 0).replace('"score":5', '"score":-5')
    attack(history, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = {receipt.position}")
    assert places(verified(history, "fold", strict=True), "fold") == [(receipt.position, "ticket:T-1", "state")]


def test_a_ledger_that_hides_being_simulated_is_found_out(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_meta SET value = 'false' WHERE key = 'simulated'")
    report = verified(history, "fold")
    finding = only(report, "fold")
    assert (finding.position, finding.stream, finding.column) == (1, "ledger:self", "state.simulated")


def test_a_stream_that_is_no_text_is_named_and_stops_nothing_else(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET stream = CAST(stream AS BLOB) WHERE position = 9")
    report = verified(history)
    assert report.code == 1
    assert [place[2] for name in ("continuity", "fold") for place in places(report, name)] == ["stream", "stream"]


# Projections.


def test_an_edited_row_of_a_table_is_named_with_its_key(history: OpsLedger) -> None:
    attack(history, "UPDATE ticket_sla SET outcome = 'met' WHERE metric = 'resolution' AND ticket_id = 'T-1'", what="tables.db")
    report = verified(history)
    assert not_clean(report) == {"projections": "findings"}
    finding = only(report, "projections")
    assert (finding.table, finding.keys) == ("ticket_sla", (("T-1", "resolution", 1),))
    assert "1 row changed" in finding.sentence


def test_a_removed_row_of_a_table_is_named_with_its_key(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ticket WHERE ticket_id = 'T-2'", what="tables.db")
    finding = only(verified(history, "projections"), "projections")
    assert (finding.table, finding.keys) == ("ticket", (("T-2",),))
    assert "1 row missing" in finding.sentence


def test_an_added_row_of_a_table_is_named_with_its_key(history: OpsLedger) -> None:
    attack(history, "INSERT INTO policy_month VALUES ('operating-model', '2099-01', 'x', 'y', 'UTC', 4)", what="tables.db")
    finding = only(verified(history, "projections"), "projections")
    assert (finding.table, finding.keys) == ("policy_month", (("operating-model", "2099-01"),))


def test_rows_that_differ_are_counted_one_by_one(history: OpsLedger) -> None:
    attack(history, "UPDATE audit_trail SET recorded_by = 'nobody'", what="tables.db")
    check = check_of(verified(history, "projections"), "projections")
    assert (check.found, len(check.findings)) == (10, 1)


def test_an_end_cut_off_the_log_shows_in_tables_that_go_further(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position = 10")
    report = verified(history, "continuity", "projections")
    assert check_of(report, "continuity").verdict == "clean"
    assert "its end was cut off" in check_of(report, "projections").findings[0].sentence


def test_a_false_as_of_is_found(history: OpsLedger) -> None:
    attack(history, "UPDATE opsledger_state SET recorded_at = recorded_at + 1", what="tables.db")
    assert only(verified(history, "projections"), "projections").table == "opsledger_state"


def test_tables_that_were_never_built_leave_their_check_undecided_and_make_no_file(tmp_path: Path) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/new.db") as ledger:
        report = verified(ledger)
        assert report.code == 2
        assert not_clean(report) == {"projections": "undecided"}
        assert "catch-up" in check_of(report, "projections").undecided[0]
    assert not (tmp_path / "new.tables.db").exists()


def test_tables_behind_the_log_are_compared_where_they_stand(history: OpsLedger) -> None:
    register(history, "T-9")
    report = verified(history, "projections")
    assert report.code == 0
    assert check_of(report, "projections").looked_at["facts"] == 10


# What cannot be decided.


class _Broken:
    """A store that is gone."""

    def meta(self) -> dict[str, str]:
        raise Unavailable("store.unavailable", "The ledger's file could not read: disk I/O error.")


def test_a_store_that_cannot_be_read_leaves_all_undecided(history: OpsLedger) -> None:
    report = verify(_Broken(), history.tables.tables)  # type: ignore[arg-type]  # only what is asked first
    assert report.code == 2
    assert not_clean(report) == {name: "undecided" for name in CHECKS if name != "keys"}, "no key store was given"


def test_an_unreadable_calendar_leaves_promises_and_tables_undecided(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET state = substr(state, 1, 50) WHERE position = 3")
    report = verified(history)
    assert report.code == 1
    assert not_clean(report) == {"fold": "findings", "promises": "undecided", "projections": "undecided"}
    assert all("Position 3" in check_of(report, name).undecided[0] for name in ("promises", "projections"))


def test_a_correction_of_a_calendar_that_names_no_version_cannot_be_learnt(history: OpsLedger) -> None:
    hours = documents.canonical(default_calendars()["business"].model_copy(update={"holidays": (at("2026-01-01").date(),)}))
    people = {"requested_by": "u-1", "approved_by": "u-2", "reason": "It was a holiday"}
    history.by("u-2").record(calendar.correct, "business", corrects=3, definition=hours, **people)
    edited = stored_state(history, 11).replace('"corrects":3', '"corrects":9')
    attack(history, f"UPDATE ledger_event SET state = CAST('{edited}' AS BLOB) WHERE position = 11")
    report = verified(history, "fold", "promises")
    assert [check.verdict for check in report.checks] == ["findings", "undecided"]
    assert places(report, "fold") == [(11, "calendar:business", "state")]
    assert "changes a version of a calendar at position 9, where there is none" in check_of(report, "promises").undecided[0]


def test_a_report_for_programs_says_the_same(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ticket WHERE ticket_id = 'T-2'", what="tables.db")
    said = verified(history).as_dict()
    assert (said["code"], said["simulated"], said["position"]) == (1, True, 10)
    checks = {check["name"]: check for check in said["checks"]}
    assert [checks[name]["about"] for name in ("integrity", "continuity", "fold", "projections")] == [
        "integrity",
        "integrity",
        "foldability",
        "tables",
    ]
    assert checks["projections"]["findings"][0]["keys"] == (("T-2",),)
    assert said["assurance"]["level"] == "L0"


def test_a_postgresql_ledger_is_verified_alike(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    import psycopg

    register(opsledger_pg, "T-1")
    assert verified(opsledger_pg, strict=True).code == 2
    opsledger_pg.catch_up()
    assert verified(opsledger_pg, strict=True).code == 0
    schema = opsledger_pg.url.schema
    with psycopg.connect(opsledger_pg.url.conninfo, autocommit=True) as connection:
        for statement in (
            f"ALTER TABLE {schema}.ledger_event DISABLE TRIGGER USER",
            f"UPDATE {schema}.ledger_event SET version = 3 WHERE position = 5",
            f"UPDATE {schema}_tables.ticket SET priority = 'low'",
        ):
            connection.execute(statement)  # type: ignore[call-overload]  # statements of our own
    report = verified(opsledger_pg)
    assert places(report, "continuity") == [(5, "ticket:T-1", "version")]
    differing = {finding.table: finding.keys for finding in check_of(report, "projections").findings}
    assert differing == {"audit_trail": ((5,),), "ticket": (("T-1",),)}


def test_tables_can_be_another_database_of_the_same_shape(history: OpsLedger, tmp_path: Path) -> None:
    import sqlalchemy as sa

    elsewhere = Tables(sa.create_engine(f"sqlite:///{tmp_path}/nothing.db"))
    assert verify(history.store, elsewhere, checks=["projections"]).code == 2
    elsewhere.close()
