"""What the ledger knows of policies and calendars, folded from their facts. The one reader of both concepts."""

from __future__ import annotations

from typing import Final

from opsledger.domain import calendar, policy
from opsledger.domain.recorded import Recorded
from opsledger.policies.known import Known

__all__ = ["CONCEPTS", "learn"]

CONCEPTS: Final = ("policy", "calendar")
"""The concepts whose facts change what is known."""


def learn(known: Known, recorded: Recorded) -> Known:
    """Return what is known after one more fact of a policy or a calendar."""
    event = recorded.fact
    if isinstance(event, policy.Published):
        return known.with_model(policy.published_model(recorded.position, recorded.id, event))
    version = calendar.version_after(recorded.position, event, known.versions(recorded.id))
    return known.with_calendar(recorded.position, recorded.id, version)
