"""Operating models, published: what was promised, by whom it was proposed and approved, and from when it holds.

    published ──> published ──> ...        one stream per model, `policy:operating-model`

Source: Operating Model, "Service Level Agreements". A version is never changed; the next one is published beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from opsledger.domain.concept import SYSTEM, Moment, another, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.domain.months import Months, months_of
from opsledger.errors import Refused
from opsledger.policies import documents
from opsledger.policies.instants import micros
from opsledger.policies.known import PublishedModel
from opsledger.policies.operating_model import OperatingModel

__all__ = ["NAME", "Months", "Policy", "Published", "evolve", "publish", "published_model", "reference"]

NAME: Final = "operating-model"
"""Id of the one operating model."""


@fact("policy.published", at="published_at")
class Published:
    """A version of an operating model holds from `effective_from` on."""

    published_at: At
    version: int
    effective_from: At
    document: str  # canonical JSON
    digest: str  # SHA-256 of it
    months: Months
    proposed_by: str
    approved_by: str
    reason: str


Fact = Published


@dataclass(frozen=True, slots=True)
class Policy:
    """The number of the newest version; what the versions say is known to `now.policies`."""

    version: int


@concept("policy")
def evolve(policy: Policy | None, event: Fact) -> Policy:
    """Return the policy after `event`."""
    return Policy(event.version)


@starts
def publish(
    policy: Policy | None,
    now: Moment,
    /,
    *,
    document: str,
    proposed_by: str,
    approved_by: str,
    effective_from: datetime | None = None,
    reason: str = "",
) -> tuple[Fact, ...]:
    """Record a version of the operating model, in YAML or JSON, that holds from `effective_from` (default: now) on.

    Refuses an approver who is the proposer, calendars that are not published, and a time in the past without a reason.
    """
    if now.id != NAME:
        raise Refused("policy.name", f"There is one operating model, and its id is {NAME}, not {now.id}.")
    if not (policy is None and proposed_by == approved_by == SYSTEM):
        another(approved_by, proposed_by, "this operating model")
    model = documents.read(OperatingModel, document)
    missing = sorted(model.support.calendars() - set(now.policies.known.calendars()))
    if missing:
        raise Refused("policy.no_calendar", f"The model counts on the calendar '{missing[0]}', which is not published; publish it first.")
    effective = effective_from or now.at
    if micros(effective) < micros(now.at) and not reason:
        raise Refused("policy.retroactive", f"The model would hold from {effective.isoformat()}, before now; say why with a reason.")
    text = documents.canonical(model)
    in_force = [each for each in now.policies.known.models() if each.effective_from <= micros(effective)]
    if in_force and documents.canonical(in_force[-1].model) == text:
        return ()
    published = Published(
        published_at=now.at,
        version=1 if policy is None else policy.version + 1,
        effective_from=effective,
        document=text,
        digest=documents.digest(text),
        months=months_of(model.reporting.month_zone),
        proposed_by=proposed_by,
        approved_by=approved_by,
        reason=reason,
    )
    return (published,)


def published_model(position: int, name: str, event: Published) -> PublishedModel:
    """Return the model that a fact published, under its reference: name, version and the start of its digest."""
    model = documents.restored(OperatingModel, event.document)
    return PublishedModel(reference(name, event), position, micros(event.effective_from), model, event.months.known())


def reference(name: str, event: Published) -> str:
    """Return how tickets name a published model: name, version and the start of its digest."""
    return f"{name}@{event.version}:{event.digest[:12]}"
