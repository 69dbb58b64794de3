"""Several records in one transaction: all stand afterwards, or none. For work that belongs together, and for bulk."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self

from opsledger.app.recording import Actor, Decision, Receipt, Recording, Stream, checked_id
from opsledger.domain.concept import concept_of
from opsledger.domain.governance import CONCEPTS
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Conflict
from opsledger.ledger.envelope import Append, NewFact, Part, Request
from opsledger.ledger.store import KeyTaken, Store, StreamMoved

__all__ = ["Batch"]

P = ParamSpec("P")


class Batch:
    """Records that are written together when the `with` block ends, and not at all when it raises.

    Each decision sees what the earlier ones of the batch decided. Where somebody else records on one of the streams
    meanwhile, leaving the block raises Conflict and nothing is written: repeat the whole block.
    """

    def __init__(self, recording: Recording, store: Store) -> None:
        self._recording, self._store = recording, store
        self._command_id = secrets.token_hex(16)
        self._streams: dict[str, Stream] = {}
        self._rows: list[NewFact] = []
        self._parts: list[Part] = []
        self._requests: list[Request] = []
        self._expect: dict[str, int] = {}
        self._next = store.head().position + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.commit()

    def record(self, actor: Actor, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Decide now, write with the rest. The receipt's position is None: the fact has none before the batch ends."""
        concept = concept_of(decision)
        if concept.name in CONCEPTS:
            raise BadInput("batch.governance", f"A {concept.name} is recorded on its own, since all that follows relies on it.")
        stream = f"{concept.name}:{checked_id(id)}"
        request = self._recording.request(actor, decision, stream, kwargs)
        if request is not None and (answer := self._recording.answered(request)) is not None:
            return answer
        seen = self._streams.get(stream) or self._recording.load(stream)
        facts = self._recording.decide(seen, actor, self._recording.at(actor), self._command_id, decision, kwargs)
        version = seen.version + len(facts)
        if request is not None:
            self._requests.append(request._replace(version=version, first=len(self._rows), facts=len(facts)))
        self._expect |= actor.expect
        self._add(seen, facts, actor)
        return Receipt(facts, version, None)

    def history(self, stream: str) -> tuple[Recorded, ...]:
        """Return the facts of a stream, those decided in this batch included; they have no positions to rely on yet."""
        return (self._streams.get(stream) or self._recording.load(stream)).history

    def commit(self) -> None:
        """Write what was decided so far, and go on with an empty batch."""
        if not (self._rows or self._requests):
            return
        guards = {**self._recording.governing.guards(""), **self._expect}
        try:
            self._store.append(Append(facts=self._rows, guards=guards, parts=self._parts, requests=self._requests))
        except (StreamMoved, KeyTaken) as error:
            self._recording.governing.refresh()
            raise Conflict("batch.conflict", f"{error.sentence} Nothing of the batch was written; repeat it.") from None
        self.__init__(self._recording, self._store)  # type: ignore[misc]  # begins anew, with nothing pending

    def _add(self, seen: Stream, facts: Sequence[Any], actor: Actor) -> None:
        sealing = self._recording.seal(facts, seen.name, seen.version, actor, self._command_id)
        self._streams[seen.name] = seen.after(sealing.recorded(self._next, 0))
        self._next += len(facts)
        self._rows += sealing.rows
        self._parts += sealing.parts
