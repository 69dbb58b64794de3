"""Any history of a service: its cells add up to every month, and each minute is what a slow look at it alone says.

Facts come in any order, also late; the slow look asks minute by minute and shares no code with what it checks, but for the judgement
of maintenance, which has tests of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger.domain import incident, ledger, maintenance, monitor, outage, probe, service, slo
from opsledger.domain.months import months_of
from opsledger.domain.recorded import in_business_order
from opsledger.policies.instants import micros
from opsledger.policies.known import Known
from opsledger.policies.operating_model import default_model
from opsledger.projections.availability.intervals import AVAILABILITY_INTERVAL, SLA_MONTH, fold, rows, start, subjects
from opsledger.projections.maintenance import windows
from opsledger.testing import at
from opsledger.testing.spec import Spec, known_with, recorded

BEGIN = at("2026-03-31T12:00:00Z")
MINUTES = 24 * 60  # half a day of March, half a day of April
MINUTE_US = 60_000_000
LOCATIONS = ("eu", "us")
STATES: list[probe.State] = ["up", "degraded", "down", "unknown"]
RANK = ["up", "unknown", "degraded", "down"]
BY_SEVERITY = {"critical": "down", "high": "down", "medium": "degraded", "low": "up"}
PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2", "reason": "A test"}

MODEL = default_model()
KNOWN: Known = known_with(
    MODEL.model_copy(
        update={
            "availability": MODEL.availability.model_copy(update={"minimum_outage": 300, "degraded_weight_pct": Decimal("33.3")}),
            "maintenance": MODEL.maintenance.model_copy(
                update={"weekday": "wed", "slot_from": "00:00", "slot_until": "24:00", "notice": 0}
            ),
        }
    )
)


def minute(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


@dataclass
class History:
    """What happened, in the order of recording, beside what the slow look needs to know of it."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    words: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)  # by location: minute, place, state
    covered: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    silent_after: int | None = None
    incidents: list[tuple[int, int, str]] = field(default_factory=list)
    reclassified: list[tuple[int, int, str]] = field(default_factory=list)

    def states(self) -> dict[str, Any]:
        """Fold every stream alone, as the engine does."""
        by_stream: dict[str, list[Any]] = {}
        for position, (stream, fact) in enumerate(self.told, KNOWN.position + 1):
            facts = by_stream.setdefault(stream, [])
            facts.append(recorded(fact, stream, len(facts) + 1, position))
        found = {}
        for stream, facts in sorted(by_stream.items()):
            state = start(stream)
            for each in in_business_order(facts):
                state = fold(state, each)
            found[stream] = state
        return found


minutes = st.integers(0, MINUTES - 1)


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    low = draw(minutes)
    return low, draw(st.integers(low + 1, MINUTES))


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, slo.MeasuredBy]:
    """Give a history of half a day of March and half a day of April, told in any order."""
    made = History(silent_after=draw(st.sampled_from([None, 30, 300])))
    watching: dict[str, Any] = {"category": "infrastructure", "tool": "t", "check": "http", "services": ("api",), "locations": LOCATIONS}
    seconds = None if made.silent_after is None else made.silent_after * 60
    measured_by: slo.MeasuredBy = draw(st.sampled_from(["probes", "incidents", "both"]))
    told: list[tuple[str, Any]] = [
        ("monitor:m", monitor.Registered(registered_at=BEGIN, silent_after_s=seconds, **watching)),
        ("service:api", service.Registered(registered_at=BEGIN, name="API", kind="api", owner_id="t-1")),
        ("slo:api", objective(measured_by)),
        ("ledger:self", ledger.DayClosed(closed_at=at("2026-04-02T00:00:00Z"), day=at("2026-03-31").date())),
        ("service:api", service.Retired(retired_at=minute(MINUTES))),
    ]
    for location in LOCATIONS:
        for place, (when, state) in enumerate(draw(st.lists(st.tuples(minutes, st.sampled_from(STATES)), max_size=10))):
            fact = probe.StateChanged(changed_at=minute(when), service_id="api", location=location, state=state)
            told.append((probe.stream_of("api", location, minute(when)), fact))
            made.words.setdefault(location, []).append((when, place, state))
        for low, high in draw(st.lists(spans(), max_size=2)):
            coverage = probe.Covered(covered_until=minute(high), covered_from=minute(low), service_id="api", location=location)
            told.append((probe.stream_of("api", location, minute(low)), coverage))
            made.covered.setdefault(location, []).append((low, high))
    for number, ((low, high), severity) in enumerate(draw(st.lists(st.tuples(spans(), st.sampled_from(incident.SEVERITIES)), max_size=2))):
        told += outage_of(number, low, high, severity)
        made.incidents.append((low, high, severity))
    for number, (low, high) in enumerate(draw(st.lists(spans(), max_size=2))):
        told += window_of(number, low, high)
    groups = draw(st.permutations(by_stream(told)))
    made.told = [each for group in groups for each in group]
    for (low, high), now in draw(
        st.lists(st.tuples(spans(), st.sampled_from(["up", "degraded", "down", "unknown", "excluded"])), max_size=2)
    ):
        made.told.append(("outage:api", reclassification(low, high, now)))
        made.reclassified.append((low, high, now))
    return made, measured_by


def by_stream(told: list[tuple[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Keep the facts of a stream together: where two happened at once, the order in which they were recorded counts."""
    return [[each for each in told if each[0] == stream] for stream in dict.fromkeys(stream for stream, _ in told)]


def objective(measured_by: slo.MeasuredBy) -> slo.Published:
    return slo.Published(
        published_at=BEGIN,
        version=1,
        service_id="api",
        effective_from=BEGIN,
        objective="availability",
        target_pct=Decimal("99.95"),
        window="calendar_month",
        rolling_days=None,
        months=months_of("UTC"),
        measured_by=measured_by,
        excludes_maintenance=True,
        **PEOPLE,
    )


def outage_of(number: int, low: int, high: int, severity: incident.Severity) -> list[tuple[str, Any]]:
    stream = f"incident:I-{number}"
    declared = incident.Declared(
        declared_at=minute(low),
        detection_source="monitoring",
        severity=severity,
        detected_at=minute(low),
        impact_started_at=minute(low),
        services=("api",),
        subject_id=stream,
        title="It is down",
    )
    return [(stream, declared), (stream, incident.Resolved(resolved_at=minute(high), subject_id=stream))]


def window_of(number: int, low: int, high: int) -> list[tuple[str, Any]]:
    """Plan maintenance two days before, tell customers, do it: whether it qualifies is for the rules to say."""
    spec = Spec(f"maintenance:M-{number}", KNOWN)
    asked = {"services": ("api",), "title": "Disks", "start_at": minute(low), "end_at": minute(high)}
    facts = spec.when(maintenance.schedule, at=at("2026-03-29"), **asked).facts
    facts += spec.given(*facts).when(maintenance.notify, at=at("2026-03-29"), audience="customers", channel="email").facts
    facts += spec.given(*facts).when(maintenance.start, at=minute(low)).facts
    facts += spec.given(*facts).when(maintenance.complete, at=minute(high)).facts
    return [(spec.stream, fact) for fact in facts]


def reclassification(low: int, high: int, now: outage.Class) -> outage.Reclassified:
    return outage.Reclassified(
        reclassified_at=minute(MINUTES),
        service_id="api",
        start_at=minute(low),
        end_at=minute(high),
        was="down" if now != "down" else "up",
        now=now,
        requested_by="u-1",
        approved_by="u-2",
        subject_id="outage:api",
        reason="A test",
    )


# The slow look, minute by minute.


def said_by(history: History, location: str, now: int) -> str:
    """Return what a location says in a minute: its newest word, unless nothing has been heard of it for too long."""
    words = sorted(word for word in history.words.get(location, []) if word[0] <= now)
    if not words:
        return "unknown"
    if history.silent_after is not None:
        heard = [words[-1][0], *(min(now, high) for low, high in history.covered.get(location, []) if low <= now)]
        if now - max(heard) >= history.silent_after:
            return "unknown"
    return words[-1][2]


def voted(history: History, now: int) -> str:
    said = [said_by(history, location, now) for location in LOCATIONS]
    speaking = [each for each in said if each != "unknown"]
    if len(speaking) < 2:
        return "unknown"
    if speaking.count("down") >= 2:
        return "down"
    return "degraded" if speaking.count("down") + speaking.count("degraded") >= 2 else "up"


def states_of(history: History, measured_by: slo.MeasuredBy) -> list[str]:
    """Return the state of every minute, as reclassified last."""
    found = []
    for now in range(MINUTES):
        said = ["up" if measured_by == "incidents" else voted(history, now)]
        if measured_by != "probes":
            said += [BY_SEVERITY[severity] for low, high, severity in history.incidents if low <= now < high]
        state = max(said, key=RANK.index)
        for low, high, corrected in history.reclassified:
            if low <= now < high and corrected != "excluded":
                state = corrected
        found.append(state)
    return found


def forgiven_of(states: list[str]) -> set[int]:
    """Return the minutes of outages that are shorter than five minutes."""
    found: set[int] = set()
    run: list[int] = []
    for now, state in enumerate([*states, "up"]):
        if state == "down":
            run.append(now)
        else:
            found |= set(run) if len(run) < 5 else set()
            run = []
    return found


def excluded_of(history: History, verdicts: Any) -> list[bool]:
    planned = [span for verdict in verdicts for span in verdict.excluded]
    found = []
    for now in range(MINUTES):
        instant = micros(minute(now))
        excluded = any(low <= instant < high for low, high in planned)
        for low, high, corrected in history.reclassified:
            if low <= now < high:
                excluded = corrected == "excluded"
        found.append(excluded)
    return found


@settings(max_examples=150)
@given(histories())
def test_every_minute_is_what_a_slow_look_at_it_says_and_the_cells_add_up_to_every_month(told: tuple[History, slo.MeasuredBy]) -> None:
    history, measured_by = told
    states = history.states()
    made = rows("api", states, KNOWN)
    intervals = [
        dict(zip([column.name for column in AVAILABILITY_INTERVAL.columns], row, strict=True)) for row in made["availability_interval"]
    ]
    months = [dict(zip([column.name for column in SLA_MONTH.columns], row, strict=True)) for row in made["sla_month"]]

    expected = states_of(history, measured_by)
    forgiven = forgiven_of(expected)
    excluded = excluded_of(
        history, windows.verdicts_of([each.told for name, each in states.items() if name.startswith("maintenance:")], KNOWN)
    )
    for row in intervals:
        for instant in range(row["from_at"], row["to_at"], MINUTE_US):
            now = (instant - micros(BEGIN)) // MINUTE_US
            assert (row["state"], row["excluded"]) == (expected[now], excluded[now]), minute(now)
            assert row["counts_as"] == ("up" if now in forgiven else expected[now])

    assert [(row["month"], row["period_us"]) for row in months] == [("2026-03", 720 * MINUTE_US), ("2026-04", 720 * MINUTE_US)]
    for row, span in zip(months, (range(720), range(720, MINUTES)), strict=True):
        cells = ("up_unscheduled_us", "up_scheduled_us", "down_unscheduled_us", "down_scheduled_us", "unknown_us")
        assert sum(row[name] for name in cells) == row["period_us"]
        assert row["known_us"] + row["unknown_us"] == row["period_us"]
        counted = [now for now in span if expected[now] == "down" and now not in forgiven]
        assert row["down_scheduled_us"] == sum(excluded[now] for now in counted) * MINUTE_US
        assert row["down_unscheduled_us"] == sum(not excluded[now] for now in counted) * MINUTE_US
        assert row["maintenance_excluded_us"] == sum(excluded[now] for now in span) * MINUTE_US
        assert sum(each["to_at"] - each["from_at"] for each in intervals if each["month"] == row["month"]) == row["period_us"]


@settings(max_examples=40)
@given(histories(), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_the_order_in_which_streams_are_given_nor_change_the_states(told: Any, dice: Any) -> None:
    history, _ = told
    states = history.states()
    before = rows("api", states, KNOWN)
    shuffled = list(states.items())
    dice.shuffle(shuffled)
    assert rows("api", dict(sorted(shuffled)), KNOWN) == before
    assert rows("api", states, KNOWN) == before
    assert {"api"} == {subject for state in states.values() for subject in subjects(state)}
