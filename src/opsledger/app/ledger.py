"""OpsLedger: the one object that a host holds. Open it, record through it, read from it.

with OpsLedger.open("sqlite:///ops.db") as ledger:
ledger.by("u-7", role="support").record(ticket.respond, "T-1042")
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from opsledger.app.batch import Batch
from opsledger.app.closing import close_period
from opsledger.app.erasing import Done, Purge, erase
from opsledger.app.governing import Governing
from opsledger.app.holdings import Access, standing, subject_access
from opsledger.app.reading import LedgerTables, Promised, promises
from opsledger.app.recording import Actor, Decision, Receipt, Recording, Sealing, checked_id
from opsledger.app.reviewing import review_audit_trail
from opsledger.app.sealing import Sealed, prove, seal
from opsledger.app.taking import Taken, TakenIn, take_in
from opsledger.app.ticking import Ticked, tick
from opsledger.audit.note import Signer, VerifierKey
from opsledger.audit.proof import Proof
from opsledger.domain import calendar, ledger, policy
from opsledger.domain.concept import SYSTEM, Concept, concept_of, concepts
from opsledger.domain.plugins import load_concepts
from opsledger.domain.recorded import Recorded
from opsledger.domain.subject import Outcome
from opsledger.errors import BadInput, NoLedger, Refused, Unknown
from opsledger.ledger.application import create_store, open_store
from opsledger.ledger.codec import read_all
from opsledger.ledger.engine import engine
from opsledger.ledger.envelope import Appended
from opsledger.ledger.keys import Keys, LocalKeys
from opsledger.ledger.personal import Erased, Restricted, Sealer
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl, parse_url
from opsledger.policies import documents
from opsledger.policies.instants import SECOND, at, micros, moment
from opsledger.policies.known import Known
from opsledger.policies.operating_model import default_calendars, default_model
from opsledger.replay.build import Progress
from opsledger.replay.checks.task import Outside
from opsledger.replay.executor import executor
from opsledger.replay.tables import Tables
from opsledger.replay.verify import Report, verify

__all__ = ["ActorHandle", "BatchHandle", "OpsLedger"]

P = ParamSpec("P")
S = TypeVar("S")

_SINCE = at("2000-01-01")
_BEHIND_US = 5 * SECOND


class OpsLedger:
    """A ledger, opened. Thread-safe; close it, or use it in a `with` block."""

    def __init__(self, where: LedgerUrl, store: Store, keys: Keys | None, clock: Callable[[], datetime] | None) -> None:
        """Use `OpsLedger.open` or `OpsLedger.create`."""
        self.url = where
        self.store = store
        self.meta: Mapping[str, str] = store.meta()
        self.simulated = self.meta.get("simulated") == "true"
        if clock is not None and not self.simulated:
            raise BadInput("ledger.clock", "This ledger takes its times from the database's clock; only a simulated one takes another.")
        self._clock = clock or (self._last_recorded if self.simulated else _wall_clock)
        self.keys: Keys = keys or LocalKeys(where, self.meta["ledger_id"])
        self.sealer = Sealer(self.meta["ledger_id"], self.keys, told=lambda subject: standing(self, subject)[0])
        self._governing = Governing(store)
        self._recording = Recording(store, self.sealer, self.keys, self._governing, self._clock, simulated=self.simulated)
        self._tables: LedgerTables | None = None
        self._seals: Seals | None = None

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], datetime] | None = None, keys: Keys | None = None) -> OpsLedger:
        """Open a ledger that exists. Raises NoLedger, WrongFormat, Unavailable or BadInput, each with one sentence.

        `clock` gives the time of recording in a simulated ledger; `keys` replaces the local key store.
        """
        load_concepts()
        where = parse_url(url)
        return cls(where, open_store(where), keys, clock)

    @classmethod
    def create(
        cls,
        url: str,
        *,
        simulated: bool = False,
        clock: Callable[[], datetime] | None = None,
        keys: Keys | None = None,
        since: datetime = _SINCE,
        ledger_id: str | None = None,
    ) -> OpsLedger:
        """Create a ledger, with the default operating model and calendars effective from `since`; open one that exists.

        A simulated ledger takes its times of recording from `clock`, and says for good that it is one. `ledger_id` is made at
        random unless given; two simulated ledgers with one id and one history are alike to the byte.
        """
        load_concepts()
        if simulated and clock is None:
            raise BadInput("ledger.clock", "A simulated ledger needs a clock: a function that returns the time of recording.")
        where = parse_url(url)
        store = create_store(where, {"ledger_id": ledger_id or secrets.token_hex(16), "simulated": str(simulated).lower()})
        meta = store.meta()
        made = cls(where, store, keys or LocalKeys.create(where, meta["ledger_id"]), clock)
        if store.head().position == 0 or not made.known.models():
            made._begin(since)
        return made

    # Recording.

    def by(
        self,
        actor: str,
        *,
        role: str = "",
        at: datetime | None = None,
        key: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        expect: Mapping[str, int] | None = None,
    ) -> ActorHandle:
        """Return a handle for what `actor`, an opaque id, does in a role.

        `at` is when it happened (default: now); `key` makes a repeated request harmless; `expect` are versions of other
        streams that must still stand, for decisions that were given their states.
        """
        who = Actor(checked_id(actor), role, at, key, correlation_id, causation_id, expect or {})
        return ActorHandle(self, who)

    def batch(self) -> BatchHandle:
        """Return a batch: records in its `with` block are written in one transaction when it ends."""
        return BatchHandle(self, Batch(self._recording, self.store))

    def tick(self, at: datetime | None = None) -> Ticked:
        """Look at the clocks: record deadlines that have passed and what they ask for, close days, extend calendars."""
        return tick(self, at or self._clock())

    # Proving.

    @property
    def seals(self) -> Seals:
        """The hashes and checkpoints of the log."""
        if self._seals is None:
            self._seals = Seals(self.url)
        return self._seals

    def seal(self, signer: Signer | None = None, progress: Progress | None = None) -> Sealed:
        """Seal what is recorded; with a signer also sign a checkpoint over it. See `opsledger.audit.signing`."""
        return seal(self, signer, progress)

    def prove(self, position: int, *, payload: bool = False) -> Proof:
        """Return the proof that a fact is in the log as it was signed last; with its stored bytes, or without."""
        return prove(self, position, payload=payload)

    def verify(
        self,
        *checks: str,
        strict: bool = False,
        kept: Mapping[str, str | bytes] | None = None,
        received: Mapping[str, datetime] | None = None,
        trusted: Sequence[VerifierKey] = (),
        accepted: Sequence[int] = (),
        since: int = 0,
        progress: Callable[[str, int, int], None] | None = None,
        workers: int = 1,
    ) -> Report:
        """Run checks, by default all, over the log, its seals and its tables.

        `kept` are notes of checkpoints that were kept elsewhere, by name; `received` is when they came, by a clock of the keeper's;
        `trusted` the keys that must have signed them (default: those that the log introduced); `accepted` the positions of restores that
        are known. `since` leaves out the facts up to a position, rounded down to a multiple of 65,536: their seals are then believed.
        So many `workers` look at the log, and fold it anew to compare the tables with.
        """
        times = {name: micros(when) for name, when in (received or {}).items()}
        outside = Outside(kept or {}, trusted, accepted, since, keys=self.keys, received=times)
        folding = executor(workers)
        return verify(
            self.store,
            self.tables.tables,
            self.seals,
            checks=checks,
            strict=strict,
            outside=outside,
            progress=progress,
            executor=folding,
        )

    def close_period(
        self,
        table: str,
        period: str,
        *,
        proposed_by: str,
        approved_by: str,
        position: int | None = None,
        reason: str = "",
        progress: Progress | None = None,
        workers: int = 1,
    ) -> Receipt:
        """Freeze what a table says of a month or a day as known at a position (default: the newest fact); restate it with a reason."""
        people = {"proposed_by": proposed_by, "approved_by": approved_by}
        return close_period(self, table, period, **people, position=position, reason=reason, progress=progress, workers=workers)

    def review_audit_trail(
        self,
        reviewer: str,
        *,
        findings: int,
        conclusion: str,
        first: int | None = None,
        last: int | None = None,
        checkpoint: str | bytes | None = None,
    ) -> Receipt:
        """Record what somebody who took no part concluded of a range of positions (default: what nobody reviewed yet)."""
        return review_audit_trail(self, reviewer, findings=findings, conclusion=conclusion, first=first, last=last, checkpoint=checkpoint)

    # Personal data.

    def erase(
        self,
        subject: str,
        *,
        jurisdiction: str | None = None,
        handled_by: str | None = None,
        received_at: datetime | None = None,
        decided_by: str | None = None,
        outcome: Outcome = "granted",
        basis: str = "",
        others: Mapping[str, Purge] | None = None,
    ) -> Done:
        """Take a person's request for erasure as far as it can go; call again to go on where that was cut off.

        `handled_by` took it in, `decided_by`, somebody else, decides; `others` clear stores of yours. Raises Refused where a hold, an
        open request for access or retention stands against it.
        """
        given: dict[str, Any] = {"jurisdiction": jurisdiction, "handled_by": handled_by, "received_at": received_at, "others": others}
        return erase(self, subject, decided_by=decided_by, outcome=outcome, basis=basis, **given)

    def subject_access(self, subject: str, *, name: str, given_by: str = SYSTEM, at: datetime | None = None) -> Access:
        """Return all that is held on a person, opened, after recording that it was exported under a name."""
        return subject_access(self, subject, name=name, given_by=given_by, at=at)

    # Reading.

    @overload
    def state(self, concept: type[S], id: str, *, version: int | None = None, known_at: int | datetime | None = None) -> S: ...
    @overload
    def state(self, concept: str, id: str, *, version: int | None = None, known_at: int | datetime | None = None) -> Any: ...
    def state(self, concept: Any, id: str, *, version: int | None = None, known_at: int | datetime | None = None) -> Any:
        """Return the state of a thing, as it stands, or at a version of it, or as known at a position or time."""
        found = self._concept(concept)
        history = self.history(f"{found.name}:{id}")
        if version is not None:
            history = [recorded for recorded in history if recorded.version <= version]
        if known_at is not None:
            position = known_at if isinstance(known_at, int) else self.store.position_at(micros(known_at))
            history = [recorded for recorded in history if recorded.position <= position]
        if not history:
            raise Unknown(f"{found.name}.unknown", f"There is no {found.name} {id} at that point; look at its history.")
        return found.fold(history)

    def history(self, stream: str) -> list[Recorded]:
        """Return the facts of a stream, written `ticket:T-1042`, in the order in which they were recorded."""
        concept, colon, id = stream.partition(":")
        if not colon or concept not in concepts():
            known = ", ".join(sorted(concepts()))
            raise BadInput("stream.malformed", f"'{stream}' names no stream; write ticket:T-1042, with one of {known} before the colon.")
        rows = self.store.stream(f"{concept}:{checked_id(id)}")
        if not rows:
            raise Unknown(f"{concept}.unknown", f"There is no {concept} {id}; look at its id.")
        return list(read_all(rows))

    def promises(self, stream: str, at: datetime | None = None) -> list[Promised]:
        """Return what is promised on a thing and how it stands at `at` (default: now), from the log itself."""
        return promises(self.history(stream), self.known, at or self._clock())

    def reveal(self, recorded: Recorded, *, restricted: bool = False) -> dict[str, Any | Erased | Restricted]:
        """Return the personal fields of a fact, opened; `Erased` where the person's data were erased.

        `Restricted` where they are kept and not to be used, unless you say that they may be: for a claim, or as the person asked.
        """
        return dict(self.sealer.reveal(recorded, self.store.part, restricted=restricted))

    def follow(self, after: int = 0, *, timeout: float | None = None) -> Iterator[Recorded]:
        """Yield facts above a position as they come, for ever, or until none has come for `timeout` seconds."""
        while True:
            rows = self.store.page(after, 500)
            for recorded in read_all(rows):
                after = recorded.position
                yield recorded
            if not rows and not self.store.wait(after, 3600.0 if timeout is None else timeout) and timeout is not None:
                return

    @property
    def tables(self) -> LedgerTables:
        """The tables that analysts read. Hosts read their own writes with `at_least=receipt.position`."""
        if self._tables is None:
            schema = f"{self.url.schema}_tables" if self.url.kind == "postgresql" else None
            self._tables = LedgerTables(self.store, Tables(engine(self.url, "tables"), schema=schema), simulated=self.simulated)
        return self._tables

    def catch_up(self, progress: Progress | None = None, *, workers: int = 1) -> int:
        """Bring the tables up to the newest fact, missing ones by so many processes; return the position that they show."""
        return self.tables.catch_up(progress=progress, workers=workers)

    def now(self) -> datetime:
        """Return the time by the ledger's clock: what `at` is unless it is given."""
        return self._clock()

    @property
    def known(self) -> Known:
        """The policies and calendars as known now."""
        return self._governing.refresh()

    def close(self) -> None:
        """Close all connections, once nobody uses them."""
        if self._tables is not None:
            self._tables.close()
        if self._seals is not None:
            self._seals.close()
        if isinstance(self.keys, LocalKeys):
            self.keys.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def governing(self) -> Governing:
        """Policies and calendars as this process last saw them."""
        return self._governing

    # Underneath.

    def sealed(self, facts: tuple[Any, ...], stream: str, version: int, actor: Actor, command_id: str) -> Sealing:
        """Return facts that follow a version of a stream, ready to append, their personal fields sealed."""
        return self._recording.seal(facts, stream, version, actor, command_id)

    def _record(self, actor: Actor, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        receipt, appended = self._recording.record(actor, decision, id, *args, **kwargs)
        if appended is not None and appended.clock_at < appended.last_at - _BEHIND_US and not self.simulated:
            self._notice_clock(appended)
        return receipt

    def _notice_clock(self, appended: Appended) -> None:
        clock, last = moment(appended.clock_at), moment(appended.last_at)
        self._recording.record(Actor(SYSTEM, at=clock), ledger.notice_clock, "self", last_at=last)

    def _begin(self, since: datetime) -> None:
        """Record that the ledger begins, and what it begins with. Goes on where an earlier try was cut off."""
        begin = Actor(SYSTEM, role="system", at=self._clock())
        program = f"opsledger {metadata.version('opsledger')}"
        self._once(begin, ledger.create, "self", ledger_id=self.meta["ledger_id"], simulated=self.simulated, program=program)
        model, reason = default_model(), "the ledger begins"
        for name, definition in default_calendars().items():
            self._once(
                begin,
                calendar.publish,
                name,
                definition=documents.canonical(definition),
                proposed_by=SYSTEM,
                approved_by=SYSTEM,
                effective_from=since,
                reason=reason,
                horizon_years=model.calendars.horizon_years,
            )
        self._once(
            begin,
            policy.publish,
            policy.NAME,
            document=documents.canonical(model),
            proposed_by=SYSTEM,
            approved_by=SYSTEM,
            effective_from=since,
            reason=reason,
        )

    def _once(self, begin: Actor, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Record what a ledger begins with, unless it stands: since an earlier try, or by a process that creates the ledger too."""
        stream = f"{concept_of(decision).name}:{id}"
        if not self.store.heads([stream]):
            try:
                self._record(begin, decision, id, *args, **kwargs)
            except Refused:
                if not self.store.heads([stream]):
                    raise

    def _concept(self, concept: Any) -> Concept:
        for each in concepts().values():
            if concept in (each.name, each.state):
                return each
        raise Unknown("concept.unknown", f"{concept!r} is no concept; there are {', '.join(sorted(concepts()))}.")

    def _last_recorded(self) -> datetime:
        head = self.store.head()
        if head.position == 0:
            raise NoLedger("ledger.empty", "This simulated ledger is empty and has no time of its own; open it with a clock.")
        return moment(head.recorded_at)


class ActorHandle:
    """What one actor does."""

    def __init__(self, ledger: OpsLedger, actor: Actor) -> None:
        self._ledger = ledger
        self._actor = actor

    def record(self, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Record what a decision returns for the thing `id`; return what was recorded.

        Raises Refused, Unknown, BadInput, Conflict, KeyReused or Unavailable; in each case nothing was recorded.
        """
        return self._ledger._record(self._actor, decision, id, *args, **kwargs)

    def observe(self, observations: list[Taken], *, source: str) -> TakenIn:
        """Record facts of another system without a decision, each once by its id there."""
        return take_in(self._ledger, self._actor, source, observations)


class BatchHandle:
    """Several records in one transaction."""

    def __init__(self, ledger: OpsLedger, batch: Batch) -> None:
        self._ledger = ledger
        self._batch = batch

    def by(self, actor: str, *, role: str = "", at: datetime | None = None, key: str | None = None) -> BatchActor:
        """Return a handle for what `actor` does in this batch."""
        return BatchActor(self._batch, Actor(checked_id(actor), role, at, key))

    def history(self, stream: str) -> tuple[Recorded, ...]:
        """Return the facts of a stream, those decided in this batch included; they have no positions to rely on yet."""
        return self._batch.history(stream)

    def commit(self) -> None:
        """Write what was decided so far, and go on."""
        self._batch.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._batch.__exit__(kind, error, trace)


class BatchActor:
    """What one actor does in a batch."""

    def __init__(self, batch: Batch, actor: Actor) -> None:
        self._batch = batch
        self._actor = actor

    def record(self, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Decide now; write with the rest of the batch."""
        return self._batch.record(self._actor, decision, id, *args, **kwargs)


def _wall_clock() -> datetime:
    return datetime.now(UTC)
