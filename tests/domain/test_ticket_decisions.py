"""Every decision on a ticket is tested to act, to refuse, to stay quiet, and to take what comes late."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsledger.domain import ticket
from opsledger.domain.concept import concept_of, is_starting
from opsledger.errors import Unknown

ACT, REFUSE, QUIET, LATE = "acts", "refuses", "stays quiet", "takes what comes late"

TAKEN_ALWAYS = {
    "analyse",
    "classify",
    "forward_feedback",
    "identify_improvement",
    "link_knowledge",
    "note",
    "state_source",
    "take_preventive_measure",
}
"""What is recorded also of a ticket that has ended, and in no order: these refuse nothing."""

NEW_EACH_TIME = {
    "analyse",
    "answer_survey",
    "check_in",
    "forward_feedback",
    "hear_from_customer",
    "identify_improvement",
    "investigate",
    "involve",
    "note",
    "propose_solution",
    "register",
    "reproduce",
    "state_source",
    "take_preventive_measure",
    "try_solution",
    "verify_solution",
}
"""What may happen twice: the same again is another one. A retried request is recognised by its key."""


def decisions() -> list[str]:
    """Return the names of all decisions on a ticket."""
    found = []
    for name in ticket.__all__:
        try:
            concept_of(getattr(ticket, name))
        except Unknown:
            continue
        found.append(name)
    return [name for name in found if name not in ("evolve", "signals")]


def evidence() -> dict[str, set[str]]:
    """Return what the tests of this folder show of each decision."""
    found: dict[str, set[str]] = {}
    for path in Path(__file__).parent.glob("test_ticket_*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                used = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
                shown = {ACT} if used & {"then", "facts"} else set()
                shown |= {REFUSE} if "then_refused" in used else set()
                shown |= {QUIET} if "then_nothing" in used else set()
                shown |= {LATE} if function.name.endswith("late") or "_late_" in function.name else set()
                for decision in taken(function):
                    found.setdefault(decision, set()).update(shown)
    return found


def taken(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the decisions that a test takes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "when" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Attribute):
                yield first.attr


@pytest.mark.parametrize("decision", decisions())
def test_each_decision_is_shown_to_act_refuse_stay_quiet_and_take_what_comes_late(decision: str) -> None:
    expected = {ACT, LATE}
    expected |= set() if decision in TAKEN_ALWAYS else {REFUSE}
    expected |= set() if decision in NEW_EACH_TIME else {QUIET}
    assert evidence().get(decision, set()) >= expected, (
        f"ticket.{decision} needs a test that it {' and one that it '.join(sorted(expected - evidence().get(decision, set())))}"
    )


def test_there_are_decisions() -> None:
    assert len(decisions()) == 36


def test_only_registering_starts_a_ticket() -> None:
    assert [name for name in decisions() if is_starting(getattr(ticket, name))] == ["register"]
