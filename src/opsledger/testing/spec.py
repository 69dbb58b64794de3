"""Given facts, when a decision is taken, then these facts: tests of decisions without a database.

spec = Spec("ticket:T-1")
spec.given(REGISTERED).when(ticket.respond, at=at("2026-03-02T09:05Z")).then(ticket.Responded(...))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from opsledger.domain import calendar, policy
from opsledger.domain.concept import SYSTEM, Moment, concept_of, is_starting
from opsledger.domain.fact import fact_type
from opsledger.domain.governance import learn
from opsledger.domain.plugins import load_concepts
from opsledger.domain.recorded import Recorded
from opsledger.errors import OpsledgerError, Unknown
from opsledger.policies import documents
from opsledger.policies.instants import at, micros
from opsledger.policies.known import InForce, Known
from opsledger.policies.operating_model import OperatingModel, default_calendars, default_model

__all__ = ["Spec", "at", "default_known", "known_with", "recorded"]


class Spec:
    """A thing to decide on, with the policies and calendars known (default: those of a new ledger)."""

    def __init__(self, stream: str, known: Known | None = None) -> None:
        load_concepts()
        self.stream = stream
        self.known = known or default_known()

    @property
    def policy(self) -> str:
        """The reference of the operating model in force."""
        return self.known.models()[-1].ref

    def given(self, *facts: Any) -> Given:
        """Start from these facts, in the order in which they were recorded."""
        return Given(self, facts)

    def when(self, decision: Callable[..., Sequence[Any]], **kwargs: Any) -> Outcome:
        """Take a decision on a thing that has no facts yet."""
        return self.given().when(decision, **kwargs)


@dataclass(frozen=True, slots=True)
class Given:
    """Facts that stand."""

    spec: Spec
    facts: tuple[Any, ...]

    def when(
        self, decision: Callable[..., Sequence[Any]], *, at: datetime, by: str = "u-7", in_role: str = "support", **arguments: Any
    ) -> Outcome:
        """Take a decision at an instant; `role` is left to decisions, some of which take one."""
        stream, known = self.spec.stream, self.spec.known
        history = tuple(recorded(fact, stream, i, known.position + i) for i, fact in enumerate(self.facts, 1))
        state = concept_of(decision).fold(history)
        moment = Moment(at, by, in_role, stream, InForce(known, at), history, "c-1")
        try:
            if state is None and not is_starting(decision):
                raise Unknown("stream.unknown", f"{stream} has no facts, and this decision starts none.")
            return Outcome(tuple(decision(state, moment, **arguments)), None)
        except OpsledgerError as error:
            return Outcome((), error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision came to."""

    facts: tuple[Any, ...]
    error: OpsledgerError | None

    def then(self, *expected: Any) -> None:
        """Assert that exactly these facts were returned."""
        assert self.error is None, f"refused: {self.error}"
        assert self.facts == expected, f"\nreturned {self.facts}\nexpected {expected}"

    def then_nothing(self) -> None:
        """Assert that there was nothing to add."""
        self.then()

    def then_refused(self, part: str) -> None:
        """Assert a refusal whose code or sentence contains `part`."""
        assert self.error is not None, f"not refused, but returned {self.facts}"
        assert part in str(self.error), f"refused with: {self.error}"


def recorded(fact: Any, stream: str, version: int, position: int, *, recorded_at: int | None = None, by: str = "u-7") -> Recorded:
    """Return a fact in an envelope; it was recorded when it happened, unless `recorded_at` (microseconds) says when."""
    kind = fact_type(type(fact))
    happened = micros(getattr(fact, kind.at))
    written = happened if recorded_at is None else recorded_at
    return Recorded(position, stream, version, kind.topic, happened, written, fact, by, "support", kind.revision)


@cache
def default_known() -> Known:
    """Return what a new ledger knows: the default calendars from 2000 to 2039 and the default operating model."""
    return known_with(default_model())


def known_with(model: OperatingModel, **calendars: str) -> Known:
    """Return what a ledger knows with another model, and with calendars (YAML) beside the default ones."""
    load_concepts()
    known, now = Known(), at("2020-01-01")
    texts = {name: documents.canonical(definition) for name, definition in default_calendars().items()} | calendars
    people = {"proposed_by": SYSTEM, "approved_by": SYSTEM, "effective_from": at("2000-01-01"), "reason": "a test begins"}
    steps: list[tuple[str, Callable[..., Sequence[Any]], dict[str, Any]]] = [
        (f"calendar:{name}", calendar.publish, {"definition": text, "horizon_years": 19, **people}) for name, text in texts.items()
    ]
    steps.append((f"policy:{policy.NAME}", policy.publish, {"document": documents.canonical(model), **people}))
    for position, (stream, decision, arguments) in enumerate(steps, 1):
        (fact,) = decision(None, Moment(now, SYSTEM, "system", stream, InForce(known, now)), **arguments)
        known = learn(known, recorded(fact, stream, 1, position))
    return known
