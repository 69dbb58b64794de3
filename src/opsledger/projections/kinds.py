"""The kinds of projections. Each is a pure function of facts; the same code serves live, rebuild, as-of and tests.

    Entity    one stream's facts, in the order in which they happened, to at most tens of rows
    Knowing   one stream's facts, in the order in which they were recorded, with the calendars known at each
    Gathered  several streams that speak of one subject, each folded alone, to the subject's rows: a service, a customer
    Entry     rows of single facts, inserted and never replaced
    View      SQL over the others

A fold takes over the state that it is given: it may change it and return it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from opsledger.domain.recorded import Recorded
from opsledger.policies.known import Known
from opsledger.projections.table import Column, Row, Table

__all__ = ["CalendarChange", "Entity", "Entry", "Gathered", "Knowing", "Kpi", "Line", "Projection", "Rows", "Sql", "View", "fingerprint"]

Rows = Mapping[str, Sequence[Row]]
"""Rows by table name, each a tuple in the order of the table's columns."""


class CalendarChange(NamedTuple):
    """A calendar fact: which instants [start, stop) count differently since, and what is known with it. Microseconds."""

    position: int
    calendar: str
    start: int
    stop: int
    known: Known


@dataclass(frozen=True, slots=True)
class Entity:
    """Folds one stream in the order in which its facts happened, corrections applied."""

    name: str
    version: int
    concept: str
    tables: tuple[Table, ...]
    start: Callable[[str], Any]  # id -> state before the first fact
    fold: Callable[[Any, Recorded], Any]
    rows: Callable[[Any], Rows]


@dataclass(frozen=True, slots=True)
class Knowing:
    """Folds one stream in the order in which its facts were recorded, each with what was known then.

    `relearn` takes a calendar change into a state that it `reaches`; `reached` selects, from the tables, the ids whose
    states it reaches: both must agree, or live and rebuild would differ.
    """

    name: str
    version: int
    concept: str
    tables: tuple[Table, ...]
    start: Callable[[str], Any]
    fold: Callable[[Any, Recorded, Known], Any]
    rows: Callable[[Any], Rows]
    reaches: Callable[[Any, CalendarChange], bool]
    relearn: Callable[[Any, CalendarChange], Any]
    reached: Callable[[Mapping[str, sa.Table], CalendarChange], sa.Select[tuple[str]]]


class Line(NamedTuple):
    """One line of what a row comes from, as a person would say it, with the positions of the facts that it rests on."""

    text: str
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Gathered:
    """Folds each stream of some concepts alone, in the order in which its facts happened, and joins those of one subject.

    A stream speaks of the `subjects` of its state: of no fewer after more facts. One of the concepts `everywhere` speaks of all
    subjects. `rows` is given the subject and the states of its streams by name, in the order of names, with what is known of
    policies and calendars at the end; it is a function of those alone and changes none. So a period's rows are restated by a
    late fact as they would be by a rebuild. The subject is the first column of every table's key.

    `tell` says what a row, given with its table's name, comes from, line by line; without it all facts of the subject are listed.
    """

    name: str
    version: int
    concepts: tuple[str, ...]
    tables: tuple[Table, ...]
    start: Callable[[str], Any]  # name of the stream -> state before the first fact
    fold: Callable[[Any, Recorded], Any]
    subjects: Callable[[Any], Collection[str]]
    rows: Callable[[str, Mapping[str, Any], Known], Rows]
    everywhere: tuple[str, ...] = ()
    tell: Callable[[str, Mapping[str, Any], Mapping[str, Any], Known], Sequence[Line]] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Makes rows of single facts."""

    name: str
    version: int
    tables: tuple[Table, ...]
    rows: Callable[[Recorded], Rows]


Projection = Entity | Knowing | Gathered | Entry


def fingerprint(projection: Projection) -> str:
    """Return what must be equal for stored rows to be this projection's: its version and the shapes of its tables."""
    said = (projection.name, projection.version, [table.shape for table in projection.tables])
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


class Sql(NamedTuple):
    """The few words in which the two databases differ."""

    dialect: str

    @property
    def postgresql(self) -> bool:
        """Whether it is PostgreSQL rather than SQLite."""
        return self.dialect == "postgresql"

    def now(self) -> str:
        """The present instant, for tables that are live."""
        return "now()" if self.postgresql else "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'"

    def day(self, instant: str) -> str:
        """The UTC date of an instant, as text."""
        return f"to_char({instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD')" if self.postgresql else f"substr({instant}, 1, 10)"

    def midnight(self, day: str) -> str:
        """The instant at which a UTC date, given as text, begins."""
        return f"(({day})::timestamp AT TIME ZONE 'UTC')" if self.postgresql else f"({day} || 'T00:00:00.000000Z')"

    def next_day(self, day: str) -> str:
        """The date after a date, both as text."""
        return f"to_char(({day})::date + 1, 'YYYY-MM-DD')" if self.postgresql else f"date({day}, '+1 day')"

    def seconds(self, start: str, stop: str) -> str:
        """Whole seconds from one instant to another, each cut to the second."""
        if self.postgresql:
            return f"(floor(extract(epoch FROM {stop}))::bigint - floor(extract(epoch FROM {start}))::bigint)"
        # Without the fraction, which SQLite would round to milliseconds and so to the next second.
        return f"(CAST(strftime('%s', substr({stop}, 1, 19)) AS INTEGER) - CAST(strftime('%s', substr({start}, 1, 19)) AS INTEGER))"

    def microseconds(self, start: str, stop: str) -> str:
        """Microseconds from one instant to another, exactly."""
        if self.postgresql:
            return f"round(extract(epoch FROM {stop} - {start}) * 1000000)::bigint"
        fractions = f"CAST(substr({stop}, 21, 6) AS INTEGER) - CAST(substr({start}, 21, 6) AS INTEGER)"
        return f"({self.seconds(start, stop)} * 1000000 + {fractions})"

    def later(self, one: str, other: str) -> str:
        """The later of two instants, neither null."""
        return f"{'greatest' if self.postgresql else 'max'}({one}, {other})"

    def earlier(self, one: str, other: str) -> str:
        """The earlier of two instants, neither null."""
        return f"{'least' if self.postgresql else 'min'}({one}, {other})"

    def true(self) -> str:
        """Yes, as a boolean column takes it."""
        return "true" if self.postgresql else "1"

    def false(self) -> str:
        """No, as a boolean column takes it."""
        return "false" if self.postgresql else "0"


@dataclass(frozen=True, slots=True)
class View:
    """A view that analysts read: its grain, its columns with their meaning, its SQL in either dialect.

    `behind` gives, for a key of the view, the rows of a table that are counted in it, for `opsledger explain`, and `beside` those of
    other tables; a column `result` says as what each counts.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    sql: Callable[[Sql], str]
    behind: tuple[str, Callable[[Sql], str]] | None = None  # (table, query of its keys over :key columns)
    beside: tuple[tuple[str, Callable[[Sql], str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure of the operating model, by scope and period: one part of the view `kpi`.

    `sql` gives the columns scope, period, period_start, numerator, denominator, n, null_reason and last_position. `version` goes
    up when the formula changes, and with it the figures of earlier periods.
    """

    name: str
    doc: str  # the formula, and where it is from
    unit: str  # of numerator / denominator
    sql: Callable[[Sql], str]
    version: int = 1
