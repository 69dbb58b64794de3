"""Hypothesis strategies: places where local clocks jump, business calendars, and what happens to tickets and incidents.

    @given(ticket_histories())
    def test_my_projection_takes_every_history(facts): ...

Needs the `hypothesis` package, which nothing else here does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

from hypothesis import strategies as st

from opsledger.domain import incident, ticket
from opsledger.policies.calendar import CalendarDefinition
from opsledger.policies.instants import DAY_S, SECOND, parse
from opsledger.policies.support import LEVELS, PAUSES, Priority
from opsledger.policies.zones import local_time
from opsledger.testing.spec import Spec, at

__all__ = ["Step", "calendars", "hours", "incident_steps", "places", "ticket_histories", "ticket_steps", "zones"]

NOTORIOUS: Final = (
    ("America/Asuncion", "2024-10-06T04:00:00Z"),  # a gap at midnight
    ("America/Caracas", "2016-05-01T07:00:00Z"),  # half an hour forward, for good
    ("America/Havana", "2024-11-03T05:00:00Z"),  # a fold from one to midnight
    ("America/New_York", "2024-03-10T07:00:00Z"),
    ("America/New_York", "2024-11-03T06:00:00Z"),
    ("America/Nuuk", "2024-10-27T01:00:00Z"),  # a fold that ends at midnight
    ("America/Santiago", "2024-09-08T04:00:00Z"),  # a gap at midnight
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # a gap at midnight
    ("America/St_Johns", "2010-11-07T02:31:00Z"),  # a minute past midnight, back into the day before
    ("Africa/Casablanca", "2025-02-23T02:00:00Z"),  # back for Ramadan
    ("Africa/Monrovia", "1972-01-07T00:44:30Z"),  # by three quarters of an hour and half a minute less
    ("Antarctica/Casey", "2020-10-03T16:01:00Z"),  # three hours
    ("Antarctica/Troll", "2024-03-31T01:00:00Z"),  # two hours
    ("Asia/Beirut", "2024-03-30T22:00:00Z"),  # a gap at midnight
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),  # a quarter of an hour
    ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),  # half an hour
    ("Asia/Tehran", "2022-09-21T19:30:00Z"),  # a fold that ends at midnight
    ("Australia/Lord_Howe", "2024-10-05T15:30:00Z"),  # half an hour
    ("Australia/Lord_Howe", "2025-04-05T15:00:00Z"),
    ("Europe/Berlin", "2024-10-27T01:00:00Z"),
    ("Europe/Dublin", "2024-03-31T01:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),  # a day that never was
    ("Pacific/Kiritimati", "1994-12-31T10:00:00Z"),  # another
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),  # another
)
"""Zones with an instant at which their clocks did something that calendars get wrong."""

_FIRST_YEAR: Final = 1973  # since then all offsets are whole minutes
_LAST_YEAR: Final = 2037
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Step = tuple[Callable[..., Any], dict[str, Any]]
"""A decision with its arguments."""


def zones() -> st.SearchStrategy[str]:
    """Give the name of any zone of the installed tz database."""
    return st.sampled_from(_zones())


@st.composite
def places(draw: st.DrawFn) -> tuple[str, int]:
    """Give a zone and a UTC second, most often within two days of a change of the zone's offset."""
    zone, second = draw(st.one_of(st.sampled_from(NOTORIOUS).map(_second), _anywhere()))
    return zone, second + draw(st.integers(-96, 96)) * 1800


@st.composite
def _anywhere(draw: st.DrawFn) -> tuple[str, int]:
    zone = draw(zones())
    year = int(datetime(draw(st.integers(_FIRST_YEAR, _LAST_YEAR)), 1, 1, tzinfo=UTC).timestamp())
    changes = local_time(zone, year, year + 365 * DAY_S).starts[1:]
    return zone, draw(st.sampled_from(changes) if changes else st.integers(0, 364).map(lambda day: year + day * DAY_S))


@st.composite
def hours(draw: st.DrawFn, grain: int = 15) -> tuple[str, str]:
    """Give hours of one day as text: ("22:00", "30:00"). Wall times are multiples of `grain` minutes, often near midnight."""
    most = 48 * 60 // grain
    near = st.sampled_from([0, 1, 2, 3, 22, 23, 24, 25]).map(lambda hour: hour * 60 // grain)
    low = draw(st.one_of(near, st.integers(0, most - 1)))
    high = draw(st.integers(low + 1, min(most, low + 26 * 60 // grain)))
    return _wall(low * grain), _wall(high * grain)


@st.composite
def calendars(draw: st.DrawFn, zone: str, around: int, *, grain: int = 15, always: bool = True) -> CalendarDefinition:
    """Give business hours in a zone, with holidays, shifts and breaks in the days around a UTC second.

    Hours may overlap, run past midnight, or lie in a break altogether. `always` lets 24x7 be one of them.
    """
    some = st.lists(hours(grain), max_size=3).map(tuple)
    weekly = st.dictionaries(st.sampled_from(_WEEKDAYS), some.filter(bool), min_size=1)
    day = date.fromordinal(date(1970, 1, 1).toordinal() + around // DAY_S)
    dates = st.integers(-6, 6).map(lambda days: day + timedelta(days=days))
    opens = draw(st.one_of(st.none(), weekly, weekly, weekly) if always else weekly)
    given = {
        "zone": zone,
        "weekly": opens,
        "holidays": draw(st.lists(dates, max_size=3, unique=True).map(tuple)),
        "shifts": {} if opens is None else draw(st.dictionaries(dates, some, max_size=3)),
        "breaks": draw(st.dictionaries(dates, some, max_size=2)),
    }
    return CalendarDefinition.model_validate(given)


def ticket_steps() -> st.SearchStrategy[Step]:
    """Give a decision on a registered ticket, with arguments."""
    nothing: st.SearchStrategy[dict[str, Any]] = st.just({})
    maybe = st.booleans()
    choices: list[tuple[Callable[..., Any], st.SearchStrategy[dict[str, Any]]]] = [
        (ticket.acknowledge, st.fixed_dictionaries({"automatic": maybe})),
        (ticket.classify, st.fixed_dictionaries({"category": st.sampled_from(["report", "login"])})),
        (ticket.prioritize, st.fixed_dictionaries({"priority": st.sampled_from(Priority)})),
        (ticket.assign, st.fixed_dictionaries({"group": st.sampled_from(["desk", "data"])})),
        (ticket.escalate, st.fixed_dictionaries({"level": st.sampled_from(LEVELS)})),
        (ticket.pause, st.fixed_dictionaries({"reason": st.sampled_from(PAUSES)})),
        (ticket.resume, nothing),
        (ticket.respond, nothing),
        (ticket.update_customer, nothing),
        (ticket.hear_from_customer, nothing),
        (ticket.note, st.just({"text": "looked at it"})),
        (ticket.resolve, nothing),
        (ticket.verify_solution, st.fixed_dictionaries({"accepted": maybe})),
        (ticket.close, nothing),
        (ticket.reopen, nothing),
        (ticket.send_survey, nothing),
        (ticket.answer_survey, st.fixed_dictionaries({"score": st.integers(1, 5)})),
        (ticket.cancel, nothing),
        (ticket.mark_spam, nothing),
    ]
    ends = (ticket.cancel, ticket.mark_spam)
    often = [choice for choice in choices if choice[0] not in ends] * 3 + choices
    return st.sampled_from(often).flatmap(lambda choice: st.tuples(st.just(choice[0]), choice[1]))


def incident_steps() -> st.SearchStrategy[Step]:
    """Give a decision on a declared incident, with arguments."""
    people, services, items = (st.sampled_from(names) for names in (["p-1", "p-2", "p-3"], ["api", "web"], ["A-1", "A-2"]))
    role = {"role": st.sampled_from(["commander", "scribe", "responder"]), "person_id": people}
    often: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
        (incident.acknowledge, {}),
        (incident.mitigate, {}),
        (incident.resolve, {}),
        (incident.reopen, {}),
        (incident.close, {}),
        (incident.change_severity, {"severity": st.sampled_from(incident.SEVERITIES)}),
        (incident.assign_role, role),
        (incident.release_role, role),
        (incident.affect_service, {"service_id": services}),
        (incident.restore_service, {"service_id": services}),
    ]
    seldom: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
        (incident.triage, {"category": st.sampled_from(["capacity", None])}),
        (incident.open_war_room, {}),
        (incident.close_war_room, {}),
        (incident.unacknowledge, {"cause": st.sampled_from(["timeout", "person"])}),
        (incident.publish_status, {"audience": st.just("public"), "phase": st.sampled_from(["investigating", "resolved"])}),
        (incident.identify_root_cause, {"cause": st.just("A missing index")}),
        (incident.validate_fix, {}),
        (incident.advance_rollout, {"rollout_pct": st.sampled_from([-1, 0, 50, 100])}),
        (incident.hold_review, {}),
        (incident.open_action_item, {"item_id": items, "description": st.just("Do it")}),
        (incident.complete_action_item, {"item_id": items}),
        (incident.drop_action_item, {"item_id": items}),
    ]
    return st.sampled_from([*often, *often, *seldom]).flatmap(lambda step: st.tuples(st.just(step[0]), st.fixed_dictionaries(step[1])))


@st.composite
def ticket_histories(draw: st.DrawFn, spec: Spec | None = None, *, since: str = "2026-03-02T09:00:00Z", steps: int = 20) -> tuple[Any, ...]:
    """Give the facts of one ticket in the order of recording: what its decisions returned, some of it typed in late.

    Deadlines are looked at now and then. `spec` says by which policies and calendars (default: those of a new ledger).
    """
    spec = spec or Spec("ticket:T-1")
    now = at(since)
    priority = draw(st.sampled_from(Priority))
    asked = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": priority, "summary": "It is broken"}
    facts = spec.when(ticket.register, at=now, **asked).facts
    for _ in range(draw(st.integers(0, steps))):
        now += timedelta(seconds=draw(st.integers(0, 6 * 3600)))
        late = draw(st.sampled_from([0, 0, 0, 1, 600, 7200]))
        decision, arguments = draw(st.one_of(ticket_steps(), st.just((ticket.observe_deadlines, {}))))
        happened = now if decision is ticket.observe_deadlines else max(at(since), now - timedelta(seconds=late))
        facts += spec.given(*facts).when(decision, at=happened, **arguments).facts
    return facts


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted((files("tzdata") / "zones").read_text(encoding="utf-8").split()))


def _second(place: tuple[str, str]) -> tuple[str, int]:
    return place[0], parse(place[1]) // SECOND


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
