"""The operating model: the source document's numbers, and what a document may not say."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import opsledger
from opsledger.errors import PolicyError, Unknown
from opsledger.policies import documents
from opsledger.policies.operating_model import OperatingModel, Priority, default_calendars, default_model, preset, unused
from opsledger.policies.support import LEVELS

MODEL = default_model()
HOUR, DAY = 3600, 86_400


# The numbers of the source document, section by section.


@pytest.mark.parametrize(
    ("tier", "metric", "within", "calendar"),
    [
        ("critical", "first_response", "15 min", "always"),
        ("critical", "resolution", "4 h", "always"),
        ("critical", "update_cadence", "1 h", "always"),
        ("high", "first_response", "1 h", "always"),
        ("high", "resolution", "8 h", "always"),
        ("high", "update_cadence", "2 h", "always"),
        ("medium", "first_response", "4 h", "always"),
        ("medium", "resolution", "24 h", "always"),
        ("medium", "update_cadence", "24 h", "always"),
        ("low", "first_response", "24 h", "always"),
        ("low", "resolution", "5 business days", "business"),
    ],
)
def test_each_tier_promises_what_the_source_says(tier: str, metric: str, within: str, calendar: str) -> None:
    rule = MODEL.support.tiers[Priority(tier)].targets[metric]
    assert (rule.within, rule.calendar, rule.end_of_day) == (within, calendar, False)


def test_nothing_is_promised_beyond_the_source() -> None:
    promised = {priority: set(tier.targets) for priority, tier in MODEL.support.tiers.items()}
    three = {"first_response", "resolution", "update_cadence"}
    assert promised == {"critical": three, "high": three, "medium": three, "low": {"first_response", "resolution"}}


@pytest.mark.parametrize(
    ("tier", "definition"),
    [
        ("critical", "System down or data loss"),
        ("high", "Major functionality impaired"),
        ("medium", "Minor functionality issues"),
        ("low", "General questions or requests"),
    ],
)
def test_each_tier_means_what_the_source_says(tier: str, definition: str) -> None:
    assert MODEL.support.tiers[Priority(tier)].definition == definition


@pytest.mark.parametrize(
    ("tier", "level", "after_s", "to"),
    [
        ("critical", "l1", 0, "engineering"),  # immediate to on-call engineer
        ("critical", "l2", 0, "engineering"),
        ("critical", "engineering", 8 * HOUR, "senior_engineering"),
        ("high", "l1", 2 * HOUR, "l2"),  # to senior support after 2 hours
        ("high", "l2", 4 * HOUR, "engineering"),
        ("high", "engineering", 8 * HOUR, "senior_engineering"),
        ("medium", "l1", 8 * HOUR, "l2"),  # to L2 support after 8 hours
        ("medium", "l2", 4 * HOUR, "engineering"),
        ("medium", "engineering", 8 * HOUR, "senior_engineering"),
        ("low", "l1", None, None),  # standard queue management
        ("low", "l2", 4 * HOUR, "engineering"),
        ("low", "engineering", 8 * HOUR, "senior_engineering"),
    ],
)
def test_tickets_leave_a_level_when_the_tier_and_the_matrix_say(tier: str, level: Any, after_s: int | None, to: str | None) -> None:
    rule = MODEL.support.escalation(Priority(tier), level)
    assert (rule and rule.target().seconds, rule and rule.to) == (after_s, to)
    target = MODEL.support.rules.target("escalation", tier, level)
    assert (target and target.seconds) == after_s


def test_the_matrix_is_that_of_the_source_and_ends_with_the_executives() -> None:
    rules = {level: MODEL.support.levels[level].escalates for level in LEVELS}
    said = {level: (rule.within, rule.to) for level, rule in rules.items() if rule is not None}
    assert said == {"l1": ("2 h", "l2"), "l2": ("4 h", "engineering"), "engineering": ("8 h", "senior_engineering")}
    assert MODEL.support.executive_on_breach_of == ("resolution",)
    assert MODEL.support.executive_on_breach_for == ("critical", "high")
    assert MODEL.support.executive_on_csat_at_most == 1


def test_availability_is_promised_as_the_source_says() -> None:
    promised = MODEL.availability
    assert {name: str(each.target_pct) for name, each in promised.services.items()} == {
        "platform": "99.9",
        "api": "99.95",
        "database": "99.99",
    }
    assert {name: each.measured_by for name, each in promised.services.items()} == {
        "platform": "external monitoring from multiple locations",
        "api": "API endpoint monitoring",
        "database": "database connection monitoring",
    }
    assert str(promised.services["api"].error_rate_below_pct) == "0.1"
    assert (promised.recovery_time_below, promised.recovery_point_below, str(promised.data_integrity_pct)) == (HOUR, 900, "100")
    assert promised.planned_maintenance_excluded_for == ("platform",)


def test_maintenance_is_planned_as_the_source_says() -> None:
    planned = MODEL.maintenance
    assert (planned.weekday, planned.slot_from, planned.slot_until, planned.zone) == ("sun", "02:00", "06:00", "America/New_York")
    assert (planned.longest, planned.notice, planned.emergency_approver) == (4 * HOUR, 72 * HOUR, "cto")
    assert planned.monthly_cap == 4 * HOUR


@pytest.mark.parametrize(
    ("what", "bounds"),
    [
        ("api", [("95", 150), ("99", 500)]),
        ("web", [("95", 2000), ("99", 5000)]),
        ("documents", [("95", 10_000)]),
        ("ai", [("95", 30_000)]),
    ],
)
def test_response_times_are_promised_as_the_source_says(what: str, bounds: list[tuple[str, int]]) -> None:
    assert [(str(bound.share_pct), bound.below_ms) for bound in getattr(MODEL.performance, what)] == bounds


def test_throughput_is_promised_as_the_source_says() -> None:
    promised = MODEL.performance
    assert (promised.concurrent_users, promised.requests_per_minute, promised.documents_per_hour) == (10_000, 50_000, 1000)


@pytest.mark.parametrize(
    ("channels", "kind"),
    [
        ({"knowledge_base", "video", "community", "in_app"}, "self_service"),
        ({"email", "chat", "phone", "screen_sharing"}, "assisted"),
        ({"health_check", "recommendation", "notification", "best_practice"}, "proactive"),
    ],
)
def test_the_channels_are_those_of_the_source(channels: set[str], kind: str) -> None:
    assert {name for name, each in MODEL.support.channels.items() if each.kind == kind} == channels


def test_mail_is_read_around_the_clock_chat_in_business_hours_and_the_phone_for_enterprises() -> None:
    channels = MODEL.support.channels
    assert (channels["email"].calendar, channels["chat"].calendar, channels["phone"].audience) == ("always", "business", "enterprise")


def test_reports_reviews_and_phases_follow_the_source() -> None:
    assert MODEL.reporting.reports == {"operations": "daily", "performance": "weekly", "business": "monthly", "strategy": "quarterly"}
    assert MODEL.reporting.reviews == {"operations": "weekly", "performance": "monthly", "strategy": "quarterly", "audit": "yearly"}
    phases = MODEL.onboarding
    days = [(each.from_day, each.until_day) for each in (phases.pre_onboarding, phases.initial_setup, phases.adoption, phases.optimization)]
    assert days == [(-14, 0), (0, 7), (7, 28), (28, 56)]


def test_the_calendars_that_the_model_counts_on_come_with_it() -> None:
    assert MODEL.support.calendars() == set(default_calendars()) == {"always", "business"}
    assert default_calendars()["always"].weekly is None
    assert default_calendars()["business"].zone == "America/New_York"
    assert default_calendars()["business"].weekly == dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "17:00"),))


# What a document may not say.


def test_the_preset_counts_medium_and_low_in_business_hours_and_changes_nothing_else() -> None:
    model, shipped = default_model(), preset("business_hours_for_medium_low")
    counted_on = {
        (tier, metric): (target.within, target.calendar)
        for tier, each in shipped.support.tiers.items()
        for metric, target in each.targets.items()
    }
    before = {
        (tier, metric): (target.within, target.calendar)
        for tier, each in model.support.tiers.items()
        for metric, target in each.targets.items()
    }
    assert {key for key in before if before[key] != counted_on[key]} == {
        ("medium", "first_response"),
        ("medium", "resolution"),
        ("medium", "update_cadence"),
        ("low", "first_response"),
    }
    assert all(calendar == "business" for (tier, _), (_, calendar) in counted_on.items() if tier in ("medium", "low"))
    assert shipped.model_copy(update={"support": model.support}) == model
    assert documents.read(OperatingModel, documents.canonical(shipped)) == shipped
    with pytest.raises(Unknown, match="There is no preset 'night'; there is business_hours_for_medium_low"):
        preset("night")


def document(**changes: Any) -> str:
    """Return the default document as JSON, with values set by path (dots as __); None as a value is null, `...` removes."""
    made = json.loads(documents.canonical(MODEL))
    for path, value in changes.items():
        *to, last = path.split("__")
        here = made
        for name in to:
            here = here[int(name) if isinstance(here, list) else name]
        if value is ...:
            del here[last]
        else:
            here[last] = value
    return json.dumps(made)


RESPONSE, RESOLUTION = "support__tiers__high__targets__first_response", "support__tiers__high__targets__resolution"


@pytest.mark.parametrize(
    ("changes", "path", "sentence"),
    [
        # Unknown and missing.
        ({"suport": {}}, "suport", "there is no such field; remove it or correct its name"),
        ({f"{RESPONSE}__withn": "1 h"}, "support.tiers.high.targets.first_response.withn", "there is no such field"),
        ({"support__tiers__urgent": {}}, "support.tiers.urgent.[key]", "'critical', 'high', 'medium' or 'low'"),
        ({"support": ...}, "support", "Field required"),
        ({f"{RESPONSE}__calendar": ...}, "support.tiers.high.targets.first_response.calendar", "Field required"),
        ({"support__tiers__low": ...}, "support", "tiers.low is missing; every one of critical, high, low, medium is needed"),
        ({"support__levels__l2": ...}, "support", "levels.l2 is missing"),
        # Wrong types and values.
        ({f"{RESPONSE}__within": "an hour"}, "support.tiers.high.targets.first_response.within", "'an hour' is not a duration"),
        ({f"{RESPONSE}__within": 3600}, "support.tiers.high.targets.first_response.within", "valid string"),
        ({f"{RESPONSE}__end_of_day": "yes"}, "support.tiers.high.targets.first_response.end_of_day", "valid boolean"),
        ({"support__follow_up_after": "5 business days"}, "support.follow_up_after", "counts business days; this field takes elapsed time"),
        ({"support__follow_up_after": -1}, "support.follow_up_after", "greater than or equal to 0"),
        ({"support__follow_up_after": 1.5}, "support.follow_up_after", "valid integer"),
        ({"support__executive_on_csat_at_most": 6}, "support.executive_on_csat_at_most", "less than or equal to 5"),
        ({"support__executive_on_csat_at_most": True}, "support.executive_on_csat_at_most", "valid integer"),
        ({"support__customer_reply_resumes": "on"}, "support.customer_reply_resumes", "valid boolean"),
        ({"support__priority_change": "forget"}, "support.priority_change", "'keep_elapsed' or 'restart'"),
        ({"support__metrics__resolution__reopen": "again"}, "support.metrics.resolution.reopen", "'resume'"),
        ({"support__metrics__resolution__start_on": []}, "support.metrics.resolution.start_on", "at least 1 item"),
        ({"support__metrics__resolution__stop_on": ["solved"]}, "support.metrics.resolution.stop_on.0", "'created'"),
        ({"support__metrics__resolution__pause_while": ["lunch"]}, "support.metrics.resolution.pause_while.0", "'awaiting_customer'"),
        ({"support__metrics__resolution__warn_at_pct": [100]}, "support.metrics.resolution.warn_at_pct.0", "less than 100"),
        ({"support__metrics__resolution__warn_at_pct": [0]}, "support.metrics.resolution.warn_at_pct.0", "greater than 0"),
        ({"availability__services__api__target_pct": "100.1"}, "availability.services.api.target_pct", "less than or equal to 100"),
        ({"availability__quorum": 0}, "availability.quorum", "greater than or equal to 1"),
        ({"maintenance__from": "2 AM"}, "maintenance.from", "pattern"),
        ({"maintenance__from": "24:30"}, "maintenance.from", "pattern"),
        ({"maintenance__weekday": "sunday"}, "maintenance.weekday", "'sun'"),
        ({"performance__api__0__below_ms": 0}, "performance.api.0.below_ms", "greater than 0"),
        ({"reporting__reports__operations": "hourly"}, "reporting.reports.operations", "'daily'"),
        ({"calendars__horizon_years": 31}, "calendars.horizon_years", "less than or equal to 30"),
        ({"support": []}, "support", "object"),
        # Contradictions.
        (
            {"support__tiers__low__targets__mood": {"within": "1 h", "calendar": "always"}},
            "support",
            "tiers.low.targets.mood names no metric",
        ),
        ({f"{RESPONSE}__within": "481 min"}, "support", "tiers.high.targets.first_response takes longer than the resolution that ends it"),
        ({"support__executive_on_breach_of": ["mood"]}, "support", "executive_on_breach_of names mood, which is no metric"),
        (
            {"support__levels__l2__escalates__to": "l1"},
            "support",
            "levels.l2.escalates.to must be a level above l2, not l1",
        ),
        ({"calendars__extend_below_months": 36}, "calendars", "extend_below_months must be less than horizon_years"),
        ({"availability__planned_maintenance_excluded_for": ["web"]}, "availability", "names web, which is no service"),
        ({"availability__incident_states__low": ...}, "availability", "incident_states.low is missing; every severity needs a state"),
        ({"maintenance__until": "02:00"}, "maintenance", "the slot from 02:00 until 02:00 does not run forwards"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else None,
)
def test_a_document_that_is_wrong_is_refused_with_the_path_to_the_field(changes: dict[str, Any], path: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as refused:
        documents.read(OperatingModel, document(**changes))
    assert refused.value.path == path
    assert sentence in refused.value.sentence
    assert refused.value.code == "policy.invalid"


def test_of_several_wrong_fields_the_first_is_named_and_the_others_counted() -> None:
    with pytest.raises(PolicyError, match=r"\(2 more after it\)"):
        documents.read(OperatingModel, document(one=1, two=2, three=3))


def test_a_response_as_long_as_the_resolution_is_no_contradiction() -> None:
    documents.read(OperatingModel, document(**{f"{RESPONSE}__within": "480 min"}))
    documents.read(OperatingModel, document(**{f"{RESPONSE}__within": "9 h", f"{RESPONSE}__calendar": "business"}))


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("", "", "the document holds nothing where named sections belong"),
        ("hello", "", "the document holds str where named sections belong"),
        ("[1, 2]", "", "the document holds list where named sections belong"),
        ("support: [", "", "the document is not YAML"),
        ("support: {}\nsupport: {}", "support", "the key stands twice, again on line 2; keep one of them"),
        ("support:\n  tiers: {}\n  levels: {}\n  tiers: {}", "tiers", "the key stands twice, again on line 4"),
        ("support: !!python/object/apply:os.system [ls]", "", "the document is not YAML: could not determine a constructor"),
        ("support: !!int many", "", "the document is not YAML: invalid literal"),
        ("support: !!binary aGk=", "", "the document holds what JSON cannot"),
        ("support: !!set {a, b}", "", "the document holds what JSON cannot"),
        ("support: &a {b: *a}", "", "the document holds what JSON cannot"),
        ("a: b\n--- \nc: d", "", "the document is not YAML: expected a single document"),
        ("support: \x00", "", "the document is not YAML"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: str, path: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as refused:
        documents.read(OperatingModel, text)
    assert refused.value.path == path
    assert sentence in refused.value.sentence


class Times(BaseModel):
    """Values that YAML likes to read as something else."""

    wall: str
    date: str
    number: int
    negative: int
    share: float


def test_yaml_reads_ten_o_clock_as_a_text_and_numbers_as_people_write_them() -> None:
    read = documents.read(Times, "wall: 10:00\ndate: 2024-07-04\nnumber: 10\nnegative: -5\nshare: 99.9")
    assert (read.wall, read.date, read.number, read.negative, read.share) == ("10:00", "2024-07-04", 10, -5, 99.9)


def test_a_number_that_yaml_would_read_to_the_base_of_eight_is_refused() -> None:
    with pytest.raises(PolicyError, match="number: Input should be a valid integer"):
        documents.read(Times, "wall: 10:00\ndate: 2024-07-04\nnumber: 010\nnegative: -5\nshare: 99.9")


# The canonical text.


def test_the_canonical_text_reads_back_to_an_equal_model_with_the_same_digest() -> None:
    text = documents.canonical(MODEL)
    again = documents.read(OperatingModel, text)
    assert again == MODEL
    assert documents.canonical(again) == text
    assert documents.digest(documents.canonical(again)) == documents.digest(text)


def test_documents_that_say_the_same_in_other_words_have_one_digest() -> None:
    reordered = json.dumps(dict(reversed(json.loads(document()).items())), indent=3)
    assert documents.canonical(documents.read(OperatingModel, reordered)) == documents.canonical(MODEL)
    hours = documents.read(OperatingModel, document(maintenance__notice="3 days"))
    assert documents.canonical(hours) == documents.canonical(MODEL)


def test_a_document_that_says_anything_else_has_another_digest() -> None:
    other = documents.read(OperatingModel, document(maintenance__notice="73 h"))
    assert documents.digest(documents.canonical(other)) != documents.digest(documents.canonical(MODEL))


def test_the_canonical_text_is_the_same_in_every_process() -> None:
    program = (
        "from opsledger.policies import documents\n"
        "from opsledger.policies.operating_model import default_calendars, default_model\n"
        "print(documents.digest(documents.canonical(default_model())))\n"
        "print(*[documents.digest(documents.canonical(each)) for each in default_calendars().values()])"
    )
    said = set()
    for seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"Etc/GMT+{seed[0]}", "LC_ALL": "C"}
        said.add(subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


# No field is there for show.


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, name) of the fields of a model that hold values, its parts' included."""
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}".lstrip(".")
        parts = list(models(field.annotation))
        for part in parts:
            yield from fields(part, here)
        if not parts:
            yield here, name


def models(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from models(inner)


def names_read() -> set[str]:
    """Return the names of all attributes that the source reads, but for a model's own check of itself."""
    found: set[str] = set()
    assert opsledger.__file__ is not None
    for path in Path(opsledger.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checks = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_agrees_with_itself"]
        checked = {id(node) for check in checks for node in ast.walk(check)}
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in checked}
    return found


def test_every_field_is_read_by_code_or_listed_as_unused() -> None:
    read, listed = names_read(), set(unused())
    assert [path for path, name in fields(OperatingModel) if name not in read and path not in listed] == []


def test_only_fields_are_listed_as_unused() -> None:
    assert set(unused()) <= {path for path, _ in fields(OperatingModel)}
