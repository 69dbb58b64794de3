"""Services: what we run and promise to keep up. Their objectives, monitors and incidents name them by id.

    registered ──> revised ──> ... ──> retired

Source: Operating Model, "Platform Availability SLAs".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from opsledger.domain.concept import Moment, concept, starts
from opsledger.domain.fact import At, fact
from opsledger.errors import Refused

__all__ = ["Registered", "Retired", "Revised", "Service", "evolve", "register", "retire", "revise"]


@fact("service.registered", at="registered_at")
class Registered:
    """A service began to be run."""

    registered_at: At
    name: str
    kind: str  # platform, api, web, database, documents, ai, or a word of one's own
    owner_id: str  # opaque id of the person or team that answers for it
    components: tuple[str, ...] = ()  # what it is made of, as status pages call it
    depends_on: tuple[str, ...] = ()  # ids of services that it needs


@fact("service.revised", at="revised_at")
class Revised:
    """The description of a service changed; all of it is said anew."""

    revised_at: At
    name: str
    kind: str
    owner_id: str
    components: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()


@fact("service.retired", at="retired_at")
class Retired:
    """A service is run no longer."""

    retired_at: At


Fact = Registered | Revised | Retired


@dataclass(frozen=True, slots=True)
class Service:
    """A service as last described, since when that holds, and when it was retired."""

    said: tuple[str, str, str, tuple[str, ...], tuple[str, ...]]
    since: datetime
    retired_at: datetime | None = None


@concept("service")
def evolve(service: Service | None, event: Fact) -> Service:
    """Return the service after `event`. A description of earlier that is typed in late changes nothing that a later one says."""
    if service is None:
        if not isinstance(event, Registered):
            raise Refused("service.unregistered", f"A service begins with its registration, not with {type(event).__name__}.")
        return Service(_said(event), event.registered_at)
    match event:
        case Registered():
            return service
        case Revised():
            newer = event.revised_at >= service.since
            return Service(_said(event), event.revised_at, service.retired_at) if newer else service
        case Retired():
            return Service(service.said, service.since, event.retired_at)
        case _:
            assert_never(event)


@starts
def register(
    service: Service | None,
    now: Moment,
    /,
    *,
    name: str,
    kind: str,
    owner_id: str,
    components: tuple[str, ...] = (),
    depends_on: tuple[str, ...] = (),
) -> tuple[Fact, ...]:
    """Record that a service began to be run, with the ids of the services that it needs."""
    if service is not None:
        raise Refused("service.exists", f"{now.id} is registered already; revise it, or choose another id.")
    _check(now, depends_on)
    registered = Registered(
        registered_at=now.at, name=name, kind=kind, owner_id=owner_id, components=components, depends_on=tuple(dict.fromkeys(depends_on))
    )
    return (registered,)


def revise(
    service: Service,
    now: Moment,
    /,
    *,
    name: str,
    kind: str,
    owner_id: str,
    components: tuple[str, ...] = (),
    depends_on: tuple[str, ...] = (),
) -> tuple[Fact, ...]:
    """Record the description of a service anew. Adds nothing where it says the same."""
    _running(service, now, "revision")
    _check(now, depends_on)
    revised = Revised(
        revised_at=now.at, name=name, kind=kind, owner_id=owner_id, components=components, depends_on=tuple(dict.fromkeys(depends_on))
    )
    return () if now.at >= service.since and _said(revised) == service.said else (revised,)


def retire(service: Service, now: Moment, /) -> tuple[Fact, ...]:
    """Record that a service is run no longer: its months end there."""
    if service.retired_at == now.at:
        return ()
    if service.retired_at is not None:
        raise Refused("service.retired", f"{now.id} was retired at {service.retired_at.isoformat()} already.")
    return (Retired(retired_at=now.at),)


def _said(event: Registered | Revised) -> tuple[str, str, str, tuple[str, ...], tuple[str, ...]]:
    return event.name, event.kind, event.owner_id, event.components, event.depends_on


def _running(service: Service, now: Moment, what: str) -> None:
    if service.retired_at is not None and now.at >= service.retired_at:
        raise Refused("service.retired", f"{now.id} is retired and takes no {what}; register another service.")


def _check(now: Moment, depends_on: tuple[str, ...]) -> None:
    if now.id in depends_on:
        raise Refused("service.itself", f"{now.id} cannot depend on itself; name the services that it needs.")
