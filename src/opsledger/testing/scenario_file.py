"""The file of a scenario, read: what happens, and which rows must stand afterwards. See `opsledger.testing.scenarios`.

Everything is checked for its form here, and a mistake is told with the place in the file. Whether decisions, arguments, tables
and columns exist is for those to say who look for them, with the same places.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from opsledger.domain.concept import concepts
from opsledger.domain.plugins import load_concepts
from opsledger.errors import BadInput
from opsledger.policies.instants import at as read_instant
from opsledger.policies.instants import micros, moment

__all__ = ["Expected", "Happening", "Row", "Scenario", "instant", "read_scenario", "wrong"]

_TOP: Final = ("title", "source", "usually", "happens", "only", "expect", "as_of")
_AS_OF: Final = ("known_at", "effective_at", "only", "expect")
_WORDS: Final = ("at", "recorded_at", "by", "does", "observes", "with", "called", "refused", "adds")
_OF_DECISIONS: Final = ("key", "edits")
_OF_OBSERVATIONS: Final = ("source", "source_id", "taken")
_ACTOR: Final = re.compile(r"(\S+)(?: \(([^()]+)\))?")
_TAKEN: Final = ("new", "known", "changed")


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens: a decision on a thing, a fact of another system, or a tick."""

    place: str  # where it stands in the file, for messages
    at: datetime
    recorded_at: datetime  # when it was typed in
    actor: str
    role: str
    concept: str  # empty for a tick
    id: str
    does: str  # the decision, or tick; or, of an observation, the last word of the fact's topic
    observed: bool
    arguments: Mapping[str, Any]
    edits: Mapping[str, Any]  # of a model or calendar, by dotted path
    key: str | None = None
    called: str | None = None
    refused: str | None = None  # the code of the refusal
    adds: tuple[str, ...] | None = None  # the topics that it must add; None: whatever it does
    source: str = ""
    source_id: str = ""
    taken: str = "new"  # what becomes of the other system's record: new, known or changed


@dataclass(frozen=True, slots=True)
class Row:
    """A row that must stand: the values of some of its columns, and those that hold nothing."""

    place: str
    values: Mapping[str, Any]
    empty: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The rows of some tables as they must stand at the head, or as of another time."""

    place: str
    rows: Mapping[str, tuple[Row, ...]]  # by table
    only: Mapping[str, Mapping[str, Any]]  # which rows of a table are looked at: values of columns
    known_at: datetime | None = None
    effective_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A history in business words and the rows that it must give."""

    name: str  # of the file
    title: str
    happenings: tuple[Happening, ...]
    expected: tuple[Expected, ...] = field(default=())

    @property
    def begins_at(self) -> datetime:
        """When the first of it is recorded; the ledger must not have begun later."""
        return self.happenings[0].recorded_at


def wrong(place: str, sentence: str) -> NoReturn:
    """Refuse the file: what is wrong at a place of it."""
    raise BadInput("scenario.malformed", f"{place}: {sentence}")


def read_scenario(path: Path | str) -> Scenario:
    """Return the scenario of a TOML file. Raises BadInput, naming the place, where its form is not right."""
    load_concepts()
    path = Path(path)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        wrong(path.name, f"it cannot be read: {error.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        wrong(path.name, f"it is not TOML: {error}.")
    _known(path.name, given, _TOP)
    title = given.get("title")
    if not isinstance(title, str):
        wrong(path.name, "it has no title; say in one sentence what it shows.")
    usually = _table(path.name, given, "usually")
    told = [_completed(path.name, each, usually) for each in _list(path.name, given, "happens")]
    if not told:
        wrong(path.name, "nothing happens in it; add a [[happens]].")
    _used(path.name, usually, told)
    happenings = tuple(_happening(f"{path.name}, happening {i}", each) for i, each in enumerate(told, 1))
    expected = [_expected(path.name, given)] if {"only", "expect"} & set(given) else []
    for i, each in enumerate(_list(path.name, given, "as_of"), 1):
        place = f"{path.name}, as_of {i}"
        _known(place, each, _AS_OF)
        if not {"known_at", "effective_at"} & set(each):
            wrong(place, "say as of when, by known_at, effective_at or both.")
        expected.append(_expected(place, each))
    if not expected:
        wrong(path.name, "it expects nothing; add an [[expect.TABLE]].")
    return Scenario(path.name, title, happenings, tuple(expected))


def instant(place: str, given: Any) -> datetime:
    """Return an instant written as text or as a TOML time, in UTC."""
    if isinstance(given, datetime):
        given = given.isoformat()
    if not isinstance(given, str):
        wrong(place, f"{given!r} is not a time; write it like 2026-03-01T09:30:00Z.")
    try:
        return moment(micros(read_instant(given)))
    except BadInput as error:
        wrong(place, error.sentence)


def _completed(place: str, given: dict[str, Any], usually: Mapping[str, Any]) -> dict[str, Any]:
    """Return a happening with what is usual where it says nothing else: who does it, and what goes with such a thing."""
    concept, does = _about(given)
    usual = _table(place, _table(place, usually, concept), does) if concept else {}
    if does != "tick" and "by" in usually:
        usual = {"by": usually["by"], **usual}
    return given | {name: value for name, value in usual.items() if name not in given}


def _about(given: Mapping[str, Any]) -> tuple[str, str]:
    """Return the concept that a happening names first, empty for none, and what it says that happens."""
    return next((name for name in given if name in concepts() and name not in _WORDS), ""), str(given.get("does", given.get("observes")))


def _used(place: str, usually: Mapping[str, Any], told: Iterable[Mapping[str, Any]]) -> None:
    happen = {_about(each) for each in told}
    for concept in usually.keys() - {"by"}:
        for does in _table(f"{place}, usually", usually, concept):
            if (concept, does) not in happen:
                wrong(f"{place}, usually.{concept}.{does}", "nothing that happens is of this kind; correct the name, or leave it out.")


def _happening(place: str, given: Mapping[str, Any]) -> Happening:
    if "at" not in given:
        wrong(place, "it does not say when; add at = 2026-03-01T09:30:00Z.")
    at = instant(f"{place}, at", given["at"])
    recorded_at = instant(f"{place}, recorded_at", given["recorded_at"]) if "recorded_at" in given else at
    if given.get("does") == "tick":
        _known(place, given, ("at", "does", "called", "adds"), "A tick")
        return Happening(
            place, at, at, "", "", "", "", "tick", False, {}, {}, called=_text(place, given, "called"), adds=_adds(place, given)
        )
    if ("does" in given) == ("observes" in given):
        wrong(place, "it needs one of does, the name of a decision or tick, and observes, a fact of another system.")
    observed = "observes" in given
    concept = _about(given)[0]
    if not concept:
        wrong(place, f'it does not say what it is about; write ticket = "T-1", with one of {", ".join(sorted(concepts()))}.')
    named = _ACTOR.fullmatch(_text(place, given, "by") or "")
    if named is None:
        wrong(place, 'it does not say who does it; write by = "u-7 (support)", an id and perhaps a role.')
    words = (*_WORDS, *(_OF_OBSERVATIONS if observed else _OF_DECISIONS), concept)
    others = {name: value for name, value in given.items() if name not in words}
    place = f"{place} ({concept} {given[concept]}, {given.get('does') or given.get('observes')})"
    if observed and not {"source", "source_id"} <= set(given):
        wrong(place, "a fact of another system needs source and source_id, by which its record is known again.")
    of_decision, of_observation = ({}, given) if observed else (given, {})
    taken = _text(place, of_observation, "taken") or "new"
    if taken not in _TAKEN:
        wrong(place, f"a record of another system is {', '.join(_TAKEN[:-1])} or {_TAKEN[-1]}, not '{taken}'.")
    return Happening(
        place=place,
        at=at,
        recorded_at=recorded_at,
        actor=named[1],
        role=named[2] or "",
        concept=concept,
        id=_text(place, given, concept) or "",
        does=_text(place, given, "observes" if observed else "does") or "",
        observed=observed,
        arguments={**others, **_table(place, given, "with")},
        edits=_table(place, of_decision, "edits"),
        key=_text(place, of_decision, "key"),
        called=_text(place, given, "called"),
        refused=_text(place, given, "refused"),
        adds=_adds(place, given),
        source=_text(place, of_observation, "source") or "",
        source_id=_text(place, of_observation, "source_id") or "",
        taken=taken,
    )


def _expected(place: str, given: Mapping[str, Any]) -> Expected:
    only = _table(place, given, "only")
    for table in only:
        _table(f"{place}, only", only, table)
    rows = {}
    for table, each in _table(place, given, "expect").items():
        there = f"{place}, expect.{table}"
        if not isinstance(each, list) or not all(isinstance(row, dict) for row in each):
            wrong(there, f"it is no list of rows; write [[expect.{table}]] above each.")
        rows[table] = tuple(_row(f"{there} row {i}", row) for i, row in enumerate(each, 1))
    for table in only:
        if table not in rows:
            wrong(f"{place}, only", f"nothing is expected of {table}; add [[expect.{table}]], or expect.{table} = [] for no row.")
    times = {name: instant(f"{place}, {name}", given[name]) for name in ("known_at", "effective_at") if name in given}
    return Expected(place, rows, only, **times)


def _row(place: str, given: Mapping[str, Any]) -> Row:
    empty = given.get("empty", [])
    if not isinstance(empty, list) or not all(isinstance(name, str) for name in empty):
        wrong(place, 'empty lists the columns that hold nothing; write empty = ["closed_at"].')
    return Row(place, {name: value for name, value in given.items() if name != "empty"}, tuple(empty))


# Pieces of the file, with their form checked.


def _known(place: str, given: Mapping[str, Any], words: Iterable[str], what: str = "A scenario") -> None:
    for name in given:
        if name not in words:
            wrong(place, f"there is no '{name}' here; {what[0].lower()}{what[1:]} has {', '.join(words)}.")


def _list(place: str, given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = given.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        wrong(place, f"{name} is no list; write [[{name}]] above each.")
    return found


def _table(place: str, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = given.get(name, {})
    if not isinstance(found, dict):
        wrong(place, f"{name} holds {found!r} where names with values belong.")
    return found


def _text(place: str, given: Mapping[str, Any], name: str) -> str | None:
    found = given.get(name)
    if found is not None and not isinstance(found, str):
        wrong(place, f"{name} is {found!r}, which is no text.")
    return found


def _adds(place: str, given: Mapping[str, Any]) -> tuple[str, ...] | None:
    found = given.get("adds")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(topic, str) for topic in found):
        wrong(place, 'adds lists the topics of the facts that are added; write adds = ["ticket.responded"], or [] for none.')
    return tuple(found)
