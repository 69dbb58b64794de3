"""Instants are integer microseconds since 1970-01-01T00:00:00Z, so that they add, compare and hash alike everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from opsledger.errors import BadInput

__all__ = ["DAY_S", "SECOND", "at", "iso", "micros", "moment", "parse", "whole_seconds"]

SECOND: Final = 1_000_000
DAY_S: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(when: datetime) -> int:
    """Return `when` in microseconds since the epoch. A naive datetime is refused, since nobody knows when it was."""
    if when.tzinfo is None:
        raise BadInput("time.naive", f"The time {when.isoformat()} has no zone; add one, for example +00:00 for UTC.")
    return (when - _EPOCH) // _MICROSECOND


def moment(instant: int) -> datetime:
    """Return an instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def parse(text: str) -> int:
    """Return the instant that an ISO 8601 text names; a bare date is its midnight in UTC."""
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        raise BadInput("time.malformed", f"'{text}' is not a time; write it like 2026-03-01T09:30:00Z.") from None
    if when.tzinfo is None and len(text) == len("2026-03-01"):
        when = when.replace(tzinfo=UTC)
    return micros(when)


def at(text: str) -> datetime:
    """Return the datetime in UTC that an ISO 8601 text names."""
    return moment(parse(text))


@lru_cache(maxsize=1 << 16)  # tables repeat instants: the same fact's time stands in several columns
def iso(instant: int) -> str:
    """Return an instant as text with six digits and Z, for example 2026-03-01T09:30:00.000000Z; it sorts as it reads."""
    seconds, fraction = divmod(instant, SECOND)
    days, second = divmod(seconds, DAY_S)
    return f"{_day(days)}T{_clock(second)}.{fraction:06d}Z"


def whole_seconds(length: int) -> int:
    """Return a length in microseconds as whole seconds, the rest dropped; verdicts never use this."""
    return length // SECOND


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


@lru_cache(maxsize=DAY_S)
def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}"
