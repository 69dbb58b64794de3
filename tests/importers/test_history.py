"""What is published before history can be recorded, and that the present goes on as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from servicenow_log import life, update, write

from opsledger.app import OpsLedger
from opsledger.domain import policy
from opsledger.importers.history import history_model
from opsledger.importers.servicenow import import_servicenow
from opsledger.policies import documents
from opsledger.policies.instants import at, iso, micros
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

ZONE = "America/Sao_Paulo"


def models(ledger: OpsLedger) -> list[tuple[str, OperatingModel]]:
    """Return the published models by the time from which they hold."""
    return [(iso(each.effective_from), each.model) for each in ledger.known.models()]


def test_the_model_of_history_promises_the_documents_resolutions_and_nothing_that_a_log_cannot_show() -> None:
    history, document = history_model().support, default_model().support
    for priority in Priority:
        assert history.tiers[priority].targets == {"resolution": document.tiers[priority].targets["resolution"]}
        assert history.escalation(priority, "l1") is None
    assert [metric.name for metric in history.rules.metrics] == ["resolution"]
    assert history.executive_on_breach_of == ()
    assert history.metrics["resolution"] == document.metrics["resolution"]


def test_it_holds_from_before_the_first_row_until_after_the_last_one(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), ZONE)
    assert models(opsledger_sqlite) == [
        ("2000-01-01T00:00:00.000000Z", default_model()),
        ("2016-03-01T00:00:00.000000Z", history_model()),  # the first row is of 12:00
        ("2016-03-07T18:01:00.000000Z", default_model()),  # the last one of 18:00
    ]


def test_tickets_of_today_keep_their_promises(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), ZONE)
    assert opsledger_sqlite.known.in_force(micros(at("2026-03-02T09:00:00Z"))).model == default_model()


def test_a_model_published_in_between_goes_on_to_hold(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    ours = default_model().model_copy(update={"support": default_model().support.model_copy(update={"customer_reply_reopens": False})})
    opsledger_sqlite.by("u-1").record(
        policy.publish,
        policy.NAME,
        document=documents.canonical(ours),
        proposed_by="u-1",
        approved_by="u-2",
        effective_from=at("2016-03-03"),
        reason="as we worked then",
    )
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), ZONE)
    assert models(opsledger_sqlite) == [
        ("2000-01-01T00:00:00.000000Z", default_model()),
        ("2016-03-01T00:00:00.000000Z", history_model()),
        ("2016-03-03T00:00:00.000000Z", ours),
    ]


def test_a_first_row_at_midnight_still_has_the_model_before_it(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [update("1/3/2016 00:00", opened_at="1/3/2016 00:00")]
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *rows), "UTC")
    assert models(opsledger_sqlite)[1] == ("2016-02-29T00:00:00.000000Z", history_model())


def test_the_opening_of_an_incident_counts_as_its_first_time(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [update("1/3/2016 10:00", opened_at="5/1/2016 10:00")]
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *rows), "UTC")
    assert models(opsledger_sqlite)[1] == ("2016-01-05T00:00:00.000000Z", history_model())


def test_a_later_file_of_the_same_time_publishes_nothing_and_an_earlier_one_does(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    first = import_servicenow(opsledger_sqlite, write(tmp_path / "march.csv", *life()), ZONE)
    standing = models(opsledger_sqlite)
    later = import_servicenow(opsledger_sqlite, write(tmp_path / "more.csv", *life("INC2")), ZONE)
    assert (later.policy_ref, models(opsledger_sqlite)) == (first.policy_ref, standing)
    rows = [update("1/2/2015 10:00", number="INC3", opened_at="1/2/2015 10:00")]
    earlier = import_servicenow(opsledger_sqlite, write(tmp_path / "earlier.csv", *rows), ZONE)
    assert earlier.policy_ref != first.policy_ref
    assert [each.effective_from for each in opsledger_sqlite.known.models() if each.ref == earlier.policy_ref] == [micros(at("2015-02-01"))]


def test_calendars_that_begin_later_are_published_from_before_the_first_row(tmp_path: Path) -> None:
    clock, since = Clock("2026-03-02T09:00:00Z"), at("2020-01-01")
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=clock, since=since) as ledger:
        hours = {name: ledger.known.versions(name)[0].definition for name in ledger.known.calendars()}
        result = import_servicenow(ledger, write(tmp_path / "log.csv", *life()), ZONE)
        assert result.new == 8
        assert ledger.known.covers()[0] == micros(at("2016-03-01"))
        assert {name: ledger.known.versions(name)[0].definition for name in ledger.known.calendars()} == hours
        ledger.catch_up()
        said = {row["reason"] for row in ledger.tables.select("calendar", effective_from=at("2016-03-01"))}
        assert said == {"import of servicenow history from log.csv: its hours begin before those known"}
        assert [each for each in ledger.tables.rebuild() if each.rows] == []


def test_calendars_that_end_too_soon_are_extended(tmp_path: Path) -> None:
    clock = Clock("2016-01-02T09:00:00Z")
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=clock) as ledger:
        assert ledger.known.covers()[1] == micros(at("2020-01-01"))
        clock.set("2021-03-02T09:00:00Z")
        rows = [update("1/3/2021 10:00", opened_at="1/3/2021 09:00")]
        assert import_servicenow(ledger, write(tmp_path / "log.csv", *rows), ZONE).new == 1
        assert ledger.known.covers()[1] == micros(at("2025-01-01"))


@pytest.mark.parametrize("name", ["proposed_by", "approved_by"])
def test_proposer_and_approver_answer_for_the_model(opsledger_sqlite: OpsLedger, tmp_path: Path, name: str) -> None:
    people = {"proposed_by": "u-3", "approved_by": "u-4"}
    import_servicenow(opsledger_sqlite, write(tmp_path / "log.csv", *life()), ZONE, proposer="u-3", approver="u-4")
    opsledger_sqlite.catch_up()
    assert [row[name] for row in opsledger_sqlite.tables.select("policy")][1:] == [people[name]] * 2
