"""subject_erasure, subject_access: what did people ask for, was it answered in time, how far is it? legal_hold: what must be kept?

Grain: one row per request for erasure; one row per request for access, and per export that nobody had asked for; one row per hold.
The view personal_data_deadline has what falls due next, with the days left. No row says anything of a person but an opaque id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain import subject as s
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows, Sql, View
from opsledger.projections.table import Table, boolean, instant, integer, text

__all__ = ["LEGAL_HOLD", "PERSONAL_DATA_DEADLINE", "PROJECTIONS", "SUBJECT_ACCESS", "SUBJECT_ERASURE"]

_SUBJECT: Final = text("subject_id", "Opaque id of the person; their name is in the key store's directory, until they are erased.")

SUBJECT_ERASURE = Table(
    "subject_erasure",
    "One row per request of a person for erasure.",
    key=("subject_id", "number"),
    columns=(
        _SUBJECT,
        integer("number", "Number of the request, requests for access counted too, from 1."),
        text("state", "requested, restricted, refused, granted, keys_destroyed, derived_purged, completed, purge_decided or purged."),
        text("jurisdiction", "Under which entry of the operating model it is answered."),
        text("policy_ref", "The operating model whose periods hold."),
        instant("requested_at", "When it was received."),
        text("handled_by", "Opaque id of who took it in."),
        instant("answer_by", "When the last day to answer is over."),
        boolean("extended", "Whether the person was told that it takes longer."),
        instant("decided_at", "When it was decided last; null: it was not yet."),
        text("outcome", "granted, refused or restricted; null: not decided yet."),
        text("basis", "On which basis; null: not decided yet."),
        text("decided_by", "Opaque id of who decided; null: not decided yet."),
        boolean("answered_in_time", "Whether it was decided before answer_by, as far as restricted is an answer; null: not decided yet."),
        instant("keys_destroyed_at", "When the keys were destroyed first; null: they were not yet."),
        integer("keys", "How many keys that were."),
        integer("destroyed_again", "How often keys had come back and were destroyed again."),
        instant("derived_purged_at", "When what is derived was cleared; null: it was not yet."),
        integer("exports", "Exports made before that, which nobody can call back."),
        instant("completed_at", "When every sealed part was tried and none opened; null: not yet."),
        integer("parts_tried", "How many parts were tried; null: not yet."),
        instant("purge_from", "From when on the sealed parts may be removed; null: not known yet."),
        instant("parts_purged_at", "When they were; null: they were not yet."),
        integer("parts_purged", "How many there were; null: not yet."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("state",),),
)

SUBJECT_ACCESS = Table(
    "subject_access",
    "One row per request of a person for access, and per export that nobody had asked for.",
    key=("subject_id", "position"),
    columns=(
        _SUBJECT,
        integer("position", "Position of the request; of the export where nobody had asked."),
        integer("number", "Number of the request, requests for erasure counted too; null: nobody had asked."),
        text("state", "requested, refused or given."),
        text("jurisdiction", "Under which entry of the operating model it is answered; null: nobody had asked."),
        text("policy_ref", "The operating model whose periods hold; null: nobody had asked."),
        instant("requested_at", "When it was received; null: nobody had asked."),
        text("handled_by", "Opaque id of who took it in; null: nobody had asked."),
        instant("answer_by", "When the last day to answer is over; null: nobody had asked."),
        boolean("extended", "Whether the person was told that it takes longer; null: nobody had asked."),
        instant("answered_at", "When access was given or refused; null: not yet."),
        text("answered_by", "Opaque id of who did; null: nobody yet."),
        boolean("answered_in_time", "Whether that was before answer_by; null: not yet, or nobody had asked."),
        text("basis", "Why it was refused; null: it was not."),
        instant("keep_until", "Until when nothing is erased after a refusal; null: it was not refused."),
        text("export", "Name of the export; null: none was made."),
        integer("facts", "Facts in it; null: none was made."),
        integer("opened", "Personal fields that could be read in it; null: none was made."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("state",),),
)

LEGAL_HOLD = Table(
    "legal_hold",
    "One row per legal hold on a person's data.",
    key=("subject_id", "hold_id"),
    columns=(
        _SUBJECT,
        text("hold_id", "Id of the hold: a case, a claim."),
        text("reason", "Why the data are held."),
        instant("placed_at", "When it was placed."),
        text("placed_by", "Opaque id of who placed it."),
        instant("review_by", "By when somebody looks at it again."),
        instant("reviewed_at", "When somebody last did; null: nobody yet."),
        text("reviewed_by", "Opaque id of who did; null: nobody yet."),
        integer("reviews", "How often it was reviewed and stayed."),
        instant("released_at", "When it ended; null: it lasts."),
        text("release_reason", "Why it ended; null: it lasts."),
        text("released_by", "Opaque id of who approved that; null: it lasts."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

_Values = dict[str, Any]


@dataclass(slots=True)
class _State:
    subject_id: str
    erasures: dict[int, _Values] = field(default_factory=dict)
    accesses: dict[int, _Values] = field(default_factory=dict)  # by the number of the request
    exports: list[_Values] = field(default_factory=list)  # that nobody had asked for
    holds: dict[str, _Values] = field(default_factory=dict)


def _fold(state: _State, recorded: Recorded) -> _State:
    match recorded.fact:
        case s.ErasureRequested() | s.AccessRequested():
            _request(state, recorded)
        case s.AnswerExtended() as event:
            found = state.erasures.get(event.number) or state.accesses.get(event.number)
            _set(found, recorded, answer_by=micros(event.answer_by), extended=True)
        case s.AccessRefused() | s.AccessGiven():
            _answer(state, recorded)
        case s.HoldPlaced() | s.HoldReviewed() | s.HoldReleased():
            _hold(state, recorded)
        case _:
            _erase(state, recorded)
    return state


def _set(values: _Values | None, recorded: Recorded, **given: Any) -> None:
    """Set columns of a row, if there is one: a fact that happened before what it belongs to is folded before it."""
    if values is not None:
        values.update(given, last_position=max(recorded.position, values["last_position"]))


def _request(state: _State, recorded: Recorded) -> None:
    event: s.ErasureRequested | s.AccessRequested = recorded.fact
    values = {
        "subject_id": state.subject_id,
        "number": event.number,
        "state": "requested",
        "jurisdiction": event.jurisdiction,
        "policy_ref": event.policy,
        "requested_at": micros(event.requested_at),
        "handled_by": event.handled_by,
        "answer_by": micros(event.answer_by),
        "extended": False,
        "last_position": recorded.position,
    }
    if isinstance(event, s.ErasureRequested):
        state.erasures[event.number] = {**values, "keys": 0, "destroyed_again": 0, "exports": 0}
    else:
        state.accesses[event.number] = {**values, "position": recorded.position}


def _answer(state: _State, recorded: Recorded) -> None:
    event: s.AccessRefused | s.AccessGiven = recorded.fact
    by = event.decided_by if isinstance(event, s.AccessRefused) else event.given_by
    at = micros(event.refused_at if isinstance(event, s.AccessRefused) else event.given_at)
    given: _Values = {"answered_at": at, "answered_by": by}
    if isinstance(event, s.AccessRefused):
        given |= {"state": "refused", "basis": event.basis, "keep_until": micros(event.keep_until)}
    else:
        given |= {"state": "given", "export": event.name, "facts": event.facts, "opened": event.opened}
    if event.number is None:
        place = {"subject_id": state.subject_id, "position": recorded.position, "last_position": recorded.position}
        state.exports.append({**place, **given})
        return
    values = state.accesses.get(event.number)
    if values is not None:
        _set(values, recorded, **given, answered_in_time=at < values["answer_by"])


def _erase(state: _State, recorded: Recorded) -> None:
    event, at = recorded.fact, recorded.occurred_at  # none of these is typed in for a time before the request
    values = state.erasures.get(event.number)
    if values is None:
        return
    match event:
        case s.ErasureDecided():
            given = {"state": event.outcome, "outcome": event.outcome, "basis": event.basis, "decided_by": event.decided_by}
            _set(values, recorded, **given, decided_at=at, answered_in_time=values.get("answered_in_time", at < values["answer_by"]))
        case s.KeysDestroyed() if event.again:
            _set(values, recorded, destroyed_again=values["destroyed_again"] + 1)
        case s.KeysDestroyed():
            _set(values, recorded, state="keys_destroyed", keys_destroyed_at=at, keys=len(event.keys))
        case s.DerivedPurged():
            _set(values, recorded, state="derived_purged", derived_purged_at=at, exports=len(event.exports))
        case s.ErasureCompleted():
            _set(values, recorded, state="completed", completed_at=at, parts_tried=event.parts, purge_from=micros(event.purge_from))
        case s.PurgeDecided():
            _set(values, recorded, state="purge_decided")
        case s.PartsPurged():
            _set(values, recorded, state="purged", parts_purged_at=at, parts_purged=event.parts)


def _hold(state: _State, recorded: Recorded) -> None:
    event: s.HoldPlaced | s.HoldReviewed | s.HoldReleased = recorded.fact
    at, values = recorded.occurred_at, state.holds.get(event.hold_id)
    match event:
        case s.HoldPlaced():
            state.holds[event.hold_id] = {
                "subject_id": state.subject_id,
                "hold_id": event.hold_id,
                "reason": event.reason,
                "placed_at": at,
                "placed_by": event.placed_by,
                "review_by": micros(event.review_by),
                "reviews": 0,
                "last_position": recorded.position,
            }
        case s.HoldReviewed() if values is not None:
            given = {"reviewed_at": at, "reviewed_by": event.reviewed_by, "review_by": micros(event.review_by)}
            _set(values, recorded, **given, reviews=values["reviews"] + 1)
        case s.HoldReleased():
            _set(values, recorded, released_at=at, release_reason=event.reason, released_by=event.approved_by)


def _rows(state: _State) -> Rows:
    accesses = [*state.accesses.values(), *state.exports]
    rows = ((SUBJECT_ERASURE, state.erasures.values()), (SUBJECT_ACCESS, accesses), (LEGAL_HOLD, state.holds.values()))
    return {table.name: [tuple([each.get(column.name) for column in table.columns]) for each in found] for table, found in rows}


def _deadlines(sql: Sql) -> str:
    waits = "CAST(number AS TEXT)"
    return f"""
        SELECT kind, subject_id, item, due_at, left_s, left_s / 86400 AS days_left, overdue FROM (
            SELECT d.kind, d.subject_id, d.item, d.due_at, {sql.seconds("o.effective_at", "d.due_at")} AS left_s,
                CASE WHEN d.due_at <= o.effective_at THEN {sql.true()} ELSE {sql.false()} END AS overdue
            FROM (
                SELECT 'erasure' AS kind, subject_id, {waits} AS item, answer_by AS due_at FROM subject_erasure
                    WHERE state IN ('requested', 'restricted')
                UNION ALL SELECT 'access', subject_id, {waits}, answer_by FROM subject_access WHERE state = 'requested'
                UNION ALL SELECT 'hold review', subject_id, hold_id, review_by FROM legal_hold WHERE released_at IS NULL
                UNION ALL SELECT 'purge', subject_id, {waits}, purge_from FROM subject_erasure WHERE state IN ('completed', 'purge_decided')
            ) d, opsledger_as_of o
        ) due
    """


PERSONAL_DATA_DEADLINE = View(
    "personal_data_deadline",
    "One row per thing that is due about a person's data: an answer, the review of a hold, the removal of sealed parts.",
    key=("kind", "subject_id", "item"),
    columns=(
        text("kind", "erasure or access: the person waits for an answer; hold review; purge: sealed parts may be removed from then on."),
        _SUBJECT,
        text("item", "Number of the request, or id of the hold."),
        instant("due_at", "When it is due."),
        integer("left_s", "Seconds until then, cut to whole ones; less than 0: so many ago."),
        integer("days_left", "The same in whole days, cut towards 0."),
        boolean("overdue", "Whether it is past."),
    ),
    sql=_deadlines,
)

_TABLES: Final = (SUBJECT_ERASURE, SUBJECT_ACCESS, LEGAL_HOLD)

PROJECTIONS = (Entity("subject", 1, "subject", _TABLES, _State, _fold, _rows), PERSONAL_DATA_DEADLINE)
