"""What a concept is: facts, a state that they evolve, and decisions that return facts or refuse.

    @concept("ticket")
    def evolve(ticket: Ticket | None, event: Fact) -> Ticket: ...

    @starts
    def register(ticket: Ticket | None, now: Moment, /, *, customer_id: str) -> tuple[Fact, ...]: ...

    def respond(ticket: Ticket, now: Moment, /) -> tuple[Fact, ...]: ...

The concept of a decision is found by the class of its state, not by the module in which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from opsledger.domain.fact import fact_type
from opsledger.domain.recorded import Recorded, in_business_order, observed_alone, until
from opsledger.errors import Refused, Unknown
from opsledger.policies.clocks import Clocks, run
from opsledger.policies.instants import micros, moment
from opsledger.policies.known import InForce
from opsledger.policies.metric import Knows, Signal

__all__ = [
    "SYSTEM",
    "Concept",
    "Moment",
    "Signals",
    "another",
    "clocks_of",
    "concept",
    "concept_of",
    "concepts",
    "is_starting",
    "observer_of",
    "observes",
    "starts",
]

SYSTEM: Final = "system:default"
"""Who acts where nobody does: what a new ledger starts with, deadlines, horizons. Nobody else may publish alone."""

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Signals = Callable[[Recorded], tuple[Signal, ...]]


@dataclass(frozen=True, slots=True)
class Concept:
    """One noun of the business. `evolve` folds its facts; `signals` tells what its facts say to clocks, if it has any."""

    name: str
    state: type
    facts: tuple[type, ...]
    evolve: Callable[[Any, Any], Any]
    signals: Signals | None

    def fold(self, facts: Sequence[Recorded]) -> Any:
        """Return the state after all facts, in the order in which they were recorded; None before the first."""
        state = None
        for recorded in facts:
            state = self.evolve(state, recorded.fact)
        return state


_CONCEPTS: Final[dict[str, Concept]] = {}
_BY_STATE: Final[dict[type, Concept]] = {}
_OBSERVERS: Final[dict[str, Callable[..., Any]]] = {}


def concept(name: str, *, signals: Signals | None = None, observed: bool = False) -> Callable[[F], F]:
    """Declare a concept by its `evolve`, whose annotations name the state and the facts.

    `observed`: its streams hold observations, which come in any order; nothing begins with the first to be recorded.
    """

    def declare(evolve: F) -> F:
        hints = get_type_hints(evolve)
        facts = hints["event"]
        made = Concept(
            name=name,
            state=hints["return"],
            facts=get_args(facts) if get_origin(facts) in (Union, UnionType) else (facts,),
            evolve=evolve,
            signals=signals,
        )
        if ":" in name or name in _CONCEPTS:
            raise TypeError(f"A concept cannot be called {name}: the name is taken, or has a colon in it.")
        for each in made.facts:
            fact_type(each)
        _CONCEPTS[name] = _BY_STATE[made.state] = made
        if observed:
            observed_alone(name)
        return evolve

    return declare


def concepts() -> Mapping[str, Concept]:
    """Return every declared concept by its name."""
    return _CONCEPTS


@cache
def concept_of(decision: Callable[..., Any]) -> Concept:
    """Return the concept whose state a decision takes first."""
    try:
        first = next(iter(get_type_hints(decision).values()))
        state = next(each for each in (get_args(first) or (first,)) if each is not NoneType)
        return _BY_STATE[state]
    except (KeyError, StopIteration, TypeError, NameError):
        name = getattr(decision, "__qualname__", repr(decision))
        raise Unknown("decision.unknown", f"{name} is not a decision: its first argument is the state of no known concept.") from None


def starts(decision: F) -> F:
    """Mark a decision that may start a stream; any other on an unknown id is `Unknown`."""
    decision.__opsledger_starts__ = True  # type: ignore[attr-defined]
    return decision


def is_starting(decision: Callable[..., Any]) -> bool:
    """Return whether a decision may start a stream."""
    return getattr(decision, "__opsledger_starts__", False)


def clocks_of(history: Sequence[Recorded], knows: Knows) -> Clocks:
    """Return the clocks of one stream after all its facts, in the order in which they happened."""
    signals = _CONCEPTS[history[0].concept].signals if history else None
    if signals is None:
        return Clocks(knows)
    return run((signal for recorded in in_business_order(history) for signal in signals(recorded)), knows)


def observes(decision: F) -> F:
    """Mark the decision by which a concept's clocks are looked at; a tick takes it."""
    _OBSERVERS[concept_of(decision).name] = decision
    return decision


def observer_of(name: str) -> Callable[..., Any]:
    """Return the decision by which the clocks of a concept are looked at."""
    return _OBSERVERS[name]


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that a decision may know beside its state and its arguments. It reads no clock, no dice, no database."""

    at: datetime  # when the act happened, as the caller says
    actor: str  # opaque id
    role: str
    stream: str
    policies: InForce
    history: tuple[Recorded, ...] = ()  # the stream so far, in the order in which it was recorded
    command_id: str = ""

    @property
    def id(self) -> str:
        """The id of the thing decided on: `T-1042` of `ticket:T-1042`."""
        return self.stream.partition(":")[2]

    def promise(self, fact: T, *after: Any) -> T:
        """Return `fact` with its promises stamped: each due time as the clocks show it once the fact stands in the stream.

        `after` are facts of the same decision that go before it. `opsledger verify promises` derives the same times again.
        """
        kind = fact_type(type(fact))
        if not kind.promises:
            return fact
        clocks = clocks_of(self._with((*after, fact)), self.policies.known)
        due = {}
        for field, metric in kind.promises:
            clock = clocks.current(metric)
            instant = clock.due()[0] if clock is not None and clock.live else None
            due[field] = None if instant is None else moment(instant)
        return replace(fact, **due)  # type: ignore[type-var]  # every fact is a dataclass

    def then(self, state: T) -> T:
        """Return the state as it was at `at`: `state` itself, unless something is recorded already that happened later."""
        instant = micros(self.at)
        if all(recorded.occurred_at <= instant for recorded in self.history):
            return state
        before = in_business_order(until(self.history, instant)) or self.history[:1]
        fold: Callable[[Sequence[Recorded]], T] = _BY_STATE[type(state)].fold
        return fold(before)

    def recorded(self, position: int) -> Recorded:
        """Return the fact of this stream at a position of the ledger, for a correction to name."""
        for recorded in self.history:
            if recorded.position == position:
                return recorded
        known = ", ".join(str(recorded.position) for recorded in self.history) or "none"
        raise Refused("correction.elsewhere", f"Position {position} is no fact of {self.stream}; its facts stand at {known}.")

    def _with(self, facts: tuple[Any, ...]) -> list[Recorded]:
        head = self.history[-1] if self.history else None
        position, version = (head.position, head.version) if head else (self.policies.known.position, 0)
        return [*self.history, *(self._envelope(fact, position + i, version + i) for i, fact in enumerate(facts, 1))]

    def _envelope(self, fact: Any, position: int, version: int) -> Recorded:
        kind = fact_type(type(fact))
        at = micros(getattr(fact, kind.at))
        return Recorded(position, self.stream, version, kind.topic, at, at, fact, self.actor, self.role)


def another(approved_by: str, requested_by: str, what: str) -> None:
    """Refuse when the person who approves is the one who asked."""
    if approved_by == requested_by:
        raise Refused("approval.same_person", f"{requested_by} asked for {what} and cannot approve it too; name another approver.")
