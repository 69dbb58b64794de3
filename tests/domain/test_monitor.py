"""Registering, reconfiguring and retiring a monitor source."""

from __future__ import annotations

from typing import Any

from opsledger.domain import monitor
from opsledger.testing import Spec, at

spec = Spec("monitor:outside")
NINE, TEN, ELEVEN = (at(f"2026-03-02T{hour}:00:00Z") for hour in ("09", "10", "11"))
SAID: dict[str, Any] = {
    "category": "infrastructure",
    "tool": "Blackbox",
    "check": "http",
    "services": ("api",),
    "locations": ("eu", "us"),
    "silent_after_s": 180,
}
OTHER: dict[str, Any] = {**SAID, "locations": ("eu", "us", "ap")}
REGISTERED = monitor.Registered(registered_at=NINE, **SAID)
RETIRED = monitor.Retired(retired_at=TEN)


def test_a_monitor_is_registered_and_names_each_location_once() -> None:
    spec.when(monitor.register, at=NINE, **SAID).then(REGISTERED)
    spec.when(monitor.register, at=NINE, **{**SAID, "locations": ("eu", "us", "eu")}).then(REGISTERED)


def test_a_monitor_is_registered_once() -> None:
    spec.given(REGISTERED).when(monitor.register, at=TEN, **SAID).then_refused("outside is registered already; reconfigure it")


def test_a_monitor_watches_otherwise_from_now_on() -> None:
    spec.given(REGISTERED).when(monitor.reconfigure, at=TEN, **OTHER).then(monitor.Reconfigured(reconfigured_at=TEN, **OTHER))
    spec.given(REGISTERED).when(monitor.reconfigure, at=TEN, **SAID).then_nothing()


def test_a_configuration_of_earlier_is_recorded_and_changes_nothing_that_a_later_one_says() -> None:
    later, earlier = monitor.Reconfigured(reconfigured_at=ELEVEN, **OTHER), monitor.Reconfigured(reconfigured_at=TEN, **SAID)
    spec.given(REGISTERED, later).when(monitor.reconfigure, at=TEN, **SAID).then(earlier)
    spec.given(REGISTERED, later, earlier).when(monitor.reconfigure, at=ELEVEN, **OTHER).then_nothing()


def test_a_monitor_is_retired_once() -> None:
    spec.given(REGISTERED).when(monitor.retire, at=TEN).then(RETIRED)
    spec.given(REGISTERED, RETIRED).when(monitor.retire, at=TEN).then_nothing()
    spec.given(REGISTERED, RETIRED).when(monitor.retire, at=ELEVEN).then_refused("was retired at 2026-03-02T10:00:00+00:00 already")


def test_a_retired_monitor_is_not_reconfigured_and_what_it_watched_before_may_be_typed_in() -> None:
    spec.given(REGISTERED, RETIRED).when(monitor.reconfigure, at=TEN, **OTHER).then_refused("register another monitor")
    before = at("2026-03-02T09:30:00Z")
    typed_in = monitor.Reconfigured(reconfigured_at=before, **OTHER)
    spec.given(REGISTERED, RETIRED).when(monitor.reconfigure, at=before, **OTHER).then(typed_in)


def test_a_sign_of_life_is_recorded_once_of_the_tool_or_of_a_location_that_it_watches_from() -> None:
    spec.given(REGISTERED).when(monitor.hear, at=TEN).then(monitor.Heard(heard_at=TEN))
    spec.given(REGISTERED).when(monitor.hear, at=TEN, location="eu").then(monitor.Heard(heard_at=TEN, location="eu"))
    spec.given(REGISTERED, monitor.Heard(heard_at=TEN)).when(monitor.hear, at=TEN).then_nothing()
    spec.given(REGISTERED).when(monitor.hear, at=TEN, location="ap").then_refused("watches from eu, us, not from ap")
    spec.given(REGISTERED, RETIRED).when(monitor.hear, at=ELEVEN).then_refused("gives no sign of life")


def test_nothing_happens_to_a_monitor_before_its_registration() -> None:
    spec.when(monitor.retire, at=TEN).then_refused("has no facts")
