"""subscription: how does each subscription stand? subscription_history: in which state was it, when?

Grain: subscription, one row per subscription; subscription_history, one row per subscription and change of state;
subscription_change, one row per change of plan or quantity with its amounts; subscription_cancellation, one row per wish to leave.
Tables of revenue take `start`, `fold` and `course` from here, so that one fold tells all of them how a subscription stood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from opsledger.domain import subscription as s
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros, moment
from opsledger.policies.money import half_up
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = [
    "PROJECTIONS",
    "SUBSCRIPTION",
    "SUBSCRIPTION_CANCELLATION",
    "SUBSCRIPTION_CHANGE",
    "SUBSCRIPTION_HISTORY",
    "Step",
    "Told",
    "course",
    "fold",
    "rows",
    "start",
]

SUBSCRIPTION = Table(
    "subscription",
    "One row per subscription, as of its newest fact. What was agreed for later counts when it is recorded to have happened.",
    key=("subscription_id",),
    columns=(
        text("subscription_id", "Id of the subscription, the host's."),
        text("customer_id", "Opaque id of the customer."),
        text("plan_id", "Plan that it is on."),
        integer("plan_version", "Version of the plan on whose terms it is."),
        text("state", "pending, trialing, incomplete, active, past_due, paused, unpaid or ended."),
        instant("state_since_at", "Since when it is in that state."),
        text(
            "end_reason",
            "cancelled_voluntary, cancelled_involuntary, expired, incomplete_expired or migrated; null while it has not ended.",
        ),
        boolean("entitled", "Whether the service may be used."),
        text("interval", "Unit of a billing period: day, week, month or year."),
        integer("interval_count", "How many of that unit one period has."),
        text("pricing", "per_unit: the price is of one unit; flat: of all."),
        integer("quantity", "Units subscribed to."),
        integer("unit_amount_minor", "Price of a unit, or of all, for one period, in minor units."),
        integer("amount_minor", "Price of one period before any discount and without tax, in minor units."),
        integer("discount_minor", "What the discount takes off it, while it holds; 0: there is none."),
        text("currency", "Currency of the amounts, ISO 4217."),
        text("discount_id", "The discount that was given last and not taken back; null: none."),
        instant("discount_ends_at", "From when it holds no longer; null: there is none, or no end is known."),
        instant("created_at", "When the customer subscribed, or came back."),
        instant("trial_started_at", "When the trial began; null: there was none."),
        instant("trial_ends_at", "When the trial ends or ended by agreement."),
        instant("trial_converted_at", "When the trial became a paid subscription; null: it did not."),
        instant("activated_at", "When it was first paid for; null: never."),
        instant("period_starts_at", "Start of the newest billing period that was begun or agreed on."),
        instant("period_ends_at", "End of it, not part of it."),
        integer("reminder_count", "How often the customer was told of the renewal at that end."),
        integer("renewal_count", "How often it was renewed."),
        instant("pause_ends_at", "When a pause is to end; null: none is agreed on."),
        instant("cancel_at", "When it is to end by agreement; null: no end is agreed on."),
        instant("cancel_requested_at", "Since when the customer wishes to leave; null: no such wish stands."),
        instant("scheduled_change_at", "When other terms are to hold by agreement; null: none are agreed on."),
        text("scheduled_plan_id", "Plan of those terms."),
        instant("ended_at", "When it ended; null: it has not."),
        text("previous_subscription_id", "The ended subscription that it follows; null: it follows none."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id",), ("state",), ("period_ends_at",)),
)

SUBSCRIPTION_HISTORY = Table(
    "subscription_history",
    "One row per subscription and change of its state, in the order in which they happened.",
    key=("subscription_id", "seq"),
    columns=(
        text("subscription_id", "Id of the subscription."),
        integer("seq", "Number of the change, from 1."),
        text("state_from", "State before; null: it began."),
        text("state_to", "State since."),
        instant("valid_from_at", "From when."),
        instant("valid_to_at", "Until when, not part of it; null: it lasts."),
        text("topic", "What happened, as the fact's topic."),
        instant("recorded_at", "When that was written."),
        integer("last_position", "Position of the fact."),
    ),
    indexes=(("valid_from_at",),),
)

SUBSCRIPTION_CHANGE = Table(
    "subscription_change",
    "One row per subscription and change of plan or quantity, or end with a credit, with the amounts that were recorded.",
    key=("subscription_id", "position"),
    columns=(
        text("subscription_id", "Id of the subscription."),
        integer("position", "Position of the fact."),
        instant("changed_at", "When the change took effect."),
        text("kind", "plan, quantity or end."),
        text("direction", "upgrade, downgrade or lateral; null where the plan stayed."),
        text("plan_from", "Plan before."),
        text("plan_to", "Plan since; null after the end."),
        integer("quantity_from", "Units before."),
        integer("quantity_to", "Units since; null after the end."),
        text("proration_unit", "second, day, fixed30 or none, by which the running period was divided; null: none was running."),
        text("change_day", "new or old: to which terms the day of the change was counted."),
        text("zone", "Whose days were counted."),
        integer("part", "Of the period, what was left, in seconds or days."),
        integer("whole", "The period, in the same unit."),
        integer("credit_minor", "What was given back of the old terms, 0 or below, in minor units."),
        integer("charge_minor", "What was charged for the new ones."),
        integer("net_minor", "What the two come to."),
        text("currency", "Currency of the amounts."),
        integer("last_position", "Position of the fact."),
    ),
)

SUBSCRIPTION_CANCELLATION = Table(
    "subscription_cancellation",
    "One row per subscription and wish to leave, with what was offered and how it came out.",
    key=("subscription_id", "seq"),
    columns=(
        text("subscription_id", "Id of the subscription."),
        integer("seq", "Number of the wish, from 1."),
        text("customer_id", "Opaque id of the customer."),
        text("plan_id", "Plan at that time."),
        instant("requested_at", "When the customer asked to leave."),
        text("reason", "Why, as a code."),
        integer(
            "monthly_minor", "What it cost in an average month then, after discount, in minor units rounded half up; 0 where unpaid for."
        ),
        text("currency", "Currency of that."),
        integer("offer_count", "Offers that were made since."),
        integer("accepted_count", "Those that were accepted."),
        integer("declined_count", "Those that were declined."),
        text(
            "outcome", "saved: the wish was taken back or an offer accepted; lost: it ended; open: neither yet; renewed: it was said again."
        ),
        instant("settled_at", "When that was; null while open."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("requested_at",),),
)


@dataclass(slots=True)
class Told:
    """A subscription's facts in the order in which they happened, and the positions of those that were retracted."""

    subscription_id: str
    facts: list[Recorded] = field(default_factory=list)
    retracted: set[int] = field(default_factory=set)
    last_position: int = 0


class Step(NamedTuple):
    """A fact of a subscription that stands, when it happened, and how the subscription stood before (None: it began) and after."""

    at: datetime
    recorded: Recorded
    before: s.Standing | None
    after: s.Standing


def start(id: str) -> Told:
    """Return what is told of a subscription before its first fact; `id` may be the stream's name."""
    return Told(id.rpartition(":")[2])


def fold(told: Told, recorded: Recorded) -> Told:
    """Return what is told after one more fact; times are those of the envelope, corrected."""
    told.last_position = max(told.last_position, recorded.position)
    if isinstance(recorded.fact, s.Retracted):
        told.retracted.add(recorded.fact.retracts)
    elif not isinstance(recorded.fact, s.TimeCorrected):
        told.facts.append(recorded)
    return told


def course(told: Told) -> Iterator[Step]:
    """Yield what happened to a subscription, retracted facts left out, with how it stood before and after each."""
    standing: s.Standing | None = None
    for recorded in told.facts:
        if recorded.position in told.retracted:
            continue
        at = moment(recorded.occurred_at)
        before = standing
        standing = s.begin(at, recorded.fact) if before is None else s.after(before, at, recorded.fact)
        yield Step(at, recorded, before, standing)


def rows(told: Told) -> Rows:
    """Return the rows of one subscription."""
    steps = list(course(told))
    id = told.subscription_id
    return {
        "subscription": [_current(told, steps)],
        "subscription_history": _history(id, steps),
        "subscription_change": [row for step in steps if (row := _change(id, step)) is not None],
        "subscription_cancellation": _cancellations(id, steps),
    }


def _current(told: Told, steps: list[Step]) -> Row:
    held = steps[-1].after
    terms, discount, period, change = held.terms, held.discount, held.period, held.scheduled_change
    happened = [step.recorded.fact for step in steps if step.before is None or step.before.state != "ended"]
    reminded = [event for event in happened if isinstance(event, s.RenewalReminderSent)]
    values: dict[str, Any] = {
        "subscription_id": told.subscription_id,
        "customer_id": held.customer_id,
        "plan_id": terms.plan_id,
        "plan_version": terms.plan_version,
        "state": held.state,
        "state_since_at": _micros(held.since),
        "end_reason": held.end_reason,
        "entitled": held.entitled,
        "interval": terms.interval,
        "interval_count": terms.interval_count,
        "pricing": terms.pricing,
        "quantity": terms.quantity,
        "unit_amount_minor": terms.unit_amount_minor,
        "amount_minor": terms.amount_minor,
        "discount_minor": terms.amount_minor - s.priced(terms, discount),
        "currency": terms.currency,
        "discount_id": discount.discount_id if discount is not None else None,
        "discount_ends_at": _micros(discount.ends_at) if discount is not None else None,
        "created_at": micros(steps[0].at),
        "trial_started_at": _first(steps, s.TrialStarted),
        "trial_ends_at": _micros(held.trial_ends_at),
        "trial_converted_at": _first(steps, s.TrialConverted),
        "activated_at": _micros(held.activated_at),
        "period_starts_at": micros(period.starts_at) if period is not None else None,
        "period_ends_at": micros(period.ends_at) if period is not None else None,
        "reminder_count": sum(period is not None and event.renewal_at == period.ends_at for event in reminded),
        "renewal_count": sum(isinstance(event, s.Renewed) for event in happened),
        "pause_ends_at": _micros(held.pause_until),
        "cancel_at": _micros(held.cancel_at),
        "cancel_requested_at": _micros(held.wish.at) if held.wish is not None else None,
        "scheduled_change_at": _micros(change.change_at) if change is not None else None,
        "scheduled_plan_id": change.terms.plan_id if change is not None else None,
        "ended_at": _micros(held.ended_at),
        "previous_subscription_id": held.previous_subscription_id,
        "last_position": told.last_position,
    }
    return tuple(values[column.name] for column in SUBSCRIPTION.columns)


def _history(id: str, steps: list[Step]) -> list[Row]:
    moves = [step for step in steps if step.before is None or step.before.state != step.after.state]
    ends = [*(micros(step.at) for step in moves[1:]), None]
    return [
        (
            id,
            seq,
            step.before.state if step.before is not None else None,
            step.after.state,
            micros(step.at),
            end,
            step.recorded.topic,
            step.recorded.recorded_at,
            step.recorded.position,
        )
        for seq, (step, end) in enumerate(zip(moves, ends, strict=True), 1)
    ]


def _change(id: str, step: Step) -> Row | None:
    event, before = step.recorded.fact, step.before
    if before is None or before.state == "ended":
        return None
    held, now = before.terms, step.after.terms
    told: Row
    match event:
        case s.PlanChanged():
            told = ("plan", event.direction, held.plan_id, now.plan_id, held.quantity, now.quantity)
        case s.QuantityChanged():
            told = ("quantity", None, held.plan_id, now.plan_id, held.quantity, now.quantity)
        case s.Ended() if event.proration is not None:
            told = ("end", None, held.plan_id, None, held.quantity, None)
        case _:
            return None
    came, position = event.proration, step.recorded.position
    if came is None:
        amounts: Row = (*[None] * 8, held.currency)
    else:
        rule = (came.rule.unit, came.rule.change_day, came.rule.zone, came.part, came.whole)
        amounts = (*rule, came.credit_minor, came.charge_minor, came.net_minor, came.currency)
    return (id, position, micros(step.at), *told, *amounts, position)


def _cancellations(id: str, steps: list[Step]) -> list[Row]:
    found: list[dict[str, Any]] = []
    for step in steps:
        event, at, before = step.recorded.fact, micros(step.at), step.before
        if before is None or before.state == "ended":
            continue
        row = found[-1] if found and found[-1]["outcome"] == "open" else None
        if isinstance(event, s.CancellationRequested):
            if row is not None:
                row.update(outcome="renewed", settled_at=at, last_position=step.recorded.position)
            found.append(_wish(id, len(found) + 1, event, at, before, step))
        elif row is not None:
            _settle(row, event, at, step)
    return [tuple(row[column.name] for column in SUBSCRIPTION_CANCELLATION.columns) for row in found]


def _wish(id: str, seq: int, event: s.CancellationRequested, at: int, before: s.Standing, step: Step) -> dict[str, Any]:
    paid = before.activated_at is not None
    return {
        "subscription_id": id,
        "seq": seq,
        "customer_id": before.customer_id,
        "plan_id": before.terms.plan_id,
        "requested_at": at,
        "reason": event.reason,
        "monthly_minor": half_up(before.amount_minor(step.at) * before.terms.length.in_a_month) if paid else 0,
        "currency": before.terms.currency,
        "offer_count": 0,
        "accepted_count": 0,
        "declined_count": 0,
        "outcome": "open",
        "settled_at": None,
        "last_position": step.recorded.position,
    }


def _settle(row: dict[str, Any], event: s.Fact, at: int, step: Step) -> None:
    """Let a wish hear what happened after it."""
    match event:
        case s.RetentionOfferMade():
            row["offer_count"] += 1
        case s.RetentionOfferDeclined():
            row["declined_count"] += 1
        case s.RetentionOfferAccepted():
            row["accepted_count"] += 1
            row.update(outcome="saved", settled_at=at)
        case s.CancellationRevoked():
            row.update(outcome="saved", settled_at=at)
        case s.Ended():
            row.update(outcome="lost", settled_at=at)
        case _:
            return
    row["last_position"] = max(row["last_position"], step.recorded.position)


def _first(steps: list[Step], kind: type) -> int | None:
    return next((micros(step.at) for step in steps if isinstance(step.recorded.fact, kind)), None)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


PROJECTIONS = (
    Entity(
        "subscription",
        1,
        concept="subscription",
        tables=(SUBSCRIPTION, SUBSCRIPTION_HISTORY, SUBSCRIPTION_CHANGE, SUBSCRIPTION_CANCELLATION),
        start=start,
        fold=fold,
        rows=rows,
    ),
)
