"""How the event log of a ticket system is read: a document that a host writes in YAML, and those that we ship.

source: desk
columns: {ticket: Number, at: Time, event: Status, group: Team}
time: {format: "%d/%m/%Y %H:%M", zone: Europe/Berlin}
words:
  Working: [work, assign]
  Waiting: [awaiting_customer]
  Done: [resolve, close]
  Printed: []
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from opsledger.app.recording import checked_id
from opsledger.errors import BadInput
from opsledger.importers.event_log_times import pattern
from opsledger.importers.yaml_documents import checked, loaded
from opsledger.policies.support import Level, PauseReason, Priority

__all__ = ["ENDS", "Columns", "EventLog", "Priorities", "Say", "Times", "load", "parse", "shipped"]

Say = PauseReason | Literal["open", "work", "assign", "respond", "resolve", "close", "cancel"]
ENDS: Final[tuple[Say, ...]] = ("resolve", "close", "cancel")

Column = Annotated[str, Field(min_length=1)]


def _source(name: str) -> str:
    try:
        return checked_id(name)
    except BadInput as error:
        raise ValueError(error.sentence) from None


class _Part(BaseModel):
    """A part of a mapping. Fields that it does not have are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Columns(_Part):
    """Which column holds what, by the names in the first line. What is not named is not read."""

    ticket: Column
    """Id of the ticket: all rows with the same are one ticket."""
    at: Column
    """When it happened."""
    event: Column
    """The word for what happened, or for the state that the ticket came to; `words` says what it means."""
    customer: Column | None = None
    """Whose ticket it is, as the first row says; else "unknown"."""
    requester: Column | None = None
    """Who asked, as the first row says; else the customer."""
    channel: Column | None = None
    """By which way it came, as the first row says; else "unknown"."""
    group: Column | None = None
    """Who works on it: a group. Read where the word says `assign`."""
    assignee: Column | None = None
    """Who works on it: a person. Read where the word says `assign`."""
    agent: Column | None = None
    """Who did what the row says; else "unknown"."""
    level: Column | None = None
    """At which level of support it is; `levels` says which of ours each is."""
    category: Column | None = None
    """What it is about."""
    subcategory: Column | None = None
    """What it is about, more closely. Read where there is a category."""
    service: Column | None = None
    """Id of the service that it is about. Read where there is a category."""


class Times(_Part):
    """How times are written."""

    format: str
    """With %Y %m %d %H %M %S, %f for a fraction of a second and %z for the offset from UTC (+01:00, +0100 or Z); all numbers."""
    zone: str | None = None
    """IANA zone of the wall time, such as Europe/Rome. Needed where the format has no %z, and refused where it has."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        pattern(self.format)
        if ("%z" in self.format) is (self.zone is not None):
            raise ValueError("times have either an offset of their own, %z, or a zone; give exactly one of both")
        return self


class Priorities(_Part):
    """How bad it is for the customer."""

    column: Column | None = None
    """Where it stands; without one, `otherwise` is the priority of all."""
    words: dict[str, Priority] = {}
    """Which of ours each of its words is: critical, high, medium or low."""
    otherwise: Priority = Priority.MEDIUM
    """Where the column says nothing that we know, or before it may be read."""
    known: Literal["always", "end"] = "always"
    """`end`: the export writes the last value onto all rows, also from before anybody could know it; it is read where the ticket ends."""

    @model_validator(mode="after")
    def _column_has_words(self) -> Self:
        if (self.column is None) is bool(self.words):
            raise ValueError("a column of priorities and its words belong together; give both, or neither")
        return self


class EventLog(_Part):
    """One export: a CSV file with one row per event of a ticket, the events of a ticket in the order of time."""

    source: Annotated[str, AfterValidator(_source)]
    """Name of the system that it comes from, by which its rows are known."""
    columns: Columns
    """Which column holds what."""
    time: Times
    """How times are written."""
    words: Annotated[dict[str, tuple[Say, ...]], Field(min_length=1)]
    """What each word of the column `event` says, any of these; a word with none of them is kept as the source's own state.

    open: it is our turn, so that a wait ends, and a ticket that had ended is reopened. work: the same, and somebody looks into it.
    awaiting_customer, awaiting_vendor, awaiting_problem, awaiting_evidence, on_hold: it waits. assign: the columns `group` and
    `assignee` say who has it. respond: a person answered the customer. resolve, close, cancel: it ends; one that has ended
    does not end again, though one that is resolved is closed."""
    identity: tuple[Column, ...] = ()
    """Columns that together name an event; without them, those of the ticket, the time and the event."""
    levels: dict[str, Level] = {}
    """Which of ours each word of the column `level` is. A ticket begins at l1."""
    priority: Priorities = Priorities()
    """How bad it is."""
    missing: tuple[str, ...] = ("",)
    """What stands where there is nothing."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What parts the fields of a line. A field may stand in double quotes; it holds no end of a line."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        columns = self.columns
        if (columns.level is None) is bool(self.levels):
            raise ValueError("the column `level` and the table `levels` belong together; give both, or neither")
        if columns.category is None and (columns.subcategory or columns.service):
            raise ValueError("a subcategory or service is read beside a category; name that column, too")
        if any("assign" in says for says in self.words.values()) and not (columns.group or columns.assignee):
            raise ValueError("a word says `assign`, but neither `group` nor `assignee` names a column")
        for word, says in self.words.items():
            waits = [say for say in says if say not in ("assign", "respond", *ENDS)]
            if len(waits) > 1 or (waits and any(say in ENDS for say in says)) or ("cancel" in says and len(says) > 1):
                raise ValueError(f"'{word}' leaves the ticket in two states at once ({', '.join(says)}); choose one")
        return self

    @cached_property
    def named(self) -> tuple[str, ...]:
        """Every column that is read, once each."""
        chosen = [value for value in self.columns.model_dump().values() if value is not None]
        return tuple(dict.fromkeys([*chosen, *self.identity, *([self.priority.column] if self.priority.column else [])]))

    @cached_property
    def event_columns(self) -> tuple[str, ...]:
        """The columns that together name an event."""
        return self.identity or (self.columns.ticket, self.columns.at, self.columns.event)

    def ends(self, word: str) -> bool:
        """Return whether the ticket is over after an event of this word."""
        return any(say in ENDS for say in self.words.get(word, ()))


def parse(text: str) -> EventLog:
    """Return the mapping that a YAML text holds. Raises BadInput with the first field that is wrong."""
    documents = loaded(text)
    if len(documents) != 1:
        raise BadInput("mapping.document", f"A mapping is one YAML document; this text has {len(documents)}.")
    document: Mapping[str, object] = documents[0]
    return checked(EventLog, document, "mapping")


def load(path: Path) -> EventLog:
    """Return the mapping in a file. Raises BadInput where it cannot be read or is none."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "mapping.unreadable", f"'{path.name}' cannot be read as a text ({type(error).__name__}); give a YAML file."
        ) from None


def shipped(name: str) -> EventLog:
    """Return a mapping that comes with opsledger: helpdesk, volvo or zendesk."""
    return parse((files("opsledger.importers") / "mappings" / f"{name}.yaml").read_text(encoding="utf-8"))
