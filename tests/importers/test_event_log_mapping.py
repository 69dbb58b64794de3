"""What a mapping may say, and how it is told what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_log import MAPPING, desk

from opsledger.errors import BadInput
from opsledger.importers.event_log_mapping import load, parse, shipped
from opsledger.importers.event_log_times import instants
from opsledger.policies.instants import at, micros


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("source: desk", "source: ' desk'", "source: .*cannot be an id"),
        ("ticket: Number, ", "", "columns.ticket: Field required"),
        ("agent: Person", "agents: Person", "columns.agents: there is no such field"),
        ("[work, assign]", "[works]", "words.Working.0"),
        ("[work, assign]", "[work, on_hold]", "'Working' leaves the ticket in two states"),
        ("[work, assign]", "[open, close]", "'Working' leaves the ticket in two states"),
        ("[cancel]", "[cancel, close]", "'Withdrawn' leaves the ticket in two states"),
        (", group: Team, assignee: Person", "", "neither `group` nor `assignee`"),
        (", level: Line", "", "`level` and the table `levels` belong together"),
        (", level: Line", ", level: Line, service: Client", "beside a category"),
        ("column: Severity, ", "", "belong together"),
        ("%H:%M", "%I:%M", "'%I' is no part of a time"),
        ("%d/%m/%Y", "%d/%m", "a time has"),
        ("%H:%M", "%H:%M%z", "exactly one of both"),
        (", zone: Europe/Berlin", "", "exactly one of both"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said(old: str, new: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        desk((old, new))


def test_a_mapping_is_one_document() -> None:
    with pytest.raises(BadInput, match="this text has 0"):
        parse("")
    with pytest.raises(BadInput, match="this text has 2"):
        parse(f"{MAPPING}---\n{MAPPING}")


def test_a_mapping_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    assert load(path) == desk()
    with pytest.raises(BadInput, match=r"none\.yaml"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["helpdesk", "volvo"])
def test_the_mappings_that_we_ship_are_mappings(name: str) -> None:
    assert shipped(name).source == name


def test_times_with_an_offset_and_a_fraction_are_exact() -> None:
    instant = instants("%Y-%m-%dT%H:%M:%S.%f%z", None)
    for text in ("2012-04-18T10:02:59.25+01:00", "2012-04-18T04:02:59.250-0500", "2012-04-18T09:02:59.250000Z"):
        assert instant(text) == micros(at("2012-04-18T09:02:59.25Z"))
    with pytest.raises(ValueError, match="25:00"):
        instant("2012-04-18T10:02:59.25+25:00")
