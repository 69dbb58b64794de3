"""Calendar months of a zone: their names, their lengths, and which have time in a span."""

from __future__ import annotations

import pytest

from opsledger.errors import BadInput
from opsledger.policies.instants import SECOND, iso, parse
from opsledger.policies.months import Month, months

HOUR = 3600 * SECOND


def hours(month: Month) -> int:
    return (month.stop - month.start) // HOUR


@pytest.mark.parametrize(
    ("zone", "name", "start", "length"),
    [
        ("UTC", "2026-03", "2026-03-01T00:00:00Z", 744),
        ("America/New_York", "2026-03", "2026-03-01T05:00:00Z", 743),
        ("America/New_York", "2026-11", "2026-11-01T04:00:00Z", 721),
        ("UTC", "2024-02", "2024-02-01T00:00:00Z", 696),
        ("UTC", "2000-01", "2000-01-01T00:00:00Z", 744),
        ("UTC", "2050-12", "2050-12-01T00:00:00Z", 744),
    ],
)
def test_a_month_is_as_long_as_its_zone_makes_it(zone: str, name: str, start: str, length: int) -> None:
    month = months(zone).named(name)
    assert (month.name, month.start, hours(month)) == (name, parse(start), length)


def test_a_span_has_the_months_of_which_it_has_time() -> None:
    utc = months("UTC")
    assert [month.name for month in utc.between(parse("2026-03-31"), parse("2026-05-01"))] == ["2026-03", "2026-04"]
    assert [month.name for month in utc.between(parse("2026-04-01"), parse("2026-05-01") + 1)] == ["2026-04", "2026-05"]
    assert [month.name for month in utc.between(parse("2026-04-02"), parse("2026-04-02"))] == ["2026-04"]
    assert list(utc.between(parse("2051-01-01"), parse("2051-02-01"))) == []


def test_before_the_first_month_there_is_none() -> None:
    assert next(months("UTC").between(parse("1999-01-01"), parse("2001-01-01"))).name == "2000-01"


@pytest.mark.parametrize("name", ["2026", "March", "2026-13", "2026-00", "1999-12", "2051-01"])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        months("UTC").named(name)


def test_one_month_begins_where_the_one_before_ends() -> None:
    found = list(months("Europe/Berlin").between(parse("2024-01-01"), parse("2027-01-01")))
    assert [iso(one.stop) for one in found[:-1]] == [iso(other.start) for other in found[1:]]
