"""Durations as people write them: `15 min`, `4 h`, `72 h`, `30 days`, `5 business days`."""

from __future__ import annotations

import re
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, Field

__all__ = ["Duration", "Seconds", "duration"]

_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}


class Duration(NamedTuple):
    """Seconds, or whole business days; one of them is zero."""

    seconds: int
    business_days: int = 0


def duration(text: str) -> Duration:
    """Return what `text` says. A day is 86,400 seconds; a business day is a unit of its own."""
    found = re.fullmatch(r"([0-9]{1,6}) ?(s|min|h|days?|business days?)", text)
    if found is None:
        raise ValueError(f"'{text}' is not a duration; write 15 min, 4 h, 30 days or 5 business days")
    number, unit = int(found[1]), found[2]
    return Duration(0, number) if unit.startswith("business") else Duration(number * _UNITS[unit])


def _seconds(given: object) -> object:
    if not isinstance(given, str):
        return given
    found = duration(given)
    if found.business_days:
        raise ValueError(f"'{given}' counts business days; this field takes elapsed time such as 24 h")
    return found.seconds


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
"""Elapsed seconds; a document may write them as `72 h`."""
