"""A status page's history -> facts about incidents and maintenance windows: one entry is one of either.

    ledger = OpsLedger.open("sqlite:///ops.db")
    import_statuspage(ledger, Path("incidents.jsonl.xz"), terms=Terms(services={"API Requests": "api"}))

Everything was recorded on the day of the import, so for its past as-of means effective-at, as for every import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from opsledger.app.recording import checked_id
from opsledger.app.taking import Taken, recognise
from opsledger.domain.imports import Reason
from opsledger.importers.files import Unreadable, lines, sha256
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.importers.statuspage_entries import Entry, dirt, read_entry
from opsledger.importers.statuspage_facts import Terms, facts_of, is_over, stream_of
from opsledger.policies.instants import micros

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["ImportResult", "Terms", "import_statuspage"]

Progress = Callable[[int, int], None]
"""Told (done, of) in entries."""

_BATCH: Final = 500


class _Line(NamedTuple):
    row: int
    entry: Entry


def import_statuspage(
    ledger: OpsLedger, path: Path | str, *, terms: Terms | None = None, source: str = "statuspage", progress: Progress | None = None
) -> ImportResult:
    """Take in a history (.jsonl, .jsonl.xz, .jsonl.gz), one entry a line; return what was new, known and set aside.

    Each entry is known by its id on the page. The same file again adds nothing; a longer one adds its new entries. An entry
    whose content has changed since, that cannot be read, that is not over yet, or whose id is here from elsewhere, is set aside
    and listed in `import_quarantine`, and nothing of it is recorded. What is unclean but usable is counted in `import_dirt`.

    Impacts critical, major, minor and none are the severities critical, high, medium and low. The components that an entry
    names are affected from the start of the downtime, as the page sums it up, until its end, at the latest until the incident
    was resolved. Nothing is recorded of what a page does not tell: who acknowledged it, or why it happened.

    Entries of the impact "maintenance" are maintenance windows, judged by the operating model in force when they were first
    published. Whom the page reached is not known, so there is no notice unless `terms.notifies` names the audience; a window
    without notice is no planned maintenance. Raises BadInput where the file cannot be read; then nothing was recorded.
    """
    path, terms = Path(path), terms or Terms()
    checked_id(source)
    rows = sum(1 for _ in _lines(path))  # to its end, before anything of it is recorded
    digest = sha256(path)
    run, done = Run.start(ledger, source, file_name=path.name, sha256=digest, zone="UTC", rows=rows), 0
    now = micros(ledger.now())
    for batch in _batches(_lines(path)):
        _take(run, [_read(row, line, now) for row, line in batch], terms)
        done += len(batch)
        if progress is not None:
            progress(done, rows)
    return run.finish(rows=rows, sha256=digest, policy_ref=None)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    for row, line in enumerate(lines(path, ".jsonl"), 1):
        if line.strip():
            yield row, line


def _read(row: int, line: bytes, now: int) -> _Line | Quarantined:
    """Return what a line says, or why it is not taken in."""
    try:
        entry = read_entry(msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Quarantined(row, "malformed")
    except Unreadable as error:
        return Quarantined(row, "malformed", column=error.column)
    if any(at > now for at in entry.instants()):
        return Quarantined(row, "future", entry.id)
    return _Line(row, entry)


def _batches(found: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(found, _BATCH)):
        yield batch


def _take(run: Run, found: list[_Line | Quarantined], terms: Terms) -> None:
    """Record what is new in a batch."""
    aside = [each for each in found if isinstance(each, Quarantined)]
    told = [each for each in found if isinstance(each, _Line)]
    run.count((kind, row) for row, entry in told for kind in dirt(entry))
    entries = {entry.id: entry for _, entry in reversed(told)}  # the first of each id
    seen = recognise(run.ledger, run.source, {id: entry.content for id, entry in entries.items()})
    fresh = [entry for id, entry in entries.items() if id not in seen.known and id not in seen.changed]
    records, refused = _records(run, fresh, terms)
    refused |= dict.fromkeys(seen.changed, ("changed", None))
    known = 0
    for row, entry in told:
        first = entries[entry.id]
        if entry.content != first.content:
            aside.append(Quarantined(row, "changed", entry.id))
        elif entry.id in refused:
            reason, column = refused[entry.id]
            aside.append(Quarantined(row, reason, entry.id, column))
        else:
            known += entry.id in seen.known or entry is not first
    run.take(records, sorted(aside, key=lambda each: each.row), known=known)


def _records(run: Run, fresh: list[Entry], terms: Terms) -> tuple[list[Taken], dict[str, tuple[Reason, str | None]]]:
    """Return the records of new entries, and why others are not taken in, with the field, by their ids."""
    ledger, known = run.ledger, run.ledger.known
    standing = ledger.store.heads([stream_of(entry) for entry in fresh])
    records: list[Taken] = []
    refused: dict[str, tuple[Reason, str | None]] = {}
    for entry in fresh:
        stream = stream_of(entry)
        if stream in standing:
            refused[entry.id] = ("foreign", None)
        elif not is_over(entry):
            refused[entry.id] = ("unfinished", None)
        else:
            try:
                facts = facts_of(entry, terms, known.in_force(entry.updates[0].at))
            except Unreadable as error:
                refused[entry.id] = ("malformed", error.column)
            else:
                records.append(Taken(entry.id, tuple((stream, fact) for fact in facts), entry.content))
    return records, refused
