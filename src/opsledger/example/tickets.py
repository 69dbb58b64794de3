"""A year of support tickets: quiet and busy days, good and bad ones, things forgotten, typed in late and put right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from opsledger.domain import ticket
from opsledger.example.customers import Crowd
from opsledger.example.simulation import Desk, Life
from opsledger.policies.support import PauseReason, Priority

__all__ = ["LEADS", "Support", "arrivals"]

AGENTS = ("u-ana", "u-ben", "u-cho", "u-dov", "u-eli")
LEADS = ("u-fay", "u-gus")
GROUPS = ("desk", "integrations", "billing")
ABOUT = (
    ("reports", "The monthly report is empty", "svc-reports"),
    ("login", "Nobody of my office can sign in", "svc-auth"),
    ("import", "My import stops at the third file", "svc-documents"),
    ("billing", "The invoice shows a seat too many", None),
    ("api", "Our calls come back with 502 now and then", "svc-api"),
    ("speed", "Searching takes half a minute", "svc-search"),
    ("question", "How do I hand a case to a colleague", None),
)
ANSWERS = ("Thank you, we are looking into it.", "I can see it here too and have asked our engineers.", "Could you send us the file?")
TARGET_H = {Priority.CRITICAL: 4, Priority.HIGH: 8, Priority.MEDIUM: 24, Priority.LOW: 60}


@dataclass(slots=True)
class Support:
    """How the desk works, and whom it serves."""

    desk: Desk
    callers: int
    crowd: Crowd
    number: int = 0

    def open(self, *, about: int | None = None, priority: Priority | None = None, at: datetime) -> None:
        """Let a customer come with a request at an instant."""
        self.number += 1
        random = self.desk.random
        chosen = priority or random.choices(list(Priority), weights=(3, 15, 45, 37))[0]
        topic = random.randrange(len(ABOUT)) if about is None else about
        self.desk.begin(at, self._life(f"T-{self.number:05d}", chosen, topic))

    def _life(self, id: str, priority: Priority, topic: int) -> Life:
        """What happens to one ticket."""
        desk, random = self.desk, self.desk.random
        category, summary, service = ABOUT[topic]
        customer = self.crowd.caller(random.randrange(1, self.callers + 1))
        who = {"customer_id": customer, "requester_id": f"p-{customer[2:]}-{random.randrange(3)}"}
        channel = random.choices(("email", "chat", "phone"), weights=(6, 3, 1))[0]
        desk.record("intake", "system", ticket.register, id, **who, channel=channel, priority=priority, summary=summary)
        desk.record("intake", "system", ticket.acknowledge, id, automatic=True)
        if random.random() < 0.02:
            yield random.uniform(300, 3600)
            desk.record(random.choice(AGENTS), "support", ticket.mark_spam, id)
            return
        agent, group = random.choice(AGENTS), random.choice(GROUPS)
        yield random.uniform(60, 900)
        desk.record(agent, "support", ticket.classify, id, category=category, service_id=service)
        desk.record(agent, "support", ticket.assign, id, group=group, assignee_id=agent)
        yield from self._answer(id, priority, agent)
        yield from self._work(id, priority, agent)
        yield from self._finish(id, agent, customer)

    def _answer(self, id: str, priority: Priority, agent: str) -> Life:
        """The first response: mostly in time, sometimes late, sometimes typed in afterwards."""
        desk, random = self.desk, self.desk.random
        promised = {Priority.CRITICAL: 900, Priority.HIGH: 3600, Priority.MEDIUM: 14_400, Priority.LOW: 86_400}[priority]
        yield promised * random.betavariate(1.6, 3.2) * (1.7 if _weekend(desk.now) else 1.15)
        if random.random() < 0.03:
            happened = desk.now
            yield random.uniform(1800, 6 * 3600)
            desk.record_late(agent, "support", happened, ticket.respond, id, message="As I told you by phone.")
        else:
            desk.record(agent, "support", ticket.respond, id, message=random.choice(ANSWERS))

    def _work(self, id: str, priority: Priority, agent: str) -> Life:
        """Investigation, waiting, a change of mind about the priority, updates to the customer."""
        desk, random = self.desk, self.desk.random
        desk.record(agent, "support", ticket.investigate, id)
        if random.random() < 0.06:
            worse = Priority.HIGH if priority in (Priority.MEDIUM, Priority.LOW) else Priority.CRITICAL
            desk.record(agent, "support", ticket.prioritize, id, priority=worse, reason="More people have it.")
        if random.random() < 0.35:
            yield random.uniform(600, 7200)
            reasons: tuple[PauseReason, ...] = ("awaiting_customer", "awaiting_customer", "awaiting_vendor", "awaiting_problem")
            reason = random.choice(reasons)
            desk.record(agent, "support", ticket.pause, id, reason=reason)
            yield random.expovariate(1 / 30_000)
            if reason == "awaiting_customer":
                desk.record("intake", "system", ticket.hear_from_customer, id, message="Here it is.")
            else:
                desk.record(agent, "support", ticket.resume, id)
        if random.random() < 0.2:
            desk.record(agent, "support", ticket.involve, id, team="engineering", question="Does this ring a bell?")
            desk.record(agent, "support", ticket.reproduce, id, reproducible=random.random() < 0.7)
        needed = TARGET_H[priority] * 3600 * random.betavariate(1.5, 3.4) * (1.3 if random.random() < 0.15 else 1.0)
        steps = max(1, round(needed / {Priority.CRITICAL: 3300, Priority.HIGH: 6900}.get(priority, 80_000)))
        for _ in range(steps):
            yield needed / steps
            if random.random() < 0.9:
                desk.record(agent, "support", ticket.update_customer, id, message="We are still on it.")

    def _finish(self, id: str, agent: str, customer: str) -> Life:
        """Resolution, what the customer says of it, closing, and what is learnt."""
        desk, random = self.desk, self.desk.random
        desk.record(agent, "support", ticket.propose_solution, id, solution="Change the setting that the last release moved.")
        desk.record(agent, "support", ticket.try_solution, id, passed=True)
        receipt = desk.record(agent, "support", ticket.resolve, id, code=random.choice(("fixed", "explained", "workaround")))
        if receipt.facts and random.random() < 0.01:
            yield from self._put_right(id, agent)
        if random.random() < 0.3:
            desk.record(agent, "support", ticket.link_knowledge, id, article_id=f"KB-{random.randrange(1, 60)}", use="used")
        desk.record("intake", "system", ticket.send_survey, id)
        if random.random() < 0.08:
            yield random.uniform(3600, 3 * 86_400)
            desk.record("intake", "system", ticket.hear_from_customer, id, message="It is back.")
            yield random.uniform(1800, 12 * 3600)
            desk.record(agent, "support", ticket.respond, id, message="I am sorry. I have it again.")
            yield random.uniform(1800, 12 * 3600)
            desk.record(agent, "support", ticket.resolve, id, code="fixed")
        if random.random() < 0.35:
            yield random.uniform(3600, 2 * 86_400)
            score = random.choices((1, 2, 3, 4, 5), weights=self.crowd.scores(customer))[0]
            desk.record("intake", "system", ticket.answer_survey, id, score=score, comment="Thank you." if score > 3 else "Slow.")
        yield 5 * 86_400
        desk.record("intake", "system", ticket.close, id)
        if random.random() < 0.15:
            yield 2 * 86_400
            desk.record(agent, "support", ticket.check_in, id, satisfied=random.random() < 0.9)
            if random.random() < 0.3:
                desk.record(agent, "support", ticket.take_preventive_measure, id, measure="A check before each release.")

    def _put_right(self, id: str, agent: str) -> Life:
        """A resolution that was entered an hour late is corrected by two people, in its right order."""
        desk = self.desk
        yield 7200
        desk.commit()
        resolved = next(each for each in reversed(desk.history(f"ticket:{id}")) if isinstance(each.fact, ticket.Resolved))
        was: datetime = resolved.fact.resolved_at
        lead = self.desk.random.choice(LEADS)
        desk.record(
            lead,
            "support lead",
            ticket.correct_time,
            id,
            corrects=resolved.position,
            was=was,
            to=was - timedelta(minutes=20),
            reason="Entered after the call.",
            requested_by=agent,
            approved_by=lead,
        )


def arrivals(random: Random, day: datetime, mean: float) -> list[datetime]:
    """Return when requests come in on a day: more on Mondays, few at weekends, most in office hours."""
    weight = (1.5, 1.2, 1.1, 1.0, 0.9, 0.25, 0.2)[day.weekday()]
    found: list[datetime] = []
    at = 0.0
    while True:
        at += random.expovariate(mean * weight / 86_400)
        if at >= 86_400:
            return found
        office = 13 * 3600 + (at / 86_400) * 9 * 3600  # nine to six in New York
        found.append(day + timedelta(seconds=round(office if random.random() < 0.8 else at)))


def _weekend(now: datetime) -> bool:
    return now.weekday() >= 5
