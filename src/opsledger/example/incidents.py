"""A year of incidents: some found by monitoring, some by customers; one that came back, one whose start was put right later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from opsledger.domain import incident
from opsledger.example.changes import mend
from opsledger.example.platform import outage_of, put_right
from opsledger.example.simulation import Desk, Life

__all__ = ["break_down"]

ENGINEERS: Final = ("u-hal", "u-ida", "u-jon", "u-kim")
SERVICES: Final = ("api", "database", "documents", "platform", "web")
CAUSES: Final = (
    ("capacity", "The queue filled up."),
    ("change", "A setting was lost in the release."),
    ("vendor", "The provider's zone failed."),
)


def break_down(desk: Desk, number: int, at: datetime, *, severe: bool) -> None:
    """Let something break at an instant; `severe` is what a bad day brings."""
    desk.begin(at, _life(desk, f"INC-{number:03d}", number, at, severe=severe))


def _life(desk: Desk, id: str, number: int, began: datetime, *, severe: bool) -> Life:
    random = desk.random
    affected = ("api", "platform") if severe else (random.choice(SERVICES),)
    suffers = random.expovariate(1 / (5400 if severe else 1800))
    severity: incident.Severity = "critical" if severe else random.choice(("high", "medium", "low"))
    source: incident.DetectionSource = random.choices(("monitoring", "customer", "proactive", "third_party"), weights=(6, 3, 1, 1))[0]
    commander, engineer = random.sample(ENGINEERS, 2)
    if severity in ("critical", "high"):
        outage_of(desk, affected, began, timedelta(seconds=suffers))
    yield random.uniform(60, 600) if source == "monitoring" else random.uniform(600, 3600)
    known = began if source == "monitoring" else None
    desk.record(
        "monitoring" if source == "monitoring" else "u-ana",
        "operations",
        incident.declare,
        id,
        detection_source=source,
        severity=severity,
        title="Requests fail or take very long",
        impact_started_at=known,
        services=affected,
    )
    yield random.uniform(60, 900)
    desk.record(commander, "operations", incident.acknowledge, id)
    desk.record(commander, "operations", incident.triage, id, category="availability")
    desk.record(commander, "operations", incident.assign_role, id, role="commander", person_id=commander)
    if severe:
        desk.record(commander, "operations", incident.open_war_room, id)
    desk.record(
        commander, "operations", incident.publish_status, id, audience="customers", phase="investigating", message="We look into it."
    )
    if known is None:
        yield random.uniform(300, 1800)
        desk.record(engineer, "operations", incident.state_impact, id, impact_started_at=began)
    if severe:
        mend(desk, number, id, desk.now + timedelta(seconds=600))
    yield max(60.0, suffers - (desk.now - began).total_seconds())
    category, cause = random.choice(CAUSES)
    desk.record(engineer, "operations", incident.identify_root_cause, id, cause=cause, category=category)
    desk.record(engineer, "operations", incident.mitigate, id, action="Traffic was moved away.")
    yield from _repair(desk, id, commander, engineer, affected)
    yield from _learn(desk, id, commander, began, severe=severe)


def _repair(desk: Desk, id: str, commander: str, engineer: str, affected: tuple[str, ...]) -> Life:
    random = desk.random
    yield random.uniform(600, 3600)
    desk.record(engineer, "operations", incident.validate_fix, id)
    for share in (10, 50, 100):
        desk.record(engineer, "operations", incident.advance_rollout, id, rollout_pct=share)
        yield random.uniform(300, 1200)
    for service in affected:
        desk.record(engineer, "operations", incident.restore_service, id, service_id=service)
    desk.record(commander, "operations", incident.resolve, id, resolution="The fix is everywhere.")
    desk.record(commander, "operations", incident.publish_status, id, audience="customers", phase="resolved", message="It works again.")
    if random.random() < 0.08:
        yield random.uniform(600, 7200)
        desk.record(commander, "operations", incident.reopen, id, reason="Errors again.")
        yield random.uniform(1200, 5400)
        desk.record(commander, "operations", incident.resolve, id, resolution="Now it is.")


def _learn(desk: Desk, id: str, commander: str, began: datetime, *, severe: bool) -> Life:
    random = desk.random
    desk.record(commander, "operations", incident.close_war_room, id)
    yield random.uniform(1, 4) * 86_400
    if severe or random.random() < 0.4:
        desk.record(commander, "operations", incident.hold_review, id, document_id=f"PIR-{id}")
        desk.record(commander, "operations", incident.open_action_item, id, item_id="A1", description="Alarm earlier.", owner_id=commander)
        if random.random() < 0.25:
            yield from _put_right(desk, id, commander, began)
    desk.record(commander, "operations", incident.close, id)
    yield random.uniform(5, 30) * 86_400
    if random.random() < 0.75:
        desk.record(commander, "operations", incident.complete_action_item, id, item_id="A1")


def _put_right(desk: Desk, id: str, commander: str, began: datetime) -> Life:
    """The review finds that it began earlier than was thought; two people put the start right."""
    yield 3600
    if desk.now.month == 10:
        put_right(desk, "api", began, began + timedelta(minutes=12))
    desk.commit()
    facts = [each for each in desk.history(f"incident:{id}") if getattr(each.fact, "impact_started_at", None) == began]
    if facts:
        desk.record(
            "u-gus",
            "operations lead",
            incident.correct_milestone,
            id,
            corrects=facts[0].position,
            milestone="impact_started",
            was=began,
            to=began - timedelta(minutes=12),
            reason="The proxy's log shows the first failures.",
            requested_by=commander,
            approved_by="u-gus",
        )
