"""What happens in a scenario, done: decisions, observations and ticks, each at its time, through a real ledger.

Decisions are found by the concept's name and their own, so those of hosts are found as ours are. Values are read by the types
that a decision's arguments have; what is called by a name in the file stands for the position of its first fact.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from opsledger.app import OpsLedger, Taken
from opsledger.domain.concept import Concept, Moment, concepts
from opsledger.domain.fact import fact_type
from opsledger.errors import OpsledgerError
from opsledger.policies import documents
from opsledger.policies.instants import iso, micros
from opsledger.testing.plugin import Clock
from opsledger.testing.scenario_file import Happening, instant, wrong

__all__ = ["ScenarioFailed", "Story", "decisions"]

Act = Callable[[], Any]


class ScenarioFailed(AssertionError):
    """The product did not do what a scenario says."""


def decisions(concept: Concept) -> dict[str, Callable[..., Any]]:
    """Return the decisions of a concept by their names: public functions of its state and a moment, where its `evolve` is public."""
    home = sys.modules[concept.evolve.__module__]
    package = sys.modules.get(home.__name__.rpartition(".")[0])
    if package is not None and getattr(package, concept.evolve.__name__, None) is concept.evolve:
        home = package
    names = getattr(home, "__all__", [name for name in vars(home) if not name.startswith("_")])
    return {name: made for name in names if inspect.isfunction(made := getattr(home, name)) and _decides(made, concept)}


def _decides(made: Callable[..., Any], concept: Concept) -> bool:
    hints = list(get_type_hints(made).values())
    return len(hints) > 1 and hints[1] is Moment and concept.state in (hints[0], *get_args(hints[0]))


class Story:
    """A scenario as far as it has been told. `positions` are those of the happenings that have a name."""

    def __init__(self, ledger: OpsLedger, clock: Clock) -> None:
        self.positions: dict[str, int] = {}
        self._ledger, self._clock = ledger, clock

    def tell(self, happening: Happening) -> None:
        """Let one thing happen. Raises BadInput where the file asks for what there is not, ScenarioFailed where it went otherwise."""
        place, store = happening.place, self._ledger.store
        if happening.recorded_at < self._clock.now:
            wrong(
                place,
                f"it is recorded at {_said(happening.recorded_at)}, and the ledger is at {_said(self._clock.now)} already; put "
                "happenings in the order in which they were recorded, and begin the ledger before the first.",
            )
        self._clock.set(happening.recorded_at)
        act, before = self._act(happening), store.head().position
        result, refusal = None, None
        try:
            result = act()
        except OpsledgerError as error:
            refusal = error
        rows = store.page(before, 1000)
        topics = tuple(row.topic for row in rows)
        self._compare_refusal(happening, refusal, topics)
        if refusal is not None:
            return
        if happening.adds not in (None, topics):
            raise ScenarioFailed(f"{place}: it should add {_listed(happening.adds or ())}, and added {_listed(topics)}.")
        if happening.observed and result != happening.taken:
            raise ScenarioFailed(f"{place}: the record should be {happening.taken}, and is {result}.")
        if happening.called is not None:
            if not rows:
                raise ScenarioFailed(f"{place}: it added nothing, so that nothing can be called '{happening.called}'.")
            self.positions[happening.called] = rows[0].position

    def _compare_refusal(self, happening: Happening, refusal: OpsledgerError | None, topics: tuple[str, ...]) -> None:
        expected = f"{happening.place}: it should be refused with {happening.refused}, and"
        if happening.refused is None and refusal is not None:
            raise ScenarioFailed(f"{happening.place}: it was refused, which is not expected: {refusal}")
        if happening.refused is not None and refusal is None:
            raise ScenarioFailed(f"{expected} was taken; it added {_listed(topics)}.")
        if refusal is not None and refusal.code != happening.refused:
            raise ScenarioFailed(f"{expected} was refused otherwise: {refusal}")
        if refusal is not None and topics:
            raise ScenarioFailed(f"{happening.place}: it was refused, and yet {_listed(topics)} was left behind.")

    def position(self, place: str, name: str) -> int:
        """Return the position of the first fact of the happening that is called by a name."""
        if name not in self.positions:
            known = ", ".join(f"'{each}'" for each in self.positions) or "none"
            wrong(place, f"nothing that happened is called '{name}'; names given so far: {known}.")
        return self.positions[name]

    def _act(self, happening: Happening) -> Act:
        if happening.does == "tick" and not happening.concept:
            return self._ledger.tick
        hand = self._ledger.by(happening.actor, role=happening.role, at=happening.at, key=happening.key)
        if happening.observed:
            record = Taken(happening.source_id, ((f"{happening.concept}:{happening.id}", self._fact(happening)),))
            return lambda: _became(hand.observe([record], source=happening.source))
        known = decisions(concepts()[happening.concept])
        if happening.does not in known:
            wrong(happening.place, f"a {happening.concept} has no decision '{happening.does}'; it has {', '.join(sorted(known))}.")
        decision = known[happening.does]
        arguments = self._arguments(happening, decision)
        return lambda: hand.record(decision, happening.id, **arguments)

    # Arguments.

    def _arguments(self, happening: Happening, decision: Callable[..., Any]) -> dict[str, Any]:
        place, hints = happening.place, get_type_hints(decision, include_extras=True)
        asked = [each for each in inspect.signature(decision).parameters.values() if each.kind is each.KEYWORD_ONLY]
        given = dict(happening.arguments)
        self._check_names(place, happening.does, given, [each.name for each in asked])
        made: dict[str, Any] = {}
        for each in asked:
            if (state := _state_of(hints[each.name])) is not None:
                made[each.name] = self._state(f"{place}, {each.name}", state, given.get(each.name, given.get(f"{each.name}_id")))
            elif each.name in given:
                made[each.name] = self._value(f"{place}, {each.name}", hints[each.name], given[each.name])
        if happening.edits:
            made |= self._edited(happening, made, [each.name for each in asked])
        missing = [each.name for each in asked if each.default is each.empty and each.name not in made]
        if missing:
            wrong(place, f"{happening.does} also needs {', '.join(missing)}.")
        return made

    def _fact(self, happening: Happening) -> Any:
        topic = f"{happening.concept}.{happening.does}"
        known = {fact_type(each).topic: fact_type(each) for each in concepts()[happening.concept].facts}
        if topic not in known:
            said = ", ".join(sorted(each.partition(".")[2] for each in known))
            wrong(happening.place, f"a {happening.concept} has no fact '{happening.does}'; it has {said}.")
        kind = known[topic]
        hints = get_type_hints(kind.made, include_extras=True)
        self._check_names(happening.place, topic, happening.arguments, [each.name for each in fields(kind.made)])
        values = {name: self._value(f"{happening.place}, {name}", hints[name], value) for name, value in happening.arguments.items()}
        values.setdefault(kind.at, happening.at)
        missing = [each.name for each in fields(kind.made) if each.default is MISSING and each.name not in values]
        if missing:
            wrong(happening.place, f"{topic} also needs {', '.join(missing)}.")
        return kind.made(**values)

    def _check_names(self, place: str, what: str, given: Mapping[str, Any], known: list[str]) -> None:
        for name in given:
            if name not in known:
                wrong(place, f"{what} takes no '{name}'; it takes {', '.join(known) or 'nothing'}.")

    def _value(self, place: str, hint: Any, given: Any) -> Any:
        """Return what the file says, as the type that the argument has."""
        if isinstance(given, str) and int in (hint, *get_args(hint)):
            return self.position(place, given)
        if isinstance(given, str) and datetime in _types(hint):
            return instant(place, given)
        if isinstance(given, str):
            given = next((each.ref for each in self._ledger.known.models() if each.ref.partition(":")[0] == given), given)
        try:
            return TypeAdapter(hint).validate_json(json.dumps(given, default=lambda each: each.isoformat()), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]["msg"]
            wrong(place, f"{given!r} does not fit: {first.removeprefix('Value error, ')}.")

    def _state(self, place: str, state: type, id: Any) -> Any:
        try:
            return self._ledger.state(state, str(id))
        except OpsledgerError as error:
            wrong(place, error.sentence)

    def _edited(self, happening: Happening, made: Mapping[str, Any], asked: list[str]) -> dict[str, Any]:
        """Return the model or calendar that stands, with the edits of the file, as the argument that takes it."""
        name = next((each for each in ("document", "definition") if each in asked), None)
        if name is None or name in made:
            wrong(happening.place, "edits change the model or calendar that stands; leave them out here, or the whole text.")
        effective = micros(made.get("effective_from") or happening.at)
        known = self._ledger.known
        if name == "document":
            text = documents.canonical(known.in_force(effective).model)
        else:
            versions = known.versions(happening.id)
            corrected = made.get("corrects")
            there = [each for each in versions if (each.effective_from <= effective if corrected is None else each.position == corrected)]
            if not there:
                wrong(happening.place, f"no such version of the calendar '{happening.id}' stands; give a whole definition.")
            text = there[-1].definition
        document = json.loads(text)
        for path, value in happening.edits.items():
            _edit(f"{happening.place}, edits", document, path, value)
        return {name: json.dumps(document, default=lambda each: each.isoformat())}


def _edit(place: str, document: dict[str, Any], path: str, value: Any) -> None:
    """Put a value into a document at a dotted path, all of which but its end must be there."""
    *above, last = path.split(".")
    here = document
    for i, part in enumerate(above):
        if not isinstance(here.get(part), dict):
            known = ", ".join(sorted(here))
            wrong(
                place,
                f"'{path}' leads nowhere: there is no section '{part}' in {'.'.join(above[:i]) or 'the document'}, which has {known}.",
            )
        here = here[part]
    here[last] = value


def _types(hint: Any) -> set[Any]:
    return {hint, *(inner for each in get_args(hint) for inner in _types(each))}


def _state_of(hint: Any) -> type | None:
    """Return the state of another thing that an argument takes; None where it takes none."""
    return next((each.state for each in concepts().values() if each.state in (hint, *get_args(hint))), None)


def _became(result: Any) -> str:
    return "new" if result.new else "changed" if result.changed else "known"


def _listed(topics: tuple[str, ...]) -> str:
    return ", ".join(topics) or "nothing"


def _said(when: datetime) -> str:
    return iso(micros(when)).replace(".000000Z", "Z")
