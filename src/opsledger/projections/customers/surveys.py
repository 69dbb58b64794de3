"""survey_wave: what did we ask, until when? survey_response: whom, and what did they say?

Grain: survey_wave, one row per wave; survey_response, one row per wave and contact, as of the newest fact: who answers again changes
the answer. What counts, and the scores, are told by the views of `survey_views`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from opsledger.domain import survey as s
from opsledger.domain import survey_response as r
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["PROJECTIONS", "SURVEY_RESPONSE", "SURVEY_WAVE", "Answer", "Asked", "Response", "fold_response", "fold_wave", "start_response"]

SURVEY_WAVE = Table(
    "survey_wave",
    "One row per wave of a survey, as of its newest fact.",
    key=("wave_id",),
    columns=(
        text("wave_id", "Id of the wave."),
        text("survey_type", "nps, csat or ces."),
        text("questionnaire", "Id and version of what is asked."),
        text("occasion", "What made us ask: relationship, transactional or ticket."),
        instant("opened_at", "From when answers count."),
        instant("closes_at", "From when they shall count no more; null: until it is closed."),
        instant("closed_at", "When it was closed; null: it was not."),
        instant("counts_until_at", "The earlier of the two; null: there is none."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

SURVEY_RESPONSE = Table(
    "survey_response",
    "One row per wave and contact who was asked in it or answered it, as of the newest fact.",
    key=("response_id",),
    columns=(
        text("response_id", "Wave and contact, with a stroke between them."),
        text("wave_id", "Id of the wave."),
        text("contact_id", "Opaque id of the person."),
        text("customer_id", "Opaque id of the customer."),
        text("survey_type", "nps, csat or ces."),
        text("ticket_id", "About which ticket; null: about none."),
        text("channel", "By which way they answered, or were asked where they did not."),
        instant("invited_at", "When they were asked first; null: they were not."),
        integer("invitation_count", "How often they were asked."),
        instant("failed_at", "When the newest invitation is known not to have arrived; null: it is not known."),
        instant("responded_at", "When they answered last; null: they did not."),
        integer("score", "What they answered, corrections applied; null: nothing, or it was not theirs."),
        integer("scale_lowest", "Lowest answer that there was; null: not answered."),
        integer("scale_highest", "Highest answer that there was; null: not answered."),
        integer("favourable_from", "From which answer on they speak well of us; null: not answered."),
        integer("answer_count", "How often they answered; the newest one stands."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id",), ("wave_id",)),
)


@dataclass(slots=True)
class _Wave:
    wave_id: str
    opened: s.WaveOpened | None = None
    opened_at: int = 0
    closed_at: int | None = None
    last_position: int = 0


def fold_wave(wave: _Wave, recorded: Recorded) -> _Wave:
    """Return the state of a wave after one fact more."""
    event = recorded.fact
    wave.last_position = max(wave.last_position, recorded.position)
    match event:
        case s.WaveOpened():
            wave.opened, wave.opened_at = event, recorded.occurred_at
        case s.WaveClosed():
            wave.closed_at = min(recorded.occurred_at, recorded.occurred_at if wave.closed_at is None else wave.closed_at)
    return wave


def _wave_rows(wave: _Wave) -> Rows:
    if wave.opened is None:
        return {"survey_wave": []}
    closes_at = None if wave.opened.closes_at is None else micros(wave.opened.closes_at)
    ends = [each for each in (closes_at, wave.closed_at) if each is not None]
    said = (wave.opened.survey_type, wave.opened.questionnaire, wave.opened.trigger)
    return {"survey_wave": [(wave.wave_id, *said, wave.opened_at, closes_at, wave.closed_at, min(ends, default=None), wave.last_position)]}


class Answer(NamedTuple):
    """An answer as it was given. Microseconds."""

    at: int
    position: int
    score: int | None
    scale: r.Scale
    channel: str
    ticket_id: str | None


class Asked(NamedTuple):
    """An invitation. Microseconds."""

    at: int
    position: int
    channel: str
    ticket_id: str | None


@dataclass(slots=True)
class Response:
    """What is known of one contact in one wave. Microseconds.

    What was typed in late may lie before the first fact, so times are those of the facts, whatever the order in which they come.
    """

    response_id: str
    wave_id: str = ""
    contact_id: str = ""
    customer_id: str = ""
    survey_type: str = ""
    invited: list[Asked] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    corrected: dict[int, tuple[int | None, int]] = field(default_factory=dict)  # position -> (right score, position)
    last_position: int = 0

    def answer(self, until: int | None = None) -> Answer | None:
        """Return the answer that stands, its score corrected: of those given up to an instant, that included, the last."""
        given = [each for each in self.answers if until is None or each.at <= until]
        if not given:
            return None
        last = max(given, key=lambda each: each[:2])
        return last._replace(score=self.corrected.get(last.position, (last.score, 0))[0])


def start_response(stream: str) -> Response:
    """Return the state of a response before its first fact; `stream` is `survey_response:NPS-2026-Q1/p-17`."""
    return Response(stream.partition(":")[2])


def fold_response(response: Response, recorded: Recorded) -> Response:
    """Return the state of a response after one fact more."""
    event, position = recorded.fact, recorded.position
    response.last_position = max(response.last_position, recorded.position)
    response.customer_id = event.customer_id
    match event:
        case r.InvitationSent():
            _name(response, event)
            response.invited.append(Asked(micros(event.sent_at), position, event.channel, event.ticket_id))
        case r.InvitationFailed():
            response.failed.append(micros(event.failed_at))
        case r.ResponseRecorded():
            _name(response, event)
            given = (event.score, event.scale, event.channel, event.ticket_id)
            response.answers.append(Answer(micros(event.responded_at), position, *given))
        case r.ResponseCorrected():
            if response.corrected.get(event.corrects, (0, 0))[1] < position:
                response.corrected[event.corrects] = event.now, position
    return response


def _name(response: Response, event: r.InvitationSent | r.ResponseRecorded) -> None:
    response.wave_id, response.contact_id, response.survey_type = event.wave_id, event.contact_id, event.survey_type


def _response_rows(response: Response) -> Rows:
    answer = response.answer()
    invited = sorted(response.invited)
    asked_by, asked_about = (invited[-1].channel, invited[-1].ticket_id) if invited else (None, None)
    failed_at = max((at for at in response.failed if invited and at >= invited[-1].at), default=None)
    answered: Row = (None,) * 5
    if answer is not None:
        scale = answer.scale
        answered = answer.at, answer.score, scale.lowest, scale.highest, scale.favourable_from
    row = (
        response.response_id,
        response.wave_id,
        response.contact_id,
        response.customer_id,
        response.survey_type,
        (answer.ticket_id if answer is not None else None) or asked_about,
        answer.channel if answer is not None else asked_by,
        invited[0].at if invited else None,
        len(invited),
        failed_at,
        *answered,
        len(response.answers),
        response.last_position,
    )
    return {"survey_response": [row]}


PROJECTIONS = (
    Entity("survey_wave", 1, concept="survey", tables=(SURVEY_WAVE,), start=_Wave, fold=fold_wave, rows=_wave_rows),
    Entity(
        "survey_response",
        1,
        concept="survey_response",
        tables=(SURVEY_RESPONSE,),
        start=Response,
        fold=fold_response,
        rows=_response_rows,
    ),
)
