"""What happens to a support ticket. Stored for good: grow by an optional field or by a new fact.

Free text is personal and sealed for the requester. Promised times (`..._by`) are stamped when a clock starts or moves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from opsledger.domain.fact import At, Personal, Promise, Subject, fact
from opsledger.domain.sla import DeadlineObserved, DeadlineSuperseded
from opsledger.policies.support import Level, PauseReason, Priority

RespondBy = Annotated[At | None, Promise("first_response")]
AnswerBy = Annotated[At | None, Promise("next_response")]
UpdateBy = Annotated[At | None, Promise("update_cadence")]
ResolveBy = Annotated[At | None, Promise("resolution")]
EscalateBy = Annotated[At | None, Promise("escalation")]

Trigger = Literal["person", "deadline", "tier", "breach", "critical_impact", "customer_satisfaction"]

# Creation.


@fact("ticket.registered", at="registered_at")
class Registered:
    """A customer's request entered the ledger."""

    registered_at: At
    customer_id: str
    requester_id: Subject  # whose words these are; personal fields are sealed for this person
    channel: str
    priority: Priority
    summary: Personal[str] | None
    details: Personal[str] | None = None
    awaiting: PauseReason | None = None  # born waiting for somebody
    policy: str  # the operating model, by version and digest, whose targets this ticket's clocks keep
    respond_by: RespondBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


@fact("ticket.acknowledged", at="acknowledged_at")
class Acknowledged:
    """The customer was told that the request has arrived; no person has answered it by that."""

    acknowledged_at: At
    automatic: bool


@fact("ticket.classified", at="classified_at")
class Classified:
    """Somebody said what the request is about."""

    classified_at: At
    category: str
    subcategory: str | None = None
    service_id: str | None = None


@fact("ticket.priority_changed", at="changed_at")
class PriorityChanged:
    """The request turned out to be worse or less bad than thought. Elapsed time is kept, the target replaced."""

    changed_at: At
    was: Priority
    priority: Priority
    requester_id: Subject
    reason: Personal[str] | None = None
    respond_by: RespondBy = None
    update_by: UpdateBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


@fact("ticket.assigned", at="assigned_at")
class Assigned:
    """A group, and perhaps a person of it, took over."""

    assigned_at: At
    group: str | None
    assignee_id: str | None = None


@fact("ticket.escalated", at="escalated_at")
class Escalated:
    """The ticket went to another level of support. The next level's clock starts here."""

    escalated_at: At
    was: Level
    level: Level
    trigger: Trigger
    due_at: At | None = None  # when a deadline asked for it; null when a person did
    requester_id: Subject
    reason: Personal[str] | None = None
    escalate_by: EscalateBy = None


# Investigation.


@fact("ticket.investigation_started", at="started_at")
class InvestigationStarted:
    """Somebody began to look into it."""

    started_at: At
    agent_id: str


@fact("ticket.reproduced", at="reproduced_at")
class Reproduced:
    """Somebody tried to see the problem happen."""

    reproduced_at: At
    reproducible: bool
    requester_id: Subject
    steps: Personal[str] | None = None


@fact("ticket.analysed", at="analysed_at")
class Analysed:
    """Logs were read or the program was debugged."""

    analysed_at: At
    requester_id: Subject
    finding: Personal[str]


@fact("ticket.collaboration_requested", at="requested_at")
class CollaborationRequested:
    """Another team was asked to help; the ticket stays where it is."""

    requested_at: At
    team: str
    requester_id: Subject
    question: Personal[str] | None = None


@fact("ticket.solution_proposed", at="proposed_at")
class SolutionProposed:
    """Somebody thinks to know what ends it."""

    proposed_at: At
    requester_id: Subject
    solution: Personal[str]


@fact("ticket.solution_tested", at="tested_at")
class SolutionTested:
    """The proposed solution was tried out on our side."""

    tested_at: At
    passed: bool


# Talking with the customer.


@fact("ticket.responded", at="responded_at")
class Responded:
    """A person answered the customer; an automatic acknowledgement is not a response."""

    responded_at: At
    agent_id: str
    requester_id: Subject
    message: Personal[str] | None = None
    update_by: UpdateBy = None


@fact("ticket.update_published", at="published_at")
class UpdatePublished:
    """The customer was told how it stands, unasked."""

    published_at: At
    agent_id: str
    requester_id: Subject
    message: Personal[str] | None = None
    update_by: UpdateBy = None


@fact("ticket.customer_replied", at="replied_at")
class CustomerReplied:
    """The customer wrote or called again."""

    replied_at: At
    requester_id: Subject
    message: Personal[str] | None = None
    answer_by: AnswerBy = None


@fact("ticket.noted", at="noted_at")
class Noted:
    """Something was written down for ourselves; the customer does not see it and no clock hears it."""

    noted_at: At
    requester_id: Subject
    note: Personal[str]


@fact("ticket.paused", at="paused_at")
class Paused:
    """Somebody else must move first."""

    paused_at: At
    reason: PauseReason
    requester_id: Subject
    remark: Personal[str] | None = None


@fact("ticket.resumed", at="resumed_at")
class Resumed:
    """It is our turn again."""

    resumed_at: At
    update_by: UpdateBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


# Resolution and after.


@fact("ticket.resolved", at="resolved_at")
class Resolved:
    """The customer's problem is gone, as far as we can see."""

    resolved_at: At
    agent_id: str
    code: str | None = None
    requester_id: Subject
    resolution: Personal[str] | None = None


@fact("ticket.solution_verified", at="verified_at")
class SolutionVerified:
    """The customer said whether it is gone."""

    verified_at: At
    accepted: bool
    requester_id: Subject
    remark: Personal[str] | None = None


@fact("ticket.knowledge_linked", at="linked_at")
class KnowledgeLinked:
    """An article of the knowledge base was used, written or brought up to date for this."""

    linked_at: At
    article_id: str
    use: Literal["used", "written", "updated"]


@fact("ticket.closed", at="closed_at")
class Closed:
    """Nothing more is expected. Closing without resolving counts as resolving."""

    closed_at: At
    code: str | None = None


@fact("ticket.survey_sent", at="sent_at")
class SurveySent:
    """The customer was asked how it was."""

    sent_at: At


@fact("ticket.survey_answered", at="answered_at")
class SurveyAnswered:
    """The customer said how it was, from 1, very bad, to 5, very good."""

    answered_at: At
    score: Annotated[int, Field(ge=1, le=5)]
    requester_id: Subject
    comment: Personal[str] | None = None


@fact("ticket.checked_in", at="checked_in_at")
class CheckedIn:
    """Some time after the resolution somebody asked whether it held."""

    checked_in_at: At
    satisfied: bool | None  # null: the customer did not say
    requester_id: Subject
    remark: Personal[str] | None = None


@fact("ticket.preventive_measure_taken", at="taken_at")
class PreventiveMeasureTaken:
    """Something was done so that it does not come back."""

    taken_at: At
    change_id: str | None = None
    requester_id: Subject
    measure: Personal[str]


@fact("ticket.improvement_identified", at="identified_at")
class ImprovementIdentified:
    """The case showed how we could work better."""

    identified_at: At
    process: str
    requester_id: Subject
    improvement: Personal[str]


@fact("ticket.feedback_forwarded", at="forwarded_at")
class FeedbackForwarded:
    """What the customer said went to the team that it concerns."""

    forwarded_at: At
    team: str
    requester_id: Subject
    feedback: Personal[str]


@fact("ticket.reopened", at="reopened_at")
class Reopened:
    """It was not gone after all. The clocks go on where they stood; the time between is not counted."""

    reopened_at: At
    requester_id: Subject
    reason: Personal[str] | None = None
    respond_by: RespondBy = None
    update_by: UpdateBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


@fact("ticket.merged", at="merged_at")
class Merged:
    """The same request is dealt with under another ticket; this one's open clocks end without a verdict."""

    merged_at: At
    into_id: str


@fact("ticket.cancelled", at="cancelled_at")
class Cancelled:
    """The request was withdrawn; open clocks end without a verdict."""

    cancelled_at: At
    requester_id: Subject
    reason: Personal[str] | None = None


@fact("ticket.marked_spam", at="marked_at")
class MarkedSpam:
    """It never was a request; none of its clocks has a verdict."""

    marked_at: At


# Corrections, and what a source said of itself.


def _retimes(event: TimeCorrected) -> tuple[int, datetime]:
    return event.corrects, event.now


@fact("ticket.time_corrected", at="corrected_at", corrects=_retimes)
class TimeCorrected:
    """An earlier fact of this ticket happened at another time than was recorded."""

    corrected_at: At
    corrects: int  # position of that fact
    was: At
    now: At
    requested_by: str
    approved_by: str
    requester_id: Subject
    reason: Personal[str]
    respond_by: RespondBy = None
    update_by: UpdateBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


@fact("ticket.policy_reassigned", at="reassigned_at")
class PolicyReassigned:
    """Another version of the operating model applies to this ticket from here on. Elapsed time is kept."""

    reassigned_at: At
    was: str
    policy: str
    requested_by: str
    approved_by: str
    reason: str
    respond_by: RespondBy = None
    update_by: UpdateBy = None
    resolve_by: ResolveBy = None
    escalate_by: EscalateBy = None


@fact("ticket.source_stated", at="stated_at")
class SourceStated:
    """What the imported system said of itself: its own state, counters and priority, to be set beside ours."""

    stated_at: At
    status: str
    reopen_count: int | None = None
    reassignment_count: int | None = None
    sla_met: bool | None = None
    priority: str | None = None


Fact = (
    Registered
    | Acknowledged
    | Classified
    | PriorityChanged
    | Assigned
    | Escalated
    | InvestigationStarted
    | Reproduced
    | Analysed
    | CollaborationRequested
    | SolutionProposed
    | SolutionTested
    | Responded
    | UpdatePublished
    | CustomerReplied
    | Noted
    | Paused
    | Resumed
    | Resolved
    | SolutionVerified
    | KnowledgeLinked
    | Closed
    | SurveySent
    | SurveyAnswered
    | CheckedIn
    | PreventiveMeasureTaken
    | ImprovementIdentified
    | FeedbackForwarded
    | Reopened
    | Merged
    | Cancelled
    | MarkedSpam
    | TimeCorrected
    | PolicyReassigned
    | SourceStated
    | DeadlineObserved
    | DeadlineSuperseded
)
