"""OpenSLO v1 in and out: an SLO document as the arguments of `slo.publish`, and an objective of ours as documents.

    for document in openslo.read(text).slos:
        terms = openslo.terms(document, unit="ms")
        ledger.by("u-1").record(slo.publish, terms.slo_id, **terms.arguments, proposed_by="u-1", approved_by="u-2")

What an objective of ours cannot say is refused with a sentence; what it leaves out, such as queries and alert policies, is listed. OpenSLO
knows neither maintenance nor credits: they go into annotations, and are read back from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from opsledger.domain.slo import LatencyBound, Published
from opsledger.errors import BadInput
from opsledger.importers.histograms import UNITS_NS
from opsledger.importers.openslo_documents import Objective, SloDocument, read, written
from opsledger.importers.yaml_documents import checked
from opsledger.policies.platform import CreditTier

__all__ = ["PREFIX", "Terms", "documents", "read", "terms", "written"]

PREFIX: Final = "opsledger/"
"""Of the annotations that say what OpenSLO has no field for."""

_DAYS: Final = {"h": Decimal(1) / 24, "d": Decimal(1), "w": Decimal(7)}
_ANNOTATED: Final = ("measured_by", "excludes_maintenance", "unknown_time", "error_rate_below_pct")


@dataclass(frozen=True, slots=True)
class Terms:
    """An objective as `slo.publish` takes it, without the people; what the document says beside that; its credits, if annotated."""

    slo_id: str
    arguments: dict[str, Any]
    left_out: tuple[str, ...]
    credits: tuple[CreditTier, ...] = ()


def terms(document: SloDocument, *, unit: str | None = None) -> Terms:
    """Return what a document asks. `unit` is that of its thresholds, which OpenSLO does not say: s, ms, us.

    Raises BadInput for what no objective of ours says: slices of time, values that should be high, windows other than
    calendar months and whole rolling days, several targets for one ratio, composites.
    """
    name, spec = document.metadata.name, document.spec
    annotations = {
        key.removeprefix(PREFIX): value for key, value in (document.metadata.annotations or {}).items() if key.startswith(PREFIX)
    }
    if spec.budgeting_method != "Occurrences":
        raise _refused(name, f"counts by {spec.budgeting_method}, slices of time; objectives here count requests or time itself")
    if any(each.indicator or each.indicator_ref or each.composite_weight for each in spec.objectives):
        raise _refused(name, "is composed of several indicators; publish each as an objective of its own")
    arguments: dict[str, Any] = {"service_id": spec.service, **_window(document)}
    if annotations.get("objective") == "availability":
        arguments |= {"objective": "availability", "target_pct": _one_target(name, spec.objectives)}
    else:
        arguments |= {"objective": "requests", "series_id": annotations.get("series_id") or _series(document)}
        arguments |= _requests(document, unit or annotations.get("unit"))
    arguments |= {
        key: json.loads(annotations[key]) for key in ("measured_by", "excludes_maintenance", "unknown_time") if key in annotations
    }
    if "error_rate_below_pct" in annotations:
        arguments["error_rate_below_pct"] = Decimal(annotations["error_rate_below_pct"])
    credits = tuple(checked(CreditTier, each, "openslo") for each in json.loads(annotations.get("credits", "[]")))
    return Terms(annotations.get("slo_id", name), arguments, tuple(_left_out(document)), credits)


def documents(slo_id: str, version: Published, credits: Sequence[CreditTier] = ()) -> list[SloDocument]:
    """Return an objective as documents: one of the ratio that it counts, and one of its bounds on time, if it has any."""
    annotations = {"slo_id": slo_id, "objective": version.objective, "version": str(version.version)}
    annotations |= {key: json.dumps(getattr(version, key)) for key in _ANNOTATED[:3] if getattr(version, key) is not None}
    if version.error_rate_below_pct is not None:
        annotations["error_rate_below_pct"] = str(version.error_rate_below_pct)
    if version.series_id is not None:
        annotations["series_id"] = version.series_id
    if credits:
        annotations["credits"] = json.dumps([each.model_dump(mode="json") for each in credits])
    table, good, total = (
        ("sla_month", "up_us", "measured_us") if version.objective == "availability" else ("request_sli_month", "total - errors", "total")
    )
    ratio = {"counter": True, "good": _metric(table, good), "total": _metric(table, total)}
    found = [_document(slo_id, version, annotations, {"ratioMetric": ratio}, [{"target": version.target_pct / 100}])]
    if version.latency:
        bounds = [{"op": "lt", "value": Decimal(bound.below_us) / 1000, "target": bound.share_pct / 100} for bound in version.latency]
        indicator = {"thresholdMetric": _metric("request_sli_month", "within_by_edge")}
        found.append(_document(f"{slo_id}-latency", version, {**annotations, "unit": "ms"}, indicator, bounds))
    return found


def _document(
    name: str, version: Published, annotations: dict[str, str], indicator: dict[str, Any], objectives: list[dict[str, Any]]
) -> SloDocument:
    own = {f"{PREFIX}{key}": value for key, value in sorted({**annotations, "slo_id": name}.items())}
    if version.rolling_days is None:
        start = f"{version.effective_from:%Y-%m}-01 00:00:00"
        window: dict[str, Any] = {
            "duration": "1M",
            "isRolling": False,
            "calendar": {"startTime": start, "timeZone": version.months.zone},
        }
    else:
        window = {"duration": f"{version.rolling_days}d", "isRolling": True}
    return SloDocument.model_validate(
        {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {"name": name, "annotations": own},
            "spec": {
                "service": version.service_id,
                "indicator": {"metadata": {"name": version.series_id or name}, "spec": indicator},
                "timeWindow": [window],
                "budgetingMethod": "Occurrences",
                "objectives": objectives,
            },
        }
    )


def _metric(table: str, column: str) -> dict[str, Any]:
    return {"metricSource": {"type": "opsledger", "spec": {"table": table, "column": column}}}


def _window(document: SloDocument) -> dict[str, Any]:
    name, window = document.metadata.name, document.spec.time_window[0]
    found = re.fullmatch(r"([0-9]+)([mhdwMQY])", window.duration)
    if found is None:
        raise _refused(name, f"has a window of {window.duration}; write it like 30d, 4w or 1M")
    if window.is_rolling:
        days = int(found[1]) * _DAYS.get(found[2], Decimal(0))
        if not days or days != days.to_integral_value():
            raise _refused(name, f"rolls over {window.duration}; here windows roll over whole days")
        return {"window": "rolling", "rolling_days": int(days)}
    if window.duration != "1M":
        minute = " (m is a minute, M a month)" if found[2] == "m" else ""
        raise _refused(name, f"has calendar windows of {window.duration}{minute}; here they are months, 1M")
    if window.calendar is None or not re.search(r"-01( 00:00:00|T00:00:00Z?)?$", window.calendar.start_time):
        raise _refused(name, "has months that do not begin on the first at midnight; calendar months do")
    return {"window": "calendar_month", "zone": window.calendar.time_zone}


def _requests(document: SloDocument, unit: str | None) -> dict[str, Any]:
    name, spec = document.metadata.name, document.spec
    if not any(each.value is not None for each in spec.objectives):
        return {"target_pct": _one_target(name, spec.objectives)}
    if unit is None or unit not in UNITS_NS:
        raise _refused(name, f"has thresholds of which nobody says the unit; give one of {', '.join(UNITS_NS)}")
    bounds = []
    for each in spec.objectives:
        if each.value is None or each.op not in ("lt", "lte"):
            raise _refused(name, f"asks that values be {each.op} {each.value}; here it is asked that requests take less than a time")
        us = each.value * UNITS_NS[unit] / 1000
        if us != us.to_integral_value():
            raise _refused(name, f"has a threshold of {each.value} {unit}, which is no whole number of microseconds")
        bounds.append(LatencyBound(share_pct=_percent(name, each), below_us=int(us) + (each.op == "lte")))
    # Nothing is asked of failures: none of the requests has to go well.
    return {"target_pct": Decimal(0), "latency": tuple(bounds)}


def _one_target(name: str, objectives: Sequence[Objective]) -> Decimal:
    if len(objectives) != 1:
        raise _refused(name, f"has {len(objectives)} targets for one ratio; publish each as an objective of its own")
    return _percent(name, objectives[0])


def _percent(name: str, objective: Objective) -> Decimal:
    if (objective.target is None) == (objective.target_percent is None):
        raise _refused(name, "has an objective without a target, or with two; give target or targetPercent")
    found = objective.target_percent if objective.target is None else objective.target * 100
    assert found is not None
    return found.normalize() + 0 if found == found.to_integral_value() else found.normalize()


def _series(document: SloDocument) -> str:
    spec = document.spec
    named = spec.indicator_ref or (spec.indicator.metadata.name if spec.indicator else None)
    return named or document.metadata.name


def _left_out(document: SloDocument) -> list[str]:
    """Say what the document has that an objective of ours does not keep."""
    spec, found = document.spec, []
    if spec.indicator is not None:
        found.append("spec.indicator: the query stays with the tool that measures; its counts come in as windows of the series")
    found += [f"spec.alertPolicies.{place}: alerts are by the operating model's rules" for place, _ in enumerate(spec.alert_policies or ())]
    texts = (("metadata.displayName", document.metadata.display_name), ("spec.description", spec.description))
    found += [f"{path}: texts are not kept" for path, text in texts if text is not None]
    if document.metadata.labels:
        found.append("metadata.labels: labels are not kept")
    return found


def _refused(name: str, why: str) -> BadInput:
    return BadInput("openslo.unsupported", f"The SLO {name} {why}.")
