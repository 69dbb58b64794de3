"""Published cases of change control, through the product's own decisions and rules.

Runs every file of `--cases DIR` that holds cases of the area `change`; kinds of cases are told apart by what they give. The cases call
a freeze a blackout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.domain import change
from opsledger.errors import Refused
from opsledger.policies.change_control import Booking, FreezeWindow, conflicts
from opsledger.policies.instants import micros, parse
from opsledger.policies.operating_model import default_model
from opsledger.testing import Spec, at

Case = dict[str, Any]
SPEC = Spec("change:the-case")
ASKED = at("2026-01-01T09:00:00Z")
BLACKOUT = {"in_blackout": "in_freeze", "blackout": "in_freeze"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        cases = document.get("cases", []) if isinstance(document, dict) else []
        found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases if case.get("area") == "change"]
    metafunc.parametrize("case", found)


def span(texts: list[str]) -> tuple[int, int]:
    return parse(texts[0]), parse(texts[1])


def booking(id: str, given: Case) -> Booking:
    return Booking(id, *span(given["window"]), (given["ci"],), given.get("assignee") or "")


def requested(category: change.Category, by: str = "u-1") -> change.Requested:
    outcome = SPEC.when(change.request, at=ASKED, category=category, title="The case", requested_by=by)
    (fact,) = outcome.facts
    assert isinstance(fact, change.Requested)
    return fact


ASSESSED = change.Assessed(
    assessed_at=ASKED, assessed_by="u-3", impact="low", risk="low", backout_planned=True, subject_id="change:the-case"
)


def test_case(case: Case) -> None:
    given, expected = case["given"], case["expect"]
    match sorted(given):
        case ["seed"]:
            assert [requested(category).itil_type for category in given["seed"]] == expected["itil"]
        case ["attempts"]:
            for category in change.CATEGORIES:
                assert [approves(category, *pair) for pair in given["attempts"]] == expected["allowed"]
        case ["approvals"]:
            assert [may_start(roles) for roles in given["approvals"]] == expected["may_start"]
        case ["blackout", "change", "maintenance", "others"] | ["change", "maintenance", "others"] | ["change", "others"]:
            assert kinds(given) == [BLACKOUT.get(kind, kind) for kind in expected["conflicts"]]
        case ["a", "b"]:
            one, other = (Booking(id, *span(given[id]), ("the same",)) for id in ("a", "b"))
            assert bool(conflicts(one, [other], None, [])) is expected["conflict"]
            assert bool(conflicts(other, [one], None, [])) is expected["conflict"]
        case ["change_start", "freeze"]:
            assert {category: passes(category, given) for category in expected["allowed"]} == expected["allowed"]
        case unknown:
            pytest.fail(f"no rule for a case of change control that gives {', '.join(unknown)}")


def approves(category: change.Category, requester: str, approver: str) -> bool:
    outcome = SPEC.given(requested(category, requester), ASSESSED).when(change.approve, at=ASKED, by=approver, in_role="cto")
    return said_yes(outcome, "approval.same_person")


def may_start(roles: list[str]) -> bool:
    """Whether an emergency with approvals of these roles may start; what already happened is recorded, marked as a violation."""
    approvals = [
        change.Approved(approved_at=ASKED, approved_by=f"u-{10 + i}", role=role, subject_id="change:the-case")
        for i, role in enumerate(roles)
    ]
    given = SPEC.given(requested("emergency"), *approvals)
    allowed = said_yes(given.when(change.start, at=ASKED, by="u-4"), "change.unauthorised")
    (recorded,) = given.when(change.start, at=ASKED, by="u-4", already_happened=True).facts
    assert isinstance(recorded, change.Started)
    assert recorded.authorised is allowed
    return allowed


def kinds(given: Case) -> list[str]:
    others = [booking(f"other-{i}", other) for i, other in enumerate(given["others"])]
    maintenance = [span(each) for each in given["maintenance"]] if given.get("maintenance") is not None else None
    freezes = [FreezeWindow(f"freeze-{i}", *span(each)) for i, each in enumerate(given.get("blackout", ()))]
    return list(dict.fromkeys(each.kind for each in conflicts(booking("the-case", given["change"]), others, maintenance, freezes)))


def passes(category: change.Category, given: Case) -> bool:
    """Whether a change of the category may be planned for that instant; one that is let through a freeze is flagged."""
    starts_at = at(given["change_start"])
    freeze = FreezeWindow("the-freeze", *span(given["freeze"]))
    asked: Case = {"starts_at": starts_at, "ends_at": starts_at.replace(microsecond=starts_at.microsecond + 1), "others": ()}
    outcome = SPEC.given(requested(category), ASSESSED).when(change.schedule, at=ASKED, freezes=(freeze,), **asked)
    allowed = said_yes(outcome, "change.frozen")
    if allowed and freeze.start <= micros(starts_at) < freeze.end:
        assert category in default_model().changes.freeze_exempt
        assert [each.kind for each in outcome.facts[0].conflicts] == ["in_freeze"]
    return allowed


def said_yes(outcome: Any, code: str) -> bool:
    """Whether a decision was taken; a refusal must be the one that the case is about."""
    if outcome.error is None:
        return True
    assert isinstance(outcome.error, Refused)
    assert outcome.error.code == code
    return False
