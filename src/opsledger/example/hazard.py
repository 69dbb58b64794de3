"""The truth that the example hides: how content each customer is, and what follows. Nothing of it is ever recorded.

    mood    = mood + 0.03 * (level - mood) + chance, once a day, from 0 to 1; the level itself jumps now and then
    leaves  = 0.0001 * 2 ** (12 * (0.9 - mood)), the chance on each day of asking to leave, at most 0.2
    behaves : people who come, features, cases, tickets, answers, payments in time: each a formula below, of the mood and of chance

So a customer who leaves was, most times, one who came less and complained more, and nothing else ties the two: what a back-test of
health scores finds here is the mood. One of five who ask is kept; so the hazard of leaving is four fifths of that of asking, and
some weeks later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Literal, NamedTuple

__all__ = [
    "Customer",
    "Users",
    "answers",
    "attends",
    "complains",
    "converts",
    "favours",
    "forecasts",
    "leaves",
    "move",
    "pays_late",
    "promotes",
    "satisfies",
    "uses",
    "works",
]

Stage = Literal["coming", "trying", "paying", "resting", "gone"]


@dataclass(slots=True)
class Customer:
    """A customer as the simulation knows it. `mood` and `level` are the hidden state."""

    id: str
    segment: str
    seats: int
    api: bool
    community: bool
    plan_id: str
    currency: str
    level: float  # to which the mood returns
    mood: float
    stage: Stage = "coming"
    subscription_id: str = ""
    renews_at: datetime | None = None
    unsettled: bool = False  # asks to leave, or owes

    @property
    def cases(self) -> int:
        """How many cases the contract expects in 28 days."""
        return 28 * max(1, self.seats // 2)


class Users(NamedTuple):
    """Different people on a day, in 7 and in 28 days."""

    daily: int
    weekly: int
    monthly: int


def move(customer: Customer, random: Random) -> None:
    """Let a day pass. A sponsor may leave, or a new manager may like us: then the mood drifts to another level."""
    chance = random.random()
    if chance < 0.0015:
        customer.level = max(0.15, customer.level - 0.35)
    elif chance > 0.999:
        customer.level = min(0.92, customer.level + 0.25)
    drifted = customer.mood + 0.03 * (customer.level - customer.mood) + random.gauss(0, 0.02)
    customer.mood = min(0.98, max(0.02, drifted))


def leaves(mood: float) -> float:
    """Return the chance of asking to leave on a day: it doubles with every twelfth by which the mood falls."""
    return min(0.2, 0.0001 * math.exp2(12 * (0.9 - mood)))


def pays_late(mood: float) -> float:
    """Return the chance that a payment does not come when it is due."""
    return 0.01 + 0.12 * (1 - mood) ** 2


def converts(mood: float) -> float:
    """Return the chance that a trial becomes a subscription."""
    return 0.25 + 0.7 * mood


def uses(customer: Customer, random: Random) -> Users:
    """Return how many people use the product."""
    mood, busy = customer.mood, random.uniform(0.9, 1.1)
    monthly = customer.seats * (0.25 + 0.7 * mood)
    weekly = monthly * (0.45 + 0.5 * mood)
    daily = weekly * (0.08 + 0.35 * mood) * busy
    return Users(round(daily), max(round(weekly), round(daily)), max(round(monthly), round(weekly)))


def favours(customer: Customer, rank: int, random: Random) -> bool:
    """Return whether somebody uses a feature on a day; features of a higher rank are harder to come by."""
    return random.random() < 0.2 + 1.2 * customer.mood - 0.3 * rank


def works(customer: Customer, random: Random) -> int:
    """Return how many cases are completed on a day."""
    return round(customer.cases / 28 * (0.35 + 0.8 * customer.mood) * random.uniform(0.75, 1.25))


def complains(customer: Customer) -> float:
    """Return how much a customer has to complain of, from nearly 0 to about 1."""
    return 0.1 + 0.9 * (1 - customer.mood) ** 2


def satisfies(mood: float) -> tuple[float, ...]:
    """Return how often a ticket is answered for with 1 to 5, as weights."""
    gloom = (1 - mood) ** 2
    return (2 + 40 * gloom, 4 + 30 * gloom, 12.0, 35 * mood + 8, 60 * mood)


def answers(mood: float) -> float:
    """Return the chance that somebody answers a survey."""
    return 0.25 + 0.5 * mood


def promotes(mood: float, random: Random) -> int:
    """Return how likely somebody is to recommend us, from 0 to 10."""
    return min(10, max(0, round(10 * mood + 0.8 + random.gauss(0, 1.2))))


def attends(customer: Customer, invited: int, random: Random) -> int:
    """Return how many of those who were invited to a training come."""
    return sum(random.random() < 0.15 + 0.75 * customer.mood for _ in range(invited))


def forecasts(mood: float, random: Random) -> int:
    """Return how likely a customer success manager thinks a renewal is, in basis points, in steps of 5 percent."""
    return 500 * min(20, max(0, round(20 * (mood + random.gauss(0.05, 0.1)))))
