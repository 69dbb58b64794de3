"""Deadlines seen to have passed, what they ask for, and what becomes of them when a late fact moves them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from desk import (
    CRITICAL,
    CUSTOMER,
    REGISTERED,
    cancelled,
    escalated,
    merged,
    on,
    paused,
    registered,
    resolved,
    responded,
    resumed,
    spec,
)

from opsledger.domain import ticket
from opsledger.policies.support import Priority

FIRST = spec.known.position + 1
HOUR = 3600


def seen(at: str, metric: str, kind: Any, due: datetime, target_s: int, pct: int = 100, cycle: int = 1) -> ticket.DeadlineObserved:
    said = {"metric": metric, "cycle": cycle, "kind": kind, "target_s": target_s, "threshold_pct": pct}
    return ticket.DeadlineObserved(observed_at=on(at), due_at=due, **said)


def raised(wall: str, was: Any, level: Any, due: datetime, by: Any = "deadline", **dues: datetime | None) -> ticket.Escalated:
    return escalated(wall, was, level, by, due_at=due, **dues)


ANSWERED = responded("09:05", on("11:05"))
WARNED = seen("16:00", "resolution", "warn", on("15:00"), 8 * HOUR, 75)

# Nothing yet, exactly, and a moment after.


def test_before_a_deadline_passes_there_is_nothing_to_see() -> None:
    spec.given(REGISTERED, ANSWERED).when(ticket.observe_deadlines, at=on("10:59:59")).then_nothing()


def test_a_deadline_is_seen_at_its_instant_and_the_ticket_goes_to_the_next_level() -> None:
    outcome = spec.given(REGISTERED, ANSWERED).when(ticket.observe_deadlines, at=on("11:00"))
    outcome.then(
        seen("11:00", "escalation", "escalate", on("11:00"), 2 * HOUR),
        raised("11:00", "l1", "l2", on("11:00"), escalate_by=on("15:00")),
    )


def test_a_deadline_that_was_seen_is_not_seen_again() -> None:
    sight = seen("11:00", "escalation", "escalate", on("11:00"), 2 * HOUR)
    given = spec.given(REGISTERED, ANSWERED, sight, raised("11:00", "l1", "l2", on("11:00"), escalate_by=on("15:00")))
    given.when(ticket.observe_deadlines, at=on("11:04")).then_nothing()


def test_nobody_looks_at_a_ticket_that_nobody_registered() -> None:
    spec.when(ticket.observe_deadlines, at=on("11:00")).then_refused("has no facts")


def test_a_warning_is_seen_at_three_quarters_of_the_target_and_raises_nothing() -> None:
    outcome = spec.given(REGISTERED).when(ticket.observe_deadlines, at=on("09:45"))
    outcome.then(seen("09:45", "first_response", "warn", on("09:45"), HOUR, 75))


# The cascade.


def test_a_ticket_that_nobody_resolves_climbs_from_level_to_level_each_from_when_it_was_entered() -> None:
    """Looked at late: the next level's clock starts when somebody looked, not when the deadline passed."""
    facts: tuple[Any, ...] = (REGISTERED, ANSWERED)
    climbed = []
    for wall in ("11:30", "15:29:59", "15:30", "16:59:59", "17:00", "23:00"):
        added = spec.given(*facts).when(ticket.observe_deadlines, at=on(wall)).facts
        facts += added
        climbed += [(wall, each.was, each.level, each.due_at, each.escalate_by) for each in added if isinstance(each, ticket.Escalated)]
    assert climbed == [
        ("11:30", "l1", "l2", on("11:00"), on("15:30")),
        ("15:30", "l2", "engineering", on("15:30"), on("23:30")),
        ("17:00", "engineering", "executive", on("17:00"), None),
    ]


def test_without_a_breach_engineering_hands_on_to_senior_engineering() -> None:
    medium = registered(Priority.MEDIUM)
    given = spec.given(medium, responded("09:05"), escalated("09:30", "l1", "engineering"))
    facts = given.when(ticket.observe_deadlines, at=on("17:30")).facts
    assert facts[-1] == raised("17:30", "engineering", "senior_engineering", on("17:30"))


def test_time_that_waits_for_the_customer_does_not_count_on_a_level() -> None:
    given = spec.given(REGISTERED, ANSWERED, paused("09:30"), resumed("10:30"))
    outcome = given.when(ticket.observe_deadlines, at=on("11:30"))
    assert not any(isinstance(each, ticket.Escalated) for each in outcome.facts)
    assert isinstance(given.when(ticket.observe_deadlines, at=on("12:00")).facts[-1], ticket.Escalated)


# To the executive team.


def test_a_breached_resolution_goes_to_the_executive_team() -> None:
    given = spec.given(CRITICAL, escalated("09:00", "l1", "engineering"), responded("09:05"), resumed("09:06"))
    facts = given.when(ticket.observe_deadlines, at=on("13:00")).facts
    assert facts[-1] == raised("13:00", "engineering", "executive", on("13:00"), "breach")
    assert seen("13:00", "resolution", "breach", on("13:00"), 4 * HOUR) in facts


def test_a_breached_resolution_of_a_smaller_matter_does_not() -> None:
    medium = registered(Priority.MEDIUM)
    given = spec.given(medium, responded("09:05"), escalated("09:06", "l1", "senior_engineering"))
    facts = given.when(ticket.observe_deadlines, at=on("09:00", "03")).facts
    assert seen("09:00", "resolution", "breach", on("09:00", "03"), 24 * HOUR).metric in {each.metric for each in facts}
    assert not any(isinstance(each, ticket.Escalated) for each in facts)


def test_a_breached_response_does_not_go_to_the_executive_team() -> None:
    facts = spec.given(REGISTERED).when(ticket.observe_deadlines, at=on("10:00")).facts
    assert [each.kind for each in facts if isinstance(each, ticket.DeadlineObserved)] == ["warn", "breach"]
    assert not any(isinstance(each, ticket.Escalated) for each in facts)


def test_of_several_deadlines_seen_at_once_the_highest_level_is_asked_for() -> None:
    facts = spec.given(REGISTERED, ANSWERED).when(ticket.observe_deadlines, at=on("18:00")).facts
    assert [(each.metric, each.kind) for each in facts if isinstance(each, ticket.DeadlineObserved)] == [
        ("escalation", "escalate"),
        ("update_cadence", "breach"),
        ("resolution", "warn"),
        ("resolution", "breach"),
    ]
    assert [each.level for each in facts if isinstance(each, ticket.Escalated)] == ["executive"]


def test_what_is_resolved_is_not_escalated_any_more() -> None:
    """Reached only by time: what passed before the resolution and was never looked at is not an open deadline."""
    spec.given(REGISTERED, ANSWERED, resolved("12:00")).when(ticket.observe_deadlines, at=on("18:00")).then_nothing()


def test_a_withdrawn_request_has_no_deadlines() -> None:
    spec.given(REGISTERED, cancelled("09:30")).when(ticket.observe_deadlines, at=on("18:00")).then_nothing()


# Superseded.


def superseded(at: str, position: int, sight: ticket.DeadlineObserved, due: datetime | None) -> ticket.DeadlineSuperseded:
    said = {"metric": sight.metric, "cycle": sight.cycle, "kind": sight.kind, "target_s": sight.target_s}
    return ticket.DeadlineSuperseded(
        superseded_at=on(at), observation=position, threshold_pct=sight.threshold_pct, was_due_at=sight.due_at, due_at=due, **said
    )


WARNING = seen("10:00:05", "first_response", "warn", on("09:45"), HOUR, 75)
BREACH = seen("10:00:05", "first_response", "breach", on("10:00"), HOUR)


def test_a_breach_that_was_seen_is_superseded_when_a_reply_in_time_is_typed_in_late() -> None:
    """Seen at five seconds past ten; at half past ten somebody types in the reply of ten to ten. The warning had passed."""
    late = responded("09:50", on("11:50"))
    given = spec.given(REGISTERED, WARNING, BREACH, late)
    given.when(ticket.observe_deadlines, at=on("10:30")).then(superseded("10:30", FIRST + 2, BREACH, None))


def test_what_was_superseded_is_not_superseded_again() -> None:
    late = responded("09:50", on("11:50"))
    gone = superseded("10:30", FIRST + 2, BREACH, None)
    spec.given(REGISTERED, WARNING, BREACH, late, gone).when(ticket.observe_deadlines, at=on("10:31")).then_nothing()


def test_a_reply_exactly_on_the_target_typed_in_late_supersedes_the_breach() -> None:
    given = spec.given(REGISTERED, WARNING, BREACH, responded("10:00", on("12:00")))
    given.when(ticket.observe_deadlines, at=on("10:30")).then(superseded("10:30", FIRST + 2, BREACH, None))


def test_a_reply_after_the_target_typed_in_late_leaves_the_breach_as_it_was_seen() -> None:
    given = spec.given(REGISTERED, WARNING, BREACH, responded("10:00:01", on("12:00")))
    given.when(ticket.observe_deadlines, at=on("10:30")).then_nothing()


def test_a_pause_typed_in_late_moves_a_deadline_that_has_passed_to_one_that_has_not() -> None:
    sight = seen("11:00", "escalation", "escalate", on("11:00"), 2 * HOUR)
    given = spec.given(REGISTERED, ANSWERED, sight, paused("10:00", "awaiting_vendor"), resumed("10:20"))
    given.when(ticket.observe_deadlines, at=on("11:05")).then(
        seen_gone := superseded("11:05", FIRST + 2, sight, None),
        seen("11:05", "update_cadence", "breach", on("11:05"), 2 * HOUR),
    )
    assert seen_gone.was_due_at == on("11:00")


def test_a_deadline_that_moved_and_passed_again_is_superseded_and_seen_anew() -> None:
    sight = seen("11:00", "escalation", "escalate", on("11:00"), 2 * HOUR)
    given = spec.given(REGISTERED, ANSWERED, sight, paused("10:00", "awaiting_vendor"), resumed("10:02"))
    outcome = given.when(ticket.observe_deadlines, at=on("11:04"))
    outcome.then(
        superseded("11:04", FIRST + 2, sight, on("11:02")),
        seen("11:04", "escalation", "escalate", on("11:02"), 2 * HOUR),
        raised("11:04", "l1", "l2", on("11:02"), escalate_by=on("15:04")),
    )


def test_a_deadline_of_a_request_that_never_was_one_is_superseded() -> None:
    gone = ticket.MarkedSpam(marked_at=on("10:10"))
    given = spec.given(REGISTERED, BREACH, gone)
    given.when(ticket.observe_deadlines, at=on("10:30")).then(superseded("10:30", FIRST + 1, BREACH, None))


def test_a_sight_that_holds_is_left_when_the_ticket_is_resolved_late() -> None:
    spec.given(REGISTERED, ANSWERED, WARNED, resolved("16:30")).when(ticket.observe_deadlines, at=on("17:00")).then_nothing()


def test_a_look_typed_in_late_sees_what_had_passed_by_then() -> None:
    given = spec.given(REGISTERED, ANSWERED, ticket.Noted(noted_at=on("12:00"), requester_id=CUSTOMER, note="Still empty"))
    facts = given.when(ticket.observe_deadlines, at=on("11:00")).facts
    assert [each.level for each in facts if isinstance(each, ticket.Escalated)] == ["l2"]


def test_a_merged_ticket_asks_for_nothing() -> None:
    spec.given(REGISTERED, ANSWERED, merged("10:30")).when(ticket.observe_deadlines, at=on("18:00")).then_nothing()
