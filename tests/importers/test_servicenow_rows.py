"""Wall time of a zone as the log writes it, and what an incident's rows are known by."""

from __future__ import annotations

from pathlib import Path

import pytest
from servicenow_log import update, write

from opsledger.importers.cases import BadRow
from opsledger.importers.servicenow_rows import SourceRow, local_minutes, read
from opsledger.policies.instants import at, micros


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("29/2/2016 01:16", "2016-02-29T04:16:00Z"),
        ("29/02/2016 01:16", "2016-02-29T04:16:00Z"),
        ("1/11/2016 9:05", "2016-11-01T11:05:00Z"),
        # Summer time began on 16 October 2016: the hour from midnight does not exist, and counts at its end.
        ("15/10/2016 23:59", "2016-10-16T02:59:00Z"),
        ("16/10/2016 00:00", "2016-10-16T03:00:00Z"),
        ("16/10/2016 00:30", "2016-10-16T03:00:00Z"),
        ("16/10/2016 01:00", "2016-10-16T03:00:00Z"),
        ("16/10/2016 01:01", "2016-10-16T03:01:00Z"),
        # It ended on 21 February 2016: the hour before midnight came twice, and the first counts.
        ("20/2/2016 22:59", "2016-02-21T00:59:00Z"),
        ("20/2/2016 23:30", "2016-02-21T01:30:00Z"),
        ("21/2/2016 00:00", "2016-02-21T03:00:00Z"),
    ],
)
def test_wall_time_is_read_in_its_zone(local: str, utc: str) -> None:
    assert local_minutes("America/Sao_Paulo")(local) == micros(at(utc))


@pytest.mark.parametrize(
    "text", ["", "29/2/2015 01:16", "0/3/2016 01:16", "1/13/2016 01:16", "1/3/2016 24:00", "1/3/2016 01:60", "1/3/16 01:16"]
)
def test_a_time_that_is_none_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError):
        local_minutes("UTC")(text)


def test_times_before_the_first_reporting_month_are_taken_for_mistakes() -> None:
    minutes = local_minutes("UTC")
    assert minutes("1/1/2000 00:00") == micros(at("2000-01-01"))
    with pytest.raises(ValueError, match="1999"):
        minutes("31/12/1999 23:59")


def test_rows_carry_the_line_of_the_file_and_blank_lines_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", update(), update(number="?"), update())
    text = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([b"\xef\xbb\xbf" + text[0], text[1], b"", b"  ", *text[2:]]))
    found = list(read(path, "UTC"))
    assert [row.row for row in found] == [2, 5, 6]
    assert found[1] == BadRow(5, "malformed", "number")


def test_what_is_missing_is_none_and_a_quoted_field_is_read_whole(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path / "log.csv", update(assignment_group="Group 1, night", assigned_to="?")), "UTC")
    assert isinstance(row, SourceRow)
    assert (row.group, row.resolver, row.resolved_at, row.made_sla) == ("Group 1, night", None, None, True)
