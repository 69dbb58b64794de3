"""Monitor sources: which tool watches which services, from where, and how long its silence may last.

    registered ──> reconfigured ──> ... ──> retired
        └─ heard: a sign of life, where it sends neither probes nor measurements

A location that a live monitor names is expected to report: while it does not, the vote on its service lacks a voice.
Source: Operating Model, "Monitoring and Alerting".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused

__all__ = ["Category", "Heard", "Monitor", "Reconfigured", "Registered", "Retired", "evolve", "hear", "reconfigure", "register", "retire"]

Category = Literal["infrastructure", "application", "business", "security"]
Seconds = Annotated[int, Field(gt=0)]


@fact("monitor.registered", at="registered_at")
class Registered:
    """A tool began to watch services."""

    registered_at: At
    category: Category
    tool: str
    check: str  # what it does: http, db_connection, synthetic, or a word of one's own
    services: tuple[str, ...]  # ids of those that it watches
    locations: tuple[str, ...]  # from where
    silent_after_s: Seconds | None = None  # after this long without a word nothing is known; null: what was said last holds


@fact("monitor.reconfigured", at="reconfigured_at")
class Reconfigured:
    """A tool watches otherwise than before; all of it is said anew."""

    reconfigured_at: At
    category: Category
    tool: str
    check: str
    services: tuple[str, ...]
    locations: tuple[str, ...]
    silent_after_s: Seconds | None = None


@fact("monitor.retired", at="retired_at")
class Retired:
    """A tool watches no longer."""

    retired_at: At


@fact("monitor.heard", at="heard_at")
class Heard:
    """A tool gave a sign of life, whatever it watches."""

    heard_at: At
    location: str | None = None  # of which it was; null: of the tool as a whole


Fact = Registered | Reconfigured | Retired | Heard
Said = tuple[Category, str, str, tuple[str, ...], tuple[str, ...], int | None]


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor as last configured, since when that holds, when it was retired, and when it was heard last, with the location."""

    said: Said
    since: datetime
    retired_at: datetime | None = None
    heard: tuple[datetime, str | None] | None = None


@concept("monitor")
def evolve(monitor: Monitor | None, event: Fact) -> Monitor:
    """Return the monitor after `event`. A configuration of earlier that is typed in late changes nothing that a later one says."""
    if monitor is None:
        if not isinstance(event, Registered):
            raise Refused("monitor.unregistered", f"A monitor begins with its registration, not with {type(event).__name__}.")
        return Monitor(_said(event), event.registered_at)
    match event:
        case Registered():
            return monitor
        case Reconfigured():
            newer = event.reconfigured_at >= monitor.since
            return replace(monitor, said=_said(event), since=event.reconfigured_at) if newer else monitor
        case Retired():
            return replace(monitor, retired_at=event.retired_at)
        case Heard():
            return replace(monitor, heard=(event.heard_at, event.location))
        case _:
            assert_never(event)


@starts
def register(
    monitor: Monitor | None,
    now: Moment,
    /,
    *,
    category: Category,
    tool: str,
    check: str,
    services: tuple[str, ...],
    locations: tuple[str, ...],
    silent_after_s: int | None = None,
) -> tuple[Fact, ...]:
    """Record that a tool began to watch services from some locations."""
    if monitor is not None:
        raise Refused("monitor.exists", f"{now.id} is registered already; reconfigure it, or choose another id.")
    return (
        Registered(
            registered_at=now.at,
            category=category,
            tool=tool,
            check=check,
            services=tuple(dict.fromkeys(services)),
            locations=tuple(dict.fromkeys(locations)),
            silent_after_s=silent_after_s,
        ),
    )


def reconfigure(
    monitor: Monitor,
    now: Moment,
    /,
    *,
    category: Category,
    tool: str,
    check: str,
    services: tuple[str, ...],
    locations: tuple[str, ...],
    silent_after_s: int | None = None,
) -> tuple[Fact, ...]:
    """Record how a tool watches from now on. Adds nothing where it says the same."""
    if monitor.retired_at is not None and now.at >= monitor.retired_at:
        raise Refused("monitor.retired", f"{now.id} is retired and cannot be reconfigured; register another monitor.")
    changed = Reconfigured(
        reconfigured_at=now.at,
        category=category,
        tool=tool,
        check=check,
        services=tuple(dict.fromkeys(services)),
        locations=tuple(dict.fromkeys(locations)),
        silent_after_s=silent_after_s,
    )
    return () if now.at >= monitor.since and _said(changed) == monitor.said else (changed,)


def hear(monitor: Monitor, now: Moment, /, *, location: str | None = None) -> tuple[Fact, ...]:
    """Record a sign of life, of the tool as a whole or of one location. Probes and measurements that it sends are signs by themselves."""
    if monitor.retired_at is not None and now.at >= monitor.retired_at:
        raise Refused("monitor.retired", f"{now.id} is retired and gives no sign of life; register another monitor.")
    if location is not None and location not in monitor.said[4]:
        raise Refused("monitor.location", f"{now.id} watches from {', '.join(monitor.said[4]) or 'no location'}, not from {location}.")
    return () if monitor.heard == (now.at, location) else (Heard(heard_at=now.at, location=location),)


def retire(monitor: Monitor, now: Moment, /) -> tuple[Fact, ...]:
    """Record that a tool watches no longer: from here on its locations are not expected to report."""
    if monitor.retired_at == now.at:
        return ()
    if monitor.retired_at is not None:
        raise Refused("monitor.retired", f"{now.id} was retired at {monitor.retired_at.isoformat()} already.")
    return (Retired(retired_at=now.at),)


def _said(event: Registered | Reconfigured) -> Said:
    return event.category, event.tool, event.check, event.services, event.locations, event.silent_after_s
