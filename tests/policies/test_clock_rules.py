"""The clocks of the operating model, rule by rule, on dates written out.

All of it happens on Monday 3 June 2024 unless a date is given. Business hours are 09:00 to 17:00 UTC, Monday to Friday.
"""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from opsledger.policies import documents
from opsledger.policies.calendar import BusinessTime, CalendarDefinition, compile_calendar
from opsledger.policies.clock import Clock
from opsledger.policies.clocks import Clocks, run
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.metric import Rules, Signal
from opsledger.policies.operating_model import OperatingModel, default_model

BEGIN = parse("2024-01-01") // SECOND
OFFICE = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "17:00"),))
CALENDARS = {
    "always": CalendarDefinition(zone="UTC", weekly=None),
    "business": CalendarDefinition(zone="UTC", weekly=OFFICE),
}


class Known:
    """The default model and others beside it, with calendars for a year."""

    def __init__(self, **models: OperatingModel) -> None:
        self._models = {"v1": default_model(), **models}
        self._times = {name: BusinessTime(compile_calendar(each, BEGIN, BEGIN + 366 * DAY_S)) for name, each in CALENDARS.items()}

    def rules(self, ref: str) -> Rules:
        return self._models[ref].support.rules

    def calendar(self, name: str) -> BusinessTime:
        return self._times[name]


def at(text: str) -> int:
    """Return "10:00" of the Monday, or "06-04 10:00" of another day, with seconds and more if given."""
    day, _, wall = text.rpartition(" ")
    return parse(f"2024-{day or '06-03'}T{wall if wall.count(':') == 2 else wall + ':00'}Z")


def heard(*said: str, priority: str = "high", known: Known | None = None, born: str = "10:00", policy: str = "v1") -> Clocks:
    """Return the clocks of a thing created at ten, after signals such as "10:30 agent_reply" or "10:40 paused on_hold"."""
    signals = [
        Signal(at(born), 1, "policy", policy),
        Signal(at(born), 2, "created", priority),
        Signal(at(born), 3, "level_entered", "l1"),
    ]
    for position, each in enumerate(said, 4):
        words = each.split(" ")
        date, (wall, kind, *value) = (words[0] + " ", words[1:]) if words[0].count("-") else ("", words)
        signals.append(Signal(at(date + wall), position, kind, *value))
    return run(signals, known or Known())


def clock(clocks: Clocks, metric: str = "resolution") -> Clock:
    found = clocks.current(metric)
    assert found is not None, f"no clock of {metric}"
    return found


def due(each: Clock) -> str | None:
    instant = each.due()[0]
    return None if instant is None else iso(instant)[5:19].replace("T", " ")


def changed(**support: Any) -> OperatingModel:
    """Return the default model with parts of its support section replaced, by their paths with __ for dots."""
    document = json.loads(documents.canonical(default_model()))
    for path, value in support.items():
        *to, last = path.split("__")
        here = document["support"]
        for name in to:
            here = here[name]
        here[last] = value
    return documents.read(OperatingModel, json.dumps(document))


# On the line.


@pytest.mark.parametrize(
    ("replied", "outcome"), [("10:59:59.999999", "met"), ("11:00:00", "met"), ("11:00:00.000001", "breached"), ("11:00:01", "breached")]
)
def test_exactly_on_the_target_is_met_and_one_microsecond_more_is_breached(replied: str, outcome: str) -> None:
    stopped = clock(heard(f"{replied} agent_reply"), "first_response")
    assert stopped.reading(at("12:00")).outcome == outcome


@pytest.mark.parametrize(("as_of", "outcome"), [("10:59:59.999999", "running"), ("11:00:00", "overdue"), ("11:00:00.000001", "overdue")])
def test_an_open_clock_is_overdue_from_the_instant_at_which_more_would_run(as_of: str, outcome: str) -> None:
    assert clock(heard(), "first_response").reading(at(as_of)).outcome == outcome


def test_a_target_that_ends_at_closing_is_due_at_closing_and_breached_at_the_next_opening() -> None:
    model = changed(tiers__high__targets__first_response={"within": "7 h", "calendar": "business"})
    open_clock = clock(heard(known=Known(v1=model)), "first_response")
    assert [iso(each)[5:16] for each in open_clock.due() if each] == ["06-03T17:00", "06-04T09:00"]
    assert open_clock.reading(at("06-04 08:59:59")).outcome == "running"
    assert open_clock.reading(at("06-04 09:00")).outcome == "overdue"
    stopped = clock(heard("06-04 09:00 agent_reply", known=Known(v1=model)), "first_response")
    assert stopped.reading(at("06-04 09:00")).outcome == "met"


# Pauses.


def test_a_pause_holds_the_resolution_clock_and_not_the_response_clock() -> None:
    clocks = heard("10:20 paused awaiting_customer", "11:20 resumed")
    assert due(clock(clocks)) == "06-03 19:00:00"
    assert due(clock(clocks, "first_response")) == "06-03 11:00:00"


def test_a_pause_of_our_own_holds_nothing() -> None:
    assert due(clock(heard("10:20 paused on_hold", "11:20 resumed"))) == "06-03 18:00:00"


def test_a_held_clock_has_no_due_time_before_it_goes_on() -> None:
    assert due(clock(heard("10:20 paused awaiting_vendor"))) is None


def test_from_one_pause_that_holds_into_another_the_clock_stays_held() -> None:
    held = clock(heard("10:20 paused awaiting_vendor", "10:40 paused awaiting_customer", "11:20 resumed"))
    assert held.reading(at("12:00")).paused == 3600 * SECOND


def test_a_pause_that_turns_into_one_of_our_own_lets_the_clock_go_on() -> None:
    went_on = clock(heard("10:20 paused awaiting_vendor", "10:40 paused on_hold"))
    assert went_on.reading(at("12:00"))[3:] == (6000 * SECOND, 1200 * SECOND)


def test_a_pause_outside_business_hours_holds_no_business_time() -> None:
    known = Known(v1=changed(tiers__high__targets__resolution={"within": "8 h", "calendar": "business"}))
    held = clock(heard("16:00 paused awaiting_customer", "06-04 10:00 resumed", known=known))
    assert held.reading(at("06-04 10:00"))[3:] == (6 * 3600 * SECOND, 2 * 3600 * SECOND)
    assert due(held) == "06-04 12:00:00"


def test_a_thing_born_waiting_starts_held() -> None:
    signals = [Signal(0, 1, "policy", "v1"), Signal(0, 2, "paused", "awaiting_customer"), Signal(0, 3, "created", "high")]
    born = [signal._replace(at=at("10:00")) for signal in signals]
    waiting = clock(run([*born, Signal(at("11:00"), 4, "resumed")], Known()))
    assert waiting.reading(at("11:00"))[3:] == (0, 3600 * SECOND)
    assert due(waiting) == "06-03 19:00:00"


# Priority.


def test_a_change_of_priority_keeps_the_elapsed_time_and_takes_the_other_target() -> None:
    raised = clock(heard("11:00 priority_changed critical"))
    assert raised.reading(at("11:00")).elapsed == 3600 * SECOND
    assert due(raised) == "06-03 14:00:00"


def test_raised_when_the_new_target_has_run_already_the_breach_dates_from_the_change() -> None:
    raised = clock(heard("15:30 priority_changed critical"))
    assert [iso(each)[11:16] for each in raised.due() if each] == ["14:00", "15:30"]
    assert raised.earlier_breaches == []


def test_a_breach_of_an_earlier_target_stands_after_the_priority_is_lowered() -> None:
    lowered = clock(heard("14:30 priority_changed medium", "15:00 resolved", priority="critical"))
    assert lowered.earlier_breaches == [(4 * 3600 * SECOND, at("14:00"))]
    assert lowered.reading(at("15:00")).outcome == "breached"


def test_by_another_rule_an_earlier_breach_is_erased() -> None:
    known = Known(v1=changed(earlier_breach="erased"))
    lowered = clock(heard("14:30 priority_changed medium", "15:00 resolved", priority="critical", known=known))
    assert lowered.reading(at("15:00")).outcome == "met"


def test_lowered_exactly_on_the_target_there_was_no_breach() -> None:
    assert clock(heard("14:00 priority_changed medium", priority="critical")).earlier_breaches == []


def test_by_the_rule_of_restart_a_change_of_priority_starts_the_clock_again() -> None:
    clocks = heard("11:00 priority_changed critical", known=Known(v1=changed(priority_change="restart")))
    before, now = (each for each in clocks if each.metric.name == "resolution")
    assert (before.reading(at("12:00")).outcome, before.stopped_at) == ("cancelled", at("11:00"))
    assert (now.cycle, due(now)) == (2, "06-03 15:00:00")


def test_what_is_not_promised_becomes_promised_at_a_change_of_priority_from_that_moment() -> None:
    clocks = heard("10:10 agent_reply", "11:00 priority_changed high", priority="low")
    cadence = clock(clocks, "update_cadence")
    assert (cadence.started_at, cadence.cycle, due(cadence)) == (at("11:00"), 1, "06-03 13:00:00")


def test_what_was_not_promised_when_it_was_resolved_is_promised_after_reopening_as_soon_as_it_has_a_target() -> None:
    clocks = heard("10:10 agent_reply", "10:20 resolved", "10:30 priority_changed high", "10:40 reopened", priority="low")
    assert due(clock(clocks, "update_cadence")) == "06-03 12:40:00"
    clocks = heard("10:10 agent_reply", "10:20 resolved", "10:40 reopened", "11:00 priority_changed high", priority="low")
    assert due(clock(clocks, "update_cadence")) == "06-03 13:00:00"


def test_what_is_promised_no_more_ends_without_a_verdict() -> None:
    cadence = clock(heard("10:10 agent_reply", "11:00 priority_changed low"), "update_cadence")
    assert cadence.reading(at("20:00")).outcome == "cancelled"


# Turns.


def test_each_update_to_the_customer_starts_the_next_stretch() -> None:
    clocks = heard("10:10 agent_reply", "12:00 public_update", "15:00 agent_reply")
    turns = [(each.cycle, each.reading(at("15:30")).outcome) for each in clocks if each.metric.name == "update_cadence"]
    assert turns == [(1, "met"), (2, "breached"), (3, "running")]
    assert due(clock(clocks, "update_cadence")) == "06-03 17:00:00"


def test_before_the_first_response_no_update_is_owed() -> None:
    assert heard("10:05 public_update").current("update_cadence") is None


def test_while_the_customer_was_asked_something_no_update_is_owed() -> None:
    assert due(clock(heard("10:10 agent_reply", "10:10 paused awaiting_customer"), "update_cadence")) is None
    assert due(clock(heard("10:10 agent_reply", "10:10 paused awaiting_vendor"), "update_cadence")) == "06-03 12:10:00"


def promising(metric: str) -> Known:
    return Known(v1=changed(**{f"tiers__high__targets__{metric}": {"within": "30 min", "calendar": "always"}}))


def test_a_next_response_is_owed_from_the_oldest_unanswered_message_after_our_first_answer() -> None:
    known = promising("next_response")
    assert heard("10:10 customer_reply", known=known).current("next_response") is None
    clocks = heard("10:10 agent_reply", "11:00 customer_reply", "11:20 customer_reply", known=known)
    assert due(clock(clocks, "next_response")) == "06-03 11:30:00"
    clocks = heard("10:10 agent_reply", "11:00 customer_reply", "11:30 agent_reply", "12:00 customer_reply", known=known)
    turns = [(each.cycle, each.reading(at("12:10")).outcome) for each in clocks if each.metric.name == "next_response"]
    assert turns == [(1, "met"), (2, "running")]


def test_a_reply_to_the_customer_is_owed_from_the_creation_on() -> None:
    clocks = heard(
        "10:10 customer_reply", "10:25 agent_reply", "11:00 customer_reply", "11:10 public_update", known=promising("reply_to_customer")
    )
    turns = [(iso(each.started_at)[11:16], each.reading(at("12:00")).outcome) for each in clocks if each.metric.name == "reply_to_customer"]
    assert turns == [("10:00", "met"), ("11:00", "met")]


def test_each_level_of_support_has_a_clock_of_its_own() -> None:
    clocks = heard("11:00 level_entered l2", "12:00 level_entered engineering")
    levels = [(each.level, due(each)) for each in clocks if each.metric.name == "escalation"]
    assert levels == [("l1", "06-03 12:00:00"), ("l2", "06-03 15:00:00"), ("engineering", "06-03 20:00:00")]


def test_a_ticket_that_changed_its_level_while_it_was_resolved_counts_on_the_new_level_when_it_is_reopened() -> None:
    clocks = heard("10:30 resolved", "10:40 level_entered engineering", "11:00 reopened")
    assert (clock(clocks, "escalation").level, due(clock(clocks, "escalation"))) == ("engineering", "06-03 19:00:00")


# Reopening.


def reopening(rule: str) -> Clocks:
    """Ten to eleven, resolved until three, reopened: one hour before, four hours between; the target is eight."""
    return heard("11:00 resolved", "15:00 reopened", known=Known(v1=changed(metrics__resolution__reopen=rule)))


def test_a_reopened_clock_resumes_and_the_time_between_is_not_counted() -> None:
    assert due(clock(reopening("resume"))) == "06-03 22:00:00"


def test_a_reopened_clock_may_begin_a_new_cycle_and_the_first_verdict_stays() -> None:
    first, second = (each for each in reopening("new_cycle") if each.metric.name == "resolution")
    assert (first.reading(at("16:00")).outcome, first.stopped_at) == ("met", at("11:00"))
    assert (second.cycle, due(second)) == (2, "06-03 23:00:00")


def test_of_a_reopened_thing_the_first_resolution_may_be_all_that_counts() -> None:
    assert clock(reopening("first_only")).stopped_at == at("11:00")


def test_a_reopened_clock_may_count_through_as_if_it_had_never_stopped() -> None:
    counting = clock(reopening("count_through"))
    assert counting.reading(at("15:00")).elapsed == 5 * 3600 * SECOND
    assert due(counting) == "06-03 18:00:00"


def test_a_breach_that_only_counting_through_makes_is_known_from_the_reopening() -> None:
    late = heard("11:00 resolved", "20:00 reopened", known=Known(v1=changed(metrics__resolution__reopen="count_through")))
    assert [iso(each)[11:16] for each in clock(late).due() if each] == ["18:00", "20:00"]


def test_closing_without_resolving_counts_as_resolving() -> None:
    assert clock(heard("12:00 closed")).reading(at("13:00")).outcome == "met"
    assert clock(heard("12:00 resolved", "19:00 closed")).stopped_at == at("12:00")


# Ends without a verdict.


def test_cancelling_ends_open_clocks_and_leaves_those_that_stopped() -> None:
    clocks = heard("10:30 agent_reply", "12:00 cancelled")
    assert clock(clocks).reading(at("13:00")).outcome == "cancelled"
    assert clock(clocks, "first_response").reading(at("13:00")).outcome == "met"


def test_what_never_was_a_request_has_no_verdict_at_all() -> None:
    clocks = heard("10:30 agent_reply", "12:00 voided")
    assert {each.reading(at("13:00")).outcome for each in clocks} == {"cancelled"}


def test_after_the_end_nothing_starts() -> None:
    ended = heard("10:30 cancelled", "11:00 agent_reply", "11:30 customer_reply", "12:00 level_entered l2", "12:30 priority_changed low")
    assert not any(each.live for each in ended)


# Another policy.


def test_a_policy_published_meanwhile_changes_nothing_before_it_is_assigned() -> None:
    known = Known(v2=changed(tiers__high__targets__resolution={"within": "16 h", "calendar": "always"}))
    assert due(clock(heard(known=known))) == "06-03 18:00:00"
    assert due(clock(heard("11:00 policy v2", known=known))) == "06-04 02:00:00"


def test_clocks_of_a_metric_that_the_assigned_policy_does_not_promise_end() -> None:
    tiers = {
        f"tiers__{tier}__targets": {"resolution": {"within": "4 h", "calendar": "always"}} for tier in ("critical", "high", "medium", "low")
    }
    clocks = heard("10:10 agent_reply", "11:00 policy v2", "12:00 resolved", known=Known(v2=changed(**tiers)))
    assert clock(clocks, "update_cadence").reading(at("13:00")).outcome == "cancelled"
    assert clock(clocks, "first_response").reading(at("13:00")).outcome == "met"


# Business days.


def test_business_days_end_at_the_same_hour_of_a_later_working_day() -> None:
    assert due(clock(heard(priority="low"))) == "06-10 10:00:00"


def test_business_days_are_frozen_at_the_start_so_that_pauses_add_up() -> None:
    held = clock(heard("06-04 09:00 paused awaiting_customer", "06-05 09:00 resumed", priority="low"))
    assert held.target == 40 * 3600 * SECOND
    assert due(held) == "06-11 10:00:00"


def test_business_days_past_the_horizon_leave_the_target_open() -> None:
    late = clock(heard(priority="low", born="12-30 10:00"))
    assert (late.target, late.due()) == (None, (None, None))
    assert late.reading(at("12-31 10:00")).outcome == "running"


# At the same instant.


@pytest.mark.parametrize("order", list(permutations(["agent_reply", "paused awaiting_customer", "resolved"])), ids=" ".join)
def test_an_answer_a_pause_and_a_resolution_at_one_instant_give_the_same_verdicts_in_any_order(order: tuple[str, ...]) -> None:
    clocks = heard(*(f"11:00 {each}" for each in order))
    assert clock(clocks, "first_response").reading(at("12:00")).outcome == "met"
    assert clock(clocks).reading(at("12:00"))[0] == "met"
    assert clock(clocks).reading(at("12:00"))[3:] == (3600 * SECOND, 0)


def test_one_signal_that_both_stops_and_starts_stops_first() -> None:
    clocks = heard("10:10 agent_reply", "12:10 agent_reply")
    assert [each.stopped_at for each in clocks if each.metric.name == "update_cadence"] == [at("12:10"), None]


def test_a_pause_at_the_instant_of_creation_holds_from_the_start() -> None:
    assert clock(heard("10:00 paused awaiting_customer")).reading(at("11:00"))[3:] == (0, 3600 * SECOND)


# Metrics are data.


def test_a_metric_that_stops_on_the_acknowledgement_stops_there() -> None:
    lenient = Known(v1=changed(metrics__first_response__stop_on=["acknowledged", "agent_reply"]))
    assert clock(heard("10:01 acknowledged"), "first_response").live
    assert clock(heard("10:01 acknowledged", known=lenient), "first_response").stopped_at == at("10:01")


def test_a_metric_that_a_pause_holds_is_held_by_it() -> None:
    lenient = Known(v1=changed(metrics__first_response__pause_while=["on_hold"]))
    assert due(clock(heard("10:20 paused on_hold", "10:50 resumed", known=lenient), "first_response")) == "06-03 11:30:00"


def test_a_metric_that_no_pause_holds_is_held_by_none() -> None:
    strict = Known(v1=changed(metrics__resolution__pause_while=[]))
    assert due(clock(heard("10:20 paused awaiting_customer", known=strict))) == "06-03 18:00:00"


def test_a_metric_may_start_on_something_else() -> None:
    lenient = Known(v1=changed(metrics__resolution__start_on=["agent_reply"]))
    assert due(clock(heard("10:30 agent_reply", "10:40 agent_reply", known=lenient))) == "06-03 18:30:00"
