"""Times as event logs write them, by a format of numbers alone, so that no language of the machine decides what a month is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.zones import LocalTime, local_time

__all__ = ["instants", "pattern"]

_PARTS: Final = {
    "%Y": "(?P<year>[0-9]{4})",
    "%m": "(?P<month>[0-9]{1,2})",
    "%d": "(?P<day>[0-9]{1,2})",
    "%H": "(?P<hour>[0-9]{1,2})",
    "%M": "(?P<minute>[0-9]{2})",
    "%S": "(?P<second>[0-9]{2})",
    "%f": "(?P<fraction>[0-9]{1,6})",
    "%z": "(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})",
}
_NEEDED: Final = ("%Y", "%m", "%d", "%H", "%M")

# Months of the reporting zone begin in 2000, and no such log is older: an earlier time is a mistake.
_FIRST_S: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LAST_S: Final = int(datetime(2051, 1, 1, tzinfo=UTC).timestamp())
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def pattern(format: str) -> re.Pattern[str]:
    """Return what a time of a format looks like. Raises ValueError where the format cannot name a minute, or has other parts."""
    pieces = re.split("(%.)", format)
    unknown = [each for each in pieces[1::2] if each not in _PARTS]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no part of a time here; there are {' '.join(_PARTS)}")
    if any(pieces.count(each) > 1 for each in _PARTS) or any(each not in pieces for each in _NEEDED):
        raise ValueError(f"a time has {' '.join(_NEEDED)}, each once")
    return re.compile("".join(_PARTS.get(each, re.escape(each)) for each in pieces))


def instants(format: str, zone: str | None) -> Callable[[str], int]:
    """Return a function from a time's text to microseconds; it raises ValueError. Raises BadInput where there is no such zone.

    In wall time, a time in a gap is the transition itself, and one that occurs twice is the first of both.
    """
    looks = pattern(format)
    local = None if zone is None else local_time(zone, _FIRST_S - 2 * DAY_S, _LAST_S)

    @lru_cache(maxsize=1 << 14)
    def instant(text: str) -> int:
        found = looks.fullmatch(text)
        if found is None:
            raise ValueError(text)
        said = found.groupdict()
        hour, minute, second = int(said["hour"]), int(said["minute"]), int(said.get("second") or 0)
        if hour > 23 or minute > 59 or second > 59:
            raise ValueError(text)
        days = date(int(said["year"]), int(said["month"]), int(said["day"])).toordinal() - _EPOCH_DAY
        reading = days * DAY_S + hour * 3600 + minute * 60 + second
        utc = _utc(reading, local, said.get("offset"))
        if not _FIRST_S <= utc < _LAST_S:
            raise ValueError(text)
        return utc * SECOND + int((said.get("fraction") or "0").ljust(6, "0"))

    return instant


def _utc(reading: int, local: LocalTime | None, offset: str | None) -> int:
    if local is not None:
        return local.first(reading)
    if offset is None or offset == "Z":
        return reading
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(offset)
    seconds = hours * 3600 + minutes * 60
    return reading + seconds if offset[0] == "-" else reading - seconds
