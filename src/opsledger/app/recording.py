"""Recording: load the stream, decide, seal, append; on a conflict load and decide again.

What a decision returns is recorded whole or not at all. A request with an idempotency key is answered once; the same request
again gets the earlier answer, also when that was "nothing to add".
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import EnumType
from functools import lru_cache
from inspect import signature
from threading import Lock
from typing import Any, Concatenate, Final, ParamSpec, get_args, get_type_hints

import msgspec
from pydantic import ValidationError

from opsledger.app.governing import Governing
from opsledger.domain.concept import Concept, Moment, concept_of, concepts, is_starting
from opsledger.domain.fact import encode, fact_type
from opsledger.domain.governance import CONCEPTS
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Conflict, KeyReused, Refused, Uncovered, Unknown
from opsledger.ledger.codec import read, read_all
from opsledger.ledger.envelope import Append, Appended, NewFact, Part, Request
from opsledger.ledger.keys import Keys
from opsledger.ledger.personal import Sealer
from opsledger.ledger.store import KeyTaken, Store, StreamMoved
from opsledger.policies.instants import iso, micros
from opsledger.policies.known import InForce

__all__ = ["Actor", "Decision", "Receipt", "Recording", "Sealing", "Stream", "checked_id"]

_SEVERAL: Final = re.compile(r"(?:typing\.|collections\.abc\.)?(?:tuple|list|set|frozenset|Sequence|Iterable|Collection)\[")

P = ParamSpec("P")
Decision = Callable[Concatenate[Any, Moment, P], Sequence[Any]]
_ATTEMPTS: Final = 12
_KEPT_STREAMS: Final = 256


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a record did: the facts added, the stream's version after it, and the position of its last fact (None: none)."""

    facts: tuple[Any, ...]
    version: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which role, when it happened, under which idempotency key. `at` None means now."""

    id: str
    role: str = ""
    at: datetime | None = None
    key: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    expect: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as this process last saw it. Personal fields are sealed in it."""

    concept: Concept
    name: str
    state: Any = None
    history: tuple[Recorded, ...] = ()

    @property
    def version(self) -> int:
        """The version of its newest fact; 0 before the first."""
        return self.history[-1].version if self.history else 0

    def after(self, added: Sequence[Recorded]) -> Stream:
        """Return the stream with more facts."""
        state = self.state
        for recorded in added:
            state = self.concept.evolve(state, recorded.fact)
        return replace(self, state=state, history=(*self.history, *added))


@dataclass(frozen=True, slots=True)
class Sealing:
    """Facts ready to append: the rows, the sealed parts beside them, and the facts as they will be read."""

    facts: tuple[Any, ...]
    rows: list[NewFact]
    parts: list[Part]

    def recorded(self, first_position: int, recorded_at: int) -> list[Recorded]:
        """Return the facts in their envelopes, once they have positions."""
        return [
            Recorded(
                position=first_position + i,
                stream=row.stream,
                version=row.version,
                topic=row.topic,
                occurred_at=row.occurred_at,
                recorded_at=recorded_at if row.recorded_at is None else row.recorded_at,
                fact=fact,
                recorded_by=row.recorded_by,
                role=row.role,
                revision=row.revision,
                command_id=row.command_id,
                correlation_id=row.correlation_id,
                causation_id=row.causation_id,
            )
            for i, (fact, row) in enumerate(zip(self.facts, self.rows, strict=True))
        ]


class Recording:
    """The one way in for facts of decisions."""

    def __init__(
        self, store: Store, sealer: Sealer, keys: Keys, governing: Governing, now: Callable[[], datetime], *, simulated: bool
    ) -> None:
        self.governing = governing
        self._store, self._sealer, self._keys = store, sealer, keys
        self._now = now
        self._simulated = simulated
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._lock = Lock()

    def record(self, actor: Actor, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> tuple[Receipt, Appended | None]:
        """Record what a decision returns for the thing `id`."""
        stream = f"{concept_of(decision).name}:{checked_id(id)}"
        request = self.request(actor, decision, stream, kwargs)
        if request is not None and (answer := self.answered(request)) is not None:
            return answer, None
        at, command_id = self.at(actor), secrets.token_hex(16)
        for _ in range(_ATTEMPTS):
            self._check_expected(actor)
            seen = self.load(stream)
            try:
                facts = self.decide(seen, actor, at, command_id, decision, kwargs)
            except (Refused, Unknown):
                if self._stale():
                    continue
                raise
            if not facts and self._stale():
                continue
            version = seen.version + len(facts)
            if not facts and request is None:
                return Receipt((), version, None), None
            sealing = self.seal(facts, stream, seen.version, actor, command_id)
            requests = [request._replace(version=version, facts=len(facts))] if request else []
            guards = {**self.governing.guards(stream), **actor.expect}
            try:
                appended = self._store.append(Append(facts=sealing.rows, guards=guards, parts=sealing.parts, requests=requests))
            except StreamMoved:
                if (own := self._own(stream, seen.version + 1, command_id, len(facts))) is not None:
                    return Receipt(facts, version, own), None
                self.governing.refresh()
                continue
            except KeyTaken:
                continue_with = self.answered(request) if request else None
                return continue_with or self._contended(stream), None
            self.keep(seen.after(sealing.recorded(appended.first_position, appended.recorded_at)))
            if seen.concept.name in CONCEPTS:
                self.governing.refresh()
            return Receipt(facts, version, appended.first_position + len(facts) - 1 if facts else None), appended
        return self._contended(stream), None

    def at(self, actor: Actor) -> datetime:
        """Return when the act happened: as the actor says, else now."""
        if actor.at is not None and not isinstance(actor.at, datetime):
            raise BadInput("time.malformed", f"The time {actor.at!r} is no datetime; give one with a zone.")
        return actor.at if actor.at is not None else self._now()

    def load(self, stream: str) -> Stream:
        """Return a stream as it stands, reading only what this process has not seen."""
        seen = self._streams.get(stream) or Stream(concepts()[stream.partition(":")[0]], stream)
        new = list(read_all(self._store.stream(stream, after=seen.version)))
        return self.keep(seen.after(new)) if new else seen

    def keep(self, seen: Stream) -> Stream:
        """Keep a stream as seen, so that the next record on it need not read it."""
        with self._lock:
            self._streams[seen.name] = seen
            self._streams.move_to_end(seen.name)
            if len(self._streams) > _KEPT_STREAMS:
                self._streams.popitem(last=False)
        return seen

    def decide(
        self,
        seen: Stream,
        actor: Actor,
        at: datetime,
        command_id: str,
        decision: Callable[..., Sequence[Any]],
        kwargs: Mapping[str, Any],
    ) -> tuple[Any, ...]:
        """Return the facts that a decision makes of a stream, checked."""
        concept = seen.concept
        if seen.state is None and not is_starting(decision):
            raise Unknown(f"{concept.name}.unknown", f"There is no {concept.name} {seen.name.partition(':')[2]}; look at its id.")
        moment = Moment(at, actor.id, actor.role, seen.name, InForce(self.governing.known, at), seen.history, command_id)
        _check_several(decision, kwargs)
        try:
            facts = tuple(decision(seen.state, moment, **kwargs))
        except ValidationError as error:
            raise _invalid(error, concept) from None
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
            raise BadInput("decision.arguments", f"{error}.") from None
        if concept.signals is not None:
            self._check_covered(facts)
        return facts

    def seal(self, facts: Sequence[Any], stream: str, version: int, actor: Actor, command_id: str) -> Sealing:
        """Return facts that follow a version, ready to append, their personal fields sealed.

        Each is sealed for a person who could be erased: the id of theirs must be one.
        """
        closed_facts, rows, parts = [], [], []
        recorded_at = micros(self._now()) if self._simulated else None
        for number, fact in enumerate(facts, version + 1):
            kind = fact_type(type(fact))
            closed, added = self._closed(fact, stream, number)
            closed_facts.append(closed)
            parts += added
            rows.append(
                NewFact(
                    stream=stream,
                    version=number,
                    topic=kind.topic,
                    revision=kind.revision,
                    state=_encoded(closed),
                    occurred_at=micros(getattr(fact, kind.at)),
                    recorded_at=recorded_at,
                    recorded_by=actor.id,
                    role=actor.role,
                    command_id=command_id,
                    correlation_id=actor.correlation_id,
                    causation_id=actor.causation_id,
                )
            )
        return Sealing(tuple(closed_facts), rows, parts)

    def _closed(self, fact: Any, stream: str, version: int) -> tuple[Any, list[Part]]:
        kind = fact_type(type(fact))
        if kind.subject is not None and kind.personal:
            _check_subject(getattr(fact, kind.subject))
        try:
            return self._sealer.seal(fact, stream, version)
        except UnicodeEncodeError:
            raise _half(fact) from None

    def _stale(self) -> bool:
        if self.governing.fresh():
            return False
        self.governing.refresh()
        return True

    def _check_covered(self, facts: Sequence[Any]) -> None:
        """Refuse a time that the calendars do not cover: a clock could not count there, now or in any replay."""
        begin, end = self.governing.known.covers()
        for fact in facts:
            at = micros(getattr(fact, fact_type(type(fact)).at))
            if not begin <= at < end:
                raise Uncovered(
                    "calendar.uncovered",
                    f"{iso(at)} lies outside {iso(begin)} to {iso(end)}, which the calendars cover; "
                    "run `opsledger tick` to extend them, or publish them from earlier.",
                )

    def _check_expected(self, actor: Actor) -> None:
        for stream, version in actor.expect.items():
            found = self._store.heads([stream]).get(stream, 0)
            if found != version:
                raise Conflict("stream.expected", f"{stream} was expected at version {version} and stands at {found}; look at it again.")

    def request(self, actor: Actor, decision: Callable[..., Any], stream: str, kwargs: Mapping[str, Any]) -> Request | None:
        """Return what is asked under the actor's key, as a MAC of the caller's own arguments; None without a key."""
        if actor.key is None:
            return None
        name = f"{concept_of(decision).name}.{decision.__name__}"
        said = {key: value for key, value in kwargs.items() if not _is_state(value)}
        content = {"decision": name, "stream": stream, "at": actor.at, "actor": actor.id, "arguments": said}
        mac = self._keys.mac("request", msgspec.json.encode(content, order="deterministic", enc_hook=str))
        return Request(key=actor.key, decision=name, stream=stream, mac=mac, version=0, first=0, facts=0)

    def answered(self, request: Request) -> Receipt | None:
        """Return the earlier answer to a request. Raises KeyReused where its key belongs to another one."""
        answer = self._store.answered(request.key, request.decision, request.stream)
        if answer is None:
            return None
        if answer.mac != request.mac:
            raise KeyReused(
                "request.key_reused",
                f"The key '{request.key}' was used for another {request.decision} on {request.stream}; give each request a key of its own.",
            )
        if answer.first_position is None:
            return Receipt((), answer.version, None)
        rows = self._store.page(answer.first_position - 1, answer.facts)
        return Receipt(tuple(read(row).fact for row in rows), answer.version, rows[-1].position)

    def _own(self, stream: str, version: int, command_id: str, count: int) -> int | None:
        """Return the last position of our own append, if it stands though its acknowledgement was lost."""
        rows = self._store.stream(stream, after=version - 1)[:count] if count else []
        return rows[-1].position if rows and all(row.command_id == command_id for row in rows) else None

    def _contended(self, stream: str) -> Receipt:
        raise Conflict("stream.contended", f"{stream} moved on at each of {_ATTEMPTS} tries; nothing was recorded. Try again later.")


def checked_id(id: str) -> str:
    """Return an id in its one normal form. Refuses what looks like another id, or cannot be read aloud."""
    if not isinstance(id, str):
        raise BadInput("id.malformed", f"{id!r} cannot be an id; give a text.")
    normal = unicodedata.normalize("NFC", id)
    if not normal or len(normal) > 200 or normal != normal.strip() or any(unicodedata.category(each)[0] == "C" for each in normal):
        raise BadInput("id.malformed", f"{id!r} cannot be an id; use 1 to 200 visible characters without spaces at the ends.")
    return normal


def _check_several(decision: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse one text where several values are asked for: Python would take it for its letters, and they would be recorded."""
    for name in _asks_for_several(decision):
        if isinstance(value := given.get(name), str):
            raise BadInput("decision.arguments", f"{name} is the text {value!r}, where several are asked for; give ({value!r},).")


@lru_cache(maxsize=1024)
def _asks_for_several(decision: Callable[..., Any]) -> tuple[str, ...]:
    """Return the parameters whose annotation asks for several values and for no text."""
    found = []
    for name, parameter in signature(decision).parameters.items():
        kinds = [kind.strip() for kind in str(parameter.annotation).split("|")]
        if any(_SEVERAL.match(kind) for kind in kinds) and "str" not in kinds:
            found.append(name)
    return tuple(found)


def _invalid(error: ValidationError, concept: Concept) -> BadInput:
    """Return in one sentence what a fact cannot be made of; of a choice that is none, what there is to choose from."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or error.title
    kind = next((kind for kind in concept.facts if kind.__name__ == error.title), None)
    hint = None if kind is None else get_type_hints(kind).get(where)
    choice = next((each for each in (hint, *get_args(hint)) if isinstance(each, EnumType)), None)
    if choice is not None and first["type"] == "is_instance_of":
        choices = ", ".join(f"{choice.__name__}.{name}" for name in choice.__members__)
        return BadInput("fact.invalid", f"{where}: {repr(first['input'])[:40]} is no {choice.__name__}; give one of {choices}.")
    return BadInput("fact.invalid", f"{where}: {first['msg'].removeprefix('Value error, ')}.")


@lru_cache(maxsize=4096)
def _check_subject(subject: str) -> None:
    """Refuse a person's id that could not name a stream, since they could then never be erased."""
    if checked_id(subject) != subject:
        raise BadInput("subject.malformed", f"{subject!r} is not in normal form (Unicode NFC); write it so wherever the person is named.")


def _encoded(fact: Any) -> bytes:
    try:
        return encode(fact)
    except UnicodeEncodeError:
        raise _half(fact) from None


def _half(fact: Any) -> BadInput:
    return BadInput("fact.text", f"A text of {type(fact).__name__} holds half of a character; clean it before recording.")


def _is_state(value: Any) -> bool:
    return any(isinstance(value, concept.state) for concept in concepts().values())
