"""What health scores read of single streams: tickets, subscriptions and onboarding plans as they stood at any past instant."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any, ClassVar, Final, NamedTuple

from opsledger.domain import sla
from opsledger.domain import subscription as s
from opsledger.domain import ticket as t
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros
from opsledger.policies.support import Priority
from opsledger.projections.customers import onboarding
from opsledger.projections.revenue import subscriptions

__all__ = ["Plan", "PlanStanding", "Plans", "Said", "Standing", "Subscriptions", "Ticket", "fold_plan", "fold_ticket"]

_DAY: Final = DAY_S * SECOND
_EPOCH: Final = date(1970, 1, 1)


class Said(NamedTuple):
    """Something that was said of a ticket."""

    at: int  # microseconds
    position: int
    what: str  # registered, priority, ended, reopened, withdrawn, answered, breached or unbreached
    value: Any = None


@dataclass(slots=True)
class Ticket:
    """What scores need of a ticket, in the order in which it happened."""

    customer_id: str = ""
    registered_at: int = 0
    said: list[Said] = field(default_factory=list)

    def last(self, end: int, *what: str) -> Said | None:
        """Return the last of such things that was said before an instant."""
        return next((each for each in reversed(self.said) if each.at < end and each.what in what), None)

    def positions(self, end: int, *what: str) -> list[int]:
        """Return the positions of what was said before an instant, or of some of it."""
        return [each.position for each in self.said if each.at < end and (not what or each.what in what) and each.what != "answered"]

    def dangerous(self, end: int) -> bool:
        """Return whether it was ever critical, or seen to be late, before an instant: else nothing can make it urgent."""
        return any(each.at < end and (each.what == "breached" or each.value == Priority.CRITICAL) for each in self.said)

    def urgent(self, end: int) -> bool:
        """Return whether it was open at an instant, and critical or seen to be late."""
        if self.registered_at >= end or ((ended := self.last(end, "ended", "withdrawn", "reopened")) and ended.what != "reopened"):
            return False
        priority = self.last(end, "registered", "priority")
        late: set[sla.Key] = set()
        for each in self.said:
            if each.at < end and each.what in ("breached", "unbreached"):
                (late.add if each.what == "breached" else late.discard)(each.value)
        return bool(late) or (priority is not None and priority.value == Priority.CRITICAL)


def fold_ticket(ticket: Ticket, recorded: Recorded) -> Ticket:
    """Return the state of a ticket after one fact more; times are those of the envelope, corrected."""
    event = recorded.fact
    match event:
        case t.Registered():
            ticket.customer_id, ticket.registered_at = event.customer_id, recorded.occurred_at
            _say(ticket, recorded, "registered", event.priority)
        case t.PriorityChanged():
            _say(ticket, recorded, "priority", event.priority)
        case t.Resolved() | t.Closed():
            _say(ticket, recorded, "ended")
        case t.Merged() | t.Cancelled() | t.MarkedSpam():
            _say(ticket, recorded, "withdrawn")
        case t.Reopened():
            _say(ticket, recorded, "reopened")
        case t.SurveyAnswered():
            _say(ticket, recorded, "answered", event.score)
        case sla.DeadlineObserved() if event.kind == "breach":
            _say(ticket, recorded, "breached", sla.key_of(event))
        case sla.DeadlineSuperseded() if event.kind == "breach":
            _say(ticket, recorded, "unbreached", sla.key_of(event))
        case _:
            pass  # says nothing of how the customer does
    return ticket


def _say(ticket: Ticket, recorded: Recorded, what: str, value: Any = None) -> None:
    ticket.said.append(Said(recorded.occurred_at, recorded.position, what, value))


class Standing(NamedTuple):
    """How the subscriptions of a customer stood at an instant that is given in microseconds, those that had ended left out."""

    end: int
    live: tuple[s.Standing, ...]
    positions: tuple[int, ...]  # of all facts by then
    activated_at: int | None  # when the first of all, ended ones too, was first paid for

    def renews_within(self, days: int) -> bool:
        """Return whether a term that is longer than so many days ends within them. A shorter one renews all the time."""
        periods = [each.period for each in self.live if each.period is not None and each.billed]
        length = days * _DAY
        return any(
            micros(each.ends_at) - micros(each.starts_at) > length and 0 < micros(each.ends_at) - self.end <= length for each in periods
        )

    @property
    def past_due_days(self) -> int:
        """For how many whole days something has been past due."""
        owing = [each.since for each in self.live if each.state in ("past_due", "unpaid") and each.since is not None]
        return max(((self.end - micros(since)) // _DAY for since in owing), default=0)

    @property
    def cancelled(self) -> bool:
        """Whether an end is agreed on."""
        return any(each.cancel_at is not None for each in self.live)

    def mrr(self, at: datetime) -> dict[str, Fraction]:
        """Return what is paid in an average month, by currency, in minor units."""
        found: dict[str, Fraction] = {}
        for each in self.live:
            if each.billed and (amount := each.amount_minor(at)) > 0:
                monthly = Fraction(amount) * each.terms.length.in_a_month
                found[each.terms.currency] = found.get(each.terms.currency, Fraction(0)) + monthly
        return found


class Subscriptions:
    """The subscriptions of a customer through time."""

    TOLD: ClassVar = subscriptions.Told

    def __init__(self, tolds: Sequence[subscriptions.Told]) -> None:
        self._steps = [list(subscriptions.course(told)) for told in tolds]
        self._times = [[micros(step.at) for step in steps] for steps in self._steps]

    def at(self, end: int) -> Standing:
        """Return how they stood just before an instant."""
        live: list[s.Standing] = []
        positions: list[int] = []
        activated: list[int] = []
        for steps, times in zip(self._steps, self._times, strict=True):
            if past := steps[: bisect_left(times, end)]:
                standing = past[-1].after
                positions += [step.recorded.position for step in past]
                activated += [micros(standing.activated_at)] if standing.activated_at is not None else []
                live += [standing] if standing.state != "ended" else []
        return Standing(end, tuple(live), tuple(positions), min(activated, default=None))

    def paid(self, at: int) -> bool:
        """Return whether one that was ever paid for had not ended by an instant, that instant included."""
        return any(each.activated_at is not None for each in self.at(at + 1).live)

    def lost(self, after: int, until: int) -> bool:
        """Return whether at some time in (after, until] none was left that was ever paid for, also where they came back."""
        moved = {at for times in self._times for at in times if after < at <= until}
        return not all(self.paid(at) for at in moved)


@dataclass(slots=True)
class Plan:
    """An onboarding plan's facts, in the order in which they happened."""

    stream: str
    facts: list[Recorded] = field(default_factory=list)
    customer_id: str = ""


def fold_plan(plan: Plan, recorded: Recorded) -> Plan:
    """Return the state of a plan after one fact more."""
    plan.facts.append(recorded)
    plan.customer_id = getattr(recorded.fact, "customer_id", "") or plan.customer_id
    return plan


class PlanStanding(NamedTuple):
    """How the newest onboarding plan stood; none: nothing is counted."""

    open: bool = False
    go_live: int | None = None  # day, counted from 1970-01-01
    done: int = 0
    counted: int = 0  # activities, skipped ones left out
    positions: tuple[int, ...] = ()


class Plans:
    """The onboarding plans of a customer through time."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._steps: list[tuple[int, int, PlanStanding]] = []  # when, position of the plan's first fact, how it stood since
        for plan in plans:
            told = onboarding.start(plan.stream)
            for number, recorded in enumerate(plan.facts, 1):
                told = onboarding.fold(told, recorded)
                positions = tuple(each.position for each in plan.facts[:number])
                self._steps.append((recorded.occurred_at, plan.facts[0].position, _standing(told, positions)))
        self._steps.sort(key=lambda step: (step[0], step[2].positions[-1]))
        self._times = [step[0] for step in self._steps]

    def at(self, end: int) -> PlanStanding:
        """Return how the plan that was made last stood just before an instant."""
        past = self._steps[: bisect_left(self._times, end)]
        newest = max((step[1] for step in past), default=None)
        return next((step[2] for step in reversed(past) if step[1] == newest), PlanStanding())


def _standing(told: onboarding.Told, positions: tuple[int, ...]) -> PlanStanding:
    doing = list(told.doing.values())
    counted = sum(each.status != "skipped" for each in doing)
    return PlanStanding(
        open=told.created is not None and told.completed_at is None and told.abandoned_at is None,
        go_live=(told.go_lives[-1][0] - _EPOCH).days if told.go_lives else None,
        done=sum(each.status == "done" for each in doing),
        counted=counted,
        positions=positions,
    )
