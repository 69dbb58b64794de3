"""Sloth's service levels in: each SLO as the arguments of `slo.publish`, its alert windows as rules of the operating model.

    told = sloth.read(text)
    for each in told.terms:
        ledger.by("u-1").record(slo.publish, each.slo_id, **each.arguments, proposed_by="u-1", approved_by="u-2")

Read are `prometheus/v1`, the Kubernetes form of the same, alert windows, and the `openslo/v1alpha` that Sloth takes. Sloth's objectives
roll over 30 days unless another period is asked for. Queries stay with Prometheus; what is left out or refused is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from opsledger.errors import BadInput
from opsledger.importers.openslo import Terms
from opsledger.importers.yaml_documents import checked, loaded
from opsledger.policies.duration import duration
from opsledger.policies.platform import BurnRule

__all__ = ["Told", "read"]

_PERIOD_DAYS: Final = 30
_UNITS: Final[Mapping[str, str]] = {"m": "min", "h": "h", "d": "days"}


@dataclass(slots=True)
class Told:
    """Objectives, rules for burn alerts by the days of their period, and what was not taken, with the reason."""

    terms: list[Terms] = field(default_factory=list)
    burn: dict[int, tuple[BurnRule, ...]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def read(text: str, *, period_days: int = _PERIOD_DAYS) -> Told:
    """Return what a text of service levels says. Raises BadInput where it is no YAML, or of no form that Sloth takes."""
    told = Told()
    for document in loaded(text):
        form = str(document.get("version") or f"{document.get('apiVersion')} {document.get('kind')}")
        if form not in _FORMS:
            raise BadInput("sloth.form", f"A document is of the form {form}; Sloth takes {', '.join(_FORMS)}.")
        _FORMS[form](document, told, period_days)
    return told


def _plain(document: Mapping[str, Any], told: Told, period_days: int) -> None:
    service = _field(document, "service", "the document")
    if document.get("slo_plugins") or document.get("sloPlugins"):
        told.refused.append(f"{service}: plugins change Prometheus' rules, and there are none here")
    for each in _field(document, "slos", service):
        name = f"{service}.{_field(each, 'name', service)}"
        objective = Decimal(str(_field(each, "objective", name)))
        why = _not_counted(each.get("sli") or {})
        if why is not None:
            told.refused.append(f"{name}: {why}")
            continue
        arguments = _arguments(service, name, objective, period_days)
        told.terms.append(Terms(name, arguments, tuple(_left_out(each))))


def _kubernetes(document: Mapping[str, Any], told: Told, period_days: int) -> None:
    _plain(_field(document, "spec", "the document"), told, period_days)


def _windows(document: Mapping[str, Any], told: Told, period_days: int) -> None:
    spec = _field(document, "spec", "the document")
    days = _seconds(_field(spec, "sloPeriod", "the alert windows")) // 86_400
    rules = [
        checked(
            BurnRule,
            {
                "severity": severity,
                "budget_pct": Decimal(str(_field(speed, "errorBudgetPercent", severity))),
                "long": _seconds(_field(speed, "longWindow", severity)),
                "short": _seconds(_field(speed, "shortWindow", severity)),
            },
            "sloth",
        )
        for severity in ("page", "ticket")
        for speed in (_field(_field(spec, severity, "the alert windows"), which, severity) for which in ("quick", "slow"))
    ]
    told.burn[days] = tuple(rules)


def _openslo_alpha(document: Mapping[str, Any], told: Told, period_days: int) -> None:
    name, spec = _field(_field(document, "metadata", "the document"), "name", "the document"), _field(document, "spec", "the document")
    window = next(iter(spec.get("timeWindows") or ()), {"count": period_days, "unit": "Day"})
    if window.get("unit") != "Day" or spec.get("budgetingMethod", "Occurrences") != "Occurrences":
        told.refused.append(
            f"{name}: it counts {spec.get('budgetingMethod')} over {window.get('unit')}; Sloth counts occurrences over days"
        )
        return
    service, objectives = _field(spec, "service", name), _field(spec, "objectives", name)
    for place, each in enumerate(objectives):
        slo_id = f"{service}.{name}" if len(objectives) == 1 else f"{service}.{name}-{place}"
        if "ratioMetrics" not in each:
            told.refused.append(f"{slo_id}: it has no ratio of events, and so no requests to count")
            continue
        arguments = _arguments(service, slo_id, Decimal(str(_field(each, "target", slo_id))) * 100, int(str(window["count"])))
        told.terms.append(Terms(slo_id, arguments, ("objectives.ratioMetrics: queries stay with Prometheus",)))


_FORMS: Final[Mapping[str, Callable[[Mapping[str, Any], Told, int], None]]] = {
    "prometheus/v1": _plain,
    "sloth.slok.dev/v1 PrometheusServiceLevel": _kubernetes,
    "sloth.slok.dev/v1 AlertWindows": _windows,
    "openslo/v1alpha SLO": _openslo_alpha,
}


def _arguments(service: str, series_id: str, objective: Decimal, days: int) -> dict[str, Any]:
    exact = objective.normalize() + 0
    return {
        "service_id": service,
        "objective": "requests",
        "series_id": series_id,
        "target_pct": exact,
        "window": "rolling",
        "rolling_days": days,
    }


def _not_counted(sli: Mapping[str, Any]) -> str | None:
    """Say why an indicator has no requests to count; None where it has."""
    if "raw" in sli:
        return "a raw ratio says no number of requests; give its events"
    if "plugin" in sli:
        return f"the plugin {sli['plugin'].get('id', '')} makes its query; give the events that it makes"
    if "events" not in sli:
        return "it has no indicator; give its events"
    return None


def _left_out(slo: Mapping[str, Any]) -> Iterator[str]:
    yield "sli.events: queries stay with Prometheus"
    if slo.get("alerting"):
        yield "alerting: alerts are by the operating model's rules; names, labels and annotations are not kept"
    if slo.get("labels"):
        yield "labels: labels are not kept"
    if slo.get("description"):
        yield "description: texts are not kept"
    if slo.get("plugins"):
        yield "plugins: they change Prometheus' rules, and there are none here"


def _seconds(text: str) -> int:
    unit = _UNITS.get(text[-1:], text[-1:])
    try:
        return duration(f"{text[:-1]} {unit}").seconds
    except ValueError:
        raise BadInput("sloth.duration", f"'{text}' is no length of time; write it like 5m, 1h or 30d.") from None


def _field(document: Any, name: str, where: str) -> Any:
    if not isinstance(document, Mapping) or document.get(name) is None:
        raise BadInput("sloth.missing", f"{where} has no {name}; add it.")
    return document[name]
