"""A year of customers: who comes, how their mood moves, what they do because of it. What follows from a mood stands in `hazard`."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from opsledger.domain import customer as c
from opsledger.example import hazard
from opsledger.example.activity import counted_day
from opsledger.example.hazard import Customer
from opsledger.example.onboardings import onboard
from opsledger.example.renewals import judge_health, look_ahead
from opsledger.example.simulation import Desk, Life
from opsledger.example.subscriptions import SALES, Contracts, entitle
from opsledger.example.surveys import WAVES, ask

__all__ = ["Crowd"]

SEGMENTS: Final = {"small": ((4, 12), "basic", 0.25), "middle": ((12, 40), "team", 0.6), "enterprise": ((40, 120), "company", 0.9)}
MANAGERS: Final = ("u-pia", "u-quy", "u-ria")
TECHNICAL, SPECIALISTS = "u-sam", ("u-ana", "u-ben", "u-cho")
LEVELS: Final = (0.84, 0.66, 0.42)
FROM_THE_START: Final = 0.65  # of all customers of the year


class Crowd:
    """The customers of the year. They have a chance of their own, so that nothing else of the year changes with them."""

    def __init__(self, desk: Desk, seed: int, customers: int, begins: datetime) -> None:
        self.desk = desk
        self.random = Random(f"customers {seed}")  # noqa: S311  # chance for a story, not for a secret
        self.contracts = Contracts(desk, self.random)
        self.customers = [self._somebody(number) for number in range(1, customers + 1)]
        if customers:
            self._plan(begins)

    def around(self) -> list[Customer]:
        """Return who is a customer now, paying or trying."""
        return [each for each in self.customers if each.stage in ("trying", "paying", "resting")]

    def caller(self, asked: int) -> str:
        """Return whose ticket the one of a number is: theirs, if they are here and have cause to complain, else another's who has."""
        around = self.around()
        turn = next((each for each in around if each.id == f"C-{asked:03d}"), None)
        if not around or (turn is not None and self.random.random() < hazard.complains(turn)):
            return f"C-{asked:03d}"
        return self.random.choices(around, weights=[hazard.complains(each) * each.seats**0.5 for each in around])[0].id

    def scores(self, customer_id: str) -> tuple[float, ...]:
        """Return how often a customer answers for a ticket with 1 to 5, as weights."""
        known = {each.id: each for each in self.customers}.get(customer_id)
        return hazard.satisfies(0.72 if known is None else known.mood)

    def live(self, day: datetime) -> None:
        """Let a day pass for all: moods move, and some ask to leave, to rest or for more."""
        for each in self.around():
            hazard.move(each, self.random)
            when = day + timedelta(seconds=self.random.randrange(28_000, 64_000))
            asks, more = self.random.random(), self.random.random()
            if each.stage != "paying" or each.unsettled:
                continue
            if asks < hazard.leaves(each.mood):
                each.unsettled = True
                self.desk.begin(when, self.contracts.leave(each))
            elif more < 0.0025 * each.mood:
                self.desk.begin(when, self.contracts.grow(each))
            elif more > 1 - 0.0003:
                self.desk.begin(when, self.contracts.rest(each, timedelta(days=30)))
        look_ahead(self.desk, self.random, day, self.around())

    def count(self, day: datetime) -> None:
        """Hand over what was counted of a day that is over, as the product does at its end."""
        counted_day(self.desk, self.random, day, [each for each in self.around() if each.stage != "resting"])

    def _plan(self, begins: datetime) -> None:
        """Say when who comes, and when who is asked what."""
        self.desk.schedule(begins, self.contracts.begin)
        first = round(FROM_THE_START * len(self.customers))
        for number, each in enumerate(self.customers):
            early = number < first
            day = 12 * number // first if early else self.random.randrange(15, 345)
            when = begins + timedelta(days=day, seconds=self.random.randrange(30_000, 64_000))
            self.desk.begin(when, self._life(each, early=early))
        for wave in WAVES:
            self.desk.begin(begins + timedelta(days=wave.day), ask(self.desk, self.random, wave, self.around))
        judge_health(self.desk, begins, self.around)

    def _somebody(self, number: int) -> Customer:
        random = self.random
        segment = random.choices(list(SEGMENTS), weights=(5, 4, 2))[0]
        (least, most), plan_id, api = SEGMENTS[segment]
        level = random.choices(LEVELS, weights=(5, 3, 2))[0]
        return Customer(
            id=f"C-{number:03d}",
            segment=segment,
            seats=random.randrange(least, most),
            api=random.random() < api,
            community=random.random() < 0.7,
            plan_id=plan_id,
            currency=random.choice(("USD", "USD", "EUR")),
            level=level,
            mood=min(0.95, max(0.1, level + random.gauss(0, 0.06))),
        )

    def _life(self, who: Customer, *, early: bool) -> Life:
        """Sign up, be looked after, be onboarded; then try or pay."""
        desk, manager = self.desk, self.random.choice(MANAGERS)
        desk.record(SALES, "sales", c.register, who.id, segment=who.segment)
        entitle(desk, who)
        desk.record(SALES, "sales", c.assign_owner, who.id, role="customer_success_manager", owner_id=manager)
        specialist = self.random.choice(SPECIALISTS)
        desk.record(SALES, "sales", c.assign_owner, who.id, role="support_specialist", owner_id=specialist)
        if who.segment == "enterprise":
            desk.record(SALES, "sales", c.assign_owner, who.id, role="technical_account_manager", owner_id=TECHNICAL)
        yield from self.contracts.sign(who, trial=not early and self.random.random() < 0.75)
        if who.stage == "paying":
            desk.begin(desk.now, onboard(desk, self.random, who, manager))
            yield from self.contracts.run(who)
