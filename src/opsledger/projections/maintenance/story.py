"""Why a maintenance window is planned maintenance or not, as a person would say it: each rule with what it asks and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opsledger.policies.instants import SECOND, iso
from opsledger.policies.maintenance import Rule, Verdict, Window
from opsledger.projections.kinds import Line

__all__ = ["tell_window"]

_DAYS: Final = {day[:3].lower(): day for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}


def tell_window(window: Window, verdict: Verdict, position: int) -> Iterator[Line]:
    """Yield what a window was judged by; `position` is that of its newest fact."""
    low, high = window.planned
    begun = "no work is known" if window.work is None else f"work from {iso(window.work[0])} to {iso(window.work[1])}"
    yield Line(f"Announced for {iso(low)} to {iso(high)}, {_length(high - low)}; {begun}.", (position,))
    for rule in verdict.failed:
        yield Line(f"It fails {rule}: {_why(rule, window, verdict)}.")
    if verdict.failed:
        yield Line("So it is no planned maintenance, and all of its work counts.")
        return
    taken = sum(until - since for since, until in verdict.excluded)
    yield Line(f"It keeps every rule, and {_length(taken)} of it are taken out.")
    for amount, what in (
        (verdict.early, "before the announced start"),
        (verdict.overrun or 0, "beyond the announced end"),
        (verdict.over_cap, f"above the {_length(window.rules.monthly_cap * SECOND)} of {verdict.month}"),
    ):
        if amount:
            yield Line(f"{_length(amount)} of work {what} count.")


def _length(microseconds: int) -> str:
    """Return a length as hours, minutes and seconds, for example 72:00:00; what is less than a second is cut."""
    seconds = abs(microseconds) // SECOND
    return f"{'-' if microseconds < 0 else ''}{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def _why(rule: Rule, window: Window, verdict: Verdict) -> str:
    rules, slot = window.rules, window.slot
    match rule:
        case "notice":
            asked = f"{_length(rules.notice * SECOND)} before the start to {' and '.join(rules.notice_to)}"
            return f"asked is {asked}, and " + (
                "somebody of them was not told" if verdict.notice is None else f"they were told {_length(verdict.notice)} before"
            )
        case "longest":
            low, high = window.planned
            return f"asked is at most {_length(rules.longest * SECOND)}, and it was announced for {_length(high - low)}"
        case "slot":
            asked = f"{rules.slot_from} to {rules.slot_until} in {rules.zone}"
            return f"asked is {asked}, on {slot.day} from {iso(slot.low)} to {iso(slot.high)}"
        case "weekday":
            return f"asked is a {_DAYS[rules.weekday]} in {rules.zone}, and {slot.day} is none"
        case "week_of_month":
            return f"asked is the {rules.week_of_month} of the month, and {slot.day} is another"
        case "approval":
            return f"an emergency is to be approved by the {rules.emergency_approver} before it begins"
        case "emergency":
            return "an emergency is never planned maintenance"
        case "cancelled":
            return "it was cancelled before work began"
