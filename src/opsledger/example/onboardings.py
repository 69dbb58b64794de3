"""A year of onboarding: sixteen activities for each new customer, on time where they are glad to have us, late where not."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from opsledger.domain import onboarding as o
from opsledger.example.hazard import Customer
from opsledger.example.simulation import Desk, Life

__all__ = ["onboard"]


def onboard(desk: Desk, random: Random, who: Customer, manager: str) -> Life:
    """Plan, do one activity after the other, see the first value, and complete it; it stalls where the customer does not care."""
    id, role = f"ON-{who.id[2:]}", "customer success"
    go_live = desk.now + timedelta(days=random.choice((10, 14, 14, 18)))
    planned = desk.record(
        manager,
        role,
        o.create,
        id,
        customer_id=who.id,
        go_live_on=go_live.date(),
        subscription_id=who.subscription_id,
        contract_signed_at=desk.now,
    )
    if random.random() < 0.2:
        yield 3 * 86_400
        go_live += timedelta(days=7)
        desk.record(manager, role, o.change_go_live, id, go_live_on=go_live.date(), reason="Their data are not ready.")
    phases = planned.facts[0].phases if planned.facts else ()
    for phase in phases:
        for number, activity in enumerate(phase.activities):
            days = phase.from_day + (phase.until_day - phase.from_day) * (number + 0.5) / len(phase.activities)
            due = go_live + timedelta(days=days + 12 * (1 - who.mood) * random.random())
            yield max(3600.0, (due - desk.now).total_seconds())
            if who.stage == "gone":
                desk.record(manager, role, o.abandon, id, reason="They have left.")
                return
            if who.mood < 0.45 and random.random() < 0.08:
                desk.record(manager, role, o.stall, id, waits_for="customer", note="Nobody answers.")
                yield random.uniform(5, 15) * 86_400
                desk.record(manager, role, o.resume, id)
            _do(desk, random, id, manager, activity)
    yield 2 * 86_400
    desk.record(manager, role, o.complete, id)


def _do(desk: Desk, random: Random, id: str, manager: str, activity: str) -> None:
    role = "customer success"
    if activity != "first_case_setup" and random.random() < 0.05:
        desk.record(manager, role, o.skip_activity, id, activity=activity, reason="not_needed", note="They know how.")
        return
    desk.record(manager, role, o.complete_activity, id, activity=activity)
    if activity == "first_case_setup":
        desk.record(manager, role, o.reach_first_value, id)
