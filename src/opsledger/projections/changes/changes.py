"""change: who asked, who approved, when was it done, how did it end? change_approval and change_ci: by whom, on what?

Grain: change, one row per change; the others one row per change and what the names say. Facts count at their own times, corrections
applied, so an approval typed in late counts from when it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain import change as c
from opsledger.domain.recorded import Recorded
from opsledger.errors import Refused
from opsledger.policies.change_control import Approval, Authority
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["CHANGE", "CHANGE_APPROVAL", "CHANGE_CI", "PROJECTIONS", "ChangeState", "fold", "rows", "same_hands", "start"]

_ID = text("change_id", "Id of the change, the host's.")

CHANGE = Table(
    "change",
    "One row per change, as of its newest fact.",
    key=("change_id",),
    columns=(
        _ID,
        text(
            "status", "requested, assessed, rejected, approved, scheduled, started, completed, backed_out, reviewed, closed or cancelled."
        ),
        text("category", "The operating model's word: emergency, standard or normal."),
        text("itil_type", "The field's word: emergency, normal or standard; the operating model's standard is ITIL's normal."),
        instant("requested_at", "When it was asked for."),
        text("requested_by", "Opaque id of who asked."),
        text("incident_id", "Incident that it shall end; null: none was named."),
        text("release_id", "Release that it belongs to; null: none was named."),
        instant("assessed_at", "When impact and risk were last assessed; null: not yet."),
        text("impact", "low, moderate, high or very_high; null: not assessed."),
        text("risk", "low, moderate, high or very_high; null: not assessed."),
        boolean("backout_planned", "Is there a plan for taking it back? Null: not assessed."),
        boolean("tested", "Was it tried somewhere else? Null: not assessed."),
        integer("approvals_needed", "How many people must approve it."),
        integer("approvals", "How many have, other than who asked, since it was last rejected."),
        text("approved_by", "Opaque ids of those, in order, with a comma between; empty: nobody."),
        instant("authorised_at", "Since when it has all approvals and sign-offs that it needs; null: it has not."),
        instant("rejected_at", "When it was last rejected; null: never."),
        instant("planned_start_at", "Start of the window for which it is planned; null: for none."),
        instant("planned_end_at", "End of that window, not part of it."),
        text("assignee_id", "Opaque id of who shall do it; null: nobody was named."),
        integer("reschedule_count", "How often it was planned anew."),
        boolean("in_maintenance_window", "Did the window lie in maintenance windows when it was planned? Null: it is bound to none."),
        text("conflicts_when_planned", "What the window was found to collide with then; see change_conflict for what it does now."),
        instant("communicated_at", "When an audience was first told; null: not yet."),
        instant("started_at", "When the work began; null: not yet."),
        text("implementer_id", "Opaque id of who began it."),
        boolean("approval_before_start", "Had it all that it needs when the work began? Null: it has not begun."),
        instant("approval_due_at", "By when approval had to follow, where it could; null: it had to be there before, or was."),
        instant("completed_at", "When the work ended; null: not yet."),
        text("outcome", "successful, partially or failed; null: not said."),
        instant("verified_at", "When somebody last looked whether it holds; null: nobody has."),
        text("verified_by", "Opaque id of who looked."),
        boolean("holds", "Did it hold then?"),
        instant("backed_out_at", "When it was taken back; null: it was not."),
        boolean("restored", "Was all as before after that?"),
        instant("review_due_at", "By when its review is held; null: none is asked for."),
        instant("reviewed_at", "When its first review was held; null: not yet."),
        text("reviewed_by", "Opaque id of who held it."),
        boolean("achieved", "Did it do what it was asked for, as the review says? Null: not said."),
        instant("closed_at", "When it was closed; null: not yet."),
        instant("cancelled_at", "When it was cancelled; null: it was not."),
        boolean(
            "sod_ok",
            "Are the duties of asking, approving, doing and verifying apart? False where one person asked and approved, approved and did, "
            "or did and verified it.",
        ),
        text("policy_ref", "Version and digest of the operating model whose rules it keeps."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("status",), ("planned_start_at",), ("completed_at",)),
)

CHANGE_APPROVAL = Table(
    "change_approval",
    "One row per approval, rejection and sign-off of a change.",
    key=("change_id", "stated_position"),
    columns=(
        _ID,
        integer("stated_position", "Position of the fact that says so."),
        text("word", "approved, rejected or signed_off."),
        instant("given_at", "When it was given."),
        text("given_by", "Opaque id of who gave it."),
        text("role", "Role in which it was given."),
        boolean("counts", "Does it count? No: the person asked for the change, or somebody said no since."),
        boolean("before_start", "Was it given before the work began? Null: the work has not begun."),
    ),
    indexes=(("given_by",),),
)

CHANGE_CI = Table(
    "change_ci",
    "One row per change and configuration item that it works on.",
    key=("change_id", "ci_id"),
    columns=(_ID, text("ci_id", "Id of the configuration item.")),
    indexes=(("ci_id",),),
)

_NAMES: Final = [column.name for column in CHANGE.columns]


@dataclass(slots=True)
class ChangeState:
    """A change as folded: its row by column, who said what, and the positions of the facts that a finding names."""

    change_id: str
    row: dict[str, Any] = field(default_factory=dict)
    authority: Authority = field(default_factory=lambda: Authority(0))
    assessed_first: bool = False
    assessed_before_approval: bool = True
    words: list[tuple[int, int, str, str, str]] = field(default_factory=list)  # at, position, word, by, role
    ci_ids: tuple[str, ...] = ()
    positions: dict[str, int] = field(default_factory=dict)  # by the last word of the topic, the newest
    last_position: int = 0

    def standing(self) -> list[tuple[int, int, str, str, str]]:
        """Return the approvals of others than who asked that nobody has said no to since, and the sign-offs of such people."""
        said_no = max((at for at, _, word, _, _ in self.words if word == "rejected"), default=None)
        others = [each for each in self.words if each[2] != "rejected" and each[3] != self.row["requested_by"]]
        return [each for each in others if each[2] == "signed_off" or said_no is None or each[0] > said_no]


def start(change_id: str) -> ChangeState:
    """Return the state before the first fact."""
    return ChangeState(change_id)


def fold(state: ChangeState, recorded: Recorded) -> ChangeState:
    """Return the state after one more fact, in the order in which they happened."""
    event, at = recorded.fact, recorded.occurred_at
    if not state.row and not isinstance(event, c.Requested):
        raise Refused("change.unrequested", f"A change begins with its request, not with {type(event).__name__}.")
    if isinstance(event, c.Requested):
        _request(state, event, at)
    elif isinstance(event, c.Approved | c.Rejected | c.SignedOff):
        _word(state, event, recorded)
    elif isinstance(event, c.Scheduled):
        _schedule(state.row, event)
    else:
        _go_on(state.row, event, at)
    state.positions[recorded.topic.partition(".")[2]] = recorded.position
    state.last_position = max(state.last_position, recorded.position)
    return state


def rows(state: ChangeState) -> Rows:
    """Return the rows of one change."""
    row = {**dict.fromkeys(_NAMES), **state.row}
    given = [each for each in state.standing() if each[2] == "approved"]
    row["approvals"] = len({by for _, _, _, by, _ in given})
    row["approved_by"] = ",".join(dict.fromkeys(by for _, _, _, by, _ in given))
    row["status"] = _status(row)
    row["sod_ok"] = not same_hands(state)
    row["last_position"] = state.last_position
    return {
        "change": [tuple([row[name] for name in _NAMES])],
        "change_approval": _approvals(state),
        "change_ci": [(state.change_id, ci_id) for ci_id in sorted(state.ci_ids)],
    }


def same_hands(state: ChangeState) -> list[str]:
    """Return which duties one person had together: asked and approved, approved and did, did and verified."""
    approvers = {by for _, _, word, by, _ in state.words if word == "approved"}
    row, found = state.row, []
    if row["requested_by"] in approvers:
        found.append("self_approval")
    if row.get("implementer_id") in approvers:
        found.append("approver_implemented")
    if row.get("verified_by") is not None and row["verified_by"] == row.get("implementer_id"):
        found.append("implementer_verified")
    return found


def _request(state: ChangeState, event: c.Requested, at: int) -> None:
    state.authority = Authority(event.approvals, event.approver_roles, event.sign_off_roles)
    state.assessed_first, state.ci_ids = event.assessed_first, event.ci_ids
    state.row = {
        "change_id": state.change_id,
        "category": event.category,
        "itil_type": event.itil_type,
        "requested_at": at,
        "requested_by": event.requested_by,
        "incident_id": event.incident_id,
        "release_id": event.release_id,
        "approvals_needed": event.approvals,
        "authorised_at": at if state.authority.given(event.requested_by, (), ()) else None,
        "reschedule_count": 0,
        "conflicts_when_planned": "",
        "policy_ref": event.policy,
    }


def _word(state: ChangeState, event: c.Approved | c.Rejected | c.SignedOff, recorded: Recorded) -> None:
    at, row = recorded.occurred_at, state.row
    match event:
        case c.Approved():
            said = ("approved", event.approved_by, event.role)
            state.assessed_before_approval = state.assessed_before_approval and row.get("assessed_at") is not None
        case c.Rejected():
            said = ("rejected", event.rejected_by, event.role)
            row["rejected_at"] = at
        case c.SignedOff():
            said = ("signed_off", event.signed_off_by, event.role)
    state.words.append((at, recorded.position, *said))
    given = state.standing()
    approvals, sign_offs = (
        [Approval(by, role) for _, _, word, by, role in given if word == wanted] for wanted in ("approved", "signed_off")
    )
    refused = row.get("rejected_at") is not None and not approvals
    whole = not refused and state.authority.given(row["requested_by"], approvals, sign_offs)
    row["authorised_at"] = (row["authorised_at"] or at) if whole else None


def _schedule(row: dict[str, Any], event: c.Scheduled) -> None:
    if row.get("planned_start_at") is not None:
        row["reschedule_count"] += 1
    row.update(planned_start_at=micros(event.starts_at), planned_end_at=micros(event.ends_at), assignee_id=event.assignee_id)
    inside = all(each.kind != "not_in_maintenance_window" for each in event.conflicts)
    row["in_maintenance_window"] = inside if event.bound_to_maintenance else None
    row["conflicts_when_planned"] = ", ".join(f"{each.kind} {each.other_id}".rstrip() for each in event.conflicts)


def _go_on(row: dict[str, Any], event: c.Fact, at: int) -> None:
    match event:
        case c.Assessed():
            row.update(assessed_at=at, impact=event.impact, risk=event.risk, backout_planned=event.backout_planned, tested=event.tested)
        case c.Communicated():
            row.setdefault("communicated_at", at)
        case c.Started():
            allowed = None if event.approve_by is None else at + micros(event.approve_by) - micros(event.started_at)
            before = row["authorised_at"] is not None
            row.update(started_at=at, implementer_id=event.implementer_id, approval_before_start=before)
            row["approval_due_at"] = None if before else allowed
        case c.Completed():
            allowed = None if event.review_by is None else at + micros(event.review_by) - micros(event.completed_at)
            row.update(completed_at=at, outcome=event.outcome)
            row["review_due_at"] = row.get("review_due_at") or allowed
        case c.Verified():
            row.update(verified_at=at, verified_by=event.verified_by, holds=event.holds)
        case c.BackedOut():
            allowed = None if event.review_by is None else at + micros(event.review_by) - micros(event.backed_out_at)
            row.update(backed_out_at=at, restored=event.restored)
            row["review_due_at"] = row.get("review_due_at") or allowed
        case c.Reviewed():
            if row.get("reviewed_at") is None:
                row.update(reviewed_at=at, reviewed_by=event.reviewed_by)
            row["achieved"] = event.achieved
        case c.Closed():
            row["closed_at"] = at
        case c.Cancelled():
            row["cancelled_at"] = at
        case _:
            pass  # a correction has moved the time of another fact, and says nothing itself


_ENDS: Final = ("cancelled", "closed", "reviewed", "backed_out", "completed", "started")


def _status(row: dict[str, Any]) -> str:
    for status in _ENDS:
        if row[f"{status}_at"] is not None:
            return status
    if row["rejected_at"] is not None and not row["approvals"]:
        return "rejected"
    if row["planned_start_at"] is not None:
        return "scheduled"
    if row["authorised_at"] is not None and row["approvals_needed"]:
        return "approved"
    return "requested" if row["assessed_at"] is None else "assessed"


def _approvals(state: ChangeState) -> list[Row]:
    standing = {position for _, position, _, _, _ in state.standing()}
    started_at, started = state.row.get("started_at"), state.positions.get("started", 0)
    made: list[Row] = []
    for at, position, word, by, role in state.words:
        before = None if started_at is None else (at, position) < (started_at, started)
        made.append((state.change_id, position, word, at, by, role, word == "rejected" or position in standing, before))
    return made


PROJECTIONS = (Entity("change", 1, "change", (CHANGE, CHANGE_APPROVAL, CHANGE_CI), start, fold, rows),)
