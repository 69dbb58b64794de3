"""Health scores through a ledger: rows per closed day, evidence, late facts, versions of the model, overrides, and what explain says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.domain import activity as a
from opsledger.domain import customer, health_model, health_override, renewal, ticket
from opsledger.domain import survey_response as r
from opsledger.policies import documents
from opsledger.policies.health import DEFAULT, RISKS
from opsledger.policies.support import Priority
from opsledger.projections.health import scores as health
from opsledger.projections.health.scores import PROJECTIONS, judged
from opsledger.replay.explain import explain
from opsledger.replay.gathering import gathered_of
from opsledger.testing import at
from opsledger.testing.plugin import Clock

MODEL = "opsledger-health-1"
METRICS = [metric.name for metric in DEFAULT.metrics]
Rows = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-03-01T10:00:00Z")


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[OpsLedger]:
    with opened(tmp_path, clock) as ledger:
        yield ledger


def opened(folder: Path, clock: Clock) -> OpsLedger:
    ledger = OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=clock)
    furnish(ledger)
    return ledger


def furnish(ledger: OpsLedger) -> None:
    publish(ledger)
    ledger.by("u-1").record(customer.register, "C-1", segment="small")
    ledger.by("u-1").record(customer.entitle, "C-1", seats=20, api=True, community=True, features=("cases", "reports"))


def publish(ledger: OpsLedger, name: str = MODEL, **more: Any) -> None:
    people = {"proposed_by": "u-1", "approved_by": "u-2"}
    ledger.by("u-1").record(health_model.publish, name, document=documents.canonical(more.pop("model", DEFAULT)), **people, **more)


def count(ledger: OpsLedger, day: date, daily: int) -> None:
    counted = {"customer_id": "C-1", "day": day, "daily": daily, "weekly": 2 * daily, "monthly": 4 * daily}
    ledger.by("u-1").record(a.count_users, f"C-1/{day:%Y-%m}", **counted)


def answer(ledger: OpsLedger, wave: str, survey_type: Any, score: int, when: datetime) -> None:
    said: dict[str, Any] = {"wave_id": wave, "survey_type": survey_type, "customer_id": "C-1", "contact_id": "p-1", "score": score}
    ledger.by("u-1", at=when).record(r.respond, f"{wave}/p-1", **said)


def forecast(ledger: OpsLedger, when: datetime, probability_bp: int) -> None:
    ledger.by("u-1", at=when).record(renewal.forecast, "C-1/2026", customer_id="C-1", probability_bp=probability_bp, forecast_by="u-1")


def ask(ledger: OpsLedger, id: str, when: datetime, priority: Priority = Priority.HIGH) -> None:
    asked: dict[str, Any] = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "It is broken"}
    ledger.by("u-1", at=when).record(ticket.register, id, priority=priority, **asked)


def run(ledger: OpsLedger, clock: Clock, days: int, daily: int = 10) -> None:
    """Let days pass, each counted the next morning and closed."""
    for _ in range(days):
        yesterday = clock.now.date()
        clock.forward(days=1)
        count(ledger, yesterday, daily)
        ledger.tick()


def scores(ledger: OpsLedger, **where: Any) -> dict[str, dict[str, Any]]:
    ledger.catch_up()
    return {row["as_of_day"]: row for row in ledger.tables.select("health_score", **where)}


def lines(ledger: OpsLedger) -> Rows:
    ledger.catch_up()
    return {(row["as_of_day"], row["metric"]): row for row in ledger.tables.select("health_contribution")}


def adds_up(ledger: OpsLedger) -> None:
    """Contributions less deductions are the score, of every row, and weights are all there."""
    found = scores(ledger)
    for day, row in found.items():
        own = [line for (of, _), line in lines(ledger).items() if of == day]
        given, taken = (sum(line[name] for line in own) for name in ("contribution_x10", "deduction_x10"))
        assert given - taken == (row["score_x10"] or 0)
        assert sum(line["weight_bp"] for line in own) == 10_000
        assert 0 <= (row["score_x10"] or 0) <= 1000
        assert row["coverage_bp"] >= 5000 or row["band"] == "unknown"


def test_there_is_a_row_for_each_day_from_the_first_activity_to_the_last_closed_one(ledger: OpsLedger, clock: Clock) -> None:
    assert scores(ledger) == {}
    run(ledger, clock, 3)
    count(ledger, clock.now.date(), 10)  # a day that is not over
    assert list(scores(ledger)) == ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_without_a_published_model_nobody_is_scored(tmp_path: Path, clock: Clock) -> None:
    with OpsLedger.create(f"sqlite:///{tmp_path}/none.db", simulated=True, clock=clock) as ledger:
        run(ledger, clock, 2)
        assert scores(ledger) == {}


def test_users_of_seats_are_worth_what_the_bounds_say(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 1, daily=7)  # 14 of 20 seats in the week is all, 7 of 28 a day is 25 %: 20 of 25 points
    row = lines(ledger)["2026-03-01", "active_users"]
    assert (row["raw_value"], row["subscore_bp"]) == ("wau_of_seats 0.7000, dau_of_mau 0.2500", 9000)
    adds_up(ledger)


def test_little_measured_is_unknown_and_never_green(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 1, daily=10)
    row = scores(ledger)["2026-03-01"]
    assert (row["band"], row["coverage_bp"] < 5000) == ("unknown", True)
    missing = {name: line["missing_reason"] for (_, name), line in lines(ledger).items() if line["missing_reason"]}
    assert missing["nps"] == "no_answers"
    assert missing["renewal_probability"] == "no_forecast"
    assert missing["training_attendance"] == "not_invited"


def test_evidence_is_named_by_count_ends_and_digest(ledger: OpsLedger, clock: Clock) -> None:
    forecast(ledger, clock.now, 8000)
    position = ledger.store.head().position
    run(ledger, clock, 1)
    row = lines(ledger)["2026-03-01", "renewal_probability"]
    assert (row["evidence_count"], row["first_position"], row["final_position"]) == (1, position, position)
    assert row["evidence_sha256"] == hashlib.sha256(str(position).encode()).hexdigest()
    assert row["subscore_bp"] == 8000


def test_an_open_critical_ticket_takes_until_it_is_resolved(ledger: OpsLedger, clock: Clock) -> None:
    ask(ledger, "T-1", clock.now, Priority.CRITICAL)
    run(ledger, clock, 1)
    ledger.by("u-1").record(ticket.respond, "T-1")
    ledger.by("u-1").record(ticket.resolve, "T-1")
    run(ledger, clock, 1)
    taken = [lines(ledger)[day, "increased_tickets"]["deduction_x10"] for day in ("2026-03-01", "2026-03-02")]
    assert taken == [100, 0]
    adds_up(ledger)


def test_a_fall_of_use_to_less_than_half_takes_fifteen(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 28, daily=10)
    run(ledger, clock, 28, daily=4)
    found = lines(ledger)
    assert found["2026-03-28", "declining_usage"]["deduction_x10"] == 0
    assert found["2026-04-25", "declining_usage"]["deduction_x10"] == 150
    assert scores(ledger)["2026-04-25"]["trend_28d_x10"] < 0
    adds_up(ledger)


def test_a_fact_typed_in_late_restates_the_days_from_when_it_happened_and_no_other(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 6)
    before, lines_before = scores(ledger), lines(ledger)
    forecast(ledger, at("2026-03-04T09:00:00Z"), 1000)
    after, lines_after = scores(ledger), lines(ledger)
    assert [day for day in after if after[day] != before[day]] == ["2026-03-04", "2026-03-05", "2026-03-06"]
    moved = {name for (day, name), row in lines_after.items() if row["subscore_bp"] != lines_before[day, name]["subscore_bp"]}
    assert moved == {"renewal_probability"}
    assert sum(each.rows for each in ledger.tables.rebuild()) == 0


def test_another_version_adds_rows_and_rewrites_none(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 4)
    before = scores(ledger)
    publish(ledger, "ours-2", scores_from=date(2026, 3, 3))
    ledger.catch_up()
    assert scores(ledger, model_version=MODEL) == before
    assert list(scores(ledger, model_version="ours-2")) == ["2026-03-03", "2026-03-04"]
    ledger.by("u-1").record(health_model.retire, MODEL)
    run(ledger, clock, 2)
    assert list(scores(ledger, model_version=MODEL)) == [*before]


def test_an_override_stands_beside_the_score_and_expires_by_itself(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 1)
    ledger.by("u-9").record(health_override.override, "C-1", score_x10=900, expires_at=at("2026-03-04T00:00:00Z"), reason="They told me")
    run(ledger, clock, 3)
    found = scores(ledger)
    computed = found["2026-03-01"]["score_x10"]
    assert [row["final_score_x10"] for row in found.values()] == [computed, 900, 900, found["2026-03-04"]["score_x10"]]
    assert (found["2026-03-02"]["score_x10"], found["2026-03-02"]["final_band"]) != (900, "unknown")
    assert found["2026-03-04"]["override_score_x10"] is None


def test_a_cleared_override_holds_no_longer(ledger: OpsLedger, clock: Clock) -> None:
    ledger.by("u-9").record(health_override.override, "C-1", score_x10=900, expires_at=at("2026-05-01T00:00:00Z"), reason="They told me")
    run(ledger, clock, 1)
    ledger.by("u-9").record(health_override.clear, "C-1")
    run(ledger, clock, 1)
    assert [row["override_score_x10"] for row in scores(ledger).values()] == [900, None]


def test_explain_tells_the_score_as_a_sum_down_to_the_facts(ledger: OpsLedger, clock: Clock) -> None:
    forecast(ledger, clock.now, 8000)
    run(ledger, clock, 1, daily=7)
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "health_score", ["C-1", "2026-03-01", MODEL])
    # (15 * 90 + 8 * 100 + 3 * 0 + 4 * 0 + 8 * 80) / 38
    assert found.story[0] == "73.4 of 100, unknown; 38.00 % of the weight was measured"
    assert "active_users: +35.5, 90.00 of 100 at weight 15.00 (wau_of_seats 0.7000, dau_of_mau 0.2500)" in found.story
    assert "declining_usage: nothing taken" in found.story
    assert "renewal.forecast_recorded" in {told.topic for told in found.facts}
    (line,) = explain(ledger.store, ledger.tables.tables, "health_contribution", ["C-1", "2026-03-01", MODEL, "nps"]).story
    assert line == "nps: not measured, no answers"


ACT = st.tuples(
    st.sampled_from(["count", "ask", "critical", "nps", "csat", "forecast", "feedback", "day"]), st.integers(0, 10), st.integers(0, 5)
)


def act(ledger: OpsLedger, clock: Clock, number: int, kind: str, size: int, back: int) -> None:
    """Let something happen so many days ago, typed in now."""
    when = clock.now - timedelta(days=back, minutes=number)
    match kind:
        case "count":
            count(ledger, when.date(), size)
        case "ask" | "critical":
            ask(ledger, f"T-{number}", when, Priority.CRITICAL if kind == "critical" else Priority.LOW)
        case "nps":
            answer(ledger, f"N-{number}", "nps", size, when)
        case "csat":
            answer(ledger, f"S-{number}", "csat", 1 + size % 5, when)
        case "forecast":
            forecast(ledger, when, 1000 * size)
        case "feedback":
            said = {"customer_id": "C-1", "feedback_id": f"F-{number}", "kind": "idea"}
            ledger.by("u-1", at=when).record(a.submit_feedback, f"C-1/{when:%Y-%m}", **said)
        case "day":
            clock.forward(days=1)
            ledger.tick()
            ledger.catch_up()


def lived(folder: Path, acts: list[tuple[str, int, int]], without: int | None = None) -> tuple[Rows, dict[int, set[int]], OpsLedger]:
    """Return the lines after such a history, perhaps without one act, the positions that each act took, and the ledger."""
    clock, taken = Clock("2026-03-06T10:00:00Z"), dict[int, set[int]]()
    ledger = opened(folder, clock)
    count(ledger, date(2026, 3, 1), 5)
    for number, (kind, size, back) in enumerate(acts):
        first = ledger.store.head().position
        if number != without:
            act(ledger, clock, number, kind, size, back)
        taken[number] = set(range(first + 1, ledger.store.head().position + 1))
    clock.forward(days=1)
    ledger.tick()
    return lines(ledger), taken, ledger


@settings(max_examples=10, deadline=None)
@given(acts=st.lists(ACT, max_size=10))
def test_scores_add_up_and_live_equals_rebuild_whatever_comes_late(tmp_path_factory: pytest.TempPathFactory, acts: list[Any]) -> None:
    _, _, ledger = lived(tmp_path_factory.mktemp("any"), acts)
    with ledger:
        adds_up(ledger)
        assert sum(each.rows for each in ledger.tables.rebuild()) == 0


@settings(max_examples=10, deadline=None)
@given(acts=st.lists(ACT, min_size=3, max_size=12))
def test_what_is_kept_of_days_gives_what_judging_all_of_them_anew_does(tmp_path_factory: pytest.TempPathFactory, acts: list[Any]) -> None:
    clock = Clock("2026-03-06T10:00:00Z")
    with opened(tmp_path_factory.mktemp("kept"), clock) as ledger:
        for number, (kind, size, back) in enumerate([("count", 5, 5), ("day", 0, 0), *acts, ("day", 0, 0)]):
            act(ledger, clock, number, kind, size, back)
            ledger.catch_up()
        assert scores(ledger)
        assert sum(each.rows for each in ledger.tables.rebuild()) == 0


def test_a_day_that_is_closed_is_the_only_one_that_is_judged_and_one_that_is_late_those_since_it(
    ledger: OpsLedger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging, seen = health.judge, list[int]()

    def looked_at(history: Any, day: int, versions: Any) -> Any:
        seen.append(day)
        return judging(history, day, versions)

    run(ledger, clock, 5)
    ledger.catch_up()
    run(ledger, clock, 1)
    ledger.catch_up()  # states are known from here on
    monkeypatch.setattr(health, "judge", looked_at)
    run(ledger, clock, 1)
    ledger.catch_up()
    assert [date(1970, 1, 1) + timedelta(days=day) for day in seen] == [date(2026, 3, 7)]
    seen.clear()
    ask(ledger, "T-1", at("2026-03-05T12:00:00Z"))
    ledger.catch_up()
    assert [(date(1970, 1, 1) + timedelta(days=day)).day for day in seen] == [5, 6, 7]
    seen.clear()
    forecast(ledger, clock.now, 5000)
    ledger.catch_up()
    assert seen == []


@settings(max_examples=10, deadline=None)
@given(acts=st.lists(ACT, min_size=1, max_size=8), data=st.data())
def test_what_is_taken_away_moves_only_the_components_that_rest_on_it(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Any], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from([number for number, each in enumerate(acts) if each[0] != "day"] or [0]))
    if acts[gone][0] == "day":
        return
    with_it, taken, ledger = lived(tmp_path_factory.mktemp("with"), acts)
    names = evidence_of(ledger, taken[gone])
    ledger.close()
    without, _, ledger = lived(tmp_path_factory.mktemp("without"), acts, without=gone)
    ledger.close()
    for key in with_it.keys() & without.keys():
        if key not in names:
            mine, other = with_it[key], without[key]
            assert [mine[name] for name in ("raw_value", "subscore_bp", "missing_reason", "evidence_count")] == [
                other[name] for name in ("raw_value", "subscore_bp", "missing_reason", "evidence_count")
            ]


def evidence_of(ledger: OpsLedger, positions: set[int]) -> set[tuple[str, str]]:
    """Return the lines that rest on one of the positions."""
    states, _ = gathered_of(ledger.store, ledger.tables.tables, PROJECTIONS[0], "C-1")
    found = set()
    for each in judged(states):
        rests = {name: measured.evidence for name, measured in each.measured.items()}
        rests = {**rests, **each.risk_evidence, "stage": each.staged.evidence}
        day = str(date(1970, 1, 1) + timedelta(days=each.day))
        found |= {(day, name) for name, evidence in rests.items() if positions & set(evidence)}
    return found


def test_risks_have_rows_of_their_own(ledger: OpsLedger, clock: Clock) -> None:
    run(ledger, clock, 1)
    assert {name for _, name in lines(ledger)} == {*RISKS, "stage", *(metric.name for metric in DEFAULT.metrics)}


def test_a_score_that_was_overridden_is_told_beside_the_computed_one_with_its_model_and_its_sum(ledger: OpsLedger, clock: Clock) -> None:
    ask(ledger, "T-1", clock.now, Priority.CRITICAL)
    run(ledger, clock, 1)
    ledger.by("u-9").record(health_override.override, "C-1", score_x10=900, expires_at=at("2026-05-01T00:00:00Z"), reason="They told me")
    run(ledger, clock, 1)
    ledger.catch_up()
    found = explain(ledger.store, ledger.tables.tables, "health_score", ["C-1", "2026-03-02"])
    (row,) = ledger.tables.select("health_score", as_of_day="2026-03-02")
    computed = f"{row['score_x10'] // 10}.{row['score_x10'] % 10}"
    told = dict(zip(found.story, found.evidence, strict=True))
    assert found.story[0].startswith(f"{computed} of 100, {row['band']}; ")
    said = f"overridden by u-9 to 90.0, green, until 2026-05-01T00:00:00+00:00; computed was {computed}, {row['band']}"
    assert [recorded.topic for recorded in ledger.history("health_override:C-1") if recorded.position in told[said]] == [
        "health_override.set"
    ]
    assert f"by the model {MODEL}, SHA-256 {row['model_digest']}" in told
    asked = ledger.history("ticket:T-1")[0].position
    assert asked in told["increased_tickets: -10.0"]
    assert found.story[-1].endswith(f" given, 10.0 taken: {computed}")
    assert {told.position for told in found.facts} == {position for positions in found.evidence for position in positions}


def test_a_fact_touches_only_the_days_whose_windows_contain_it(ledger: OpsLedger, clock: Clock) -> None:
    """A forecast is stale after 60 days, feedback after 180: what is typed in late leaves the days before it and after that alone."""
    run(ledger, clock, 1)
    clock.forward(days=65)
    ledger.tick()
    before = lines(ledger)
    forecast(ledger, at("2026-03-03T09:00:00Z"), 9000)
    after = lines(ledger)
    moved = sorted({day for day, _ in after if any(after[day, name] != before[day, name] for name in METRICS)})
    assert (moved[0], moved[-1], len(moved)) == ("2026-03-03", "2026-05-01", 60)
    assert {name for (day, name), row in after.items() if row["subscore_bp"] != before[day, name]["subscore_bp"]} == {"renewal_probability"}


def test_postgresql_gives_the_same_scores(ledger: OpsLedger, clock: Clock, opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    def lived_on(made: OpsLedger, clock: Clock) -> list[list[dict[str, Any]]]:
        ask(made, "T-1", clock.now, Priority.CRITICAL)
        answer(made, "N-1", "nps", 3, clock.now)
        run(made, clock, 2)
        forecast(made, clock.now - timedelta(days=1), 4000)
        until = clock.now + timedelta(days=1, hours=12)
        made.by("u-9").record(health_override.override, "C-1", score_x10=900, expires_at=until, reason="They told me")
        run(made, clock, 2, daily=2)
        made.catch_up()
        return [made.tables.select(name) for name in ("health_score", "health_contribution")]

    opsledger_clock.set("2026-03-01T10:00:00Z")
    furnish(opsledger_pg)
    found = lived_on(opsledger_pg, opsledger_clock)
    assert found == lived_on(ledger, clock)
    assert [row["override_score_x10"] for row in found[0]] == [None, None, 900, None]
    assert sum(each.rows for each in opsledger_pg.tables.rebuild()) == 0
