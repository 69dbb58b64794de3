"""Back-tests of health scores: they find the example's hazard, not chance; they know no more than was recorded by then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import activity as a
from opsledger.domain import customer, health_model, ledger, renewal
from opsledger.domain import subscription as s
from opsledger.domain.billing import Terms
from opsledger.domain.concept import SYSTEM
from opsledger.example import hazard
from opsledger.example.customers import Crowd
from opsledger.example.simulation import Clock as YearClock
from opsledger.example.simulation import Desk
from opsledger.policies import documents
from opsledger.policies.health import DEFAULT
from opsledger.policies.health_backtest import Outcome, backtest
from opsledger.policies.instants import micros
from opsledger.replay.backtesting import Book, published, score_the_past
from opsledger.testing import at
from opsledger.testing.plugin import Clock

MODEL = "opsledger-health-1"
SEED = 1  # with others red and yellow may change places, since some thirty red scores are few; their hazards never do
TERMS = Terms(plan_id="team", plan_version=1, interval="month", quantity=20, unit_amount_minor=4900, currency="USD")


# The example's customers, whose hazard is known.

Truth = dict[tuple[str, int], float]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpsLedger, Truth]]:
    """Customers alone, for ten months, with the chance of each to ask to leave on each day, which nobody recorded."""
    begins = at("2025-01-01T00:00:00Z")
    clock = YearClock(begins)
    with OpsLedger.create(f"sqlite:///{tmp_path_factory.mktemp('year')}/ops.db", simulated=True, clock=clock) as host:
        desk = Desk(host, clock, SEED)
        crowd, truth = Crowd(desk, SEED, 48, begins), Truth()

        def each_day(now: datetime) -> None:
            desk.commit()
            crowd.count(now - timedelta(days=1))
            desk.record(SYSTEM, "system", ledger.close_day, "self")
            truth.update({(each.id, micros(now)): hazard.leaves(each.mood) for each in crowd.around()})

        for number in range(300):
            desk.schedule(begins + timedelta(days=number), lambda day=begins + timedelta(days=number): crowd.live(day))  # type: ignore[misc]
        desk.run(begins + timedelta(days=300), each_day)
        host.catch_up()
        yield host, truth


@pytest.fixture(scope="module")
def book(year: tuple[OpsLedger, Truth]) -> Book:
    host, _ = year
    return score_the_past(host.store, host.tables.tables, published(host.store)[0])


def test_the_example_has_a_hazard_that_scores_find(year: tuple[OpsLedger, Truth], book: Book) -> None:
    found, truth = book.result(), year[1]
    red, yellow, green, _ = found.bands
    assert min(red.n, yellow.n, green.n) >= 20
    assert red.churn_rate_bp > yellow.churn_rate_bp > green.churn_rate_bp  # type: ignore[operator]  # none is empty
    assert found.auc is not None and found.auc > Fraction(2, 3)
    assert found.lift is not None and found.lift > 2
    hazards: dict[str, list[float]] = {}
    for each in book.scored:
        hazards.setdefault(each.band, []).append(truth[each.customer_id, each.known_at])
    means = {band: sum(some) / len(some) for band, some in hazards.items()}
    assert means["red"] > 2 * means["yellow"] > 4 * means["green"]


def test_the_hazard_itself_tells_more_than_any_score_of_it(year: tuple[OpsLedger, Truth], book: Book) -> None:
    truth = year[1]
    certain = backtest(
        Outcome(1000 - round(1000 * truth[each.customer_id, each.known_at] / 0.2), "unknown", each.churned) for each in book.scored
    )
    assert certain.auc is not None and certain.auc > Fraction(7, 10)


def test_scores_find_nothing_in_outcomes_that_were_shuffled(book: Book) -> None:
    outcomes, real = [each.churned for each in book.scored], book.result().auc
    random, found = Random(1), []
    for _ in range(40):
        random.shuffle(outcomes)
        shuffled = backtest(Outcome(each.score_x10, each.band, churned) for each, churned in zip(book.scored, outcomes, strict=True))
        assert shuffled.auc is not None
        found.append(shuffled.auc)
    assert real is not None and max(found) < real
    assert abs(sum(found) / 40 - Fraction(1, 2)) < Fraction(1, 20)


def test_times_lie_apart_as_asked_the_last_one_a_horizon_before_the_last_closed_day(book: Book) -> None:
    assert [b - a for a, b in zip(book.times, book.times[1:], strict=False)] == [30 * 86_400_000_000] * (len(book.times) - 1)
    assert book.times[-1] == micros(at("2025-01-01T00:00:00Z") + timedelta(days=300 - 90))


def test_the_command_prints_what_a_person_reads_and_rows_with_exact_figures(year: tuple[OpsLedger, Truth], book: Book, run: Any) -> None:
    url, found = year[0].url.shown, book.result()
    said = run("backtest", "health", "--ledger", url)
    assert said.exit_code == 0, said.stderr
    assert f"{found.n} scores of" in said.stdout and f"AUC {found.auc}" in said.stdout
    assert "The model was published after" not in said.stdout or "may have known" in said.stdout
    rows = json.loads(run("backtest", "health", "--ledger", url, "--format", "json").stdout)
    assert [(row["band"], row["n"], row["churned"]) for row in rows] == [each[:3] for each in found.bands]
    assert {Fraction(row["auc_numerator"], row["auc_denominator"]) for row in rows} == {found.auc}
    single = json.loads(run("backtest", "health", "--scores", "--ledger", url, "--format", "json").stdout)
    assert (len(single), sum(row["churned"] for row in single)) == (found.n, found.churned)


# A small ledger, to see what enters a score and what counts as leaving.


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-03-01T10:00:00Z")


@pytest.fixture
def small(tmp_path: Path, clock: Clock) -> Iterator[OpsLedger]:
    """C-1 pays from the first of March; ten people of twenty use it; days are closed every morning."""
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db", simulated=True, clock=clock) as host:
        people = {"proposed_by": "u-1", "approved_by": "u-2"}
        host.by("u-1").record(health_model.publish, MODEL, document=documents.canonical(DEFAULT), **people)
        host.by("u-1").record(customer.register, "C-1", segment="small")
        host.by("u-1").record(customer.entitle, "C-1", seats=20)
        host.by("u-1").record(s.create, "S-1", customer_id="C-1", terms=TERMS)
        host.by("u-1").record(s.activate, "S-1")
        yield host


def days(host: OpsLedger, clock: Clock, number: int, daily: int = 10) -> None:
    """Let days pass, each counted and closed the next morning."""
    for _ in range(number):
        yesterday: date = clock.now.date()
        clock.forward(days=1)
        counted = {"customer_id": "C-1", "day": yesterday, "daily": daily, "weekly": 2 * daily, "monthly": 4 * daily}
        host.by("u-1").record(a.count_users, f"C-1/{yesterday:%Y-%m}", **counted)
        host.tick()


def scored(host: OpsLedger, **more: Any) -> Book:
    host.catch_up()
    asked = {"horizon_days": 10, "every_days": 5, **more}
    return score_the_past(host.store, host.tables.tables, published(host.store)[0], **asked)


def test_a_score_of_the_past_is_what_the_tables_said_then(small: OpsLedger, clock: Clock) -> None:
    days(small, clock, 12)
    small.catch_up()
    shown = {row["as_of_day"]: row["score_x10"] for row in small.tables.select("health_score")}
    days(small, clock, 10, daily=2)
    found = scored(small)
    then = {f"{date(1970, 1, 1) + timedelta(days=each.day)}": each.score_x10 for each in found.scored}
    assert then and all(shown[day] == score for day, score in then.items())


def test_what_is_typed_in_later_changes_the_table_and_no_score_of_the_past(small: OpsLedger, clock: Clock) -> None:
    days(small, clock, 22)
    before = scored(small)
    (old,) = small.tables.select("health_score", as_of_day="2026-03-08")
    said = {"customer_id": "C-1", "probability_bp": 100, "forecast_by": "u-1"}
    small.by("u-1", at=at("2026-03-05T10:00:00Z")).record(renewal.forecast, "C-1/2026", **said)
    after = scored(small)
    (new,) = small.tables.select("health_score", as_of_day="2026-03-08")
    assert new["score_x10"] < old["score_x10"]
    assert after == before


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        ("2026-03-12T00:00:00Z", False),
        ("2026-03-12T00:00:00.000001Z", True),
        ("2026-03-22T00:00:00Z", True),
        ("2026-03-22T00:00:01Z", False),
    ],
)
def test_who_left_is_one_whose_contract_ended_within_the_horizon_that_begins_after_the_score(
    small: OpsLedger, clock: Clock, ended: str, left: bool
) -> None:
    days(small, clock, 21)  # up to the 22nd
    clock.forward(hours=1)
    days(small, clock, 1)
    small.by("u-1", at=at(ended)).record(s.end, "S-1")
    moment = micros(at("2026-03-12T00:00:00Z"))
    found = scored(small, since=moment, until=moment)
    assert [each.churned for each in found.scored] == ([left] if ended != "2026-03-12T00:00:00Z" else [])  # one who had left is no case


def test_an_end_that_was_agreed_on_is_no_prediction(small: OpsLedger, clock: Clock) -> None:
    days(small, clock, 8)
    small.by("u-1").record(s.schedule_cancellation, "S-1")
    days(small, clock, 20)
    found = scored(small)
    assert found.agreed > 0
    assert {each.known_at < micros(at("2026-03-09T10:00:00Z")) for each in found.scored} == {True}


def test_one_who_is_not_paid_for_is_no_case(small: OpsLedger, clock: Clock) -> None:
    small.by("u-1").record(customer.register, "C-2", segment="small")
    small.by("u-1").record(s.create, "S-2", customer_id="C-2", terms=TERMS)
    small.by("u-1").record(s.start_trial, "S-2", trial_ends_at=at("2026-06-01T00:00:00Z"))
    days(small, clock, 20)
    assert {each.customer_id for each in scored(small).scored} == {"C-1"}


def test_a_model_of_a_file_is_asked_about_before_it_is_published(small: OpsLedger, clock: Clock, run: Any, tmp_path: Path) -> None:
    days(small, clock, 22)
    small.catch_up()
    given = DEFAULT.model_copy(update={"bands": DEFAULT.bands.model_copy(update={"coverage_bp": 0, "red_to_x10": 0, "yellow_to_x10": 0})})
    (tmp_path / "kinder.json").write_text(documents.canonical(given), encoding="utf-8")
    words = ("backtest", "health", "--horizon", "10", "--model", str(tmp_path / "kinder.json"), "--ledger", small.url.shown)
    rows = json.loads(run(*words, "--format", "json").stdout)
    assert {row["model_version"] for row in rows} == {"kinder"}
    assert [row["n"] for row in rows if row["band"] == "green"] == [1]
    assert "in a file alone" in run(*words).stdout


def test_what_cannot_be_asked_is_said(small: OpsLedger, clock: Clock, run: Any) -> None:
    def refused(*more: str) -> str:
        done = run("backtest", "health", "--ledger", small.url.shown, *more)
        assert done.exit_code == 2
        return str(done.stderr)

    small.catch_up()
    assert "No day of this ledger was closed" in refused()
    days(small, clock, 5)
    small.catch_up()
    assert "shorter horizon" in refused()
    assert "opsledger-health-1" in refused("--model", "another")
    people = {"proposed_by": "u-1", "approved_by": "u-2"}
    small.by("u-1").record(health_model.publish, "second", document=documents.canonical(DEFAULT), **people)
    assert "say which" in refused()
