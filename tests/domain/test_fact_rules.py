"""What a fact may be: refused at import where it would bite later, and read back as it was made."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from opsledger.domain import fact as facts
from opsledger.domain.fact import At, Personal, Promise, Sealed, Subject, encode, fact, fact_type, part
from opsledger.policies.instants import at

T = TypeVar("T")
NINE = at("2026-03-02T09:00:00Z")


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the topics that a test declares."""
    monkeypatch.setattr(facts, "_TYPES", dict(facts._TYPES))
    monkeypatch.setattr(facts, "_BY_CLASS", dict(facts._BY_CLASS))


class Model(BaseModel):
    number: int


@part
class Place:
    """Where it was."""

    room: str
    floor: int = 0


@part
class Other:
    """Another value object."""

    name: str


class Colour(StrEnum):
    RED = "red"


def declared(hint: Any, default: Any = ..., **marks: Any) -> type:
    """Declare a fact whose field `value` has a type and perhaps a default."""
    body: dict[str, Any] = {"__annotations__": {"held_at": At, "value": hint}, "__doc__": "It took place.", "__module__": __name__}
    if default is not ...:
        body["value"] = default
    made: type = fact("test.held", at="held_at", **marks)(type("Held", (), body))
    return made


# What is refused at import.


class Generics(Generic[T]):
    """A generic value."""


@pytest.mark.parametrize(
    ("hint", "sentence"),
    [
        (float, "Held.value is a binary float; use int with the unit in the name, or Decimal."),
        (float | None, "Held.value is a binary float"),
        (tuple[float, ...], "Held.value is a binary float"),
        (Annotated[float, Field(ge=0)], "Held.value is a binary float"),
        (bytes, "Held.value is bytes, which JSON cannot hold; use text."),
        (set[str], "Held.value is a set, whose order differs between processes; use a tuple."),
        (frozenset[str], "Held.value is a frozenset, whose order differs between processes; use a tuple."),
        (list[str], "Held.value is a list, which can be changed; use a tuple."),
        (tuple[list[str], ...], "Held.value is a list, which can be changed"),
        (dict[str, float], "Held.value is a binary float"),
        (T, "Held.value has no certain type; name one."),
        (tuple[T, ...], "Held.value has no certain type; name one."),
        (Any, "Held.value has no certain type; name one."),
        (object, "Held.value has no certain type; name one."),
        (Model, "Held.value is a pydantic model; declare the value object with @part."),
        (Model | None, "Held.value is a pydantic model"),
        (Place | Other, "Held.value may be one of several value objects; declare two topics, or one part with a Literal kind."),
        (datetime, "Held.value is a datetime that may have no zone; use At."),
        (datetime | None, "Held.value is a datetime that may have no zone; use At."),
        (AwareDatetime, "Held.value is a AwareDatetime, which could not be read back; use text, int, bool, Decimal, At, date"),
        (timedelta, "Held.value is a timedelta, which could not be read back"),
        (At | str, "Held could not be read back"),
        (complex, "Held.value is a complex, which could not be read back"),
        (tuple[Personal[str], ...], "Held.value has a personal value inside another one, where nothing would seal it."),
        (Personal[str], "Held has personal fields ('value',) and subjects []; it needs exactly one Subject."),
        (Subject, None),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", str(value)),
)
def test_a_field_that_would_not_read_back_is_refused_at_import(hint: Any, sentence: str | None) -> None:
    if sentence is None:
        declared(hint)
        return
    with pytest.raises(TypeError) as refused:
        declared(hint)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("default", "sentence"),
    [
        (Field(default=5), "Held.value assigns Field(...): a stored fact without it would read as the FieldInfo itself."),
        (Field(ge=0), "Write `value: Annotated[..., Field(...)] = default`."),
        (Place(room="a"), "Held.value has a default of Place; use a plain value."),
    ],
    ids=["a field with a default", "a field with a rule", "a value object"],
)
def test_a_default_that_would_decode_to_something_else_is_refused(default: Any, sentence: str) -> None:
    with pytest.raises(TypeError) as refused:
        declared(Place | None if isinstance(default, Place) else int, default)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("default", [5, None, (), ("a",), "text", True, Decimal("1.5"), Colour.RED])
def test_plain_defaults_are_taken(default: Any) -> None:
    hint = {None: int | None, (): tuple[str, ...], ("a",): tuple[str, ...]}.get(default, type(default))
    assert declared(hint, default)(held_at=NINE).value == default


def test_a_topic_belongs_to_one_class() -> None:
    declared(int)
    with pytest.raises(TypeError, match=r"Held declares the topic test\.held, which Held has; topics are unique"):
        declared(int)


def test_a_fact_says_in_one_sentence_what_happened() -> None:
    with pytest.raises(TypeError, match="Silent has no docstring; say in one sentence what happened"):

        @fact("test.silent", at="held_at")
        class Silent:
            held_at: At


def test_a_fact_says_when_it_happened() -> None:
    with pytest.raises(TypeError, match="Held says that it happened at begun_at, which is no field of it"):

        @fact("test.held", at="begun_at")
        class Held:
            """It took place."""

            held_at: At


def test_personal_values_are_about_one_person() -> None:
    with pytest.raises(TypeError, match=r"personal fields \('name',\) and subjects \['one', 'two'\]; it needs exactly one Subject"):

        @fact("test.held", at="held_at")
        class Held:
            """It took place."""

            held_at: At
            one: Subject
            two: Subject
            name: Personal[str]


def test_personal_values_stand_in_facts_only() -> None:
    with pytest.raises(TypeError, match=r"Address\.street is personal inside a value object, where nothing would seal it"):

        @part
        class Address:
            """Where somebody lives."""

            street: Personal[str]


# What a fact is.


def test_a_fact_cannot_be_changed_and_takes_no_more_than_it_declares() -> None:
    held = declared(str)(held_at=NINE, value="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        held.value = "b"
    with pytest.raises(ValidationError, match="Unexpected keyword argument"):
        type(held)(held_at=NINE, value="a", more="b")
    with pytest.raises((TypeError, ValidationError)):
        type(held)(NINE, "a")
    assert not hasattr(held, "__dict__")


@pytest.mark.parametrize(
    ("hint", "value"), [(int, "5"), (int, 5.0), (int, True), (str, 5), (bool, 1), (tuple[str, ...], ["a"]), (date, NINE)]
)
def test_a_value_of_another_type_is_refused_when_a_fact_is_made(hint: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        declared(hint)(held_at=NINE, value=value)


def test_a_time_is_kept_in_utc_and_needs_a_zone() -> None:
    held = declared(int)
    york = datetime(2026, 3, 2, 4, 0, tzinfo=timezone(timedelta(hours=-5)))
    made = held(held_at=york, value=1)
    assert (made.held_at, made.held_at.tzinfo) == (NINE, UTC)
    assert encode(made) == b'{"held_at":"2026-03-02T09:00:00Z","value":1}'
    with pytest.raises(ValidationError, match="has no zone; add one"):
        held(held_at=datetime(2026, 3, 2, 9, 0), value=1)


def test_a_stored_time_without_a_zone_cannot_be_read() -> None:
    kind = fact_type(declared(int))
    with pytest.raises(msgspec.ValidationError, match="timezone"):
        kind.decode(b'{"held_at":"2026-03-02T09:00:00","value":1}', 1)


def test_the_registry_tells_what_the_ledger_needs_to_know() -> None:
    @fact("test.told", at="told_at", revision=3, corrects=lambda event: (7, event.told_at))
    class Told:
        """Somebody was told."""

        told_at: At
        person_id: Subject
        words: Personal[str] | None = None
        answer_by: Annotated[At | None, Promise("first_response")] = None

    kind = fact_type("test.told")
    assert kind is fact_type(Told)
    assert (kind.topic, kind.revision, kind.at, kind.subject, kind.personal) == ("test.told", 3, "told_at", "person_id", ("words",))
    assert kind.promises == (("answer_by", "first_response"),)
    assert kind.corrects is not None
    assert kind.corrects(Told(told_at=NINE, person_id="p-1")) == (7, NINE)


def test_an_unknown_topic_or_class_is_a_key_error() -> None:
    for unknown in ("test.nothing", int):
        with pytest.raises(KeyError):
            fact_type(unknown)


# What survives the round trip.


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (str, 'Zoë "quoted"\nline \u2028 \U0001f600', None),
        (str, "", b'""'),
        (int, -(2**63), b"-9223372036854775808"),
        (int, 2**63 - 1, b"9223372036854775807"),
        (bool, False, b"false"),
        (int | None, None, b"null"),
        (Decimal, Decimal("12.50"), b'"12.50"'),
        (Decimal, Decimal("0.1") + Decimal("0.2"), b'"0.3"'),
        (At, at("2026-03-02T09:00:00.000001Z"), b'"2026-03-02T09:00:00.000001Z"'),
        (At, at("0001-01-01T00:00:00Z"), b'"0001-01-01T00:00:00Z"'),
        (date, date(2026, 2, 28), b'"2026-02-28"'),
        (Literal["a", "b"], "b", b'"b"'),
        (Colour, Colour.RED, b'"red"'),
        (tuple[str, ...], ("b", "a", "b"), b'["b","a","b"]'),
        (tuple[int, str], (1, "a"), b'[1,"a"]'),
        (tuple[tuple[int, ...], ...], ((1,), ()), b"[[1],[]]"),
        (Place, Place(room="a", floor=2), b'{"room":"a","floor":2}'),
        (Place | None, None, b"null"),
        (tuple[Place, ...], (Place(room="a"), Place(room="b")), None),
        (dict[str, int], {"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        (Sealed | None, Sealed(part="ab", key="k"), b'{"part":"ab","key":"k"}'),
        (Annotated[int, Field(ge=0)], 0, b"0"),
    ],
)
def test_a_value_reads_back_as_it_was_made(hint: Any, value: Any, stored: bytes | None) -> None:
    held = declared(hint)
    made = held(held_at=NINE, value=value)
    state = encode(made)
    read = fact_type(held).decode(state, 1)
    assert read == made
    assert type(read.value) is type(made.value)
    assert stored is None or state == b'{"held_at":"2026-03-02T09:00:00Z","value":' + stored + b"}"
    assert encode(read) == state
    assert TypeAdapter(held).validate_json(state) == made


VALUES = {
    "number": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "maybe": st.none() | st.booleans(),
    "amount": st.decimals(allow_nan=False, allow_infinity=False, places=4),
    "due_at": st.none() | st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC)),
    "places": st.lists(st.builds(Place, room=st.text(st.characters(exclude_categories=["Cs"])), floor=st.integers(-9, 9))).map(tuple),
}


@given(st.fixed_dictionaries(VALUES))
def test_what_msgspec_reads_is_what_pydantic_validates(values: dict[str, Any]) -> None:
    facts._TYPES.pop("test.many", None)

    @fact("test.many", at="held_at")
    class Many:
        """Many things at once."""

        held_at: At
        number: int
        text: str
        maybe: bool | None
        amount: Decimal
        due_at: At | None
        places: tuple[Place, ...]

    made = Many(held_at=NINE, **values)
    state = encode(made)
    assert fact_type(Many).decode(state, 1) == made == TypeAdapter(Many).validate_json(state)


@pytest.mark.parametrize(
    "state",
    [
        b"{}",
        b'{"held_at":"2026-03-02T09:00:00Z"}',
        b'{"held_at":"2026-03-02T09:00:00Z","value":"1"}',
        b'{"held_at":1,"value":1}',
        b"[1]",
        b"",
    ],
)
def test_what_pydantic_refuses_msgspec_does_not_read(state: bytes) -> None:
    held = declared(int)
    with pytest.raises(ValidationError):
        TypeAdapter(held).validate_json(state)
    with pytest.raises(msgspec.MsgspecError):
        fact_type(held).decode(state, 1)


# Revisions.


def revised(hint: Any, default: Any, revision: int, **upcasts: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return fact_type(declared(hint, default, revision=revision, upcasts={int(key[1:]): upcast for key, upcast in upcasts.items()}))


OLD = b'{"held_at":"2026-03-02T09:00:00Z"}'


def test_a_field_that_an_older_revision_does_not_have_reads_as_its_default() -> None:
    assert revised(int, 5, 2).decode(OLD, 1).value == 5
    assert revised.__name__ == "revised"


def test_a_field_without_a_default_cannot_be_read_from_an_older_revision() -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field `value`"):
        fact_type(declared(int, revision=2)).decode(OLD, 1)


def test_an_upcast_says_what_a_default_does_not() -> None:
    kind = revised(str, "", 2, r1=lambda values: {**values, "value": f"in {values['room']}"})
    assert kind.decode(b'{"held_at":"2026-03-02T09:00:00Z","room":"a"}', 1).value == "in a"


def test_upcasts_are_taken_one_after_the_other_from_the_revision_that_was_stored() -> None:
    steps = {f"r{i}": (lambda values, i=i: {**values, "value": values.get("value", "") + str(i)}) for i in (1, 2, 3)}
    kind = revised(str, "", 4, **steps)
    assert [kind.decode(OLD, revision).value for revision in (1, 2, 3, 4)] == ["123", "23", "3", ""]


def test_a_revision_without_an_upcast_passes_through() -> None:
    kind = revised(str, "new", 3, r1=lambda values: {**values, "value": "old"})
    assert [kind.decode(OLD, revision).value for revision in (1, 2, 3)] == ["old", "new", "new"]


def test_the_newest_revision_is_never_upcast() -> None:
    def never(values: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("the newest revision needs no upcast")

    assert revised(str, "", 2, r1=never).decode(b'{"held_at":"2026-03-02T09:00:00Z","value":"a"}', 2).value == "a"
