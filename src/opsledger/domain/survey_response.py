"""Survey responses: whom a wave asked, and what they said. One stream per wave and contact, `survey_response:NPS-2026-Q1/p-17`.

    invitation sent ──> (failed) ──> response recorded ──> response corrected

So a contact has one response in a wave: one who answers again changes the answer. A score outside the scale is refused; whether a
response counts, after the wave was closed for example, is told by the table. Source: Operating Model, "Customer Health Monitoring".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.errors import Refused
from opsledger.policies.surveys import SurveyType

__all__ = [
    "Fact",
    "InvitationFailed",
    "InvitationSent",
    "Response",
    "ResponseCorrected",
    "ResponseRecorded",
    "Scale",
    "correct",
    "evolve",
    "fail",
    "invite",
    "respond",
    "stream_of",
]


@part
class Scale:
    """Which answers there were, and from which on they speak well of us; kept, so that a later policy changes no answer."""

    lowest: int
    highest: int
    favourable_from: int


@fact("survey.invitation_sent", at="sent_at")
class InvitationSent:
    """A contact of a customer was asked; said again where they are reminded."""

    sent_at: At
    wave_id: str
    survey_type: SurveyType
    customer_id: str
    contact_id: str  # opaque id of the person
    channel: str  # for example email
    ticket_id: str | None = None  # the ticket about which they are asked


@fact("survey.invitation_failed", at="failed_at")
class InvitationFailed:
    """An invitation is known not to have reached the contact."""

    failed_at: At
    customer_id: str
    code: str | None = None  # as the channel says it; null: it gave none


@fact("survey.response_recorded", at="responded_at")
class ResponseRecorded:
    """A contact answered, invited or not."""

    responded_at: At
    wave_id: str
    survey_type: SurveyType
    customer_id: str
    contact_id: Subject
    score: int
    scale: Scale
    channel: str
    ticket_id: str | None = None
    comment: Personal[str] | None = None


@fact("survey.response_corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class ResponseCorrected:
    """A response was recorded otherwise than the contact gave it, or was none of theirs."""

    corrected_at: At
    customer_id: str
    corrects: int  # position of that fact
    was: int | None
    now: int | None  # null: it does not count, as nobody's answer
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = InvitationSent | InvitationFailed | ResponseRecorded | ResponseCorrected


@dataclass(frozen=True, slots=True)
class Response:
    """What is known of one contact in one wave."""

    customer_id: str
    survey_type: SurveyType
    invited_at: datetime | None = None  # first
    answered: ResponseRecorded | None = None  # last


@concept("survey_response")
def evolve(response: Response | None, event: Fact) -> Response:
    """Return the response after `event`. An answer of earlier that is typed in late changes nothing that a later one says."""
    if response is None:
        if not isinstance(event, InvitationSent | ResponseRecorded):
            raise Refused("survey.unknown", f"A response begins with an invitation or an answer, not with {type(event).__name__}.")
        response = Response(event.customer_id, event.survey_type)
    match event:
        case InvitationSent():
            return replace(response, invited_at=min(event.sent_at, response.invited_at or event.sent_at))
        case ResponseRecorded():
            newer = response.answered is None or event.responded_at >= response.answered.responded_at
            return replace(response, answered=event) if newer else response
        case InvitationFailed() | ResponseCorrected():
            return response
        case _:
            assert_never(event)


def stream_of(wave_id: str, contact_id: str) -> str:
    """Return the stream of what a contact was asked and said in a wave, for example survey_response:NPS-2026-Q1/p-17."""
    return f"survey_response:{wave_id}/{contact_id}"


@starts
def invite(
    response: Response | None,
    now: Moment,
    /,
    *,
    wave_id: str,
    survey_type: SurveyType,
    customer_id: str,
    contact_id: str,
    channel: str = "email",
    ticket_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record that a contact was asked. The same invitation again adds nothing; a later one is a reminder."""
    _own(response, now, wave_id, contact_id, customer_id, survey_type)
    sent = InvitationSent(
        sent_at=now.at,
        wave_id=wave_id,
        survey_type=survey_type,
        customer_id=customer_id,
        contact_id=contact_id,
        channel=channel,
        ticket_id=ticket_id,
    )
    return () if any(recorded.fact == sent for recorded in now.history) else (sent,)


def fail(response: Response, now: Moment, /, *, code: str | None = None) -> tuple[Fact, ...]:
    """Record that the invitation did not reach the contact."""
    if response.invited_at is None or now.at < response.invited_at:
        raise Refused("survey.uninvited", f"{now.id} was not invited by then; record the invitation first.")
    failed = InvitationFailed(failed_at=now.at, customer_id=response.customer_id, code=code)
    return () if any(recorded.fact == failed for recorded in now.history) else (failed,)


@starts
def respond(
    response: Response | None,
    now: Moment,
    /,
    *,
    wave_id: str,
    survey_type: SurveyType,
    customer_id: str,
    contact_id: str,
    score: int,
    channel: str = "email",
    ticket_id: str | None = None,
    comment: str | None = None,
) -> tuple[Fact, ...]:
    """Record what a contact answered, by the scale that holds then. Refuses a score that is not on it."""
    _own(response, now, wave_id, contact_id, customer_id, survey_type)
    rule = now.policies.in_force.model.surveys.scale(survey_type)
    if not rule.lowest <= score <= rule.highest:
        raise Refused(
            "survey.score", f"{score} is no answer to a survey of type {survey_type}; answers go from {rule.lowest} to {rule.highest}."
        )
    answered = response.answered if response is not None else None
    if answered is not None and (answered.responded_at, answered.score) == (now.at, score):
        return ()
    recorded = ResponseRecorded(
        responded_at=now.at,
        wave_id=wave_id,
        survey_type=survey_type,
        customer_id=customer_id,
        contact_id=contact_id,
        score=score,
        scale=Scale(lowest=rule.lowest, highest=rule.highest, favourable_from=rule.favourable_from),
        channel=channel,
        ticket_id=ticket_id,
        comment=comment,
    )
    return (recorded,)


def correct(
    response: Response,
    now: Moment,
    /,
    *,
    corrects: int,
    was: int | None,
    to: int | None,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record that the answer at position `corrects` was another, or (None) nobody's. Another person approves."""
    another(approved_by, requested_by, "this correction")
    named = now.recorded(corrects).fact
    if not isinstance(named, ResponseRecorded):
        raise Refused("correction.not_a_response", f"Position {corrects} is no answer; name the one that was wrong.")
    said = [each.fact.now for each in now.history if isinstance(each.fact, ResponseCorrected) and each.fact.corrects == corrects]
    check_held(corrects, said[-1] if said else named.score, was)
    if to is not None and not named.scale.lowest <= to <= named.scale.highest:
        raise Refused("survey.score", f"{to} is no answer; answers go from {named.scale.lowest} to {named.scale.highest}.")
    if to == was:
        return ()
    corrected = ResponseCorrected(
        corrected_at=now.at,
        customer_id=response.customer_id,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=named.contact_id,
        reason=reason,
    )
    return (corrected,)


def _own(response: Response | None, now: Moment, wave_id: str, contact_id: str, customer_id: str, survey_type: SurveyType) -> None:
    if now.stream != stream_of(wave_id, contact_id):
        raise Refused("survey.stream", f"This belongs to the id {stream_of(wave_id, contact_id).partition(':')[2]}, not to {now.id}.")
    if response is not None and (response.customer_id, response.survey_type) != (customer_id, survey_type):
        held = f"{response.customer_id} and a survey of type {response.survey_type}"
        raise Refused("survey.other", f"{now.id} is of {held}; it cannot be of {customer_id} and {survey_type} too.")
