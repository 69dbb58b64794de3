"""Verify: is the log whole, can it be folded, was every promise right when it was made, and do the tables say the same?

    continuity    integrity     the log is whole (opsledger.audit.continuity)
    fold          foldability   every fact decodes, says of itself what its envelope says, and its stream evolves
    promises      promises      every due time stamped in a fact is the one derived from what was known at its position
    projections   tables        the tables are equal to the log folded anew

Whether the log is intact and whether it can be folded are two questions, and are answered apart. A check that cannot go on
says where it stopped, and the others still run. Nothing is changed, in the log or in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from opsledger.audit.continuity import continuity, in_streams, misfit
from opsledger.audit.findings import Checked
from opsledger.domain.concept import Concept, Signals, clocks_of, concepts
from opsledger.domain.fact import FactType, fact_type
from opsledger.domain.ledger import Created
from opsledger.domain.recorded import Recorded, in_business_order, is_correction
from opsledger.errors import BadInput, OpsledgerError, Unfoldable
from opsledger.ledger.codec import read, validate
from opsledger.ledger.envelope import Row
from opsledger.ledger.store import Store
from opsledger.policies.clocks import Clocks
from opsledger.policies.instants import iso, micros
from opsledger.policies.known import Known
from opsledger.replay.knowledge import Timeline, governance, timeline
from opsledger.replay.rebuild import compare
from opsledger.replay.shadow import Difference
from opsledger.replay.tables import Tables

__all__ = ["CHECKS", "Report", "verify"]

Progress = Callable[[str, int, int], None]
"""Told (check, done, of)."""

_ABOUT: Final = {"continuity": "integrity", "fold": "foldability", "promises": "promises", "projections": "tables"}
CHECKS: Final = tuple(_ABOUT)
"""The names of all checks, in the order in which they run."""

_COLUMN: Final = {"fact.unknown_topic": "topic", "fact.newer_revision": "revision"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification came to: 0 clean, 1 findings, 2 could not decide."""

    ledger_id: str
    simulated: bool
    position: int  # of the newest fact that was looked at
    checks: tuple[Checked, ...]

    @property
    def code(self) -> int:
        """The exit code of a command that reports this."""
        verdicts = {check.verdict for check in self.checks}
        return 1 if "findings" in verdicts else 2 if "undecided" in verdicts else 0

    def lines(self) -> Iterator[str]:
        """Yield the report as text. Of a simulated ledger the first line says that it is one."""
        if self.simulated:
            yield "This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written."
        yield f"Ledger {self.ledger_id or 'unknown'}, verified up to position {self.position}."
        for check in self.checks:
            counted = ", ".join(f"{count} {what}" for what, count in check.looked_at.items())
            verdict = f"{check.found} finding{'s' if check.found > 1 else ''}" if check.found else check.verdict
            yield f"{_ABOUT[check.name]:<12} {check.name:<12} {verdict:<12} {counted}".rstrip()
            yield from (f"    {finding.sentence}" for finding in check.findings)
            yield from _more(check.found, len(check.findings), "findings")
            yield from (f"    could not decide: {sentence}" for sentence in check.undecided)
            yield from _more(check.left, len(check.undecided), "things that could not be decided")
            yield from (f"    restated: {each.sentence}" for each in check.restated)
            yield from _more(check.moved, len(check.restated), "restated")

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        checks = [{"about": _ABOUT[check.name], "verdict": check.verdict, **asdict(check)} for check in self.checks]
        return {**asdict(self), "code": self.code, "checks": checks}


def verify(
    store: Store, tables: Tables, *, checks: Sequence[str] = CHECKS, strict: bool = False, progress: Progress | None = None
) -> Report:
    """Run checks over the log as it stands now, and over the tables. `strict` validates every fact again as when it was made."""
    for name in checks:
        if name not in CHECKS:
            raise BadInput("verify.unknown_check", f"There is no check '{name}'; there are {', '.join(CHECKS)}.")
    results = [Checked(name) for name in CHECKS if name in (checks or CHECKS)]
    try:
        meta, head = store.meta(), store.head().position
    except OpsledgerError as error:
        for result in results:
            result.leave(str(error))
        return Report("", False, 0, tuple(results))
    for result in results:
        task = _Task(store, tables, head, strict, meta, result, progress)
        try:
            _RUN[result.name](task)
        except OpsledgerError as error:
            result.leave(str(error))
    return Report(meta.get("ledger_id", ""), meta.get("simulated") == "true", head, tuple(results))


@dataclass(frozen=True, slots=True)
class _Task:
    """What a check works with."""

    store: Store
    tables: Tables
    head: int
    strict: bool
    meta: Mapping[str, str]
    result: Checked
    progress: Progress | None

    def told(self, done: int, of: int) -> None:
        if self.progress is not None:
            self.progress(self.result.name, done, of)

    def streams(self) -> Iterator[list[Row]]:
        """Yield the rows of each stream, and tell how far the work is."""
        done = 0
        for rows in in_streams(self.store, self.head):
            yield rows
            done += len(rows)
            self.told(done, self.head)


def _continuity(task: _Task) -> None:
    continuity(task.store, task.head, task.result, task.told)


# Fold.


def _fold(task: _Task) -> None:
    for rows in task.streams():
        task.result.count("facts", len(rows))
        task.result.count("streams")
        concept = _concept(rows[0])
        if concept is None and misfit(rows[0]) != "stream":
            task.result.find(
                f"{rows[0].stream} belongs to no concept that this program knows; install the one that wrote it.",
                **_place(rows[0], "stream"),
            )
        state, goes_on = None, concept is not None
        for row in rows:
            recorded = _readable(row, task)
            if recorded is None or concept is None or not goes_on:
                goes_on = False
                task.result.count("facts not evolved")
                continue
            goes_on, state = _evolved(concept, state, recorded, row, task.result)
    _learnt(task)


def _learnt(task: _Task) -> None:
    """Check that every policy and calendar can be learnt from its facts, in the order of the ledger."""
    known = Timeline()
    with suppress(Unfoldable):  # a fact that cannot be read was found above
        for recorded in governance(task.store, task.head):
            try:
                known.learn(recorded)
            except OpsledgerError as error:
                place = {"position": recorded.position, "stream": recorded.stream, "column": "state"}
                task.result.find(f"Position {recorded.position} ({recorded.topic}) cannot be learnt: {error.sentence}", **place)
                return


def _concept(row: Row) -> Concept | None:
    return None if misfit(row) == "stream" else concepts().get(row.stream.partition(":")[0])


def _readable(row: Row, task: _Task) -> Recorded | None:
    """Return a row as a fact; None after a finding where it cannot be one."""
    wrong = misfit(row)
    if wrong is None and row.revision < 1:
        wrong = "revision"
    if wrong is not None:
        found = repr(getattr(row, wrong))[:80]
        task.result.find(f"Position {row.position} holds {found} in {wrong}, where it does not belong.", **_place(row, wrong), found=found)
        return None
    try:
        recorded = read(row)
        if task.strict:
            validate(row)
    except Unfoldable as error:
        column = _COLUMN.get(error.code, "state")
        task.result.find(error.sentence, **_place(row, column), found=str(getattr(row, column))[:80] if column != "state" else None)
        return None
    happened = micros(getattr(recorded.fact, fact_type(row.topic).at))
    if happened != row.occurred_at:
        task.result.find(
            f"Position {row.position} ({row.topic}) says in itself that it happened at {iso(happened)}, its envelope says "
            f"{iso(row.occurred_at)}.",
            **_place(row, "occurred_at"),
            expected=iso(happened),
            found=iso(row.occurred_at),
        )
    if isinstance(recorded.fact, Created):
        _same_ledger(recorded.fact, row, task)
    return recorded


def _same_ledger(created: Created, row: Row, task: _Task) -> None:
    """Compare what the ledger says of itself beside the log with what its first fact says."""
    said = {"ledger_id": created.ledger_id, "simulated": str(created.simulated).lower()}
    for name, expected in said.items():
        if task.meta.get(name) != expected:
            task.result.find(
                f"The first fact says {name} {expected}, and ledger_meta says {task.meta.get(name)}.",
                **_place(row, f"state.{name}"),
                expected=expected,
                found=task.meta.get(name),
            )


def _evolved(concept: Concept, state: Any, recorded: Recorded, row: Row, result: Checked) -> tuple[bool, Any]:
    """Return whether the stream goes on, and its state after one more fact."""
    if type(recorded.fact) not in concept.facts:
        result.find(
            f"Position {row.position} ({row.topic}) is no fact of a {concept.name}, but stands in {row.stream}.", **_place(row, "topic")
        )
        return False, state
    try:
        return True, concept.evolve(state, recorded.fact)
    except Exception as error:  # whatever a fold stops at, in a host's concept too, is the finding
        why = error.sentence if isinstance(error, OpsledgerError) else f"{type(error).__name__}: {error}"
        result.find(f"Position {row.position} ({row.topic} in {row.stream}) cannot be folded: {why}", **_place(row, "state"))
        return False, state


# Promises.


def _promises(task: _Task) -> None:
    known = timeline(task.store, task.head)
    for rows in task.streams():
        concept = _concept(rows[0])
        if concept is not None and concept.signals is not None:
            task.result.count("streams")
            _promises_of(rows, concept.signals, known, task.result)


def _promises_of(rows: Sequence[Row], signals: Signals, known: Timeline, result: Checked) -> None:
    """Derive the promises of one stream, each from the facts up to it and from what was known then."""
    hearing = _Hearing(signals)
    newest: dict[tuple[str, int], tuple[Row, str, int | None]] = {}
    for row in rows:
        if (wrong := misfit(row)) is not None:
            result.leave(f"The promises of {row.stream} from position {row.position} on: {wrong} holds what does not belong there.")
            return
        try:
            recorded = read(row)
            hearing.add(recorded)
            kind = fact_type(row.topic)
            if row.source is not None or not kind.promises:
                continue
            clocks = hearing.clocks(known.known_at(row.position))
        except Unfoldable as error:
            result.leave(f"The promises of {row.stream} from there on: {error.sentence}")
            return
        except OpsledgerError as error:
            result.find(
                f"The promises of position {row.position} ({row.topic}) cannot be derived: {error.sentence}", **_place(row, "state")
            )
            return
        for field, metric in _stamped(kind, row):
            clock = clocks.current(metric)
            due = clock.due()[0] if clock is not None and clock.live else None
            promised = getattr(recorded.fact, field)
            _compare(row, field, due, None if promised is None else micros(promised), result)
            if clock is not None:
                newest[metric, clock.cycle] = (row, field, due)
    try:
        _restated(newest, hearing.clocks(known.known_at(_LAST)), result)
    except OpsledgerError as error:
        result.leave(f"How the promises of {rows[0].stream} stand today: {error.sentence}")


_LAST: Final = 1 << 62


def _stamped(kind: FactType[Any], row: Row) -> Iterable[tuple[str, str]]:
    """Return the (field, metric) of the promises that the stored form has: an older revision may not know them all."""
    if row.revision == kind.revision:
        return kind.promises
    held = msgspec.json.decode(row.state)
    return [(field, metric) for field, metric in kind.promises if field in held]


def _compare(row: Row, field: str, due: int | None, promised: int | None, result: Checked) -> None:
    result.count("promises", 1 if promised is not None or due is not None else 0)
    if promised != due:
        result.find(
            f"Position {row.position} ({row.topic} in {row.stream}) promises {field} {_when(promised)}; "
            f"what was known then gives {_when(due)}.",
            **_place(row, f"state.{field}"),
            expected=_when(due),
            found=_when(promised),
        )


def _restated(newest: Mapping[tuple[str, int], tuple[Row, str, int | None]], clocks: Clocks, result: Checked) -> None:
    """List the newest promise of each clock whose due time is another one by all that is known today."""
    today = {(clock.metric.name, clock.cycle): clock for clock in clocks}
    for which, (row, field, promised) in newest.items():
        clock = today.get(which)
        due = None if clock is None or clock.cancelled else clock.due()[0]
        if promised is None or due == promised or (clock is not None and due is None):  # held by a pause, or ended without a verdict
            continue
        result.restate(
            f"{row.stream} was promised {field} {_when(promised)} at position {row.position}; by what is known today it is {_when(due)}.",
            **_place(row, f"state.{field}"),
            expected=_when(due),
            found=_when(promised),
        )


class _Hearing:
    """The clocks of one stream, fact by fact in the order of recording: run on where that is enough, else run again."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._facts: list[Recorded] = []
        self._heard = 0  # how many of the facts the clocks have heard
        self._clocks: Clocks | None = None
        self._newest = (0, 0)  # time and position of the newest fact heard

    def add(self, recorded: Recorded) -> None:
        """Take one more fact of the stream."""
        self._facts.append(recorded)

    def clocks(self, known: Known) -> Clocks:
        """Return the clocks after all facts, by what is known."""
        fresh = self._facts[self._heard :]
        if self._clocks is None or self._clocks.knows is not known or not self._follows(fresh):
            self._clocks = clocks_of(self._facts, known)
            self._newest = max((recorded.occurred_at, recorded.position) for recorded in in_business_order(self._facts))
        else:
            for recorded in fresh:
                for signal in self._signals(recorded):
                    self._clocks.hear(signal)
        self._heard = len(self._facts)
        return self._clocks

    def _follows(self, fresh: Iterable[Recorded]) -> bool:
        """Return whether facts happened in the order of recording, after all that was heard, and correct nothing."""
        for recorded in fresh:
            happened = (recorded.occurred_at, recorded.position)
            if happened < self._newest or is_correction(recorded):
                return False
            self._newest = happened
        return True


# Projections.


def _projections(task: _Task) -> None:
    standing = task.tables.standing()
    missing = [name for name in task.tables.schema.projections if name not in standing]
    if missing:
        what = (
            "The tables were never built" if len(missing) == len(task.tables.schema.projections) else f"{', '.join(missing)}: no such rows"
        )
        task.result.leave(f"{what}; run `opsledger catch-up` and verify again.")
        return
    _shown(task, max(standing.values()))
    try:
        differences = compare(task.store, task.tables, task.told)
    except TypeError as error:
        # A file edited by hand holds any type in any column; comparing or writing such a value is where folding it ends.
        task.result.leave(f"A column of the log holds what does not belong there ({error}); `opsledger verify continuity` names it.")
        return
    for difference in differences:
        task.result.count("tables")
        if difference.rows:
            task.result.find(_differs(difference), table=difference.table, keys=tuple(difference.keys))
            task.result.found += difference.rows - 1


def _shown(task: _Task, reached: int) -> None:
    """Check what the tables say of themselves: how far they go, and when that fact was recorded."""
    task.result.looked_at["facts"] = reached
    shown = task.tables.as_of()
    if reached > task.head:
        task.result.find(
            f"The tables go to position {reached} and the log ends at {task.head}: its end was cut off, or they are another ledger's.",
            position=task.head,
            column="position",
            expected=str(reached),
            found=str(task.head),
        )
        return
    recorded_at = task.store.page(reached - 1, 1)[0].recorded_at if reached else 0
    if (shown.position, shown.recorded_at) != (reached, recorded_at):
        task.result.find(
            f"opsledger_as_of shows position {shown.position}, recorded at {iso(shown.recorded_at)}; the tables go to {reached}, "
            f"recorded at {iso(recorded_at)}.",
            table="opsledger_state",
            expected=f"{reached} {iso(recorded_at)}",
            found=f"{shown.position} {iso(shown.recorded_at)}",
        )


def _differs(difference: Difference) -> str:
    kinds = (("missing", difference.missing), ("too many", difference.surplus), ("changed", difference.changed))
    counts = ", ".join(f"{count} {'row' if count == 1 else 'rows'} {kind}" for kind, count in kinds if count)
    keys = "; ".join(" ".join(map(str, key)) for key in difference.keys)
    return f"{difference.table} is not equal to the log folded anew: {counts}; keys: {keys}."


_RUN: Final[Mapping[str, Callable[[_Task], None]]] = {
    "continuity": _continuity,
    "fold": _fold,
    "promises": _promises,
    "projections": _projections,
}


def _when(instant: int | None) -> str:
    return "none" if instant is None else iso(instant)


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > shown:
        yield f"    and {count - shown} more {what}"


def _place(row: Row, column: str) -> dict[str, Any]:
    return {"position": row.position, "stream": row.stream, "column": column}
