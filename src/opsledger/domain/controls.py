"""Controls: which facts are the evidence of what auditors ask for, in the words of their frameworks.

A control's population is every fact of its topics in a period, to sample from. `incident.*` means every topic of the concept, also
one that comes later, so that nothing is left out by a list that nobody kept up. References name clauses; their texts are elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opsledger.errors import Unknown

__all__ = ["CONTROLS", "Control", "control"]


@dataclass(frozen=True, slots=True)
class Control:
    """What an auditor asks for, and which facts answer."""

    name: str
    meaning: str
    frameworks: tuple[str, ...]
    topics: tuple[str, ...]  # or patterns: incident.*, *
    late: bool = False  # only those recorded later after they happened than the operating model allows

    def covers(self, topic: str) -> bool:
        """Return whether facts of a topic belong to the control."""
        concept = topic.partition(".")[0]
        return not {topic, f"{concept}.*", "*"}.isdisjoint(self.topics)


_DECLARED: Final = (
    Control(
        "tickets",
        "Requests of customers, as they were registered.",
        ("SOC 2 PI1: what comes in is complete",),
        ("ticket.registered",),
    ),
    Control(
        "escalations",
        "Promises that were seen broken or in danger, and what was escalated.",
        ("SOC 2 PI1: deviations are followed up", "SOC 2 CC7.3: events are evaluated"),
        ("ticket.escalated", "sla.*"),
    ),
    Control(
        "incidents",
        "Incidents from detection to what was learnt of them.",
        (
            "SOC 2 CC7.2: anomalies are detected",
            "SOC 2 CC7.3: events are evaluated",
            "SOC 2 CC7.4: incidents are responded to",
            "ISO 27001 A.5.28: evidence is kept",
        ),
        ("incident.*",),
    ),
    Control(
        "changes",
        "Changes of the platform and freezes, of policies and calendars, each with who asked for and who approved it.",
        ("SOC 2 CC8.1: changes are authorised", "ISO 27001 A.8.32: changes are managed", "ISO 27001 A.5.33: records are protected"),
        ("change.*", "freeze.*", "policy.*", "calendar.*", "ticket.policy_reassigned"),
    ),
    Control(
        "maintenance",
        "Maintenance windows and emergencies: what was announced to whom, approved by whom, and done when.",
        ("SOC 2 A1.2: availability is maintained", "SOC 2 CC2.3: customers are told", "SOC 2 CC8.1: changes are authorised"),
        ("maintenance.*",),
    ),
    Control(
        "service-credits",
        "What was decided of outages and error budgets, and what customers were given back, each with who asked and who approved.",
        ("SOC 2 A1.1: availability is measured", "SOC 2 PI1: what goes out is complete and accurate"),
        ("outage.*", "error_budget.*", "credit.*"),
    ),
    Control(
        "service-levels",
        "What was promised of services, by whom and who approved it, and what watches them.",
        ("SOC 2 A1.1: availability is measured", "SOC 2 CC8.1: changes are authorised", "ISO 27001 A.8.16: systems are monitored"),
        ("service.*", "slo.*", "monitor.*"),
    ),
    Control(
        "measurements",
        "What probes saw and what was counted of requests.",
        ("SOC 2 A1.1: availability is measured", "ISO 27001 A.8.16: systems are monitored"),
        ("probe.*", "measurement.*"),
    ),
    Control(
        "recovery",
        "Recovery points, restores and drills with what was lost and how long they took, and checks of the integrity of data.",
        (
            "SOC 2 A1.2: backups are made",
            "SOC 2 A1.3: recovery is tried",
            "ISO 27001 A.8.13: information is backed up",
            "ISO 27001 A.5.30: continuity is prepared and tried",
            "SOC 2 PI1: what is stored is complete and accurate",
        ),
        ("recovery_point.*", "restore.*", "recovery_drill.*", "integrity_check.*"),
    ),
    Control(
        "automation",
        "What programs did in place of people: deployments, repairs, tasks, and how they ended.",
        ("SOC 2 CC7.4: incidents are responded to", "SOC 2 CC8.1: changes are authorised"),
        ("automation_run.*",),
    ),
    Control(
        "capacity",
        "Load tests, and batch work: when it was to be done, and the runs of it.",
        ("SOC 2 A1.1: capacity is measured and evaluated", "ISO 27001 A.8.6: capacity is managed"),
        ("load_test.*", "batch.*"),
    ),
    Control(
        "subscriptions",
        "What customers subscribed to, at which terms, what they used, and what became of it.",
        ("SOC 2 PI1: processing is complete and accurate",),
        ("plan.*", "subscription.*", "usage.*", "fx.*"),
    ),
    Control(
        "customers",
        "Who our customers are, how they were taken up, what they did and what they said.",
        ("SOC 2 PI1: what comes in is complete",),
        ("customer.*", "onboarding.*", "activity.*", "survey.*", "renewal.*", "health_model.*", "health_override.*"),
    ),
    Control(
        "corrections",
        "Corrections of what was recorded: old and new value, reason, who asked and who approved.",
        ("21 CFR 11.10(e): earlier values stay readable", "EU Annex 11, 9: who, what, when and why", "SOC 2 PI1: errors are corrected"),
        (
            "ticket.time_corrected",
            "incident.milestone_corrected",
            "change.time_corrected",
            "calendar.corrected",
            "period.restated",
            "maintenance.time_corrected",
            "outage.reclassified",
            "probe.state_corrected",
            "recovery_point.corrected",
            "restore.corrected",
            "recovery_drill.corrected",
            "integrity_check.corrected",
            "automation_run.corrected",
            "batch.run_withdrawn",
            "error_budget.adjusted",
            "activity.count_corrected",
            "customer.time_corrected",
            "onboarding.time_corrected",
            "renewal.forecast_corrected",
            "survey.response_corrected",
            "fx.rate_corrected",
            "measurement.window_withdrawn",
            "subscription.time_corrected",
            "subscription.retracted",
            "usage.corrected",
            "usage.voided",
        ),
    ),
    Control(
        "late-entries",
        "Facts recorded later after they happened than the operating model allows.",
        ("21 CFR 11.10(e): times are recorded as it happens", "ISO 27001 A.8.15: activities are logged"),
        ("*",),
        late=True,
    ),
    Control(
        "imports",
        "What was taken in from other systems, and what was set aside.",
        ("SOC 2 PI1: what comes in is complete and accurate",),
        ("import.*",),
    ),
    Control(
        "closes",
        "Periods closed and restated: what was reported, and who approved it.",
        ("SOC 2 PI1: what goes out is complete and accurate",),
        ("period.*",),
    ),
    Control(
        "reviews",
        "Reviews of the audit trail by people who took no part in it.",
        ("EU Annex 11, 9: audit trails are reviewed", "ISO 27001 A.8.15: logs are reviewed"),
        ("audit_trail.*",),
    ),
    Control(
        "data-subjects",
        "What people asked about their data, legal holds, and what was destroyed by whose decision.",
        (
            "GDPR Art. 12(3) and 17: requests are answered in time",
            "PIPEDA 8(3): access is given in time",
            "ISO 27001 A.8.10: information is deleted",
        ),
        ("subject.*",),
    ),
    Control(
        "ledger",
        "The ledger itself: its beginning, clocks that fell behind, signing keys, restores.",
        (
            "ISO 27001 A.8.17: clocks are synchronised",
            "ISO 27001 A.8.24: keys are managed",
            "SOC 2 A1.3: recovery is shown",
        ),
        ("ledger.*",),
    ),
    Control(
        "audit-trail",
        "Every fact.",
        ("SEC 17a-4(f): a complete time-stamped trail", "ISO 27001 A.8.15: activities are logged", "21 CFR 11.10(e): an audit trail"),
        ("*",),
    ),
)

CONTROLS: Final = {each.name: each for each in _DECLARED}
"""The controls by their names."""


def control(name: str) -> Control:
    """Return a control by its name."""
    if name not in CONTROLS:
        raise Unknown("control.unknown", f"There is no control '{name}'; there are {', '.join(CONTROLS)}.")
    return CONTROLS[name]
