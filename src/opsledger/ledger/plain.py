"""Events of the `eventsourcing` library that come without an envelope, as its own recorder suites write them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from opsledger.ledger.envelope import NewFact

__all__ = ["plain_facts"]


def plain_facts(stored_events: Sequence[StoredEvent]) -> list[NewFact]:
    """Return stored events as rows whose envelope says no more than the library does. They happened when they are written."""
    return [
        NewFact(
            stream=event.originator_id.hex if isinstance(event.originator_id, UUID) else event.originator_id,
            version=event.originator_version,
            topic=event.topic,
            revision=1,
            state=event.state,
            occurred_at=0,
            recorded_at=None,
            recorded_by="",
            role="",
            command_id="",
        )
        for event in stored_events
    ]
