"""Which shapes a fact may have: what is stored today must read back, the same, in every process and for ever."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel, ConfigDict
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

__all__ = ["STRICT", "Sealed", "refuse_what_bites"]

STRICT: Final = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Sealed:
    """Stands where a personal value was: its sealed part lies beside the log, its key in the key store."""

    part: str  # SHA-256 of the sealed bytes, in hexadecimal; says nothing about the content
    key: str  # id of the data key


_NEVER: Final = {
    float: "a binary float; use int with the unit in the name, or Decimal",
    bytes: "bytes, which JSON cannot hold; use text",
    set: "a set, whose order differs between processes; use a tuple",
    frozenset: "a frozenset, whose order differs between processes; use a tuple",
    list: "a list, which can be changed; use a tuple",
}
_READABLE: Final = (str, int, bool, NoneType, date, Decimal, tuple, dict, UnionType)
_INSTEAD: Final = "text, int, bool, Decimal, At, date, an enum, a Literal, a tuple or a @part"
_PLAIN: Final = (str, int, bool, NoneType, datetime, Decimal)


def refuse_what_bites(made: type) -> None:
    """Raise TypeError, naming the field, when `made` has one whose stored form would not read back as what it was."""
    for field in fields(made):
        if isinstance(field.default, FieldInfo):
            raise TypeError(
                f"{made.__qualname__}.{field.name} assigns Field(...): a stored fact without it would read as the FieldInfo itself. "
                f"Write `{field.name}: Annotated[..., Field(...)] = default`."
            )
        if field.default is not MISSING and not isinstance(field.default, (*_PLAIN, tuple)):
            raise TypeError(f"{made.__qualname__}.{field.name} has a default of {type(field.default).__name__}; use a plain value.")
    for name, hint in get_type_hints(made, include_extras=True).items():
        _refuse_hint(f"{made.__qualname__}.{name}", hint)
    try:
        msgspec.json.Decoder(made)
    except TypeError as error:
        raise TypeError(f"{made.__qualname__} could not be read back: {error}") from None


def _refuse_hint(where: str, hint: Any) -> None:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        if not (inner[0] is datetime and any(isinstance(mark, msgspec.Meta) and mark.tz for mark in inner[1:])):
            _refuse_hint(where, inner[0])
        return
    bare = origin or hint
    if bare is datetime:
        raise TypeError(f"{where} is a datetime that may have no zone; use At.")
    if bare in _NEVER:
        raise TypeError(f"{where} is {_NEVER[bare]}.")
    if isinstance(bare, TypeVar) or bare is Any or bare is object:
        raise TypeError(f"{where} has no certain type; name one.")
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        raise TypeError(f"{where} is a pydantic model; declare the value object with @part.")
    if isinstance(bare, type) and not (bare in _READABLE or issubclass(bare, Enum) or hasattr(bare, "__dataclass_fields__")):
        raise TypeError(f"{where} is a {bare.__name__}, which could not be read back; use {_INSTEAD}.")
    if origin in (Union, UnionType):
        objects = [each for each in inner if hasattr(_bare(each), "__dataclass_fields__") and _bare(each) is not Sealed]
        if len(objects) > 1:
            raise TypeError(f"{where} may be one of several value objects; declare two topics, or one part with a Literal kind.")
    for each in inner:
        if each is not Ellipsis and not isinstance(each, str | int | bool):
            _refuse_hint(where, each)


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint
