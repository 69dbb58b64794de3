"""Business time between two instants: ours beside the Python libraries that answer the question.

One calendar for all: Monday to Friday, nine to five, eight holidays a year. Ours counts on it in New York's wall time, as does
`businesstimedelta`; the others know no zones and are given wall times. All are asked what they were made for, with objects that
were made before, and take and give datetimes; of a library that gives another answer than ours the page says so.
`numpy.busday_count` counts whole days only and stands here as what a count of days costs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from statistics import median
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.measuring import Spread, alternate, per_call, ratios, timed
from benchmarks.place import Place
from benchmarks.report import ABOUT_ONE, Row, Section, Target, duration, rounds
from opsledger.policies.calendar import BusinessTime, CalendarDefinition, compile_calendar
from opsledger.policies.instants import micros

__all__ = ["measure"]

_TARGET: Final = Target("at least", 1000)
_ZONE: Final = "America/New_York"
_YEARS: Final = range(1995, 2031)
_HOLIDAYS: Final = tuple(
    date(year, month, day) for year in _YEARS for month, day in ((1, 1), (1, 20), (2, 17), (5, 26), (7, 4), (9, 1), (11, 27), (12, 25))
)
_BEGIN: Final = datetime(1996, 3, 4, 10, 30)  # a wall time
_SPANS: Final = {
    "1 month": datetime(1996, 4, 4, 15, 45),
    "3 years": datetime(1999, 3, 4, 15, 45),
    "30 years": datetime(2026, 3, 4, 15, 45),
}
_JUDGED: Final = "3 years"
_OURS: Final = "opsledger"
_INSIDE: Final = "opsledger inside"
_DAYS_ONLY: Final = "numpy.busday_count, which counts days only"

Difference = Callable[[datetime, datetime], timedelta]


class Rival(NamedTuple):
    """A library: where it is imported from, and how it is asked."""

    name: str
    module: str
    make: Callable[[Any], Difference]


def _businesstimedelta(module: Any) -> Difference:
    zone = import_module("pytz").timezone(_ZONE)
    workday = module.WorkDayRule(start_time=time(9), end_time=time(17), working_days=[0, 1, 2, 3, 4], tz=zone)
    rules = module.Rules([workday, module.HolidayRule(set(_HOLIDAYS), tz=zone)])

    def difference(begin: datetime, end: datetime) -> timedelta:
        found = rules.difference(zone.localize(begin), zone.localize(end))
        return timedelta(hours=found.hours, seconds=found.seconds)

    return difference


def _businesstime(module: Any) -> Difference:
    asked = module.BusinessTime(business_hours=(time(9), time(17)), holidays=set(_HOLIDAYS))

    def difference(begin: datetime, end: datetime) -> timedelta:
        found: timedelta = asked.businesstimedelta(begin, end)  # its day is a business day
        return found.days * timedelta(hours=8) + timedelta(seconds=found.seconds)

    return difference


def _business_duration(module: Any) -> Difference:
    holidays = set(_HOLIDAYS)

    def difference(begin: datetime, end: datetime) -> timedelta:
        return timedelta(seconds=float(module.businessDuration(begin, end, time(9), time(17), holidaylist=holidays, unit="sec")))

    return difference


def _busday_count(module: Any) -> Difference:
    days = module.busdaycalendar(weekmask="1111100", holidays=list(_HOLIDAYS))
    return lambda begin, end: timedelta(hours=8) * int(module.busday_count(begin.date(), end.date(), busdaycal=days))


_RIVALS: Final = (
    Rival("businesstime", "businesstime", _businesstime),
    Rival("businesstimedelta", "businesstimedelta", _businesstimedelta),
    Rival("business-duration", "business_duration", _business_duration),
    Rival(_DAYS_ONLY, "numpy", _busday_count),
)


def measure(place: Place) -> Section:
    """Measure a month, three years and thirty with every library."""
    began = timed(_business)  # the first time; afterwards it is kept
    ours = _ours()
    rivals = {rival.name: asked for rival in _RIVALS if (asked := _asked(rival)) is not None}
    missing = [rival.name for rival in _RIVALS if rival.name not in rivals]
    for name, asked in rivals.items():
        asked(*_given(name, _SPANS["1 month"]))  # what it does once
    found = _seconds({_OURS: ours, **rivals}, place)
    rows = [_row(span, rival, found[span]) for rival in rivals for span in _SPANS]
    rows += [_row(_JUDGED, rival, found[_JUDGED], _INSIDE) for rival in rivals if rival != _DAYS_ONLY]
    rows += [
        Row(f"business time over {_JUDGED}", name, "", "", Spread(0, 0, 0), remark="not measured: not installed, see below")
        for name in missing
    ]
    whole, inside = (duration(median(found[_JUDGED][name])) for name in (_OURS, _INSIDE))
    notes = [
        f"Over {_JUDGED} the count itself takes {inside} of our {whole}; the rest makes integers of datetimes and a timedelta of them.",
        " ".join(_agreement(ours, name, asked) for name, asked in rivals.items()),
    ]
    if missing:
        notes.append(f"Not installed where this ran: {', '.join(missing)}. `make bench` installs them from the group `bench`.")
    return Section(
        "Business time between two instants",
        f"As many calls as fit into {duration(place.sizes.called_s)}, in batches, of which the median counts; "
        f"{rounds(place.sizes.called_rounds)}. Our calendar is compiled once, when it is published: {len(_YEARS)} years of it took "
        f"{duration(began)}. The rivals are the permissively licensed libraries that we found to answer in hours, whatever the age of "
        "their last release. They take datetimes, and so do we here; clocks and tables of ours count in integer microseconds, and what "
        "that costs stands beside it.",
        [*rows, _independent(found)],
        notes,
    )


def _business() -> BusinessTime:
    definition = CalendarDefinition.model_validate(
        {"zone": _ZONE, "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}, "holidays": _HOLIDAYS}
    )
    begin, end = (round(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (_YEARS[0], _YEARS[-1] + 1))
    return BusinessTime(compile_calendar(definition, begin, end))


def _ours() -> Difference:
    business = _business()
    return lambda begin, end: timedelta(microseconds=business.elapsed(micros(begin), micros(end)))


def _asked(rival: Rival) -> Difference | None:
    """Return how a library is asked; None where it is not installed."""
    try:
        return rival.make(import_module(rival.module))
    except ModuleNotFoundError:
        return None


def _seconds(contenders: dict[str, Difference], place: Place) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of a call over each span by each contender in each round; all of them take turns."""
    business = _business()

    def calling(name: str, end: datetime) -> Callable[[], float]:
        begin_at, end_at = _given(name, end)
        if name == _INSIDE:
            first, last = micros(begin_at), micros(end_at)
            return lambda: per_call(lambda: business.elapsed(first, last), place.sizes.called_s)
        return lambda: per_call(lambda: contenders[name](begin_at, end_at), place.sizes.called_s)

    names = [*contenders, _INSIDE]
    found = alternate({f"{name} {span}": calling(name, _SPANS[span]) for name in names for span in _SPANS}, place.sizes.called_rounds)
    return {span: {name: found[f"{name} {span}"] for name in names} for span in _SPANS}


def _given(name: str, end: datetime) -> tuple[datetime, datetime]:
    """Return the two instants as a contender takes them: ours in UTC, the others as wall times."""
    if name not in (_OURS, _INSIDE):
        return _BEGIN, end
    zone = ZoneInfo(_ZONE)
    return _BEGIN.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC)


def _row(span: str, rival: str, found: dict[str, list[float]], ours: str = _OURS) -> Row:
    judged = span == _JUDGED and rival != _DAYS_ONLY
    return Row(
        f"business time over {span}{', of integer microseconds' if ours == _INSIDE else ''}",
        rival,
        duration(median(found[ours])),
        duration(median(found[rival])),
        ratios(found[rival], found[ours]),
        target=_TARGET if judged else None,
        remark="" if judged else "no target",
    )


def _independent(found: dict[str, dict[str, list[float]]]) -> Row:
    """Compare what thirty years cost us with what a month does."""
    month, thirty = found["1 month"][_OURS], found["30 years"][_OURS]
    return Row(
        "our business time over 30 years",
        "itself over 1 month",
        duration(median(thirty)),
        duration(median(month)),
        ratios(thirty, month),
        target=ABOUT_ONE,
    )


def _agreement(ours: Difference, name: str, asked: Difference) -> str:
    """Say whether a library gives the answer that we give."""
    said = []
    for span, end in _SPANS.items():
        apart = asked(*_given(name, end)) - ours(*_given(_OURS, end))
        if apart:
            said.append(f"{apart.total_seconds() / 3600:+.2f} h over {span}")
    return f"{name} {'differs from our answer by ' + ', '.join(said) if said else 'gives the same answers as ours'}."
