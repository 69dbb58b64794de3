"""Imports: what became of one reading of another system's export. Facts about the reading; what was read stands elsewhere.

    started ──> row quarantined, dirt counted ──> finished      one stream per run, `import:servicenow/3`

A run without an end was cut off: repeat it, since records that are known already add nothing. The importer itself observes
what follows the start, so that a run of any length needs no state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused

__all__ = ["DirtCounted", "Finished", "Import", "Reason", "RowQuarantined", "Started", "evolve", "start"]

Count = Annotated[int, Field(ge=0)]

Reason = Literal["changed", "malformed", "late", "future", "foreign", "unfinished", "orphaned"]
"""Why a row was not taken in. changed: its content is no longer what was taken in under its id. malformed: it cannot be read.
late: it belongs before rows of the same thing that were taken in already. future: it says that it happened after the import
began. foreign: the thing was not imported from this source, though it has the same id here. unfinished: it goes on, and is taken in
by an import after its end. orphaned: the thing that it is of stands not in the export."""


@fact("import.started", at="started_at")
class Started:
    """Somebody began to import a file."""

    started_at: At
    source: str  # the system that it comes from, by which its records are known
    file_name: str  # without its folder
    sha256: str  # of the file as it lies, compressed or not
    zone: str  # in whose wall time it is written
    rows: Count  # in the file, the header not counted


@fact("import.row_quarantined", at="quarantined_at")
class RowQuarantined:
    """A row of the file was not taken in. Its content is not repeated here."""

    quarantined_at: At
    row: Annotated[int, Field(ge=1)]  # line of the file; the header is line 1
    source_id: str | None = None  # null: the row does not say which record it is
    reason: Reason
    column: str | None = None  # the one that cannot be read; null: the row as a whole


@fact("import.dirt_counted", at="counted_at")
class DirtCounted:
    """The file has something that a clean one has not. It was taken in all the same, as the importer's documentation says."""

    counted_at: At
    kind: str
    count: Count
    first_rows: tuple[int, ...]  # lines of the file, not all of them


@fact("import.finished", at="finished_at")
class Finished:
    """The whole file was read. rows = new + known + quarantined."""

    finished_at: At
    rows: Count
    new: Count  # taken in now, also those that say nothing new
    known: Count  # taken in by an earlier run, and the same
    changed: Count  # taken in by an earlier run, and no longer the same
    quarantined: Count  # not taken in, the changed ones included
    facts: Count  # recorded of the new ones


Fact = Started | RowQuarantined | DirtCounted | Finished


@dataclass(frozen=True, slots=True)
class Import:
    """A run as its decisions see it."""

    source: str
    finished: bool = False


@concept("import")
def evolve(run: Import | None, event: Fact) -> Import:
    """Return the run after `event`."""
    if run is None:
        if not isinstance(event, Started):
            raise Refused("import.unstarted", f"An import begins with its start, not with {type(event).__name__}.")
        return Import(event.source)
    match event:
        case Started() | RowQuarantined() | DirtCounted():
            return run
        case Finished():
            return replace(run, finished=True)
        case _:
            assert_never(event)


@starts
def start(run: Import | None, now: Moment, /, *, source: str, file_name: str, sha256: str, zone: str, rows: int) -> tuple[Fact, ...]:
    """Record that a file is about to be imported. Each run has an id of its own."""
    if run is not None:
        raise Refused("import.exists", f"The import {now.id} has been started already; give the next run another id.")
    return (Started(started_at=now.at, source=source, file_name=file_name, sha256=sha256, zone=zone, rows=rows),)
