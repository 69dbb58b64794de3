"""Erasing: a person's keys are destroyed, what is derived is purged, and that nothing opens any more is tried and recorded.

    requested ──> granted ──> [marked in the log, keys destroyed] ──> keys destroyed ──> derived purged ──> [tried] ──> completed
    completed ──> purge decided ──> [sealed parts removed, files wiped] ──> parts purged

Each step is a fact, recorded before the act that it allows or after the act that it tells of, and each act may be repeated. So
whoever is cut off anywhere is gone on from by calling again. The log leads: the key store is brought to what the log says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from opsledger.app.holdings import held, naming, standing, words_of
from opsledger.app.recording import checked_id
from opsledger.domain import subject as s
from opsledger.domain.concept import SYSTEM
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Refused, Unknown
from opsledger.ledger.erasures import Erasures
from opsledger.replay.build import Progress

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger

__all__ = ["Done", "Purge", "again", "declared", "erase", "purge"]

Purge = Callable[[str], str]
"""Clears a store of the host's of all that it holds of a person, by their id; says what was done. It may be called again."""

_ROLE = "privacy"


@dataclass(frozen=True, slots=True)
class Done:
    """How far an erasure is, and what was recorded of it by this call."""

    subject: str
    request: s.Request
    recorded: tuple[str, ...]  # topics


@cache
def declared() -> Mapping[str, Purge]:
    """Return the stores that hosts declare by entry points of the group `opsledger.derived`: functions from a person's id."""
    return {entry.name: entry.load() for entry in sorted(entry_points(group="opsledger.derived"), key=lambda entry: entry.name)}


def erase(
    host: OpsLedger,
    subject: str,
    *,
    jurisdiction: str | None = None,
    handled_by: str | None = None,
    received_at: datetime | None = None,
    decided_by: str | None = None,
    outcome: s.Outcome = "granted",
    basis: str = "",
    others: Mapping[str, Purge] | None = None,
    progress: Progress | None = None,
) -> Done:
    """Take an erasure as far as it can go: record the request, the decision, and what follows from it.

    `handled_by` took the request in, `decided_by` decides on it and is somebody else; without them what was recorded before is gone
    on with. `others` are stores of the host's by name, beside those that are declared. Raises Refused where a hold, an open request for
    access or retention stands against it; the sentence says which.
    """
    id = checked_id(subject)
    before = len(standing(host, id)[1])
    _check_known(host, id)
    state, _ = standing(host, id)
    if handled_by is not None and not state.erased and s.open_request(state, "erasure") is None:
        if jurisdiction is None:
            raise BadInput(
                "subject.no_jurisdiction",
                "Say under which jurisdiction of the operating model the request is answered: give jurisdiction (--jurisdiction), for "
                "example gdpr.",
            )
        actor = host.by(handled_by, role=_ROLE, at=received_at)
        actor.record(s.request_erasure, id, jurisdiction=jurisdiction, handled_by=handled_by)
        state, _ = standing(host, id)
    if decided_by is not None and s.open_request(state, "erasure") is not None:
        _decide(host, id, decided_by, outcome, basis, progress)
    _go_on(host, id, {**declared(), **(others or {})}, progress)
    state, history = standing(host, id)
    if state.erasure is None:
        raise Refused(
            "subject.no_request",
            f"Subject {id} has not asked for erasure; say who took their request in, and under which jurisdiction: give handled_by and "
            "jurisdiction (--handler, --jurisdiction).",
        )
    return Done(id, state.erasure, tuple(recorded.topic for recorded in history[before:]))


def again(host: OpsLedger, *, others: Mapping[str, Purge] | None = None, progress: Progress | None = None) -> list[Done]:
    """Bring the key store to what the log says of every person, and go on with erasures that were cut off.

    To be called after a key store was put back from a copy. Returns the erasures of which something was recorded.
    """
    found = []
    for stream in sorted(host.store.heads_within("subject:")):
        id = stream.partition(":")[2]
        state, history = standing(host, id)
        _go_on(host, id, {**declared(), **(others or {})}, progress)
        state, after = standing(host, id)
        if len(after) > len(history) and state.erasure is not None:
            found.append(Done(id, state.erasure, tuple(recorded.topic for recorded in after[len(history) :])))
    return found


def purge(host: OpsLedger, subjects: Iterable[str] | None = None, *, decided_by: str = SYSTEM, reason: str = "") -> list[Done]:
    """Remove the sealed parts of erased people: of those given, or of all for whom it is time. The facts and every proof stay."""
    chosen = [checked_id(subject) for subject in subjects] if subjects is not None else _due(host, host.now())
    before = {id: len(standing(host, id)[1]) for id in chosen}
    counts = host.store.part_keys()
    for id in chosen:
        state, _ = standing(host, id)
        keys = tuple(sorted(state.destroyed))
        actor = host.by(decided_by, role=_ROLE)
        parts = sum(counts.get(key, 0) for key in keys)
        if state.erasure is None or state.erasure.state not in ("purge_decided", "purged"):
            actor.record(s.decide_purge, id, keys=keys, parts=parts, decided_by=decided_by, reason=reason)
    _purge_parts(host, chosen)
    done = []
    for id in chosen:
        state, history = standing(host, id)
        assert state.erasure is not None
        done.append(Done(id, state.erasure, tuple(recorded.topic for recorded in history[before[id] :])))
    return done


# Steps.


def _decide(host: OpsLedger, id: str, decided_by: str, outcome: s.Outcome, basis: str, progress: Progress | None) -> None:
    found = held(naming(host.store, id, host.store.head().position, progress), id)
    keys = tuple(s.KeyNamed(key_id=key.key_id, commitment=key.commitment) for key in host.keys.held(id))
    actor = host.by(decided_by, role=_ROLE)
    actor.record(s.decide_erasure, id, outcome=outcome, basis=basis, decided_by=decided_by, keys=keys, held=found)


def _go_on(host: OpsLedger, id: str, others: Mapping[str, Purge], progress: Progress | None) -> None:
    """Do what the log says is to be done next, until nothing is."""
    _align(host, id)
    while True:
        state, history = standing(host, id)
        match None if state.erasure is None else state.erasure.state:
            case "granted":
                _destroy(host, id, state, history)
            case "keys_destroyed":
                _purge_derived(host, id, others)
            case "derived_purged":
                _complete(host, id, progress)
            case "purge_decided":
                _purge_parts(host, [id])
            case _:
                return


def _align(host: OpsLedger, id: str) -> None:
    """Bring the key store to what the log says: destroyed stays destroyed, restricted is not opened."""
    state, _ = standing(host, id)
    known = host.keys.held(id)
    if state.destroyed:
        living = [key for key in known if key.state != "destroyed"]
        if living or state.forgotten - {key.key_id for key in known}:
            named = {**state.named, **{key.key_id: s.KeyNamed(key_id=key.key_id, commitment=key.commitment) for key in living}}
            host.sealer.forget()
            done = host.keys.destroy(id, [(key.key_id, key.commitment) for key in named.values()])
            _record(host, s.record_keys_destroyed, id, keys=tuple(named.values()), receipt=done.receipt, remains=done.remains, again=True)
    elif not state.erased and any(key.state == ("active" if state.restricted else "restricted") for key in known):
        host.sealer.forget()
        host.keys.restrict(id, restricted=state.restricted)


def _destroy(host: OpsLedger, id: str, state: s.Subject, history: Sequence[Recorded]) -> None:
    """Mark in the log that nothing more is sealed under the keys, destroy them, and record it."""
    named = {**{key.key_id: s.KeyNamed(key_id=key.key_id, commitment=key.commitment) for key in host.keys.held(id)}, **state.named}
    with Erasures(host.url) as erasures:
        erasures.mark(list(named), "destroyed", _position(history, s.ErasureDecided))
    host.sealer.forget()
    done = host.keys.destroy(id, [(key.key_id, key.commitment) for key in named.values()])
    _record(host, s.record_keys_destroyed, id, keys=tuple(named.values()), receipt=done.receipt, remains=done.remains)


def _purge_derived(host: OpsLedger, id: str, others: Mapping[str, Purge]) -> None:
    """Clear what is made from a person's data: nothing in tables, keys in memory, stores of the host's."""
    host.sealer.forget()
    done = tuple(s.Purged(name=name, done=clear(id)) for name, clear in sorted(others.items()))
    tables = tuple(sorted(host.tables.tables.schema.declared))
    _record(host, s.record_derived_purged, id, tables=tables, caches=("keys in memory",), others=done)


def _complete(host: OpsLedger, id: str, progress: Progress | None) -> None:
    """Try to open every sealed part of the person with what the key store gives, and record that none does."""
    tried = missing = opened = 0
    for recorded in naming(host.store, id, host.store.head().position, progress):
        if words_of(recorded, id):
            more = host.sealer.opens(recorded, host.store.part)
            tried, missing, opened = tried + more[0], missing + more[1], opened + more[2]
    _record(host, s.complete_erasure, id, parts=tried, missing=missing, opened=opened)


def _purge_parts(host: OpsLedger, ids: Sequence[str]) -> None:
    """Remove the sealed parts of those for whom that was decided, have them leave the files, and record it.

    Parts that had been removed and are there again, as after a restore, go too.
    """
    waiting, removed = {}, 0
    with Erasures(host.url) as erasures:
        for id in ids:
            state, history = standing(host, id)
            decided = next((recorded for recorded in reversed(history) if isinstance(recorded.fact, s.PurgeDecided)), None)
            if state.erasure is None or decided is None:
                continue
            erasures.mark(list(decided.fact.keys), "purged", decided.position)
            removed += erasures.purge(list(decided.fact.keys))
            if state.erasure.state == "purge_decided":
                waiting[id] = decided.fact.parts
        remains = erasures.wipe() if waiting or removed else ""
    for id, parts in waiting.items():
        _record(host, s.record_parts_purged, id, parts=parts, remains=remains)


# Underneath.


def _record(host: OpsLedger, decision: Any, id: str, **given: Any) -> None:
    host.by(SYSTEM, role="system").record(decision, id, **given)


def _position(history: Sequence[Recorded], kind: type) -> int:
    """Return where the newest fact of a kind stands."""
    return next(recorded.position for recorded in reversed(history) if isinstance(recorded.fact, kind))


def _check_known(host: OpsLedger, id: str) -> None:
    """Refuse an id of which nothing personal is held: more often it is misspelt than unknown."""
    if not host.keys.held(id) and not host.store.heads([f"subject:{id}"]):
        raise Unknown("subject.unknown", f"Nothing personal of subject {id} is held: there never was a key of theirs. Look at the id.")


def _due(host: OpsLedger, now: datetime) -> list[str]:
    """Return the people whose sealed parts may go by now, or were on their way."""
    found = []
    for stream in sorted(host.store.heads_within("subject:")):
        id = stream.partition(":")[2]
        request = standing(host, id)[0].erasure
        if request is not None and (
            request.state == "purge_decided"
            or (request.state == "completed" and request.purge_from is not None and request.purge_from <= now)
        ):
            found.append(id)
    return found
