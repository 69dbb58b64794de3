"""Any history of customers, late facts and corrections included: live rows equal rebuilt ones, a replay gives the rows of then, and
each day of activity is what a slow look at the facts alone says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger, Taken
from opsledger.domain import activity, customer, onboarding, renewal, survey, survey_response
from opsledger.errors import Refused
from opsledger.ledger.engine import engine
from opsledger.ledger.url import LedgerUrl
from opsledger.policies.instants import at
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock

FIRST_DAY = date(2026, 2, 26)
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "It was read wrongly"}
ROLES = ("customer_success_manager", "technical_account_manager", "support_specialist")
ACTIVITIES = ("welcome_call", "first_case_setup", "success_milestone")
NUMBERS = st.integers(0, 11)

ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["observe", "observe", "correct", "customer", "survey", "answer again", "onboarding", "renewal", "move", "tick", "catch up"]
        ),
        NUMBERS,
        NUMBERS,
        st.sampled_from([0, 0, 1, 30, 400]),  # hours between the act and its recording
    ),
    min_size=12,
    max_size=40,
)


class Story:
    """A ledger, and what is done to it. Refusals are part of the game."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock("2026-03-20T09:00:00Z")
        self.ledger = OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=self.clock)
        self.runs = 0
        for id in ("C-0", "C-1"):
            self.do(400, customer.register, id, segment="small")
            self.do(400, onboarding.create, f"O-{id}", customer_id=id, go_live_on=date(2026, 3, 25))
        self.do(0, survey.open_wave, "W-1", survey_type="nps", questionnaire="nps-3")

    def do(self, hours: int, decision: Callable[..., Any], id: str, **arguments: Any) -> None:
        when = self.clock.now - timedelta(hours=hours)
        try:
            self.ledger.by("u-7", at=when).record(decision, id, **arguments)
        except Refused:
            return

    def act(self, what: str, one: int, other: int, hours: int) -> None:
        self.clock.forward(hours=other)
        id = f"C-{one % 2}"
        match what:
            case "observe":
                self.observe(id, one, other)
            case "correct":
                self.correct(one, other, hours)
            case "customer":
                self.own(id, one, other, hours)
            case "survey" | "answer again":
                self.ask(id, one, other, hours)
            case "onboarding":
                self.onboard(f"O-{id}", one, other, hours)
            case "renewal":
                self.renew(f"R-{id}", id, one, other, hours)
            case "move":
                self.do(hours, onboarding.change_go_live, f"O-{id}", go_live_on=date(2026, 3, 15 + other), reason="Later")
            case "tick":
                self.ledger.tick()
            case "catch up":
                self.ledger.catch_up()

    def observe(self, id: str, one: int, other: int) -> None:
        day = FIRST_DAY + timedelta(days=4 * (one % 4))
        until = at(str(day + timedelta(days=1))) if other % 3 else at(f"{day}T12:00:00Z")
        named: dict[str, Any] = {"counted_until": until, "customer_id": id, "day": day}
        seen: list[activity.Observation] = [
            activity.UsersActive(daily=one, weekly=one + 2, monthly=one + other + 2, **named),
            activity.FeatureUsed(feature=f"F-{other % 2}", users=one % 3, **named),
            activity.CasesCompleted(cases=other, **named),
            activity.ApiCalled(calls=one + other, errors=one, **named),
            activity.TrainingInvited(invited_at=until, customer_id=id, session_id=f"S-{other % 2}", session_at=until, invited=one),
            activity.TrainingAttended(held_at=until, customer_id=id, session_id=f"S-{one % 2}", attended=other),
            activity.CommunityContributed(contributed_at=until, customer_id=id, contribution_id=f"K-{one}", kind="answer"),
            activity.FeedbackSubmitted(submitted_at=until, customer_id=id, feedback_id=f"F-{other}", kind="idea"),
        ]
        self.runs += 1
        taken = [Taken(f"{self.runs}/{i}", ((activity.stream_of(made), made),)) for i, made in enumerate(seen) if (i + other) % 3]
        self.ledger.by("u-7").observe(taken, source="product")

    def correct(self, one: int, other: int, hours: int) -> None:
        known = [row for row in self.ledger.store.page(0, 500) if row.topic in CORRECTED]
        if not known:
            return
        row = known[(one * 12 + other) % len(known)]
        said = next(each for each in self.ledger.history(row.stream) if each.position == row.position).fact
        decision, arguments = CORRECTED[row.topic](said, other)
        self.do(hours, decision, row.stream.partition(":")[2], corrects=row.position, **arguments, **PEOPLE)

    def own(self, id: str, one: int, other: int, hours: int) -> None:
        self.do(hours, customer.assign_owner, id, role=ROLES[one % 3], owner_id=f"u-{other}")
        if other % 3 == 0:
            self.do(hours, customer.release_owner, id, role=ROLES[one % 3])
        if other % 3 == 1:
            self.do(hours, customer.entitle, id, seats=other, features=("search",) * (one % 2))
        if other % 3 == 2:
            self.do(hours, customer.change_segment, id, segment=("small", "large")[one % 2])

    def ask(self, id: str, one: int, other: int, hours: int) -> None:
        who = {"wave_id": "W-1", "survey_type": "nps", "customer_id": id, "contact_id": f"p-{one}"}
        stream = f"W-1/p-{one}"
        if other % 3:
            self.do(hours + 1, survey_response.invite, stream, **who)
        if other % 4 == 1 and other % 3:
            self.do(hours, survey_response.fail, stream, code="bounced")
        self.do(hours, survey_response.respond, stream, score=min(10, other), **who)
        if one == other == 7:
            self.do(hours, survey.close, "W-1")

    def onboard(self, id: str, one: int, other: int, hours: int) -> None:
        name = ACTIVITIES[one % 3]
        steps: list[tuple[Callable[..., Any], dict[str, Any]]] = [
            (onboarding.complete_activity, {"activity": name}),
            (onboarding.complete_activity, {"activity": name}),
            (onboarding.skip_activity, {"activity": name, "reason": "declined"}),
            (onboarding.reopen_activity, {"activity": name, "reason": "It broke"}),
            (onboarding.reach_first_value, {"case_id": "K-1"}),
            (onboarding.stall, {"waits_for": ("customer", "us")[one % 2]}),
            (onboarding.resume, {}),
            (onboarding.complete, {}),
        ]
        decision, arguments = steps[other % len(steps)] if (one, other) != (11, 11) else (onboarding.abandon, {"reason": "They left"})
        self.do(hours, decision, id, **arguments)

    def renew(self, id: str, customer_id: str, one: int, other: int, hours: int) -> None:
        self.do(hours, renewal.forecast, id, customer_id=customer_id, probability_bp=other * 900, forecast_by="u-1")
        more: dict[str, Any] = {"opportunity_id": f"X-{one % 3}", "mrr_minor": 100 + other, "currency": "USD", "identified_by": "u-1"}
        self.do(hours + other, renewal.identify_expansion, id, customer_id=customer_id, **more)
        if other % 3 == 0:
            self.do(hours, (renewal.win_expansion, renewal.lose_expansion)[one % 2], id, opportunity_id=f"X-{one % 3}")


def _count(what: str) -> Callable[[Any, int], tuple[Any, dict[str, Any]]]:
    return lambda said, to: (activity.correct_count, {"what": what, "was": getattr(said, what), "to": to})


def _time(decision: Any, field: str) -> Callable[[Any, int], tuple[Any, dict[str, Any]]]:
    return lambda said, hours: (decision, {"was": getattr(said, field), "to": getattr(said, field) - timedelta(hours=hours)})


CORRECTED: dict[str, Callable[[Any, int], tuple[Any, dict[str, Any]]]] = {
    "activity.users_active": _count("daily"),
    "activity.api_called": _count("errors"),
    "activity.community_contributed": _count("contributions"),
    "survey.response_recorded": lambda said, to: (survey_response.correct, {"was": said.score, "to": to if to <= 10 else None}),
    "renewal.forecast_recorded": lambda said, to: (renewal.correct_forecast, {"was_bp": said.probability_bp, "to_bp": to * 100}),
    "customer.owner_assigned": _time(customer.correct_time, "assigned_at"),
    "customer.entitled": _time(customer.correct_time, "entitled_at"),
    "onboarding.activity_completed": _time(onboarding.correct_time, "completed_at"),
    "onboarding.go_live_changed": _time(onboarding.correct_time, "changed_at"),
}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS, pause=NUMBERS)
def test_any_history_is_rebuilt_as_it_stood_and_seen_by_a_slow_look(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int, int]], pause: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    story = Story(folder)
    ledger = story.ledger
    with ledger:
        for act in acts[:pause]:
            story.act(*act)
        ledger.catch_up()
        then, before = ledger.store.head().position, digests(ledger.tables.tables)
        for act in acts[pause:]:
            story.act(*act)
        ledger.catch_up()
        assert [each.table for each in ledger.tables.rebuild() if each.rows] == []
        assert ledger.verify(strict=True).code == 0
        shown = {(row["customer_id"], row["day"]): {name: row[name] for name in SEEN} for row in days_of(ledger)}
        assert shown == slow(ledger)
        tables = Tables(engine(LedgerUrl("sqlite", folder / "then.db"), "itself"))
        replay(ledger.store, tables, as_of(ledger.store, position=then))
        assert digests(tables) == before
        tables.close()


def days_of(ledger: OpsLedger) -> list[dict[str, Any]]:
    return ledger.tables.select("customer_activity_day")


SEEN = ("dau", "mau", "cases", "api_errors", "contributions", "submissions", "training_invited", "features_used", "dau_28d_sum", "seats")


def slow(ledger: OpsLedger) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the days of activity from the facts alone: all of them read again for each day and column."""
    told = [each for row in ledger.store.page(0, 2000) for each in ledger.history(row.stream) if each.position == row.position]
    right = {(each.fact.corrects, each.fact.what): each.fact.now for each in told if isinstance(each.fact, activity.CountCorrected)}
    newest: dict[Any, Any] = {}
    for each in told:
        if type(each.fact) in activity.COUNTS:
            when = next(getattr(each.fact, name) for name in WHEN if hasattr(each.fact, name))
            who = (each.fact.customer_id, activity.identity(each.fact))
            newest[who] = max(newest.get(who, (when, -1, None)), (when, each.position, each.fact), key=lambda known: known[:2])
    counted = [(day_of(fact), position, fact) for _, position, fact in newest.values()]

    def total(id: str, day: date, kind: type, name: str) -> int | None:
        found = [
            right.get((position, name), getattr(fact, name))
            for at_day, position, fact in counted
            if isinstance(fact, kind) and fact.customer_id == id and at_day == day
        ]
        return sum(found) if found else None

    days = {(fact.customer_id, day) for day, _, fact in counted}
    return {
        (id, str(day)): {
            "dau": total(id, day, activity.UsersActive, "daily"),
            "mau": total(id, day, activity.UsersActive, "monthly"),
            "cases": total(id, day, activity.CasesCompleted, "cases"),
            "api_errors": total(id, day, activity.ApiCalled, "errors"),
            "contributions": total(id, day, activity.CommunityContributed, "contributions"),
            "submissions": total(id, day, activity.FeedbackSubmitted, "submissions"),
            "training_invited": total(id, day, activity.TrainingInvited, "invited"),
            "features_used": features(id, day, counted),
            "dau_28d_sum": sum(total(id, day - timedelta(days=i), activity.UsersActive, "daily") or 0 for i in range(28)),
            "seats": seats(ledger, id, at(str(day + timedelta(days=1)))),
        }
        for id, day in days
    }


WHEN = ("counted_until", "invited_at", "held_at", "contributed_at", "submitted_at")


def day_of(fact: Any) -> date:
    named = getattr(fact, "day", None) or next(
        getattr(fact, name) for name in ("session_at", "held_at", "contributed_at", "submitted_at") if hasattr(fact, name)
    )
    return named.date() if isinstance(named, datetime) else named


def features(id: str, day: date, counted: list[tuple[date, int, Any]]) -> int | None:
    used = [
        fact.users > 0 for at_day, _, fact in counted if isinstance(fact, activity.FeatureUsed) and (fact.customer_id, at_day) == (id, day)
    ]
    return sum(used) if used else None


def seats(ledger: OpsLedger, id: str, before: datetime) -> int | None:
    for row in ledger.tables.select("customer_entitlement", customer_id=id):
        if row["valid_from_at"] < before and (row["valid_to_at"] is None or before <= row["valid_to_at"]):
            found: int = row["seats"]
            return found
    return None
