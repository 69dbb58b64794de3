"""Registering, revising and retiring a service."""

from __future__ import annotations

from typing import Any

from opsledger.domain import service
from opsledger.testing import Spec, at

spec = Spec("service:api")
NINE, TEN, ELEVEN = (at(f"2026-03-02T{hour}:00:00Z") for hour in ("09", "10", "11"))
SAID: dict[str, Any] = {"name": "API", "kind": "api", "owner_id": "t-1", "components": ("gateway",), "depends_on": ("database",)}
OTHER: dict[str, Any] = {**SAID, "owner_id": "t-2"}
REGISTERED = service.Registered(registered_at=NINE, **SAID)


def test_a_service_is_registered() -> None:
    spec.when(service.register, at=NINE, **SAID).then(REGISTERED)


def test_a_service_is_registered_once() -> None:
    spec.given(REGISTERED).when(service.register, at=TEN, **SAID).then_refused("api is registered already; revise it")


def test_a_need_named_twice_is_kept_once() -> None:
    (fact,) = spec.when(service.register, at=NINE, **{**SAID, "depends_on": ("database", "mail", "database")}).facts
    assert fact.depends_on == ("database", "mail")


def test_a_service_does_not_depend_on_itself() -> None:
    spec.when(service.register, at=NINE, **{**SAID, "depends_on": ("api",)}).then_refused("cannot depend on itself")
    spec.given(REGISTERED).when(service.revise, at=TEN, **{**SAID, "depends_on": ("api",)}).then_refused("cannot depend on itself")


def test_a_description_is_revised() -> None:
    spec.given(REGISTERED).when(service.revise, at=TEN, **OTHER).then(service.Revised(revised_at=TEN, **OTHER))


def test_the_same_description_again_adds_nothing() -> None:
    spec.given(REGISTERED).when(service.revise, at=TEN, **SAID).then_nothing()


def test_a_revision_of_earlier_is_recorded_and_changes_nothing_that_a_later_one_says() -> None:
    revised = service.Revised(revised_at=ELEVEN, **OTHER)
    earlier = service.Revised(revised_at=TEN, **SAID)
    spec.given(REGISTERED, revised).when(service.revise, at=TEN, **SAID).then(earlier)
    spec.given(REGISTERED, revised, earlier).when(service.revise, at=ELEVEN, **OTHER).then_nothing()


def test_a_service_is_retired_once() -> None:
    retired = service.Retired(retired_at=TEN)
    spec.given(REGISTERED).when(service.retire, at=TEN).then(retired)
    spec.given(REGISTERED, retired).when(service.retire, at=TEN).then_nothing()
    spec.given(REGISTERED, retired).when(service.retire, at=ELEVEN).then_refused("was retired at 2026-03-02T10:00:00+00:00 already")


def test_a_retired_service_takes_no_revision_and_one_of_before_is_let_through() -> None:
    given = spec.given(REGISTERED, service.Retired(retired_at=TEN))
    given.when(service.revise, at=TEN, **OTHER).then_refused("is retired and takes no revision")
    before = at("2026-03-02T09:59:59Z")
    given.when(service.revise, at=before, **OTHER).then(service.Revised(revised_at=before, **OTHER))


def test_nothing_happens_to_a_service_before_its_registration() -> None:
    spec.when(service.retire, at=TEN).then_refused("has no facts")
