"""A freeze is declared, changed and lifted; what it forbade while it held stays forbidden."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from opsledger.domain import freeze
from opsledger.policies.change_control import FreezeWindow
from opsledger.policies.instants import micros
from opsledger.testing import Spec, at

spec = Spec("freeze:F-1")
SELF: dict[str, Any] = {"subject_id": "freeze:F-1", "reason": "The holidays"}
PEOPLE: dict[str, Any] = {"requested_by": "u-1", "approved_by": "u-2"}
CHRISTMAS: dict[str, Any] = {"starts_at": at("2026-12-20T00:00:00Z"), "ends_at": at("2027-01-02T00:00:00Z")}
DECLARED = freeze.Declared(declared_at=at("2026-12-01T09:00:00Z"), declared_by="u-1", ci_ids=("api",), **CHRISTMAS, **SELF)


def day(number: int) -> datetime:
    return at(f"2026-12-{number:02d}T00:00:00Z")


def changed(start: int, end: int) -> freeze.Changed:
    was: dict[str, Any] = {"was_starts_at": CHRISTMAS["starts_at"], "was_ends_at": CHRISTMAS["ends_at"]}
    return freeze.Changed(changed_at=at("2026-12-02T09:00:00Z"), starts_at=day(start), ends_at=day(end), **was, **PEOPLE, **SELF)


def lifted(when: int) -> freeze.Lifted:
    return freeze.Lifted(lifted_at=day(when), **PEOPLE, **SELF)


def window(*facts: Any) -> tuple[int, int]:
    state = None
    for each in facts:
        state = freeze.evolve(state, each)
    assert state is not None
    found = state.window("F-1")
    assert found == FreezeWindow("F-1", found.start, found.end, ("api",))
    return found.start, found.end


def test_a_freeze_is_declared_once_and_has_a_length() -> None:
    asked: dict[str, Any] = {**CHRISTMAS, "reason": "The holidays", "ci_ids": ("api", "api")}
    spec.when(freeze.declare, at=DECLARED.declared_at, by="u-1", **asked).then(DECLARED)
    spec.given(DECLARED).when(freeze.declare, at=DECLARED.declared_at, **asked).then_refused("freeze.exists")
    none = {**asked, "ends_at": CHRISTMAS["starts_at"]}
    spec.when(freeze.declare, at=DECLARED.declared_at, **none).then_refused("freeze.window")


def test_its_window_is_changed_by_two_people() -> None:
    asked: dict[str, Any] = {"starts_at": day(21), "ends_at": day(30), "reason": "The holidays", **PEOPLE}
    when = at("2026-12-02T09:00:00Z")
    spec.given(DECLARED).when(freeze.change, at=when, **asked).then(changed(21, 30))
    spec.given(DECLARED, changed(21, 30)).when(freeze.change, at=when, **asked).then_nothing()
    spec.given(DECLARED).when(freeze.change, at=when, **{**asked, "approved_by": "u-1"}).then_refused("approval.same_person")
    spec.given(DECLARED).when(freeze.change, at=at("2027-01-02T00:00:00Z"), **asked).then_refused("freeze.over")


def test_it_is_lifted_by_two_people_while_it_lasts() -> None:
    asked: dict[str, Any] = {"reason": "The holidays", **PEOPLE}
    spec.given(DECLARED).when(freeze.lift, at=day(24), **asked).then(lifted(24))
    spec.given(DECLARED, lifted(24)).when(freeze.lift, at=day(25), **asked).then_nothing()
    spec.given(DECLARED).when(freeze.lift, at=day(24), **{**asked, "approved_by": "u-1"}).then_refused("approval.same_person")
    spec.given(DECLARED).when(freeze.lift, at=CHRISTMAS["ends_at"], **asked).then_refused("freeze.over")


@pytest.mark.parametrize(
    ("facts", "start", "end"),
    [
        ((), day(20), CHRISTMAS["ends_at"]),
        ((changed(21, 30),), day(21), day(30)),
        ((lifted(24),), day(20), day(24)),
        ((lifted(10),), day(20), day(20)),  # before it began: it never held
        ((changed(21, 23), lifted(24)), day(21), day(23)),
    ],
)
def test_it_holds_until_it_is_over_or_lifted(facts: tuple[Any, ...], start: datetime, end: datetime) -> None:
    assert window(DECLARED, *facts) == (micros(start), micros(end))
