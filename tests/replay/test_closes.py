"""Closed periods: frozen as known at a position, computed again by verify, and what became of them since."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from verified import check_of, only, register, verified

from opsledger.app import OpsLedger
from opsledger.domain import period, ticket
from opsledger.errors import BadInput, Refused, Unknown
from opsledger.policies.instants import at
from opsledger.projections.support import views as support_views
from opsledger.replay.digest import digests
from opsledger.testing.plugin import Clock
from tampering import attack

PEOPLE = {"proposed_by": "u-fay", "approved_by": "u-gus"}


def a_month(ledger: OpsLedger, clock: Clock) -> None:
    """March: of two tickets of high priority one is answered in time, one is not; time is the second of April."""
    for id, minutes in (("M-1", 10), ("M-2", 90)):
        register(ledger, id)
        clock.forward(minutes=minutes)
        ledger.by("u-7", role="support").record(ticket.respond, id)
    clock.set("2026-04-02T08:00:00Z")
    ledger.tick()


@pytest.fixture
def april(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    a_month(opsledger_sqlite, opsledger_clock)
    return opsledger_sqlite


def close(ledger: OpsLedger, table: str = "sla_compliance", of: str = "2026-03", **given: Any) -> period.Closed | period.Restated:
    (made,) = ledger.close_period(table, of, **{**PEOPLE, **given}).facts
    return made


def answer_late(ledger: OpsLedger, clock: Clock, id: str = "M-2") -> None:
    """Type in, a week later, an answer that was given in time."""
    clock.forward(days=7)
    ledger.by("u-7", role="support", at=at("2026-03-02T09:30:00Z")).record(ticket.respond, id)


def restate(ledger: OpsLedger) -> period.Closed | period.Restated:
    return close(ledger, reason="An answer was typed in late")


def content(made: period.Closed | period.Restated) -> list[dict[str, Any]]:
    return [dict(zip(made.frozen.columns, json.loads(row), strict=True)) for row in made.frozen.rows]


# What is frozen.


def test_a_close_freezes_what_the_tables_say_of_the_month(april: OpsLedger) -> None:
    made = close(april)
    april.catch_up()
    assert content(made) == april.tables.select("sla_compliance", month="2026-03")
    first_response = next(row for row in content(made) if (row["priority"], row["metric"]) == ("high", "first_response"))
    assert (first_response["met"], first_response["breached"]) == (1, 1)
    assert (made.position, made.effective_at) == (april.store.head().position - 1, at("2026-04-02T08:00:00Z"))
    assert made.digest == period.digest(made.frozen)


def test_a_close_is_recorded_by_who_approves_it(april: OpsLedger) -> None:
    close(april)
    (recorded,) = april.history("period:sla_compliance/2026-03")
    assert (recorded.recorded_by, recorded.role, recorded.fact.proposed_by) == ("u-gus", "approver", "u-fay")


def test_what_was_known_at_a_position_is_closed_also_when_more_is_known(april: OpsLedger, opsledger_clock: Clock) -> None:
    before = april.store.head().position
    answer_late(april, opsledger_clock)
    met = {
        made.position: sum(row["met"] for row in content(made) if row["metric"] == "first_response")
        for made in (close(april, position=before), restate(april))
    }
    assert met == {before: 1, before + 2: 2}


def test_a_quiet_month_ends_at_its_end_though_nothing_was_recorded_since(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    register(opsledger_sqlite, "Q-1")
    opsledger_clock.set("2026-04-01T00:00:00Z")
    made = close(opsledger_sqlite)
    assert (made.effective_at, [row["overdue"] for row in content(made) if row["priority"] == "high"]) == (at("2026-04-01"), [1, 1])


def test_a_day_is_closed_like_a_month(april: OpsLedger) -> None:
    assert content(close(april, "backlog_day", "2026-03-02")) == [{"day": "2026-03-02", "entered": 2, "ended": 0, "open_at_end": 2}]


def test_both_databases_freeze_the_same_rows(opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    begins, made = opsledger_clock.now, []
    for ledger in (opsledger_sqlite, opsledger_pg):
        opsledger_clock.set(begins)
        a_month(ledger, opsledger_clock)
        made += [close(ledger), close(ledger, "incident_kpi_month")]
        assert verified(ledger, "closes").code == 0
        ledger.catch_up()
    assert made[:2] == made[2:]
    assert content(made[2]) == opsledger_pg.tables.select("sla_compliance", month="2026-03")


# What is refused, each time with nothing recorded.


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"of": "2026-04"}, Refused, "2026-04 ends at 2026-05-01T00:00:00"),
        ({"of": "2026-3"}, BadInput, "'2026-3' is no month"),
        ({"of": "march"}, BadInput, "'march' is no month"),
        ({"table": "backlog_day", "of": "2026-03"}, BadInput, "'2026-03' is no day"),
        ({"table": "backlog_day", "of": "20260302"}, BadInput, "'20260302' is no day"),
        ({"table": "ticket"}, BadInput, "ticket has no month or day in its key"),
        ({"table": "sla"}, Unknown, "There is no table 'sla'"),
        ({"position": 0}, BadInput, "The ledger has positions 1 to"),
        ({"position": 99}, BadInput, "99 is none of them"),
        ({"position": 5}, BadInput, "the ledger knew more of it by then than at position 5; close it as known at position 8 or later"),
        ({"approved_by": "u-fay"}, Refused, "cannot approve it too"),
        ({"reason": "It was wrong"}, Unknown, "There is no period sla_compliance/2026-03"),
    ],
)
def test_what_cannot_be_closed_is_one_sentence(april: OpsLedger, given: dict[str, Any], error: type[Exception], said: str) -> None:
    head = april.store.head()
    with pytest.raises(error, match=said):
        close(april, **given)
    assert april.store.head() == head


def test_a_closed_period_is_closed_again_only_with_a_reason(april: OpsLedger) -> None:
    close(april)
    with pytest.raises(Refused, match="give a reason to restate it"):
        close(april)
    assert april.close_period("sla_compliance", "2026-03", **PEOPLE, reason="To be sure").facts == ()


# The tables that list closes.


def test_closes_and_restatements_are_listed_with_their_rows(april: OpsLedger, opsledger_clock: Clock) -> None:
    first = close(april)
    answer_late(april, opsledger_clock)
    second = restate(april)
    april.catch_up()
    rows = april.tables.select("period_close")
    assert [(row["number"], row["digest"], row["reason"], row["restated_at"], row["row_count"]) for row in rows] == [
        (1, first.digest, None, at("2026-04-09T08:00:00Z"), len(first.frozen.rows)),
        (2, second.digest, "An answer was typed in late", None, len(second.frozen.rows)),
    ]
    told = [json.loads(row["content"]) for row in april.tables.select("period_close_row", number=2)]
    assert told == content(second)
    assert sum(difference.rows for difference in april.tables.rebuild()) == 0


# Verification.


def test_every_close_is_computed_again_as_known_then(april: OpsLedger, opsledger_clock: Clock) -> None:
    close(april)
    close(april, "backlog_day", "2026-03-02")
    answer_late(april, opsledger_clock)
    restate(april)
    check = check_of(verified(april, "closes"), "closes")
    assert (check.verdict, check.looked_at, check.moved) == ("clean", {"closes": 3}, 0)


def test_nothing_closed_is_clean(april: OpsLedger) -> None:
    check = check_of(verified(april, "closes"), "closes")
    assert (check.verdict, check.looked_at) == ("clean", {"closes": 0})


def test_what_is_known_later_is_listed_as_restated_and_is_no_finding(april: OpsLedger, opsledger_clock: Clock) -> None:
    position = close(april).position + 1
    answer_late(april, opsledger_clock)
    check = check_of(verified(april, "closes"), "closes")
    assert (check.verdict, check.moved) == ("clean", 1)
    assert (check.restated[0].position, check.restated[0].table) == (position, "sla_compliance")
    assert "2026-03 high first_response (met reported 1, computed 2, breached reported 1, computed 0" in check.restated[0].sentence


def test_a_reported_number_that_was_edited_is_named_with_its_row(april: OpsLedger) -> None:
    close(april)
    edit(
        april,
        lambda held: next(i for i, row in enumerate(held["frozen"]["rows"]) if "first_response" in row),
        '"first_response",1,1',
        '"first_response",2,0',
    )
    found = only(verified(april, "closes"), "closes")
    assert (found.table, found.keys, found.column) == ("sla_compliance", (("2026-03", "high", "first_response"),), "state.frozen")
    assert (
        "it differs in 1 row: 2026-03 high first_response (met reported 2, computed 1, breached reported 0, computed 1)" in found.sentence
    )


def edit(ledger: OpsLedger, which: Any, old: str, new: str) -> None:
    """Change one row of the newest close, and its digest with it, as somebody would who may write to the log."""
    row = ledger.store.page(ledger.store.head().position - 1, 1)[0]
    held = msgspec.json.decode(row.state)
    place = which(held)
    assert old in held["frozen"]["rows"][place]
    held["frozen"]["rows"][place] = held["frozen"]["rows"][place].replace(old, new)
    held["digest"] = period.digest(msgspec.convert(held["frozen"], period.Frozen))
    stored = msgspec.json.encode(held).decode().replace("'", "''")
    attack(ledger, f"UPDATE ledger_event SET state = CAST('{stored}' AS BLOB) WHERE position = {row.position}")


def test_a_row_that_was_taken_out_of_a_close_is_named(april: OpsLedger) -> None:
    close(april)
    row = april.store.page(april.store.head().position - 1, 1)[0]
    held = msgspec.json.decode(row.state)
    held["frozen"]["rows"] = held["frozen"]["rows"][1:]
    stored = msgspec.json.encode(held).decode().replace("'", "''")
    attack(april, f"UPDATE ledger_event SET state = CAST('{stored}' AS BLOB) WHERE position = {row.position}")
    findings = check_of(verified(april, "closes"), "closes").findings
    assert [finding.column for finding in findings] == ["state.digest", "state.frozen"]
    assert "2026-03 high first_response (was not reported)" in findings[1].sentence


def test_a_row_edited_into_something_else_is_a_finding_and_no_failure(april: OpsLedger) -> None:
    close(april)
    edit(april, lambda held: 0, "[", "{")
    assert check_of(verified(april, "closes"), "closes").verdict == "findings"


def test_a_fact_edited_below_a_close_is_found_by_what_was_reported(april: OpsLedger) -> None:
    close(april)
    attack(
        april,
        "UPDATE ledger_event SET occurred_at = occurred_at - 3600000000, state = replace(state, 'T10:40', 'T09:40') WHERE position = 8",
    )
    found = only(verified(april, "closes"), "closes")
    assert (found.table, found.keys) == ("sla_compliance", (("2026-03", "high", "first_response"),))


def test_a_close_that_claims_to_know_what_came_after_it_is_found(april: OpsLedger) -> None:
    position = close(april).position + 1
    attack(
        april,
        f"UPDATE ledger_event SET state = replace(state, '\"position\":{position - 1},', '\"position\":99,') WHERE position = {position}",
    )
    found = only(verified(april, "closes"), "closes")
    assert (found.position, found.column) == (position, "state.position")


def test_a_table_that_is_defined_otherwise_now_is_undecided_and_says_so(april: OpsLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    close(april)
    other = support_views._JUDGED.replace("IN ('met', 'breached', 'cancelled')", "IN ('met', 'cancelled')")
    monkeypatch.setattr(support_views, "_JUDGED", other)
    check = check_of(verified(april, "closes"), "closes")
    assert (check.verdict, check.left) == ("undecided", 1)
    assert "which defined the table otherwise than this program does" in check.undecided[0]


def test_a_table_that_is_defined_otherwise_and_says_the_same_is_clean(april: OpsLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    close(april)
    monkeypatch.setattr(support_views, "_JUDGED", support_views._JUDGED + " AND 1 = 1")
    assert verified(april, "closes").code == 0


def test_a_close_of_a_table_that_this_program_has_not_is_undecided(april: OpsLedger) -> None:
    frozen = period.Frozen(columns=("month", "n"), rows=('["2026-03",1]',), definition="d", program="refunds 1.0")
    given = {"month_or_day": "2026-03", "ends_at": at("2026-04-01"), "position": 5, "effective_at": at("2026-04-02"), "frozen": frozen}
    april.by("u-2").record(period.close, "refund_month/2026-03", table="refund_month", **given, **PEOPLE)
    check = check_of(verified(april, "closes"), "closes")
    assert (check.verdict, "refunds 1.0; this program has no such table" in check.undecided[0]) == ("undecided", True)


def test_closing_and_verifying_leave_the_tables_alone(april: OpsLedger) -> None:
    april.catch_up()
    before = (april.tables.as_of(), digests(april.tables.tables))
    april.close_period("sla_compliance", "2026-03", **PEOPLE)
    verified(april, "closes")
    assert (april.tables.as_of(), digests(april.tables.tables)) == before


def test_months_of_another_zone_end_there(april: OpsLedger, opsledger_clock: Clock) -> None:
    from opsledger.domain import policy
    from opsledger.policies import documents
    from opsledger.policies.operating_model import default_model

    model = default_model()
    document = documents.canonical(
        model.model_copy(update={"reporting": model.reporting.model_copy(update={"month_zone": "America/New_York"})})
    )
    opsledger_clock.set("2026-05-01T03:59:59Z")
    april.by("u-2").record(policy.publish, policy.NAME, document=document, **PEOPLE)
    with pytest.raises(Refused, match="2026-04 ends at 2026-05-01T04:00:00"):
        close(april, of="2026-04")
    opsledger_clock.forward(seconds=1)
    assert close(april, of="2026-04").effective_at == opsledger_clock.now == at("2026-05-01T04:00:00Z")
