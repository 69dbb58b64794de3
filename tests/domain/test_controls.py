"""Controls name facts that there are, and every kind of fact that is evidence of something belongs to one."""

from __future__ import annotations

import pytest

from opsledger.domain.concept import concepts
from opsledger.domain.controls import CONTROLS, Control, control
from opsledger.domain.fact import fact_types
from opsledger.domain.plugins import load_concepts
from opsledger.errors import Unknown

load_concepts()
OURS = {topic for topic, kind in fact_types().items() if kind.made.__module__.startswith("opsledger.")}


@pytest.mark.parametrize("each", CONTROLS.values(), ids=lambda each: each.name)
def test_every_topic_that_a_control_names_is_declared(each: Control) -> None:
    for pattern in each.topics:
        assert (
            pattern == "*" or pattern in OURS or (pattern.endswith(".*") and pattern[:-2] in {topic.partition(".")[0] for topic in OURS})
        ), pattern
    assert each.meaning.endswith(".")
    assert each.frameworks


def test_every_correction_belongs_to_the_corrections() -> None:
    """Facts that correct another one say so by their topic, or by what they declare."""
    named = {topic for topic in OURS if "correct" in topic or "restated" in topic} | {
        t for t in OURS if fact_types()[t].corrects is not None
    }
    assert named == set(CONTROLS["corrections"].topics)


def test_every_concept_but_the_ticket_is_evidence_as_a_whole() -> None:
    whole = {pattern[:-2] for each in CONTROLS.values() for pattern in each.topics if pattern.endswith(".*")}
    # Facts about deadlines stand in the streams of tickets.
    assert {name for name in concepts() if f"{name}." in " ".join(OURS)} - {"ticket"} <= whole
    assert "sla" in whole


def test_a_pattern_means_its_concept_and_no_other() -> None:
    incidents = control("incidents")
    assert incidents.covers("incident.declared")
    assert incidents.covers("incident.something_new")
    assert not incidents.covers("incidents.declared")
    assert not incidents.covers("ticket.registered")
    assert control("audit-trail").covers("anything.at_all")


def test_an_unknown_control_is_one_sentence() -> None:
    with pytest.raises(Unknown, match="There is no control 'soc2'; there are tickets, escalations, incidents, changes"):
        control("soc2")
