"""What the operating model says of people's data: when a request must be answered, what is kept how long, when rests are removed.

Source: Operating Model, "Compliance Management" (data retention policy enforcement, data subject rights management). The
numbers are law as read when the defaults were written, by jurisdiction and version: have your own adviser read yours.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from opsledger.errors import BadInput
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.support import Section
from opsledger.policies.zones import LocalTime, local_time

__all__ = ["Jurisdiction", "Period", "PersonalData", "Retention", "period"]

_MONTHS_A_YEAR: Final = 12
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Period(NamedTuple):
    """Calendar months and days, as laws count."""

    months: int
    days: int

    def after(self, day: date) -> date:
        """Return the day that lies so many months and then days later; the last of a month that has no such day."""
        count = day.year * _MONTHS_A_YEAR + day.month - 1 + self.months
        year, month = divmod(count, _MONTHS_A_YEAR)
        last = date.fromordinal(date(year + (month == _MONTHS_A_YEAR - 1), (month + 1) % _MONTHS_A_YEAR + 1, 1).toordinal() - 1)
        return date.fromordinal(date(year, month + 1, min(day.day, last.day)).toordinal() + self.days)


def period(text: str) -> Period:
    """Return what a text says: `1 month`, `24 months`, `30 days`."""
    found = re.fullmatch(r"([0-9]{1,4}) (months?|days?)", text)
    if found is None:
        raise ValueError(f"'{text}' is not a period; write 1 month, 24 months or 30 days")
    number = int(found[1])
    return Period(number, 0) if found[2].startswith("month") else Period(0, number)


def _period(text: str) -> str:
    period(text)
    return text


Length = Annotated[str, AfterValidator(_period), Field(description="A period such as 1 month or 30 days.")]


class Jurisdiction(Section):
    """How long an answer to a request of a person may take. The day of receipt is not counted; the last day counts whole."""

    zone: str = Field(description="At whose midnight the last day ends.")
    answer_within: Length
    extension: Length | None = Field(description="By how much the answer may be put off, once, if the person is told in time.")
    keep_after_refused_access: Length = Field(description="How long data are kept after access to them was refused.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        try:
            local_time(self.zone, 0, DAY_S)
        except BadInput as error:
            raise ValueError(error.sentence) from None
        return self

    def answer_by(self, received: int, *, extended: bool = False) -> int:
        """Return the instant at which the last day to answer is over, from that of receipt. Microseconds."""
        lengths = [self.answer_within, *([self.extension] if extended and self.extension else [])]
        return self._over(received, lengths)

    def keep_until(self, refused: int) -> int:
        """Return until when data are kept to which access was refused. Microseconds."""
        return self._over(refused, [self.keep_after_refused_access]) if any(period(self.keep_after_refused_access)) else refused

    def _over(self, begin: int, lengths: list[str]) -> int:
        day = date.fromordinal(_EPOCH + self._around(begin // SECOND).read(begin // SECOND) // DAY_S)
        for length in lengths:
            day = period(length).after(day)
        reading = (day.toordinal() - _EPOCH + 1) * DAY_S
        return self._around(reading).first(reading) * SECOND

    def _around(self, second: int) -> LocalTime:
        midnight = second // DAY_S * DAY_S
        return local_time(self.zone, midnight - 3 * DAY_S, midnight + 3 * DAY_S)


class Retention(Section):
    """How long the words of people in some kinds of streams are kept."""

    concepts: tuple[str, ...] = Field(min_length=1, description="In which streams: ticket, subscription, incident.")
    keep_at_least: Length = Field(description="Erasure is refused before this has passed since the newest of them.")
    keep_at_most: Length | None = Field(description="They are due to be erased once this has passed; null: no time is set.")

    def keep_from(self, newest: int) -> int:
        """Return until when they must be kept, from the newest of them. Microseconds, days counted in UTC."""
        return _later(newest, self.keep_at_least)

    def due_from(self, newest: int) -> int | None:
        """Return from when on they are due to be erased, from the newest of them; None where no time is set."""
        return None if self.keep_at_most is None else _later(newest, self.keep_at_most)


class PersonalData(Section):
    """What is said of people's data. A model published before this section was there says nothing, and no request fits it."""

    jurisdictions: dict[str, Jurisdiction] = Field(default={}, description="By the name under which a request is recorded.")
    retention: dict[str, Retention] = Field(default={}, description="By category.")
    purge_after: Length = Field(default="0 days", description="When sealed parts are removed, counted from the end of an erasure.")
    review_hold_within: Length | None = Field(default=None, description="How far off a legal hold's review may be; null: no bound.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        seen: dict[str, str] = {}
        for category, rule in self.retention.items():
            for concept in rule.concepts:
                if concept in seen:
                    raise ValueError(f"retention.{category}.concepts names {concept}, which retention.{seen[concept]} has already")
                seen[concept] = category
        return self

    def category_of(self, concept: str) -> tuple[str, Retention] | None:
        """Return the category that the streams of a concept belong to, and its rule; None where no rule names them."""
        return next(((name, rule) for name, rule in self.retention.items() if concept in rule.concepts), None)

    def purge_from(self, completed: int) -> int:
        """Return from when on the sealed parts of an erased person may be removed. Microseconds, days counted in UTC."""
        return _later(completed, self.purge_after)

    def latest_review(self, placed: int) -> int | None:
        """Return how late the review of a hold may be; None where there is no bound. Microseconds, days counted in UTC."""
        return None if self.review_hold_within is None else _later(placed, self.review_hold_within)


def _later(instant: int, length: str) -> int:
    """Return the instant at the same time of day, so many months and days later, in UTC. Microseconds."""
    days, rest = divmod(instant, DAY_S * SECOND)
    day = datetime.fromtimestamp(days * DAY_S, UTC).date()
    return (period(length).after(day).toordinal() - _EPOCH) * DAY_S * SECOND + rest
