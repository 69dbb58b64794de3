"""What a fact is: frozen, validated when made, stored under a topic that never changes.

    @fact("ticket.responded", at="responded_at")
    class Responded:
        \"\"\"A person answered; an automatic acknowledgement is not a response.\"\"\"

        responded_at: At

`@fact` refuses at import what would bite years later: a default that decodes to something else, a field whose stored form
depends on the process, a type that cannot be read back. Why each: docs/explanation/facts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Final, Generic, TypeVar, Union, cast, dataclass_transform, get_args, get_origin, get_type_hints

import msgspec
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as validated

from opsledger.domain.shapes import STRICT, Sealed, refuse_what_bites

__all__ = ["At", "FactType", "Personal", "Promise", "Sealed", "Subject", "encode", "fact", "fact_type", "fact_types", "part"]

T = TypeVar("T")


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError(f"the time {when.isoformat()} has no zone; add one, for example +00:00 for UTC")
    return when.astimezone(UTC)


At = Annotated[datetime, msgspec.Meta(tz=True), AfterValidator(_utc)]
"""An instant with a zone, kept in UTC."""

Subject = Annotated[str, "subject"]
"""The person whom the personal fields of a fact are about, as a random id; they are sealed for this one."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def part(cls: type[T]) -> type[T]:
    """Make a value object that facts may contain: frozen, slotted, keyword-only, strict. Personal values stand in facts only."""
    made = _made(cls)
    for name, hint in get_type_hints(made, include_extras=True).items():
        if _within(hint, _PersonalMark):
            raise TypeError(f"{made.__qualname__}.{name} is personal inside a value object, where nothing would seal it.")
    return made


class _PersonalMark:
    """Marks a field whose value is sealed before it is stored or hashed."""


Personal = Annotated[T | Sealed, _PersonalMark()]
"""A personal value: itself when the fact is made, `Sealed` when it is read. Only `ledger.reveal` opens it."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Marks a field that holds a due time: `Annotated[At | None, Promise("resolution")]`."""

    metric: str


@dataclass(frozen=True, slots=True)
class FactType(Generic[T]):
    """What the ledger needs to know of a class of facts."""

    topic: str
    revision: int
    made: type[T]
    at: str
    subject: str | None
    personal: tuple[str, ...]
    promises: tuple[tuple[str, str], ...]  # (field, metric)
    upcasts: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
    corrects: Callable[[T], tuple[int, datetime] | None] | None
    decoder: msgspec.json.Decoder[T]

    def decode(self, state: bytes, revision: int) -> T:
        """Return the fact that `state` holds, an older revision by its defaults or its upcasts. Does not validate again."""
        if revision == self.revision or not self.upcasts:
            return self.decoder.decode(state)
        values = msgspec.json.decode(state)
        for older in range(revision, self.revision):
            values = self.upcasts[older](values) if older in self.upcasts else values
        return msgspec.convert(values, self.made)


_TYPES: Final[dict[str, FactType[Any]]] = {}
_BY_CLASS: Final[dict[type, FactType[Any]]] = {}
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
encode: Final = _ENCODER.encode
"""Return the stored bytes of a fact: JSON in the order of its fields, the same in every process."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def fact(
    topic: str,
    *,
    at: str,
    revision: int = 1,
    upcasts: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] | None = None,
    corrects: Callable[[Any], tuple[int, datetime] | None] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Declare a class of facts under a topic that never changes; `at` names the field that says when it happened.

    Raise `revision` with every added field, and give an `upcast` from the older one where a default does not say it.
    `corrects` returns (position, instant) when a fact gives an earlier one its right time.
    """

    def declare(cls: type[T]) -> type[T]:
        if topic in _TYPES:
            raise TypeError(
                f"{cls.__qualname__} declares the topic {topic}, which {_TYPES[topic].made.__qualname__} has; topics are unique."
            )
        if not cls.__doc__:
            raise TypeError(f"{cls.__qualname__} has no docstring; say in one sentence what happened.")
        made = _made(cls)
        _TYPES[topic] = _BY_CLASS[made] = _describe(made, topic, at, revision, upcasts or {}, corrects)
        return made

    return declare


def fact_type(known: str | type) -> FactType[Any]:
    """Return the description of a topic or of a class of facts. Raises KeyError when nothing of the kind is declared."""
    return _TYPES[known] if isinstance(known, str) else _BY_CLASS[known]


def fact_types() -> Mapping[str, FactType[Any]]:
    """Return every declared topic with its description."""
    return _TYPES


def _made(cls: type[T]) -> type[T]:
    made = cast(type[T], validated(frozen=True, slots=True, kw_only=True, config=STRICT)(cls))
    refuse_what_bites(made)
    return made


def _describe(
    made: type[T],
    topic: str,
    at: str,
    revision: int,
    upcasts: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]],
    corrects: Callable[[T], tuple[int, datetime] | None] | None,
) -> FactType[T]:
    hints = get_type_hints(made, include_extras=True)
    if at not in hints:
        raise TypeError(f"{made.__qualname__} says that it happened at {at}, which is no field of it.")
    personal = tuple(name for name, hint in hints.items() if _marks(hint, _PersonalMark))
    for name in hints.keys() - personal:
        if _within(hints[name], _PersonalMark):
            raise TypeError(f"{made.__qualname__}.{name} has a personal value inside another one, where nothing would seal it.")
    subjects = [name for name, hint in hints.items() if get_origin(hint) is Annotated and "subject" in get_args(hint)]
    if len(subjects) != 1 and (personal or subjects):
        raise TypeError(f"{made.__qualname__} has personal fields {personal} and subjects {subjects}; it needs exactly one Subject.")
    promises = tuple((name, mark.metric) for name, hint in hints.items() for mark in _marks(hint, Promise))
    return FactType(
        topic=topic,
        revision=revision,
        made=made,
        at=at,
        subject=subjects[0] if subjects else None,
        personal=personal,
        promises=promises,
        upcasts=upcasts,
        corrects=corrects,
        decoder=msgspec.json.Decoder(made),
    )


def _within(hint: Any, kind: type[Any]) -> bool:
    return bool(_marks(hint, kind)) or any(_within(each, kind) for each in get_args(hint))


def _marks(hint: Any, kind: type[Any]) -> list[Any]:
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        return [mark for mark in marks if isinstance(mark, kind)] + _marks(inner, kind)
    if get_origin(hint) in (Union, UnionType):
        return [mark for each in get_args(hint) for mark in _marks(each, kind)]
    return []
