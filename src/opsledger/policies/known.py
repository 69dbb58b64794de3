"""Models and calendars as known at a position of the ledger.

Two kinds of time meet here. What is *known* grows with the ledger: a calendar corrected today was not known yesterday.
What is *in force* is told by effective dates: each instant counts by the version in force there, as known.
A model that a clock started under is pinned and asked for by reference; calendars are not pinned.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from opsledger.errors import Unknown
from opsledger.policies.calendar import BusinessTime, Compiled, compose
from opsledger.policies.instants import iso, micros
from opsledger.policies.metric import Rules
from opsledger.policies.months import Months
from opsledger.policies.operating_model import OperatingModel
from opsledger.policies.zones import LocalTime

__all__ = ["CalendarVersion", "InForce", "Known", "PublishedModel", "extended"]


class PublishedModel(NamedTuple):
    """One version of the operating model. `effective_from` in microseconds; `months` are those of the zone of its reports."""

    ref: str
    position: int
    effective_from: int
    model: OperatingModel
    months: Months


class CalendarVersion(NamedTuple):
    """One version of a calendar, with the corrections and extensions known. `effective_from` in microseconds."""

    position: int  # of the fact that published it
    effective_from: int
    compiled: Compiled
    definition: str  # canonical JSON


@dataclass(frozen=True, slots=True)
class _Calendar:
    versions: tuple[CalendarVersion, ...]  # by effective time, then position
    facts: int  # how many facts of its stream are known
    time: BusinessTime


class Known:
    """Everything published by a position. Immutable: `with_...` returns what is known one fact later."""

    __slots__ = ("_calendars", "_models", "_starts", "position")

    def __init__(
        self,
        position: int = 0,
        models: tuple[PublishedModel, ...] = (),
        calendars: dict[str, _Calendar] | None = None,
    ) -> None:
        self.position = position
        self._models = {model.ref: model for model in models}
        self._starts = sorted(models, key=lambda model: (model.effective_from, model.position))
        self._calendars = calendars or {}

    def rules(self, ref: str) -> Rules:
        """Return the clock rules of a published model."""
        return self.model(ref).support.rules

    def model(self, ref: str) -> OperatingModel:
        """Return a published model by its reference, version and digest."""
        try:
            return self._models[ref].model
        except KeyError:
            raise Unknown("policy.unknown", f"No operating model '{ref}' is published at position {self.position}.") from None

    def models(self) -> list[PublishedModel]:
        """Return the published models by effective time."""
        return list(self._starts)

    def in_force(self, instant: int) -> PublishedModel:
        """Return the model in force at an instant."""
        i = bisect_right(self._starts, instant, key=lambda model: model.effective_from) - 1
        if i < 0:
            raise Unknown(
                "policy.none_in_force",
                f"No operating model is in force at {iso(instant)}; publish one that is effective from then or earlier.",
            )
        return self._starts[i]

    def calendar(self, name: str) -> BusinessTime:
        """Return a calendar, each instant counted by the version in force there."""
        return self._calendar(name).time

    def calendar_ref(self, name: str) -> str:
        """Return which calendar that is: its name and how many of its facts are known, for example business@3."""
        return f"{name}@{self._calendar(name).facts}"

    def calendars(self) -> list[str]:
        """Return the names of all calendars."""
        return sorted(self._calendars)

    def versions(self, name: str) -> tuple[CalendarVersion, ...]:
        """Return the versions of a calendar by effective time."""
        return self._calendar(name).versions if name in self._calendars else ()

    def covers(self) -> tuple[int, int]:
        """Return the span, in microseconds, that every calendar covers."""
        times = [calendar.time for calendar in self._calendars.values()]
        return max(time.begin for time in times), min(time.end for time in times)

    def with_model(self, published: PublishedModel) -> Known:
        """Return what is known once a model is published."""
        return Known(published.position, (*self._models.values(), published), self._calendars)

    def with_calendar(self, position: int, name: str, version: CalendarVersion) -> Known:
        """Return what is known once a version of a calendar is published, or corrected or extended in place."""
        others = [each for each in self.versions(name) if each.position != version.position]
        versions = tuple(sorted((*others, version), key=lambda each: (each.effective_from, each.position)))
        facts = self._calendars[name].facts + 1 if name in self._calendars else 1
        time = BusinessTime(compose([(each.effective_from // 1_000_000, each.compiled) for each in versions]))
        return Known(position, tuple(self._models.values()), {**self._calendars, name: _Calendar(versions, facts, time)})

    def _calendar(self, name: str) -> _Calendar:
        try:
            return self._calendars[name]
        except KeyError:
            raise Unknown("calendar.unknown", f"No calendar '{name}' is published at position {self.position}.") from None


@dataclass(frozen=True, slots=True)
class InForce:
    """What is known, seen from an instant: what a decision asks."""

    known: Known
    at: datetime

    @property
    def in_force(self) -> PublishedModel:
        """The model in force at the instant."""
        return self.known.in_force(micros(self.at))

    def of(self, ref: str) -> OperatingModel:
        """Return a pinned model by its reference."""
        return self.known.model(ref)


def extended(compiled: Compiled, more: Compiled) -> Compiled:
    """Return a calendar that goes on, from where it ended, with hours compiled later."""
    edges = compiled.edges + more.edges
    if compiled.edges and more.edges and compiled.edges[-1] == more.edges[0]:
        edges = compiled.edges[:-1] + more.edges[1:]
    local = LocalTime(compiled.local.starts + more.local.starts, compiled.local.offsets + more.local.offsets)
    return Compiled(compiled.begin, more.end, edges, local)
