"""Key figures of what customers say, out of survey_scores: how satisfied they are, and how many would recommend us.

Source: Operating Model, "Key Performance Indicators": customer satisfaction score (CSAT), net promoter score (NPS).
"""

from __future__ import annotations

from collections.abc import Callable

from opsledger.projections.kinds import Kpi, Sql

__all__ = ["KPIS"]

_SCOPE = """CASE WHEN scope LIKE 'segment %' THEN 'segment:' || substr(scope, 9)
                WHEN scope LIKE 'customer %' THEN 'customer:' || substr(scope, 10) ELSE scope END"""


def _share(survey_type: str, numerator: str) -> Callable[[Sql], str]:
    """Return SQL that divides by the answers of a month; none where there are fewer than the policy asks for."""

    def sql(sql: Sql) -> str:
        return f"""
            SELECT {_SCOPE} AS scope, 'month' AS period, period AS period_start,
                CASE WHEN null_reason IS NULL THEN {numerator} END AS numerator,
                CASE WHEN null_reason IS NULL THEN responded END AS denominator, responded AS n, null_reason, last_position
            FROM survey_scores WHERE survey_type = '{survey_type}' AND period NOT LIKE 'wave %'
        """

    return sql


KPIS = (
    Kpi(
        "csat",
        "Favourable answers, of those given in the month: survey_scores.favourable / responded.",
        "share",
        _share("csat", "favourable"),
    ),
    Kpi(
        "nps",
        "Net promoter score, times 100 as it is usually told: (survey_scores.promoters - detractors) / responded.",
        "share",
        _share("nps", "promoters - detractors"),
    ),
)
