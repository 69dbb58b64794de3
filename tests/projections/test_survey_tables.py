"""What was asked and answered, which answers count, and the scores: the same on both databases as by the pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.domain import customer, survey, survey_response, ticket
from opsledger.policies.support import Priority
from opsledger.policies.surveys import nps, nps_counts
from opsledger.projections.customers.survey_views import SURVEY_SCORES
from opsledger.projections.kinds import Sql
from opsledger.replay.explain import explain
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(request.param)
    return made


def ids(wave: str, contact: str, survey_type: str = "nps", customer_id: str = "C-1") -> dict[str, Any]:
    return {"wave_id": wave, "survey_type": survey_type, "customer_id": customer_id, "contact_id": contact}


def invite(ledger: OpsLedger, contact: str, wave: str = "W-1", when: datetime | None = None, **other: str) -> None:
    ledger.by("u-7", at=when).record(survey_response.invite, f"{wave}/{contact}", **ids(wave, contact, **other))


def answer(ledger: OpsLedger, contact: str, score: int, wave: str = "W-1", when: datetime | None = None, **other: str) -> int:
    receipt = ledger.by("u-7", at=when).record(survey_response.respond, f"{wave}/{contact}", score=score, **ids(wave, contact, **other))
    return receipt.position


def scores(ledger: OpsLedger, survey_type: str, scope: str, period: str) -> dict[str, Any]:
    (row,) = select(ledger, "survey_scores", survey_type=survey_type, scope=scope, period=period)
    return row


def select(ledger: OpsLedger, table: str, **equal: Any) -> list[dict[str, Any]]:
    return ledger.tables.select(table, at_least=ledger.store.head().position, **equal)


def rebuilt(ledger: OpsLedger) -> list[str]:
    return [each.table for each in ledger.tables.rebuild() if each.rows]


def test_a_score_with_enough_answers_is_that_of_the_pure_function(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    given_scores = [10, 9, 9, 8, 7, 6, 0, 10, 10, 3, 9] * 3
    for i in range(len(given_scores)):
        invite(ledger, f"p-{i}")
    opsledger_clock.forward(days=1)
    for i, score in enumerate(given_scores):
        answer(ledger, f"p-{i}", score)
    expected = nps(*nps_counts(given_scores))
    assert expected is not None
    for period in ("2026-03", "wave W-1"):
        row = scores(ledger, "nps", "all", period)
        assert (row["nps_x100"], row["se_x100"], row["null_reason"]) == (expected.score_x100, expected.se_x100, None)
        assert (row["invited"], row["delivered"], row["answered"], row["response_rate_bp"]) == (33, 33, 33, 10_000)
    assert rebuilt(ledger) == []


def test_with_fewer_answers_than_the_policy_asks_for_there_is_no_score_and_a_reason(ledger: OpsLedger) -> None:
    for i in range(4):
        answer(ledger, f"p-{i}", 10)
    assert scores(ledger, "nps", "customer C-1", "2026-03")["null_reason"] == "fewer than 5 answers"
    answer(ledger, "p-4", 0)
    five = scores(ledger, "nps", "customer C-1", "2026-03")
    assert (five["nps_x100"], five["se_x100"], five["null_reason"]) == (6000, 3578, None)
    everybody = scores(ledger, "nps", "all", "2026-03")
    assert (everybody["nps_x100"], everybody["se_x100"], everybody["null_reason"]) == (None, None, "fewer than 30 answers")
    assert (everybody["invited"], everybody["response_rate_bp"], everybody["responded"]) == (0, None, 5)


def test_where_nobody_answered_that_is_the_reason(ledger: OpsLedger) -> None:
    invite(ledger, "p-1")
    ledger.by("u-7").record(survey_response.fail, "W-1/p-1", code="bounced")
    row = scores(ledger, "nps", "all", "2026-03")
    assert (row["null_reason"], row["invited"], row["delivered"], row["response_rate_bp"]) == ("nobody answered", 1, 0, 0)


def test_who_answers_again_changes_the_answer_and_an_earlier_one_typed_in_late_does_not(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    begin = opsledger_clock.now
    opsledger_clock.forward(days=3)
    answer(ledger, "p-1", 9, when=begin + timedelta(days=1))
    answer(ledger, "p-1", 4, when=begin + timedelta(days=2))
    answer(ledger, "p-1", 10, when=begin)
    (row,) = select(ledger, "survey_response", response_id="W-1/p-1")
    assert (row["score"], row["answer_count"]) == (4, 3)
    answer(ledger, "p-2", 9, when=begin + timedelta(days=1), wave="W-2")
    answer(ledger, "p-2", 2, when=begin, wave="W-2")
    (row,) = select(ledger, "survey_response", response_id="W-2/p-2")
    assert (row["score"], row["responded_at"]) == (9, begin + timedelta(days=1))
    assert scores(ledger, "nps", "all", "wave W-1")["responded"] == 1
    assert rebuilt(ledger) == []


def test_a_correction_changes_the_answer_and_an_answer_taken_back_counts_no_more(ledger: OpsLedger) -> None:
    position = answer(ledger, "p-1", 3)
    people = {"corrects": position, "requested_by": "u-7", "approved_by": "u-8", "reason": "Typed in wrongly"}
    ledger.by("u-7").record(survey_response.correct, "W-1/p-1", was=3, to=9, **people)
    assert [row["class"] for row in select(ledger, "survey_answer")] == ["promoter"]
    ledger.by("u-7").record(survey_response.correct, "W-1/p-1", was=9, to=None, **people)
    (row,) = select(ledger, "survey_answer")
    assert (row["counts"], row["not_counted_reason"], row["class"]) == (False, "taken back", None)
    assert select(ledger, "survey_scores") == []
    assert rebuilt(ledger) == []


def test_what_is_answered_when_the_wave_is_over_does_not_count(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    begin = opsledger_clock.now
    closes_at = begin + timedelta(days=14)
    ledger.by("u-7").record(survey.open_wave, "W-1", survey_type="nps", questionnaire="nps-3", closes_at=closes_at)
    opsledger_clock.forward(days=20)
    answer(ledger, "p-1", 9, when=closes_at - timedelta(microseconds=1))
    answer(ledger, "p-2", 9, when=closes_at)
    answer(ledger, "p-3", 9, when=begin - timedelta(microseconds=1))
    reasons = {row["contact_id"]: row["not_counted_reason"] for row in select(ledger, "survey_answer")}
    assert reasons == {"p-1": None, "p-2": "after the wave", "p-3": "before the wave"}
    ledger.by("u-7", at=closes_at - timedelta(microseconds=1)).record(survey.close, "W-1")
    assert {row["not_counted_reason"] for row in select(ledger, "survey_answer", contact_id="p-1")} == {"after the wave"}


def test_the_survey_of_a_ticket_counts_to_customer_satisfaction(ledger: OpsLedger) -> None:
    for i, score in enumerate((5, 4, 3, 5, 1)):
        asked = {"customer_id": "C-1", "requester_id": f"p-{i}", "channel": "email", "summary": "It is broken"}
        ledger.by("u-7").record(ticket.register, f"T-{i}", priority=Priority.LOW, **asked)
        ledger.by("u-7").record(ticket.resolve, f"T-{i}", code="solved")
        ledger.by("u-7").record(ticket.send_survey, f"T-{i}")
        ledger.by("u-7").record(ticket.answer_survey, f"T-{i}", score=score)
    row = scores(ledger, "csat", "customer C-1", "2026-03")
    assert (row["invited"], row["answered"], row["favourable"], row["csat_bp"]) == (5, 5, 3, 6000)
    assert select(ledger, "survey_scores", period="wave tickets") == []
    found = explain(ledger.store, ledger.tables.tables, "survey_scores", ["csat", "customer C-1", "2026-03"])
    assert [(each.table, each.key[0], each.result) for each in found.counted] == [
        ("ticket", "T-0", "favourable"),
        ("ticket", "T-1", "favourable"),
        ("ticket", "T-2", "other"),
        ("ticket", "T-3", "favourable"),
        ("ticket", "T-4", "other"),
    ]


def test_effort_is_the_mean_with_the_favourable_share_beside_it(ledger: OpsLedger) -> None:
    for i, score in enumerate((4, 5, 6, 7, 7)):
        answer(ledger, f"p-{i}", score, survey_type="ces")
    row = scores(ledger, "ces", "customer C-1", "wave W-1")
    assert (row["ces_x100"], row["ces_favourable_bp"], row["nps_x100"], row["csat_bp"]) == (580, 8000, None, None)


def test_a_segment_counts_answers_by_what_the_customer_was_then(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    ledger.by("u-7").record(customer.register, "C-1", segment="small")
    opsledger_clock.forward(days=1)
    answer(ledger, "p-1", 10)
    opsledger_clock.forward(days=1)
    ledger.by("u-7").record(customer.change_segment, "C-1", segment="large")
    answer(ledger, "p-2", 0)
    assert scores(ledger, "nps", "segment small", "2026-03")["promoters"] == 1
    assert scores(ledger, "nps", "segment large", "2026-03")["detractors"] == 1


def test_a_score_leads_to_the_answers_behind_it(ledger: OpsLedger) -> None:
    answer(ledger, "p-1", 9)
    answer(ledger, "p-2", 2, customer_id="C-2")
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "survey_scores", ["nps", "customer C-2", "2026-03"])
    assert [tuple(each) for each in found.counted] == [("survey_response", ("W-1/p-2",), "detractor")]
    whole = explain(ledger.store, ledger.tables.tables, "survey_scores", ["nps", "2026-03"])
    assert (whole.key["scope"], len(whole.counted)) == ("all", 2)


COUNTS = st.tuples(*[st.one_of(st.integers(0, 12), st.integers(0, 3_000_000))] * 3).filter(any)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=COUNTS)
def test_the_formula_in_sql_is_that_of_the_pure_function_also_for_millions_of_answers(
    opsledger_sqlite: OpsLedger, counts: tuple[int, int, int]
) -> None:
    expected = nps(*counts)
    assert expected is not None
    assert computed(opsledger_sqlite, counts) == (expected.score_x100, expected.se_x100)


@pytest.mark.parametrize("counts", [(1, 0, 0), (0, 0, 1), (1, 1, 1), (3, 2, 5), (1, 0, 199), (2_000_000, 1, 2_999_999)])
def test_the_formula_is_the_same_on_postgresql(opsledger_pg: OpsLedger, counts: tuple[int, int, int]) -> None:
    expected = nps(*counts)
    assert expected is not None
    assert computed(opsledger_pg, counts) == (expected.score_x100, expected.se_x100)


def computed(ledger: OpsLedger, counts: tuple[int, int, int]) -> tuple[int, int]:
    """Ask the database for the score of so many answers, by the SQL of the view from where answers are added up."""
    dialect = "postgresql" if ledger.tables.tables.engine.dialect.name == "postgresql" else "sqlite"
    whole = SURVEY_SCORES.sql(Sql(dialect))
    promoters, passives, detractors = counts
    begin, end = whole.index("WITH RECURSIVE"), whole.index("ruled AS (")
    total = f"""WITH RECURSIVE total AS (SELECT 'nps' AS survey_type, 'all' AS scope, '2026-03' AS period, 0 AS invited, 0 AS delivered,
        0 AS answered, CAST({sum(counts)} AS BIGINT) AS responded, CAST({promoters} AS BIGINT) AS promoters,
        CAST({passives} AS BIGINT) AS passives, CAST({detractors} AS BIGINT) AS detractors, 0 AS favourable, 0 AS points,
        (SELECT max(effective_from) FROM policy) AS newest_at, 1 AS last_position, 0 AS lowest_scale, 0 AS highest_scale), """
    text = whole[:begin] + total + whole[end:]
    text = text.replace("r.responded < r.minimum", "r.responded < 0")
    ledger.catch_up()
    (row,) = ledger.tables.query(sa.text(text.replace(":", r"\:")))
    return row["nps_x100"], row["se_x100"]


def test_what_customers_say_is_among_the_key_figures(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    for i, score in enumerate((9, 10, 7, 3, 9)):
        answer(ledger, f"p-{i}", score)
    for i, priority in enumerate((Priority.LOW, Priority.LOW, Priority.HIGH)):
        asked = {"customer_id": "C-1", "requester_id": f"p-{i}", "channel": "email", "summary": "It is broken"}
        ledger.by("u-7").record(ticket.register, f"T-{i}", priority=priority, **asked)
    for minutes, id in ((10, "T-0"), (20, "T-2")):
        opsledger_clock.forward(minutes=minutes)
        ledger.by("u-7").record(ticket.resolve, id, code="solved")
    found = {
        (row["kpi"], row["scope"]): (row["numerator"], row["denominator"], row["n"], row["null_reason"])
        for row in select(ledger, "kpi", period_start="2026-03")
    }
    assert found["nps", "customer:C-1"] == (2, 5, 5, None)
    assert found["nps", "all"] == (None, None, 5, "fewer than 30 answers")
    assert found["ticket_resolution_time", "all"] == (600 + 1800, 2, 2, None)
    assert found["ticket_resolution_time", "priority:low"] == (600, 1, 1, None)
    assert ("csat", "all") not in found
