"""Every objective has a live source: what watches it, since when nothing was heard, what is found; on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from availability_acts import act, promise, run, see
from hypothesis import given, settings
from hypothesis import strategies as st
from measurement_acts import live_is_rebuilt, observe, told, window
from measurement_acts import promise as promise_requests

from opsledger.app import OpsLedger
from opsledger.domain import monitor, service, slo
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.signs import Sign, alive, heard, missing
from opsledger.testing import at
from opsledger.testing.plugin import Clock

DAY = DAY_S * SECOND
FIRST = "2026-03-01T00:00:00Z"


@pytest.fixture(params=["sqlite", "pg"])
def made(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    found: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-03-05T12:00:00Z")
    return found


@pytest.fixture
def one(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-03-05T12:00:00Z")
    return opsledger_sqlite


def watch(on: OpsLedger, id: str, category: str, *locations: str, since: str = FIRST, **given: Any) -> None:
    known: dict[str, Any] = {"category": category, "tool": "t", "check": "c", "services": ("platform",), "locations": locations, **given}
    act(on, since, monitor.register, id, **known)


def findings(on: OpsLedger) -> list[tuple[str, str, str, str | None]]:
    """Each finding of monitoring: subject, control, when, and when it was kept after all."""
    controls = ("slo_without_source", "source_stale", "category_unwatched")
    return [
        (row["subject"], row["control"], row["found_at"].isoformat()[5:16], row["kept_at"] and row["kept_at"].isoformat()[5:16])
        for row in sorted(told(on, "control_finding"), key=lambda row: (row["control"], row["found_at"], row["subject"]))
        if row["control"] in controls
    ]


def test_each_location_of_a_monitor_is_a_source_and_live_while_it_is_heard(made: OpsLedger) -> None:
    run(made)
    see(made, ("eu", "2026-03-04T12:00:00Z", "up"), ("us", "2026-03-04T11:59:59Z", "down"))
    rows = {row["source"]: (row["category"], row["measures"], row["live"], row["silent_s"]) for row in told(made, "monitor_coverage")}
    assert rows == {
        "outside@ap": ("infrastructure", True, False, 388_800),
        "outside@eu": ("infrastructure", True, True, 86_400),  # exactly a day
        "outside@us": ("infrastructure", True, False, 86_401),
    }
    (covered,) = told(made, "slo_coverage")
    counts = {name: covered[name] for name in ("sources", "live", "live_measuring", "infrastructure", "security", "covered", "silent_s")}
    assert counts == {
        "sources": 3,
        "live": 1,
        "live_measuring": 1,
        "infrastructure": 1,
        "security": 0,
        "covered": True,
        "silent_s": 86_400,
    }
    live_is_rebuilt(made)


def test_an_objective_that_nothing_live_measures_is_found_from_when_on_and_until_it_was(made: OpsLedger, opsledger_clock: Clock) -> None:
    run(made)
    for category in ("application", "business", "security"):
        watch(made, category, category, silent_after_s=90 * 86_400)
    assert findings(made) == [
        ("slo:platform-uptime", "slo_without_source", "03-02T00:00", None),
        ("service:platform", "source_stale", "03-02T00:00", None),
    ]
    act(made, "2026-03-05T09:00:00Z", monitor.hear, "outside", location="eu")
    assert findings(made)[0] == ("slo:platform-uptime", "slo_without_source", "03-02T00:00", "03-05T09:00")
    act(made, "2026-03-03T09:00:00Z", monitor.hear, "outside")  # typed in late: it was heard in between
    expected = [
        ("slo:platform-uptime", "slo_without_source", "03-02T00:00", "03-03T09:00"),
        ("slo:platform-uptime", "slo_without_source", "03-04T09:00", "03-05T09:00"),
        ("service:platform", "source_stale", "03-02T00:00", "03-03T09:00"),
        ("service:platform", "source_stale", "03-04T09:00", None),  # ap and us are silent still
    ]
    assert findings(made) == expected
    live_is_rebuilt(made)
    opsledger_clock.set("2026-03-06T09:00:00Z")
    assert told(made, "slo_coverage")[0]["covered"]
    opsledger_clock.set("2026-03-06T09:00:01Z")
    act(made, "2026-03-06T09:00:01Z", monitor.hear, "security")
    assert not told(made, "slo_coverage")[0]["covered"]
    assert ("slo:platform-uptime", "slo_without_source", "03-06T09:00", None) in findings(made)


def test_a_category_without_a_monitor_is_found_while_anything_is_promised(one: OpsLedger) -> None:
    run(one)
    watch(one, "siem", "security", since="2026-03-03T00:00:00Z")
    act(one, "2026-03-04T00:00:00Z", monitor.retire, "siem")
    unwatched = [each for each in findings(one) if each[1] == "category_unwatched"]
    assert unwatched == [
        ("monitoring:application", "category_unwatched", "03-01T00:00", None),
        ("monitoring:business", "category_unwatched", "03-01T00:00", None),
        ("monitoring:security", "category_unwatched", "03-01T00:00", "03-03T00:00"),
        ("monitoring:security", "category_unwatched", "03-04T00:00", None),
    ]
    live_is_rebuilt(one)


def test_where_nothing_is_promised_nothing_is_found_missing(one: OpsLedger) -> None:
    watch(one, "outside", "infrastructure", "eu", since="2026-03-05T00:00:00Z")
    assert findings(one) == []
    assert told(one, "slo_coverage") == []


def test_requests_are_measured_by_what_counts_them_registered_or_not(made: OpsLedger) -> None:
    promise_requests(made)
    observe(made, window("2026-03-04T13:00:00Z", [1000]), window("2026-03-02T13:00:00Z", [1000], source="host-2"))
    watch(made, "host-2", "application", services=("api",))
    rows = {row["source"]: (row["category"], row["measures"], row["live"]) for row in told(made, "monitor_coverage")}
    assert rows == {"host-1": (None, True, True), "host-2": ("application", True, False)}
    (covered,) = told(made, "slo_coverage")
    assert (covered["objective"], covered["measured_by"], covered["covered"], covered["sources"]) == ("requests", "api-requests", True, 2)
    assert [each for each in findings(made) if each[1] != "category_unwatched"] == [
        ("slo:api-requests", "slo_without_source", "03-02T00:00", "03-02T13:01"),
        ("slo:api-requests", "slo_without_source", "03-03T13:01", "03-04T13:01"),
        ("service:api", "source_stale", "03-02T00:00", "03-02T13:01"),
        ("service:api", "source_stale", "03-03T13:01", None),  # an unregistered host may go; a registered one is missed
    ]
    live_is_rebuilt(made)


def test_an_objective_of_incidents_is_covered_by_any_monitor_and_one_that_was_withdrawn_asks_for_none(one: OpsLedger) -> None:
    promise(one, measured_by="incidents")
    watch(one, "desk", "business", since="2026-03-05T00:00:00Z")
    assert [row["covered"] for row in told(one, "slo_coverage")] == [True]
    people = {"proposed_by": "u-1", "approved_by": "u-2"}
    act(one, "2026-03-05T11:00:00Z", slo.withdraw, "platform-uptime", reason="The contract ended", **people)
    assert told(one, "slo_coverage") == []
    assert findings(one)[-1] == ("slo:platform-uptime", "slo_without_source", "03-01T00:00", "03-05T00:00")


def test_a_service_that_was_retired_is_watched_no_longer(one: OpsLedger) -> None:
    run(one)
    act(one, "2026-03-01T12:00:00Z", service.retire, "platform")
    assert [each for each in findings(one) if each[1] != "category_unwatched"] == []
    assert {row["expected_until"] for row in told(one, "monitor_source")} == {at("2026-03-01T12:00:00Z")}
    assert told(one, "slo_coverage") == []
    live_is_rebuilt(one)


def test_a_monitor_may_be_silent_as_long_as_it_says_if_that_is_a_day_or_more(one: OpsLedger) -> None:
    run(one, silent_after_s=180)
    watch(one, "scanner", "security", silent_after_s=8 * 86_400)
    act(one, "2026-03-05T11:57:00Z", monitor.hear, "outside")
    stale = {row["source"]: row["stale_from"] for row in told(one, "monitor_source")}
    assert (stale["outside@eu"], stale["scanner"]) == (at("2026-03-06T11:57:00Z"), at("2026-03-09T00:00:00Z"))


# Signs.

SIGNS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=8).map(
    lambda pairs: [Sign(first * DAY // 4, (first + length) * DAY // 4, n) for n, (first, length) in enumerate(pairs)]
)


@given(SIGNS, st.randoms(use_true_random=False), st.integers(4, 9))
@settings(max_examples=30)
def test_signs_come_to_the_same_in_any_order_and_silences_are_those_of_every_single_one(
    signs: list[Sign], chance: Any, quarters: int
) -> None:
    kept: list[Sign] = []
    for sign in signs:
        heard(kept, sign)
    shuffled, again = list(signs), []
    chance.shuffle(shuffled)
    for sign in shuffled:
        heard(again, sign)
    assert kept == again == sorted(kept)
    limit, life = quarters * DAY // 4, (0, 100 * DAY)
    silences = list(missing([life], alive(*life, limit, kept)))
    assert silences == list(missing([life], alive(*life, limit, signs)))
