"""The declarative histories of the SLA cases, end to end: recorded in a ledger, replayed by `opsledger replay` on both axes.

They decide the architecture: a policy edited while a clock runs, a calendar changed for the future, a calendar corrected for
the past, a fact that comes in late. What a case expects is written in words; `stated` reads the few that there are.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.domain import calendar, policy, ticket
from opsledger.policies import documents
from opsledger.policies.instants import at, iso, parse
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority, TargetRule
from opsledger.testing.plugin import Clock

FORMAT = "opsledger-sla-cases/1"
Case = dict[str, Any]
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2", "reason": "the case begins"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT:
            cases = document.get("declarative_histories", [])
            found += [pytest.param(document["calendars"], case, id=f"{path.stem}-{case['id']}") for case in cases]
    metafunc.parametrize(("calendars", "case"), found)


class Story:
    """A case, told to a simulated ledger whose clock is set to each event's time of recording."""

    def __init__(self, folder: Path, calendars: dict[str, Case], case: Case) -> None:
        self.folder, self.case = folder, case
        begins = at(case["events"][0]["at"]) - timedelta(days=30)
        self.clock = Clock(begins.isoformat())
        self.ledger = OpsLedger.create(f"sqlite:///{folder}/ops.db", simulated=True, clock=self.clock, ledger_id="0" * 32)
        stated = calendars[case["calendar"]]
        self.hours = {"zone": stated["tz"], "weekly": stated["weekly"], "holidays": list(stated["holidays"])}
        self.lead = self.ledger.by("u-1", role="lead")
        self.lead.record(calendar.publish, "case", definition=json.dumps(self.hours), effective_from=begins - timedelta(days=1), **PEOPLE)

    def promise(self, metric: str, within: str, *, since: datetime) -> None:
        """Publish a model in which medium tickets are promised `metric` within a time on the case's calendar, and nothing else."""
        model = default_model()
        tier = model.support.tiers[Priority.MEDIUM]
        alone = tier.model_copy(update={"targets": {metric: TargetRule(within=within, calendar="case")}, "escalates": None})
        support = model.support.model_copy(update={"tiers": {**model.support.tiers, Priority.MEDIUM: alone}})
        text = documents.canonical(model.model_copy(update={"support": support}))
        self.lead.record(policy.publish, policy.NAME, document=text, effective_from=since, **PEOPLE)

    def tell(self) -> None:
        """Record the case's events, each when it was recorded, about when it happened."""
        for event in self.case["events"]:
            happened = at(event["at"])
            self.clock.set(event.get("recorded", event["at"]))
            hand = self.ledger.by("u-7", role="support", at=happened)
            match event["type"]:
                case "created":
                    self._create(hand, event)
                case "agent_reply":
                    hand.record(ticket.respond, "T-1")
                case "resolved":
                    hand.record(ticket.resolve, "T-1")
                case "policy_published":
                    metric, within = read_policy(event["policy"])
                    self.promise(metric, within, since=self.clock.now)
                case "calendar_published":
                    self.lead.record(calendar.publish, "case", definition=self._with_holiday(event), **PEOPLE)
                case "calendar_corrected":
                    published = self.ledger.history("calendar:case")[0].position
                    people = {"requested_by": "u-1", "approved_by": "u-2", "reason": "it was a holiday"}
                    self.lead.record(calendar.correct, "case", corrects=published, definition=self._with_holiday(event), **people)
                case "breach_observed":
                    self.clock.set(event["recorded"])
                    self.ledger.tick()
                case unknown:
                    pytest.fail(f"no rule for a {unknown} event")

    def _create(self, hand: Any, event: Case) -> None:
        metric, within = "resolution", f"{event.get('target', 0)} s"
        if "policy" in event:
            metric, within = read_policy(event["policy"])
        elif "target_first_response" in event:
            metric, within = "first_response", f"{event['target_first_response']} s"
        self.metric = metric
        self.promise(metric, within, since=self.clock.now - timedelta(days=1))
        people = {"customer_id": "C-1", "requester_id": "p-1"}
        hand.record(ticket.register, "T-1", **people, channel="email", priority=Priority.MEDIUM, summary="It is broken")

    def _with_holiday(self, event: Case) -> str:
        return json.dumps({**self.hours, "holidays": [*self.hours["holidays"], event["adds_holiday"]]})

    def replayed(self, **axes: str) -> Case:
        """Return the promise as `opsledger replay` shows it."""
        into = self.folder / f"replay-{len(list(self.folder.glob('replay-*.db')))}.db"
        options = [word for name, value in axes.items() for word in (f"--{name.replace('_', '-')}", value)]
        command = [sys.executable, "-m", "opsledger", "replay", *options, "--into", f"sqlite:///{into}", "--ledger", self.ledger.url.shown]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with sa.create_engine(f"sqlite:///{into}").connect() as connection:
            found = connection.execute(sa.text("SELECT * FROM ticket_sla WHERE metric = :metric"), {"metric": self.metric})
            return dict(found.mappings().one())


def read_policy(said: str) -> tuple[str, str]:
    """Read `v1 resolution 4 h`."""
    found = re.fullmatch(r"v\d+ (\w+) (\d+ \w+)", said)
    assert found is not None, f"no rule for the policy '{said}'"
    return found[1], found[2]


def stated(said: str, day: str) -> Case:
    """Read `due 2024-06-03T14:00:00Z`, `elapsed 7200, met`, `breached at 11:00:00Z`: what columns must say."""
    found: Case = {}
    if due := re.search(r"due (\S+Z)", said) or re.fullmatch(r"(\d{4}-\S+Z)", said):
        found["due_at"] = iso(parse(due[1]))
    if elapsed := re.search(r"elapsed (\d+)", said):
        found["elapsed_s"] = int(elapsed[1])
    if breached := re.search(r"breached at (\S+Z)", said):
        found["breach_at"] = iso(parse(breached[1] if "T" in breached[1] else f"{day}T{breached[1]}"))
        found["broken"] = True
    if re.search(r"\bmet\b", said):
        found["broken"] = False
    assert found, f"no rule for the expectation '{said}'"
    return found


def check(row: Case, expected: Case) -> None:
    said = {**row, "broken": row["outcome"] in ("breached", "overdue")}
    assert {key: said[key] for key in expected} == expected


def test_declarative_history(calendars: dict[str, Case], case: Case, tmp_path: Path) -> None:
    story = Story(tmp_path, calendars, case)
    story.tell()
    day, last = case["events"][0]["at"][:10], story.clock.now
    expected = dict(case["expected"])
    match case["kind"]:
        case "policy_change":
            check(story.replayed(), stated(expected["pinned"], day))
            before = story.replayed()
            story.clock.forward(minutes=30)
            newest = story.ledger.known.models()[-1].ref
            people = {"requested_by": "u-1", "approved_by": "u-2", "reason": "the contract says so"}
            story.ledger.by("u-1").record(ticket.reassign_policy, "T-1", policy=newest, **people)
            after = story.replayed(known_at=iso(parse(story.clock.now.isoformat())))
            check(after, stated(expected["reassigned_by_explicit_event"], day))
            assert after["elapsed_s"] == before["elapsed_s"] + 5400, "the elapsed time is kept"
            known_since = story.replayed(effective_at=last.isoformat())
            check(known_since, stated(expected["pinned"], day))
        case "calendar_change":
            story.clock.forward(minutes=5)
            changed = case["events"][-1]["at"]
            check(story.replayed(known_at=iso(parse(changed) - 1_000_000)), stated(expected["due_before_16:00"], day))
            check(story.replayed(known_at=changed), stated(expected["due_after"], day))
            check(story.replayed(effective_at=iso(parse(changed) - 1_000_000)), stated(expected["due_after"], day))
        case "calendar_change_retroactive":
            (first_verdict,) = (key for key in expected if key.startswith("verdict_at_"))
            then = f"{first_verdict.removeprefix('verdict_at_')}T23:59:59Z"
            check(story.replayed(known_at=then), stated(expected[first_verdict], day))
            check(story.replayed(), stated(expected["readjudicated"], day))
            check(story.replayed(known_at=iso(parse(last.isoformat())), effective_at=then), stated(expected["readjudicated"], day))
            verdicts = story.ledger.tables.select("ticket_sla_verdict", ticket_id="T-1", at_least=story.ledger.store.head().position)
            assert [each["outcome"] for each in verdicts][-2:] == ["breached", "met"]
            assert verdicts[-1]["calendar_ref"] == "case@2"
        case "late_event":
            for key in [key for key in expected if key.startswith("as_known_at_")]:
                known_at = f"{day}T{key.removeprefix('as_known_at_')}:00Z"
                check(story.replayed(known_at=known_at), stated(expected[key], day))
            story.clock.forward(seconds=5)
            story.ledger.tick()
            breaches = [each for each in story.ledger.history("ticket:T-1") if getattr(each.fact, "kind", "") == "breach"]
            assert [each.topic for each in breaches] == ["sla.deadline_observed", "sla.deadline_superseded"], expected["observation"]
        case unknown:
            pytest.fail(f"no rule for a history of kind {unknown}")
