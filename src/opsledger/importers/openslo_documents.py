"""OpenSLO v1 documents of kind SLO: read, checked field by field, and written as they were.

Source: the OpenSLO specification, version 1. Other kinds (DataSource, SLI, Service, AlertPolicy, ...) are named and left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from opsledger.importers.yaml_documents import Part, checked, dumped, loaded

__all__ = ["Calendar", "Indicator", "Metadata", "Objective", "Read", "SloDocument", "Spec", "TimeWindow", "read", "written"]

VERSION: Final = "openslo/v1"

Share = Annotated[Decimal, Field(ge=0, lt=1)]


class Metadata(Part):
    """What a document is called."""

    name: str
    display_name: str | None = None
    labels: dict[str, str | list[str]] | None = None
    annotations: dict[str, str] | None = None


class MetricSource(Part):
    """Where a metric comes from; its query is the tool's own."""

    metric_source_ref: str | None = None
    type: str | None = None
    spec: dict[str, Any] | None = None


class Metric(Part):
    """A metric."""

    metric_source: MetricSource


class RatioMetric(Part):
    """Good or bad of a total, or the ratio itself."""

    counter: bool | None = None
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw_type: Literal["success", "failure"] | None = None
    raw: Metric | None = None


class IndicatorSpec(Part):
    """What is measured: values held against a threshold, or a ratio."""

    description: str | None = None
    threshold_metric: Metric | None = None
    ratio_metric: RatioMetric | None = None


class Indicator(Part):
    """An indicator written into the document."""

    metadata: Metadata
    spec: IndicatorSpec


class Calendar(Part):
    """Where calendar windows begin."""

    start_time: str
    time_zone: str


class TimeWindow(Part):
    """The time over which an objective is held."""

    duration: str
    is_rolling: bool
    calendar: Calendar | None = None


class Objective(Part):
    """A target, with a threshold where values are measured."""

    display_name: str | None = None
    op: Literal["lte", "gte", "lt", "gt"] | None = None
    value: Decimal | None = None
    target: Share | None = None
    target_percent: Annotated[Decimal, Field(ge=0, lt=100)] | None = None
    time_slice_target: Annotated[Decimal, Field(ge=0, le=1)] | None = None
    time_slice_window: str | None = None
    indicator: Indicator | None = None
    indicator_ref: str | None = None
    composite_weight: Decimal | None = None


class Spec(Part):
    """What an SLO asks."""

    description: str | None = None
    service: str
    indicator: Indicator | None = None
    indicator_ref: str | None = None
    time_window: Annotated[list[TimeWindow], Field(min_length=1, max_length=1)]
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"]
    objectives: Annotated[list[Objective], Field(min_length=1)]
    alert_policies: list[Any] | None = None


class SloDocument(Part):
    """An SLO."""

    api_version: Literal["openslo/v1"]
    kind: Literal["SLO"]
    metadata: Metadata
    spec: Spec


@dataclass(slots=True)
class Read:
    """The SLOs of a text, and the documents that are none, each as its kind and name."""

    slos: list[SloDocument] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def read(text: str) -> Read:
    """Return the SLOs of a YAML text. Raises BadInput with the path of what the specification does not allow."""
    found = Read()
    for document in loaded(text):
        if document.get("apiVersion") == VERSION and document.get("kind") == "SLO":
            found.slos.append(checked(SloDocument, document, "openslo"))
        else:
            name = (document.get("metadata") or {}).get("name", "without a name")
            found.others.append(f"{document.get('apiVersion', 'no apiVersion')} {document.get('kind', 'no kind')} {name}")
    return found


def written(documents: list[SloDocument]) -> str:
    """Return SLOs as YAML: those that were read as they were, field by field; comments are not kept."""
    return dumped(document.model_dump(by_alias=True, exclude_unset=True) for document in documents)
