"""Golden files: what a fact of each topic and revision looks like in the ledger, byte for byte, for as long as there are ledgers.

`golden/<topic>.r<revision>.json` holds the stored bytes and a line end. The newest revision's file is what the program writes
today; an older one is what some ledger holds. A file is added once and never changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import TypeAdapter, ValidationError

from opsledger.domain.fact import FactType, Sealed, encode, fact_types
from opsledger.domain.plugins import load_concepts
from opsledger.ledger.keys import DataKey, commitment
from opsledger.ledger.personal import Sealer
from opsledger.policies.instants import at

FOLDER = Path(__file__).parent / "golden"
HAPPENED = at("2026-03-02T09:30:00.123456Z")
KEY = bytes(range(32))


class TestKeys:
    """One key for everybody, the same in every run."""

    __test__ = False

    def for_subject(self, subject: str) -> DataKey:
        return DataKey("golden-key", subject, KEY, commitment(KEY))

    def by_id(self, key_id: str) -> DataKey | None:
        return self.for_subject("golden-subject")

    def mac(self, purpose: str, content: bytes) -> str:
        raise AssertionError("no golden fact is asked for a MAC")


def kinds() -> dict[str, FactType[Any]]:
    """Return the topics that the product itself declares."""
    load_concepts()
    return {topic: kind for topic, kind in sorted(fact_types().items()) if kind.made.__module__.startswith("opsledger.")}


def path_of(kind: FactType[Any], revision: int | None = None) -> Path:
    """Return where the golden file of a topic lies."""
    return FOLDER / f"{kind.topic}.r{revision or kind.revision}.json"


# What a fact of a topic may look like, every field of it filled.


def example(kind: FactType[Any]) -> Any:
    """Return a fact with every field filled, personal ones sealed with the test's key."""
    return sealed(kind, kind.made(**values(kind.made, kind.topic)))


def sealed(kind: FactType[Any], made: Any) -> Any:
    """Return a fact as it is stored in `golden:G-1`, version 1, with a nonce that is always the same."""
    return Sealer("0" * 32, TestKeys(), nonce=lambda: bytes(12)).seal(made, "golden:G-1", 1)[0]


def values(made: type, topic: str) -> dict[str, Any]:
    """Return a value for each field, told by its type and its name."""
    return {name: value(hint, f"{name} of {topic}") for name, hint in get_type_hints(made, include_extras=True).items()}


def value(hint: Any, text: str) -> Any:
    """Return a value that a field takes, never null."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return value(next(each for each in inner if each not in (NoneType, Sealed)), text)
    if origin is Annotated:
        return _accepted(hint, [value(inner[0], text), 1, 50, 0, "a" * 64, "USD"])
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return tuple(value(each, f"{text}, part {i}") for i, each in enumerate(inner[:1] * 2 if inner[-1] is Ellipsis else inner, 1))
    if is_dataclass(hint):
        return hint(**values(hint, text))
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return next(iter(hint))
    return {str: text, int: 42, bool: True, datetime: HAPPENED, date: HAPPENED.date(), Decimal: Decimal("12.50")}[hint]


def _accepted(hint: Any, candidates: list[Any]) -> Any:
    for candidate in candidates:
        try:
            return TypeAdapter(hint).validate_python(candidate, strict=True)
        except ValidationError:
            continue
    raise AssertionError(f"no example is known for {hint}; teach `value` one")


# What may be wrong with a golden file.


def problems(kind: FactType[Any], stored: bytes) -> Iterator[str]:
    """Say what would become of a stored fact of the newest revision that the golden file does not allow."""
    topic, names = kind.topic, [field.name for field in fields(kind.made)]
    held = msgspec.json.decode(stored)
    assert isinstance(held, dict)
    cure = "stored facts of it exist: give the old name or meaning back, or add an optional field and raise the revision"
    for gone in held.keys() - names:
        yield f"{topic}.{gone} is in the ledgers and not in the program any more; {cure}."
    for new in names:
        if new not in held:
            yield f"{topic}.{new} was added under the old revision; raise the revision and add the golden file of it."
    if not held.keys() ^ set(names) and list(held) != names:
        yield f"{topic} has its fields in another order than before, so the same fact would be stored in other bytes; put them back."
    try:
        read = kind.decode(stored, kind.revision)
    except msgspec.MsgspecError as error:
        yield f"{topic} cannot be read any more ({error}); {cure}."
        return
    if encode(read) != stored:
        yield f"{topic} is written otherwise than it was read; {cure}."
    try:
        if TypeAdapter(kind.made).validate_json(stored) != read:
            yield f"{topic} reads as one thing and is validated as another."
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        yield f"{topic} is not valid as it was stored ({'.'.join(map(str, first['loc']))}: {first['msg']}); {cure}."
    for field in fields(read):
        if getattr(read, field.name) is None:
            yield f"{topic}.{field.name} is empty in the golden file, which shows every field filled."


def unsealed(kind: FactType[Any], read: Any) -> Any:
    """Return a golden fact with its personal fields as they were before they were sealed."""
    hints = get_type_hints(kind.made, include_extras=True)
    plain = {name: value(hints[name], f"{name} of {kind.topic}") for name in kind.personal}
    return replace(read, **plain)
