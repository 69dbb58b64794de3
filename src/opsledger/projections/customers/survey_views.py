"""survey_answer: whose answers count? survey_scores: NPS, CSAT and CES, how sure they are, and of whom we know nothing.

Views over survey_response and the surveys of tickets. Scores are rounded half up in whole numbers, the root of the standard error
included, so both databases give the same; the formulas are those of `opsledger.policies.surveys`. Where there are too few answers a
score is null, and a column says why.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["PROJECTIONS", "SURVEY_ANSWER", "SURVEY_SCORES"]

_TICKET_WAVE = "tickets"


def _answers(sql: Sql) -> str:
    yes, no = sql.true(), sql.false()
    return f"""
        WITH asked AS (
            SELECT 'survey_response:' || response_id AS stream, survey_type, wave_id, customer_id, contact_id, ticket_id, channel,
                invited_at, CASE WHEN invited_at IS NULL THEN NULL WHEN failed_at IS NULL THEN {yes} ELSE {no} END AS delivered,
                responded_at, score, scale_lowest, scale_highest, favourable_from, last_position
            FROM survey_response
            UNION ALL
            SELECT 'ticket:' || ticket_id, 'csat', '{_TICKET_WAVE}', customer_id, requester_id, ticket_id, channel,
                survey_sent_at, CASE WHEN survey_sent_at IS NULL THEN NULL ELSE {yes} END, survey_answered_at, csat, 1, 5, 4, last_position
            FROM ticket WHERE survey_sent_at IS NOT NULL OR survey_answered_at IS NOT NULL
        ),
        judged AS (
            SELECT a.*, CASE WHEN a.responded_at IS NULL THEN NULL
                WHEN a.score IS NULL THEN 'taken back'
                WHEN a.score < a.scale_lowest OR a.score > a.scale_highest THEN 'not on the scale'
                WHEN w.survey_type <> a.survey_type THEN 'the wave asks something else'
                WHEN a.responded_at < w.opened_at THEN 'before the wave'
                WHEN a.responded_at >= w.counts_until_at THEN 'after the wave' END AS not_counted_reason
            FROM asked a LEFT JOIN survey_wave w ON w.wave_id = a.wave_id
        )
        SELECT stream, survey_type, wave_id, customer_id, contact_id, ticket_id, channel, invited_at, delivered, responded_at,
            score, scale_highest, not_counted_reason,
            CASE WHEN responded_at IS NULL THEN NULL WHEN not_counted_reason IS NULL THEN {yes} ELSE {no} END AS counts,
            CASE WHEN responded_at IS NULL OR not_counted_reason IS NOT NULL THEN NULL
                WHEN survey_type = 'nps' THEN CASE WHEN score >= 9 THEN 'promoter' WHEN score >= 7 THEN 'passive' ELSE 'detractor' END
                WHEN score >= favourable_from THEN 'favourable' ELSE 'other' END AS class, last_position
        FROM judged
    """


SURVEY_ANSWER = View(
    "survey_answer",
    "One row per contact who was asked or answered: by wave, and by ticket.",
    key=("stream",),
    columns=(
        text("stream", "Stream in which it stands: of the response, or of the ticket."),
        text("survey_type", "nps, csat or ces."),
        text("wave_id", "Id of the wave; tickets: asked after a ticket."),
        text("customer_id", "Opaque id of the customer."),
        text("contact_id", "Opaque id of the person."),
        text("ticket_id", "About which ticket; null: about none."),
        text("channel", "By which way."),
        instant("invited_at", "When they were asked first; null: they were not."),
        boolean("delivered", "Whether the invitation arrived, as far as is known; null: there was none."),
        instant("responded_at", "When they answered; null: they did not."),
        integer("score", "What they answered."),
        integer("scale_highest", "Highest answer that there was."),
        text("not_counted_reason", "Why the answer does not count; null: it does, or there is none."),
        boolean("counts", "Whether the answer counts; null: there is none."),
        text("class", "promoter, passive or detractor; of csat and ces favourable or other; null: no answer that counts."),
        integer("last_position", "Position of the newest fact used."),
    ),
    sql=_answers,
)


def _half_up(over: str, under: str) -> str:
    """SQL of the integer nearest to over / under, halves away from zero; `under` is positive."""
    return f"CASE WHEN {over} >= 0 THEN (2 * ({over}) + {under}) / (2 * {under}) ELSE -((2 * -({over}) + {under}) / (2 * {under})) END"


def _events(sql: Sql) -> str:
    """Invitations and answers that count, each with when, to whom it belongs and in which month and wave it is counted."""

    def counted(column: str) -> str:
        return f"CASE WHEN {column} THEN 1 ELSE 0 END"

    month = "(SELECT m.month FROM policy_month m WHERE m.starts_at <= e.at ORDER BY m.starts_at DESC LIMIT 1)"
    nothing = ", ".join(f"0 AS {name}" for name in ("responded", "promoters", "passives", "detractors", "favourable", "points"))
    answered = ", ".join(counted(f"class = '{name}'") for name in ("promoter", "passive", "detractor", "favourable"))
    return f"""
        event AS (
            SELECT survey_type, wave_id, customer_id, invited_at AS at, 1 AS invited, {counted("delivered")} AS delivered,
                {counted("counts")} AS answered, {nothing}, NULL AS highest, last_position
            FROM survey_answer WHERE invited_at IS NOT NULL
            UNION ALL
            SELECT survey_type, wave_id, customer_id, responded_at, 0, 0, 0, 1, {answered}, score, scale_highest, last_position
            FROM survey_answer WHERE counts
        ),
        placed AS (
            SELECT e.*, {month} AS period FROM event e
            UNION ALL
            SELECT e.*, 'wave ' || e.wave_id FROM event e WHERE e.wave_id <> '{_TICKET_WAVE}'
        ),
        scoped AS (
            SELECT p.*, 'all' AS scope FROM placed p
            UNION ALL
            SELECT p.*, 'customer ' || p.customer_id FROM placed p
            UNION ALL
            SELECT p.*, 'segment ' || s.segment FROM placed p JOIN customer_segment s
                ON s.customer_id = p.customer_id AND s.valid_from_at <= p.at AND (s.valid_to_at IS NULL OR p.at < s.valid_to_at)
        )"""


def _scores(sql: Sql) -> str:
    summed = ("invited", "delivered", "answered", "responded", "promoters", "passives", "detractors", "favourable", "points")
    minimum = "CASE WHEN t.scope LIKE 'customer %' THEN p.survey_minimum_account ELSE p.survey_minimum_portfolio END"
    spread = "((promoters + detractors) * responded - (promoters - detractors) * (promoters - detractors))"
    # 4 * 10^8 * spread / n^3, cut to a whole number in steps that stay small; half of its root, rounded, is the standard error.
    square = f"(400000000 * ({spread} / responded) + 400000000 * ({spread} % responded) / responded) / (responded * responded)"
    return f"""
        WITH RECURSIVE {_events(sql)},
        total AS (
            SELECT survey_type, scope, period, {", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in summed)},
                max(at) AS newest_at, max(last_position) AS last_position, min(highest) AS lowest_scale, max(highest) AS highest_scale
            FROM scoped GROUP BY survey_type, scope, period
        ),
        ruled AS (
            SELECT t.*, coalesce(
                (SELECT {minimum} FROM policy p WHERE p.effective_from <= t.newest_at
                    ORDER BY p.effective_from DESC, p.version DESC LIMIT 1),
                (SELECT {minimum} FROM policy p ORDER BY p.effective_from, p.version LIMIT 1)) AS minimum
            FROM total t
        ),
        root(survey_type, scope, period, square, step, root) AS (
            SELECT survey_type, scope, period, {square}, 16384, 0 FROM ruled WHERE survey_type = 'nps' AND responded > 0
            UNION ALL
            SELECT survey_type, scope, period, square, step / 2,
                CASE WHEN (root + step) * (root + step) <= square THEN root + step ELSE root END
            FROM root WHERE step > 0
        ),
        scored AS (
            SELECT r.*, e.root, CASE WHEN r.responded = 0 THEN 'nobody answered'
                WHEN r.responded < r.minimum THEN 'fewer than ' || r.minimum || ' answers'
                WHEN r.survey_type = 'ces' AND r.lowest_scale <> r.highest_scale THEN 'answers on several scales' END AS null_reason
            FROM ruled r LEFT JOIN root e ON e.survey_type = r.survey_type AND e.scope = r.scope AND e.period = r.period AND e.step = 0
        )
        SELECT survey_type, scope, period, invited, delivered, answered,
            CASE WHEN invited > 0 THEN {_half_up("10000 * answered", "invited")} END AS response_rate_bp,
            responded, promoters, passives, detractors, favourable, points, minimum,
            CASE WHEN survey_type = 'nps' AND null_reason IS NULL THEN {_half_up("10000 * (promoters - detractors)", "responded")} END
                AS nps_x100,
            CASE WHEN survey_type = 'nps' AND null_reason IS NULL THEN (root + 1) / 2 END AS se_x100,
            CASE WHEN survey_type = 'csat' AND null_reason IS NULL THEN {_half_up("10000 * favourable", "responded")} END AS csat_bp,
            CASE WHEN survey_type = 'ces' AND null_reason IS NULL THEN {_half_up("100 * points", "responded")} END AS ces_x100,
            CASE WHEN survey_type = 'ces' AND null_reason IS NULL THEN {_half_up("10000 * favourable", "responded")} END
                AS ces_favourable_bp,
            null_reason, last_position
        FROM scored
    """


def _behind(named: str, source: str) -> str:
    """SQL of the rows of a table, by their ids, that are counted in a score."""
    month = "(SELECT m.month FROM policy_month m WHERE m.starts_at <= {} ORDER BY m.starts_at DESC LIMIT 1)"
    at = "coalesce(a.responded_at, a.invited_at)"
    periods = " OR ".join(f"{month.format(each)} = :period" for each in ("a.invited_at", "a.responded_at"))
    return f"""
        SELECT {named}, coalesce(a.class, 'not counted: ' || a.not_counted_reason, 'not answered') AS result
        FROM survey_answer a JOIN {source}
        WHERE a.survey_type = :survey_type AND ('wave ' || a.wave_id = :period OR {periods})
            AND (:scope = 'all' OR :scope = 'customer ' || a.customer_id OR EXISTS (SELECT 1 FROM customer_segment s
                WHERE s.customer_id = a.customer_id AND s.valid_from_at <= {at}
                    AND (s.valid_to_at IS NULL OR {at} < s.valid_to_at) AND :scope = 'segment ' || s.segment))
        ORDER BY {at}, a.stream
    """


SURVEY_SCORES = View(
    "survey_scores",
    "One row per survey type, scope and period in which somebody was asked or answered.",
    key=("survey_type", "scope", "period"),
    columns=(
        text("survey_type", "nps, csat or ces."),
        text("scope", "Whose: all, segment NAME (to which the customer was counted then), or customer ID."),
        text("period", "Month of the reporting zone, for example 2026-03, or wave ID."),
        integer("invited", "Contacts who were asked in the period."),
        integer("delivered", "Of them, those whom the invitation reached, as far as is known."),
        integer("answered", "Of the invited, those who have answered since, so that it counts."),
        integer("response_rate_bp", "answered / invited in basis points, rounded half up; null: nobody was asked."),
        integer("responded", "Answers given in the period that count, also of people who were asked before, or were not."),
        integer("promoters", "Of nps, answers of 9 and 10."),
        integer("passives", "Of nps, answers of 7 and 8."),
        integer("detractors", "Of nps, answers from 0 to 6."),
        integer("favourable", "Of csat and ces, answers from the favourable one on."),
        integer("points", "All answers added."),
        integer("minimum", "Answers that a score needs here, by the operating model in force at the newest event."),
        integer("nps_x100", "100 * (promoters - detractors) / responded in hundredths, rounded half up; null: see null_reason."),
        integer("se_x100", "Standard error of the net promoter score in hundredths, rounded half up; null where the score is."),
        integer("csat_bp", "favourable / responded in basis points, rounded half up; null: see null_reason."),
        integer("ces_x100", "Mean answer in hundredths, rounded half up; null: see null_reason."),
        integer("ces_favourable_bp", "Of ces, favourable / responded in basis points, rounded half up; null where the mean is."),
        text("null_reason", "Why there is no score; null: there is."),
        integer("last_position", "Newest position in what was counted."),
    ),
    sql=_scores,
    behind=(
        "survey_response",
        lambda sql: _behind("r.response_id", "survey_response r ON a.stream = 'survey_response:' || r.response_id"),
    ),
    beside=(("ticket", lambda sql: _behind("t.ticket_id", "ticket t ON a.stream = 'ticket:' || t.ticket_id")),),
)

PROJECTIONS = (SURVEY_ANSWER, SURVEY_SCORES)
