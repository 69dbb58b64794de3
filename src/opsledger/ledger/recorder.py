"""What both stores are to the `eventsourcing` library: application recorders whose notification ids are positions.

Written on the contract of a store, so that the two cannot differ. Its own recorder suites write events that come without an
envelope; such an event is stored as having happened at the epoch, by nobody. What is read carries its row, from which
`LedgerApplication` makes facts in their envelopes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from uuid import UUID

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription

from opsledger.ledger.envelope import Append, NewFact, Row
from opsledger.ledger.store import Store, StreamMoved
from opsledger.ledger.url import LedgerUrl

__all__ = ["LedgerNotification", "Recorder"]

_PAGE: Final = 1000
_POLL_S: Final = 0.25


@dataclass(frozen=True)
class LedgerNotification(Notification):
    """A stored event of the library with the row that it was made of."""

    row: Row


class _Recorder(Store, Protocol):
    """A store whose streams the library knows by text, or by UUID."""

    @property
    def has_uuids(self) -> bool:
        """Return whether the library takes the names of streams for UUIDs."""


class Recorder:
    """The library's recorder, as a mixin for a store."""

    where: LedgerUrl

    def insert_events(self: _Recorder, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append events without an envelope; return their positions."""
        if not stored_events:
            return []
        try:
            appended = self.append(Append(facts=[_plain(event) for event in stored_events]))
        except StreamMoved as error:
            raise IntegrityError(error.sentence) from error
        return list(range(appended.first_position, appended.first_position + len(stored_events)))

    def select_events(
        self: _Recorder,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Return the events of a stream with versions in (gt, lte]."""
        rows = self.stream(_name(originator_id), after=-1 if gt is None else gt)
        within = [row for row in rows if lte is None or row.version <= lte]
        return [_notification(row, uuids=self.has_uuids) for row in (within[::-1] if desc else within)[:limit]]

    def select_notifications(
        self: _Recorder,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Return at most `limit` events from position `start` to `stop`, both included, of the topics given."""
        after = 0 if start is None else start - (1 if inclusive_of_start else 0)
        size = max(limit, _PAGE) if topics else limit
        found: list[Row] = []
        while len(found) < limit:
            rows = self.page(after, size, until=stop)
            found += [row for row in rows if not topics or row.topic in topics]
            if len(rows) < size:
                break
            after = rows[-1].position
        return [_notification(row, uuids=self.has_uuids) for row in found[:limit]]

    def max_notification_id(self: _Recorder) -> int | None:
        """Return the newest position; None in an empty ledger."""
        return self.head().position or None

    def subscribe(self: _Recorder, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Return the events above a position, for good: those that stand, and those to come."""
        return _Subscription(self, gt, topics)


class _Subscription(Subscription[ApplicationRecorder]):
    """Waits by the store's own `wait`, which asks again: the library's would wait for ever for a lost NOTIFY."""

    def __init__(self, store: _Recorder, gt: int | None, topics: Sequence[str]) -> None:
        recorder = cast(ApplicationRecorder, store)
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._store = store
        self._after = gt or 0
        self._ready: deque[Notification] = deque()

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            if self._ready:
                return self._ready.popleft()
            if self._store.wait(self._after, _POLL_S):
                self._read()
        raise StopIteration

    def _read(self) -> None:
        head = self._store.head().position
        found = self._recorder.select_notifications(self._after, _PAGE, head, self._topics, inclusive_of_start=False)
        self._ready.extend(found)
        self._after = found[-1].id if len(found) == _PAGE else head


def _plain(event: StoredEvent) -> NewFact:
    return NewFact(
        stream=_name(event.originator_id),
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


def _name(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id


def _notification(row: Row, *, uuids: bool) -> LedgerNotification:
    originator_id = UUID(row.stream) if uuids else row.stream
    return LedgerNotification(originator_id, row.version, row.topic, row.state, row.position, row)
