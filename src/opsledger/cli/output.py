"""What commands write: rows on stdout in four formats, messages on stderr.

Instants are ISO texts in UTC; JSON numbers are numbers. A table that is wider than the terminal is written row by row, one
line for each column; into a pipe or a file it is never cut.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from opsledger.policies.instants import iso, micros

if TYPE_CHECKING:
    from opsledger.audit.findings import Checked

__all__ = ["Format", "FormatOption", "cell", "conclude", "counted", "length", "plain", "printable", "say", "show", "written"]


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", "-f", metavar="table|json|jsonl|csv", help="How rows are written.")]


def say(message: str) -> None:
    """Write a message to stderr."""
    typer.echo(printable(message), err=True)


def counted(number: int, what: str) -> str:
    """Return how many of something there are: 1 row, 2 rows, no rows."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def show(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], format: Format) -> None:
    """Write rows to stdout. All but the table are written row by row, as they come."""
    match format:
        case Format.TABLE:
            _table(list(rows), columns)
        case Format.JSON:
            _json(rows, columns)
        case Format.JSONL:
            for row in rows:
                _line(_object(row, columns))
        case Format.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([plain(row.get(column)) for column in columns] for row in rows)


def conclude(result: Checked) -> NoReturn:
    """Write what a check came to, and end the command with its exit code: 0 clean, 1 findings, 2 could not decide."""
    looked_at = ", ".join(f"{count} {what}" for what, count in result.looked_at.items())
    verdict = counted(result.found, "finding") if result.found else result.verdict
    _line(f"{result.name:<12} {verdict:<12} {looked_at}".rstrip())
    for sentence in (*(finding.sentence for finding in result.findings), *(f"could not decide: {each}" for each in result.undecided)):
        _line(f"    {printable(sentence)}")
    raise typer.Exit({"clean": 0, "findings": 1, "undecided": 2}[result.verdict])


def written(document: Any) -> str:
    """Return a document of dictionaries, lists and values as JSON, for people to read too."""
    return json.dumps(document, default=plain, ensure_ascii=False, indent=2)


def plain(value: Any) -> Any:
    """Return a value as JSON and CSV take it: instants as ISO text with six digits, exact decimals as numbers."""
    if isinstance(value, datetime):
        return iso(micros(value))
    if isinstance(value, date | StrEnum):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)


def _object(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return json.dumps({column: row.get(column) for column in columns}, default=plain, ensure_ascii=False)


def _json(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    opened = False
    for row in rows:
        sys.stdout.write(",\n " if opened else "[")
        sys.stdout.write(_object(row, columns))
        opened = True
    _line("]" if opened else "[]")


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells), 0) for i, column in enumerate(columns)]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) > shutil.get_terminal_size().columns:
        _records(cells, columns)
        return
    numbers = [bool(rows) and all(_is_number(row.get(column)) for row in rows) for column in columns]
    for line in _lines(cells, columns, widths, numbers):
        _line(line)


def _lines(cells: Sequence[Sequence[str]], columns: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> Iterator[str]:
    for line in (columns, ["-" * width for width in widths], *cells):
        placed = [cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(line, widths, numbers, strict=True)]
        yield "  ".join(placed).rstrip()


def _records(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    width = max(map(len, columns))
    for line in cells:
        for column, cell in zip(columns, line, strict=True):
            _line(f"{column.ljust(width)}  {cell}".rstrip())
        _line("")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def cell(value: Any) -> str:
    """Return a value as people read it: instants without empty fractions, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(micros(value)).replace(".000000Z", "Z")
    return printable(str(plain(value))).replace("\n", " ")


def length(seconds: int | None) -> str | None:
    """Return a length as days, hours and minutes, cut to whole minutes; one that has passed with a minus."""
    if seconds is None:
        return None
    minutes = abs(seconds) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{'-' if seconds < 0 else ''}{f'{days} d ' if days else ''}{hours} h {rest:02d} min"


def printable(text: str) -> str:
    """Return a text without characters that would steer the terminal of who reads it, which others may have written."""
    return text if text.isprintable() else "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
