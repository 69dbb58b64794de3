"""What one entry of a status page's history says, checked and in UTC.

    {"id": "9632825", "title": "...", "impact": "minor", "components": ["Codespaces"],
     "updates": [{"at": "2022-03-26T01:43:00Z", "status": "Investigating"}, ...],
     "downtime_start": "2022-03-26T01:43:00Z", "downtime_end": "2022-03-26T03:35:00Z"}

Optional are components, the downtime, and of a maintenance scheduled_for and scheduled_until. Other fields are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec

from opsledger.app.recording import checked_id
from opsledger.errors import BadInput
from opsledger.importers.files import Unreadable
from opsledger.policies.instants import parse
from opsledger.policies.intervals import Interval

__all__ = ["Entry", "Impact", "Update", "dirt", "read_entry"]

Impact = Literal["critical", "major", "minor", "none", "maintenance"]

_IMPACTS: Final[tuple[Impact, ...]] = get_args(Impact)
_READ: Final = ("id", "title", "impact", "components", "updates", "downtime_start", "downtime_end", "scheduled_for", "scheduled_until")
_STATUSES: Final = frozenset(
    {"investigating", "identified", "monitoring", "resolved", "postmortem", "scheduled", "in progress", "verifying", "completed", "update"}
)
_FIRST, _LAST = parse("2000-01-01"), parse("2051-01-01")


class Update(NamedTuple):
    """The page said how it stood."""

    at: int  # microseconds
    status: str  # its own word, in small letters: investigating, in progress


class Entry(NamedTuple):
    """An incident or a maintenance as the page tells it. Instants in microseconds."""

    id: str
    title: str
    impact: Impact
    components: tuple[str, ...]
    updates: tuple[Update, ...]  # by time, at least one
    downtime: Interval | None  # as the page sums it up, when all is over
    planned: Interval | None  # of a maintenance
    guessed: bool  # whether the components are somebody's reading of the text
    content: bytes  # all that is read of it: what a later copy is compared with

    def last_at(self, *statuses: str) -> int | None:
        """Return when the page last gave it one of these statuses."""
        return next((update.at for update in reversed(self.updates) if update.status in statuses), None)

    def instants(self) -> Iterator[int]:
        """Yield every instant at which it says that something happened. What was planned has not."""
        yield from (update.at for update in self.updates)
        yield from self.downtime or ()


def read_entry(payload: object) -> Entry:
    """Return what an entry says. Raises Unreadable with the field that cannot be read."""
    if not isinstance(payload, dict):
        raise Unreadable
    return Entry(
        id=_name(payload.get("id"), "id"),
        title=_text(payload.get("title"), "title"),
        impact=_impact(payload.get("impact")),
        components=_components(payload.get("components")),
        updates=_updates(payload.get("updates")),
        downtime=_interval(payload, "downtime_start", "downtime_end"),
        planned=_interval(payload, "scheduled_for", "scheduled_until"),
        guessed=payload.get("components_source") is not None,
        content=msgspec.json.encode({name: payload[name] for name in _READ if payload.get(name) is not None}, order="sorted"),
    )


def dirt(entry: Entry) -> Iterator[str]:
    """Yield what a clean history would not have.

    What is done about it: an incident without_component affects no service, unless one is named for those; components_guessed
    are taken as the page's; at an unknown_status the phase before it lasts, as at an update; a status that is same_update_twice
    was published twice; an incident told_when_over was declared in the minute in which it was resolved; of downtime_after_end
    only what lies before the resolution counts, and all of it is left out where it begins later; a maintenance of which the
    plan_is_unknown was planned as it was done.
    """
    if not entry.components:
        yield "without_component"
    if entry.guessed and entry.components:
        yield "components_guessed"
    if any(update.status not in _STATUSES for update in entry.updates):
        yield "unknown_status"
    if len(set(entry.updates)) < len(entry.updates):
        yield "same_update_twice"
    if entry.impact == "maintenance":
        if entry.planned is None:
            yield "plan_is_unknown"
        return
    resolved_at = entry.last_at("resolved")
    if resolved_at == entry.updates[0].at:
        yield "told_when_over"
    if entry.downtime is not None and resolved_at is not None and entry.downtime[1] > resolved_at:
        yield "downtime_after_end"


def _name(value: object, field: str) -> str:
    try:
        if isinstance(value, str) and checked_id(value) == value:
            return value
    except BadInput:
        pass
    raise Unreadable(field)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unreadable(field)
    return value


def _impact(value: object) -> Impact:
    for impact in _IMPACTS:
        if impact == value:
            return impact
    raise Unreadable("impact")


def _components(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Unreadable("components")
    return tuple(dict.fromkeys(_name(each, "components") for each in value))


def _updates(value: object) -> tuple[Update, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise Unreadable("updates")
    found = [Update(_instant(each.get("at"), "updates"), _status(each.get("status"))) for each in value]
    return tuple(sorted(found, key=lambda update: update.at))  # what stands at one time stays in the page's order


def _status(value: object) -> str:
    return _text(value, "updates").strip().lower().replace("_", " ")


def _interval(payload: dict[str, Any], start: str, stop: str) -> Interval | None:
    if payload.get(start) is None and payload.get(stop) is None:
        return None
    begin, end = _instant(payload.get(start), start), _instant(payload.get(stop), stop)
    if end < begin:
        raise Unreadable(stop)
    return begin, end


def _instant(value: object, field: str) -> int:
    try:
        at = parse(_text(value, field))
    except BadInput:
        raise Unreadable(field) from None
    if not _FIRST <= at < _LAST:
        raise Unreadable(field)
    return at
