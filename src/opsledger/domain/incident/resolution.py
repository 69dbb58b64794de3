"""Decisions from the cause to the end: root cause, mitigation, validation, gradual rollout, resolution, reopening, closure."""

from __future__ import annotations

from opsledger.domain.concept import Moment
from opsledger.domain.incident import facts as f
from opsledger.domain.incident.state import Incident, Since, after_resolution, says, unclosed, unresolved
from opsledger.errors import Refused


def identify_root_cause(
    incident: Incident, now: Moment, /, *, cause: str, category: str | None = None, change_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record why it happened, also when that was understood only after the end."""
    if incident.root_cause_at == now.at:
        return ()
    identified = f.RootCauseIdentified(identified_at=now.at, category=category, change_id=change_id, subject_id=now.stream, cause=cause)
    return (identified,)


def mitigate(incident: Incident, now: Moment, /, *, action: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the impact ended or became bearable. Said again later, it had not; the last time counts."""
    if incident.mitigated_at == now.at:
        return ()
    unresolved(incident, now, "mitigation")
    return (f.Mitigated(mitigated_at=now.at, subject_id=now.stream, action=action),)


def validate_fix(incident: Incident, now: Moment, /, *, evidence: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the fix was tested and found to hold."""
    if incident.fix_validated_at == now.at:
        return ()
    unclosed(incident, now, "validation")
    return (f.FixValidated(validated_at=now.at, subject_id=now.stream, evidence=evidence),)


def advance_rollout(incident: Incident, now: Moment, /, *, rollout_pct: int, change_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record which share of production the fix has reached, in percent; a smaller one than before when it was taken back."""
    if not 0 <= rollout_pct <= 100:
        raise Refused("incident.rollout", f"A fix cannot have reached {rollout_pct} percent of production; say 0 to 100.")
    if says(incident.rollout_pct, now, rollout_pct):
        return ()
    unclosed(incident, now, "rollout")
    return (f.RolloutAdvanced(advanced_at=now.at, rollout_pct=rollout_pct, change_id=change_id),)


def resolve(incident: Incident, now: Moment, /, *, resolution: str | None = None) -> tuple[f.Fact, ...]:
    """Record that impact and cause are gone."""
    if incident.status == Since(now.at, "resolved"):
        return ()
    unresolved(incident, now, "resolution")
    return (f.Resolved(resolved_at=now.at, subject_id=now.stream, resolution=resolution),)


def reopen(incident: Incident, now: Moment, /, *, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record that it was not gone after all, also of one that was closed."""
    if says(incident.status, now, "open"):
        return ()
    return (f.Reopened(reopened_at=now.at, subject_id=now.stream, reason=reason),)


def close(incident: Incident, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that it is documented. It must be resolved; its review and action items may follow."""
    if says(incident.status, now, "closed"):
        return ()
    after_resolution(incident, now, "closure")
    return (f.Closed(closed_at=now.at),)
