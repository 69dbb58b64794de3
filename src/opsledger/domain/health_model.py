"""Health models: by which scorecard customers are judged. One stream per version, `health_model:opsledger-health-1`.

    published ──> retired

A version is never changed: another one is published beside it and adds scores, while those of the first stay as they were. No
customer is scored before a model is published. Source: Operating Model, "Customer Health Monitoring".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused
from opsledger.policies import documents
from opsledger.policies.health import HealthModel

__all__ = ["Fact", "Model", "Published", "Retired", "evolve", "publish", "retire"]


@fact("health_model.published", at="published_at")
class Published:
    """A version of the health model was agreed on; customers are scored by it."""

    published_at: At
    document: str  # canonical JSON
    digest: str  # SHA-256 of it
    scores_from: date | None = None  # first UTC day that it scores; null: the first day of each customer
    proposed_by: str
    approved_by: str


@fact("health_model.retired", at="retired_at")
class Retired:
    """The version scores no day that ends later; the days before keep their scores."""

    retired_at: At


Fact = Published | Retired


@dataclass(frozen=True, slots=True)
class Model:
    """A version as it was published, and when it was retired."""

    published: Published
    retired_at: datetime | None = None


@concept("health_model")
def evolve(model: Model | None, event: Fact) -> Model:
    """Return the model after `event`."""
    if model is None:
        if not isinstance(event, Published):
            raise Refused("health_model.unpublished", f"A health model begins with being published, not with {type(event).__name__}.")
        return Model(event)
    match event:
        case Published():
            return model
        case Retired():
            return replace(model, retired_at=min(event.retired_at, model.retired_at or event.retired_at))
        case _:
            assert_never(event)


@starts
def publish(
    model: Model | None, now: Moment, /, *, document: str, proposed_by: str, approved_by: str, scores_from: date | None = None
) -> tuple[Fact, ...]:
    """Record a version of the health model, in YAML or JSON. Another person approves. The same version again adds nothing."""
    another(approved_by, proposed_by, "this health model")
    text = documents.canonical(documents.read(HealthModel, document))
    if model is not None:
        if (model.published.document, model.published.scores_from) == (text, scores_from):
            return ()
        raise Refused("health_model.exists", f"{now.id} is published with another content, which stays; publish yours under another id.")
    published = Published(
        published_at=now.at,
        document=text,
        digest=documents.digest(text),
        scores_from=scores_from,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )
    return (published,)


def retire(model: Model, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the version scores no later day."""
    if now.at < model.published.published_at:
        raise Refused("health_model.unpublished", f"{now.id} was not published by {now.at.isoformat()}; retire it after that.")
    return () if model.retired_at is not None and model.retired_at <= now.at else (Retired(retired_at=now.at),)
