"""restore, recovery_drill, integrity_check: what did failures lose, how long did they last, were we ready, and are the data sound?

Grain: one row per service and restore, drill or check of it. Each is judged by the operating model that was in force at its failure, or
at the check. Both times are strict: exactly 15 minutes lost, or exactly an hour, is a miss.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain import integrity_check as c
from opsledger.domain import recovery_drill as d
from opsledger.domain import restore as r
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import iso, micros
from opsledger.policies.known import Known
from opsledger.policies.operating_model import OperatingModel
from opsledger.policies.recovery import kept, sound
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.recovery import points as recovery_points
from opsledger.projections.recovery.points import Points, Reach, reaches
from opsledger.projections.table import Column, Row, Table, boolean, instant, integer, text

__all__ = ["DRILL", "INTEGRITY_CHECK", "PROJECTIONS", "RESTORE", "Judged", "Told", "fold", "judged", "rows", "start", "subjects", "tell"]

_SERVICE = text("service_id", "Id of the service.")
_LAST = integer("last_position", "Position of the newest fact used.")
_POLICY = text("policy_ref", "The operating model by which it is judged: in force when the service failed.")
_CORRECTED = integer("correction_count", "How often one of its times was corrected.")

_JUDGED: tuple[Column, ...] = (
    integer("rpo_us", "failed_at - recovered_to_at: what was lost, in microseconds; null: not known, or nothing came back."),
    integer("rpo_below_s", "Seconds below which that was promised to stay; null: nothing is promised of the service."),
    boolean("rpo_met", "Whether it stayed strictly below; null: not known yet, or nothing is promised."),
    integer("rto_us", "restored_at - failed_at: how long it was without the service, in microseconds; null: it is not back."),
    integer("rto_below_s", "Seconds below which that was promised to stay; null: nothing is promised of the service."),
    boolean("rto_met", "Whether it stayed strictly below; null: not known yet, or nothing is promised."),
    text("missed", "rpo, rto, or both with a comma between; null: none that is known."),
    text(
        "rpo_cause",
        "Why too much was lost: nothing_recovered; no_young_point, where no recovery point was young enough at the failure; older_point, "
        "where one was and another was taken; null: not too much was, or no points are recorded.",
    ),
    text(
        "rto_cause",
        "Why it took too long: not_restored; late_start, where its time was over when people began; slow_restore; null: it did not.",
    ),
    text("null_reason", "Why one of them is not judged; null when both are."),
)

RESTORE = Table(
    "restore",
    "One row per service and restore of it.",
    key=("service_id", "restore_id"),
    columns=(
        _SERVICE,
        text("restore_id", "Id of the restore, the host's."),
        text("status", "started, completed or abandoned."),
        text("cause", "hardware, software, human_error, provider, attack, disaster or other."),
        instant("failed_at", "When the service failed."),
        instant("started_at", "When people began to bring it back."),
        instant("restored_at", "When it could be used again; null: not said."),
        instant("recovered_to_at", "The last instant of which the data are there; null: not said."),
        instant("abandoned_at", "When it was given up; null: it was not."),
        *_JUDGED,
        text("point_id", "Recovery point from which it was done; null: not said."),
        text("incident_id", "Incident to which it belongs; null: none was named."),
        text("led_by", "Opaque id of who led it."),
        _CORRECTED,
        _POLICY,
        _LAST,
    ),
    indexes=(("incident_id",),),
)

DRILL = Table(
    "recovery_drill",
    "One row per service and recovery drill of it.",
    key=("service_id", "drill_id"),
    columns=(
        _SERVICE,
        text("drill_id", "Id of the drill, the host's."),
        text("scenario", "What was played: hardware, software, human_error, provider, attack, disaster or other."),
        instant("failed_at", "When the failure was played."),
        instant("restored_at", "When the service could have been used again; null: it could not."),
        instant("recovered_to_at", "The last instant of which data came back; null: none did."),
        instant("completed_at", "When the drill was over."),
        *_JUDGED,
        text("point_id", "Recovery point from which it was done; null: not said."),
        text("led_by", "Opaque id of who led it."),
        _CORRECTED,
        _POLICY,
        _LAST,
    ),
    indexes=(("completed_at",),),
)

INTEGRITY_CHECK = Table(
    "integrity_check",
    "One row per service and check of the integrity of its data.",
    key=("service_id", "check_id"),
    columns=(
        _SERVICE,
        text("check_id", "Id of the check, the host's."),
        text("scope", "What was looked at."),
        text("against", "What it was compared with."),
        instant("completed_at", "When it was over."),
        integer("rows_checked", "Rows that were compared, corrected."),
        integer("mismatches", "Of them, those that were not as they should be, corrected."),
        boolean("intact", "Whether as many rows as promised were as they should be; null: none was compared, or nothing is promised."),
        text("digest", "Digest of what was looked at; null: none was made."),
        instant("repaired_at", "When the rows that differed were right again; null: not said."),
        integer("repaired_rows", "How many that were; null: not said."),
        text("repaired_by", "Opaque id of who recorded the repair."),
        text("incident_id", "Incident in which it was repaired; null: none was named."),
        integer("correction_count", "How often one of its counts was corrected."),
        text("policy_ref", "The operating model by which it is judged: in force when it was made."),
        _LAST,
    ),
    indexes=(("completed_at",),),
)


_IDS: Final = {"restore": "restore_id", "recovery_drill": "drill_id", "integrity_check": "check_id"}


@dataclass(slots=True)
class Told:
    """A restore, drill or check: what its facts say, and what was corrected of it. Times in microseconds."""

    stream: str
    said: Any = None  # the fact with which it begins
    began_at: int = 0
    ended: r.Completed | None = None
    ended_at: int | None = None
    abandoned_at: int | None = None
    repaired: tuple[int, c.Repaired] | None = None
    corrected: dict[str, tuple[int, int]] = field(default_factory=dict)  # what: position, right value
    corrections: int = 0
    positions: dict[str, int] = field(default_factory=dict)  # newest fact by the last word of its topic
    last_position: int = 0

    @property
    def id(self) -> str:
        """The id of it: `D-1` of `recovery_drill:D-1`."""
        return self.stream.partition(":")[2]

    def time(self, what: d.What) -> int | None:
        """Return an instant as it is held now; None where nobody has said it."""
        if what in self.corrected:
            return self.corrected[what][1]
        if isinstance(self.said, r.Started) and what != "failed_at":
            return self.ended_at if what == "restored_at" else None if self.ended is None else micros(self.ended.recovered_to)
        at = getattr(self.said, what)
        return None if at is None else micros(at)

    def count(self, what: c.What) -> int:
        """Return a count of a check as it is held now."""
        found: int = self.corrected[what][1] if what in self.corrected else getattr(self.said, what)
        return found


def start(stream: str) -> Told:
    """Return the state before the first fact; `stream` is `restore:R-1`, `recovery_drill:D-1` or `integrity_check:IC-1`."""
    return Told(stream)


def _start(stream: str) -> Told | Points:
    concept, _, id = stream.partition(":")
    return recovery_points.start(id) if concept == "recovery_point" else Told(stream)


def _fold(state: Told | Points, recorded: Recorded) -> Told | Points:
    return recovery_points.fold(state, recorded) if isinstance(state, Points) else fold(state, recorded)


def fold(told: Told, recorded: Recorded) -> Told:
    """Return the state after one more fact; times of facts are those of the envelope, corrected."""
    event, position = recorded.fact, recorded.position
    match event:
        case r.Started() | d.Completed() | c.Completed() if told.said is None:
            told.said, told.began_at = event, recorded.occurred_at
        case r.Completed():
            told.ended, told.ended_at = event, recorded.occurred_at
        case r.Abandoned():
            told.abandoned_at = recorded.occurred_at
        case c.Repaired():
            told.repaired = recorded.occurred_at, event
        case r.Corrected() | d.Corrected():
            _correct(told, event.what, position, micros(event.now))
        case c.Corrected():
            _correct(told, event.what, position, event.now)
    told.positions[recorded.topic.partition(".")[2]] = position
    told.last_position = max(told.last_position, position)
    return told


def _correct(told: Told, what: str, position: int, value: int) -> None:
    told.corrections += 1
    told.corrected[what] = max((position, value), told.corrected.get(what, (0, 0)))


def subjects(told: Told | Points) -> Collection[str]:
    """Return the id of the service."""
    if isinstance(told, Points):
        return (told.service_id,)
    return () if told.said is None else (told.said.service_id,)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was lost and how long it took, beside what is promised. Null: not known, or nothing is promised."""

    rpo_us: int | None
    rpo_below_s: int | None
    rpo_met: bool | None
    rto_us: int | None
    rto_below_s: int | None
    rto_met: bool | None
    null_reason: str | None

    @property
    def missed(self) -> str | None:
        """Return which targets were missed."""
        found = [name for name, met in (("rpo", self.rpo_met), ("rto", self.rto_met)) if met is False]
        return ", ".join(found) or None


def judged(told: Told, model: OperatingModel) -> Judged:
    """Return how a restore or drill kept the targets. A drill after which data or service did not come back has missed them."""
    failed, recovered, restored = (told.time(what) for what in ("failed_at", "recovered_to", "restored_at"))
    assert failed is not None
    lost = None if recovered is None else failed - recovered
    lasted = None if restored is None else restored - failed
    promised = told.said.service_id in model.recovery.services
    if not promised:
        return Judged(lost, None, None, lasted, None, None, "nothing is promised of the service")
    rpo_below, rto_below = model.availability.recovery_point_below, model.availability.recovery_time_below
    met = [kept(lost, rpo_below), kept(lasted, rto_below)]
    if isinstance(told.said, d.Completed):
        met = [each or False for each in met]
    reason = None if None not in met else "it was given up" if told.abandoned_at is not None else "it is not completed"
    return Judged(lost, rpo_below, met[0], lasted, rto_below, met[1], reason)


def rows(service_id: str, states: Mapping[str, Told | Points], known: Known) -> Rows:
    """Return the rows of one service. Its recovery points tell why too much was lost."""
    made: dict[str, list[Row]] = {"restore": [], "recovery_drill": [], "integrity_check": []}
    months = reaches(states.values(), known)
    for told in states.values():
        if isinstance(told, Points):
            continue
        model = known.model(told.said.policy)
        match told.said:
            case r.Started():
                made["restore"].append(_restore(told, model, months))
            case d.Completed():
                made["recovery_drill"].append(_drill(told, model, months))
            case _:
                made["integrity_check"].append(_check(told, model))
    return made


def _judged_values(told: Told, model: OperatingModel, months: Sequence[Reach]) -> tuple[tuple[Any, ...], int]:
    """Return the values of the columns that say how the targets were kept and why not, and the newest position that they rest on."""
    found, failed = judged(told, model), told.time("failed_at")
    assert failed is not None
    there = [month for month in months if month.since is not None and month.since <= failed]
    why = _why_lost(found, failed, there)
    rpo, rto = (found.rpo_us, found.rpo_below_s, found.rpo_met), (found.rto_us, found.rto_below_s, found.rto_met)
    last = [month.last_position for month in there] if why in ("older_point", "no_young_point") else []
    values = (*rpo, *rto, found.missed, why, _why_long(told, found, failed), found.null_reason)
    return values, max([told.last_position, *last])


def _why_lost(found: Judged, failed: int, months: Sequence[Reach]) -> str | None:
    if found.rpo_met is not False:
        return None
    if found.rpo_us is None:
        return "nothing_recovered"
    if not months:
        return None
    return "older_point" if any(month.covers(failed) for month in months) else "no_young_point"


def _why_long(told: Told, found: Judged, failed: int) -> str | None:
    if found.rto_met is not False or found.rto_below_s is None:
        return None
    if found.rto_us is None:
        return "not_restored"
    late = isinstance(told.said, r.Started) and not kept(told.began_at - failed, found.rto_below_s)
    return "late_start" if late else "slow_restore"


def _restore(told: Told, model: OperatingModel, months: Sequence[Reach]) -> Row:
    said: r.Started = told.said
    status = "completed" if told.ended is not None else "started" if told.abandoned_at is None else "abandoned"
    times = (told.time("failed_at"), told.began_at, told.time("restored_at"), told.time("recovered_to"), told.abandoned_at)
    judgement, last = _judged_values(told, model, months)
    named = (said.point_id, said.incident_id, said.led_by)
    return (said.service_id, told.id, status, said.cause, *times, *judgement, *named, told.corrections, said.policy, last)


def _drill(told: Told, model: OperatingModel, months: Sequence[Reach]) -> Row:
    said: d.Completed = told.said
    times = (told.time("failed_at"), told.time("restored_at"), told.time("recovered_to"), told.began_at)
    judgement, last = _judged_values(told, model, months)
    named = (said.point_id, said.led_by)
    return (said.service_id, told.id, said.scenario, *times, *judgement, *named, told.corrections, said.policy, last)


def _check(told: Told, model: OperatingModel) -> Row:
    said: c.Completed = told.said
    rows, mismatches = told.count("rows"), told.count("mismatches")
    promised = said.service_id in model.recovery.services
    intact = sound(rows, mismatches, model.availability.data_integrity_pct) if promised else None
    repaired: tuple[Any, ...] = (None, None, None, None)
    if told.repaired is not None:
        at, event = told.repaired
        repaired = (at, event.rows, event.repaired_by, event.incident_id)
    looked = (said.scope, said.against, told.began_at, rows, mismatches, intact, said.digest)
    return (said.service_id, told.id, *looked, *repaired, told.corrections, said.policy, told.last_position)


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Told | Points], known: Known) -> Sequence[Line]:
    """Say how a row came about: what happened when, how that compares with the promise, and why it was not kept."""
    told = states[f"{table}:{row[_IDS[table]]}"]
    assert isinstance(told, Told)
    model = known.model(told.said.policy)
    if table == "integrity_check":
        return list(_checked(told, model))
    failed = told.time("failed_at")
    months = reaches(states.values(), known)
    before = [point for month in months if failed is not None and (point := month.before(failed)) is not None]
    newest = (max(before)[1],) if before else ()
    why = {row["rpo_cause"]: newest, row["rto_cause"]: ()}
    return [*_recovered(told, model), *(Line(_CAUSES[cause], positions) for cause, positions in why.items() if cause in _CAUSES)]


_CAUSES: Final = {
    "no_young_point": "Too much was lost: no recovery point was young enough when it failed.",
    "older_point": "Too much was lost: a recovery point was young enough when it failed, and an older one was taken.",
    "late_start": "It took too long: its time was over when people began to bring it back.",
    "slow_restore": "It took too long: bringing it back did.",
}


def _recovered(told: Told, model: OperatingModel) -> Iterator[Line]:
    drill, found = isinstance(told.said, d.Completed), judged(told, model)
    failed, recovered, restored = (told.time(what) for what in ("failed_at", "recovered_to", "restored_at"))
    first = told.positions["completed" if drill else "started"]
    ends = tuple(position for word, position in told.positions.items() if word in ("completed", "corrected"))
    assert failed is not None
    yield Line(f"The service {'was played to have failed' if drill else 'failed'} at {iso(failed)}.", (first,))
    if recovered is not None:
        yield Line(f"Its data came back as they were at {iso(recovered)}: {_length(found.rpo_us)} lost{_verdict(found, 'rpo')}.", ends)
    elif drill:
        yield Line(f"No data came back{_verdict(found, 'rpo')}.", ends)
    if restored is not None:
        yield Line(f"It could be used again at {iso(restored)}: after {_length(found.rto_us)}{_verdict(found, 'rto')}.", ends)
    elif drill:
        yield Line(f"It could not be used again{_verdict(found, 'rto')}.", ends)
    if told.abandoned_at is not None:
        yield Line(f"The restore was given up at {iso(told.abandoned_at)}.", (told.positions["abandoned"],))


def _verdict(found: Judged, name: str) -> str:
    below, met = (found.rpo_below_s, found.rpo_met) if name == "rpo" else (found.rto_below_s, found.rto_met)
    return "" if below is None or met is None else f"; less than {below} s is promised: {'met' if met else 'missed'}"


def _checked(told: Told, model: OperatingModel) -> Iterator[Line]:
    said, rows, mismatches = told.said, told.count("rows"), told.count("mismatches")
    counted = tuple(position for word, position in told.positions.items() if word in ("completed", "corrected"))
    yield Line(f"{rows} rows of {said.scope} were compared with {said.against}; {mismatches} were not as they should be.", counted)
    intact = sound(rows, mismatches, model.availability.data_integrity_pct)
    if said.service_id in model.recovery.services and intact is not None:
        verdict = "kept" if intact else "broken"
        yield Line(f"{model.availability.data_integrity_pct.normalize():f} percent of the rows are promised to be: {verdict}.", counted)
    if told.repaired is not None:
        at, event = told.repaired
        yield Line(f"{event.rows} rows were put right at {iso(at)}.", (told.positions["repaired"],))


def _length(us: int | None) -> str:
    seconds, rest = divmod(us or 0, 1_000_000)
    return f"{seconds} s" if not rest else f"{seconds}.{rest:06d} s"


PROJECTIONS = (
    Gathered(
        "recovery",
        1,
        concepts=("restore", "recovery_drill", "integrity_check", "recovery_point"),
        tables=(RESTORE, DRILL, INTEGRITY_CHECK),
        start=_start,
        fold=_fold,
        subjects=subjects,
        rows=rows,
        tell=tell,
    ),
)
