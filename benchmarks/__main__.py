"""Run the benchmarks, print the page, and write it to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measuring import flushing, typical
from benchmarks.place import FULL, QUICK, Place, Sizes
from benchmarks.report import Machine, Section, page
from opsledger.testing.postgres import postgres_server

__all__ = ["SUBJECTS", "main"]

SUBJECTS: Final = ("append", "importing", "rebuild", "live", "opening", "requests", "probes", "business_time", "proving", "verifying")
"""The modules that measure, in the order of the page."""

_PAGE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for; a whole run that is not quick becomes the documented page."""
    given = _read(arguments)
    sizes = _sizes(given)
    with TemporaryDirectory(prefix="opsledger-bench-", dir=given.folder) as folder, postgres_server(durable=True) as server:
        os.environ["OPSLEDGER_KEK_FILE"] = str(Path(folder) / "kek")  # of the ledgers on PostgreSQL, here and in workers
        place = Place(sizes, Path(folder), server)
        try:
            with flushing(place.folder) as flush:
                machine = Machine(_command(given), given.quick, place.postgresql(), typical(flush, 50))
            text = page(machine, [_measured(subject, place) for subject in SUBJECTS if given.only in (None, subject)])
        finally:
            place.clear()
    print(text)
    output = given.output or (None if given.quick or given.only else _PAGE)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    return 0


def _measured(subject: str, place: Place) -> Section:
    begin = time.monotonic()
    section: Section = import_module(f"benchmarks.{subject}").measure(place)
    print(f"{section.title}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return section


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--only", choices=SUBJECTS, help="one subject alone")
    parser.add_argument("--events", type=int, nargs="+", metavar="N", help="facts of the ledgers rebuilt on SQLite, rising")
    parser.add_argument("--postgres-events", type=int, metavar="N", help="facts of the ledger rebuilt on PostgreSQL")
    parser.add_argument("--proved", type=int, metavar="N", help="facts of the log whose integrity is checked, and of which one is proved")
    parser.add_argument("--probes", type=int, metavar="N", help="changes of state that probes see, rebuilt")
    parser.add_argument("--held", type=int, metavar="N", help="appends while a foreign snapshot is held")
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"where to write the page; a whole run goes to docs/{_PAGE.name}")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where SQLite files go meanwhile; the system's temporary folder")
    return parser.parse_args(arguments)


def _sizes(given: argparse.Namespace) -> Sizes:
    named = {
        "events": tuple(given.events or ()),
        "postgres_events": given.postgres_events,
        "proved": given.proved,
        "probes": given.probes,
        "held": given.held,
    }
    return replace(QUICK if given.quick else FULL, **{name: value for name, value in named.items() if value})


def _command(given: argparse.Namespace) -> str:
    """Return the command without what names a place of this machine."""
    named = {name: getattr(given, name) for name in ("only", "events", "postgres_events", "proved", "probes", "held")}
    said = [
        f"--{name.replace('_', '-')} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in named.items()
        if value
    ]
    if not said and not given.quick:
        return "make bench"
    return " ".join(["python -m benchmarks", *(["--quick"] if given.quick else []), *said])


if __name__ == "__main__":
    sys.exit(main())
