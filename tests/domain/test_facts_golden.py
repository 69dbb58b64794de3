"""What is stored stays readable: a golden file for every topic and revision, and what may never happen to one.

`pytest tests/domain/test_facts_golden.py --update-golden` adds the files that are missing. It never changes one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from golden_facts import FOLDER, example, kinds, path_of, problems, sealed, unsealed
from pydantic import Field

from opsledger.domain import fact as facts
from opsledger.domain.fact import At, FactType, Sealed, encode, fact, fact_type

READS_AS: dict[tuple[str, int], Any] = {}
"""What a file of an older revision reads as today, by topic and revision; to be written out when a revision is raised."""


def stored(kind: FactType[Any]) -> bytes:
    """Return the stored bytes of a topic's golden file."""
    if not path_of(kind).exists():
        pytest.fail(
            f"{kind.topic} has no golden file of revision {kind.revision}: what is stored of it would be held by nothing. "
            "Run pytest tests/domain/test_facts_golden.py --update-golden, look at what it adds, and commit it.",
            pytrace=False,
        )
    return path_of(kind).read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("topic", kinds())
def test_every_topic_has_a_golden_file_that_is_read_and_written_alike(topic: str, request: pytest.FixtureRequest) -> None:
    kind = kinds()[topic]
    if request.config.getoption("--update-golden") and not path_of(kind).exists():
        FOLDER.mkdir(exist_ok=True)
        path_of(kind).write_bytes(encode(example(kind)) + b"\n")
    assert list(problems(kind, stored(kind))) == []


@pytest.mark.parametrize("topic", kinds())
def test_personal_fields_are_sealed_as_they_always_were(topic: str) -> None:
    kind = kinds()[topic]
    read = kind.decode(stored(kind), kind.revision)
    assert all(isinstance(getattr(read, name), Sealed) for name in kind.personal)
    assert sealed(kind, unsealed(kind, read)) == read


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_file_can_be_read(path: Any) -> None:
    topic, _, revision = path.stem.rpartition(".r")
    kind = kinds().get(topic)
    assert kind is not None, f"{topic} is in the ledgers and in no program any more; declare it again."
    assert int(revision) <= kind.revision, f"{topic} had revision {revision} and has {kind.revision} now; a revision never falls."
    read = kind.decode(path.read_bytes(), int(revision))
    if int(revision) < kind.revision:
        assert (topic, int(revision)) in READS_AS, f"Write into READS_AS what revision {revision} of {topic} reads as today."
        assert read == READS_AS[topic, int(revision)]


def test_every_revision_below_the_newest_has_a_golden_file() -> None:
    missing = [
        path_of(kind, older).name for kind in kinds().values() for older in range(1, kind.revision) if not path_of(kind, older).exists()
    ]
    assert missing == []


# The check itself finds what it is there for.


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test declare topics that are forgotten after it."""
    monkeypatch.setattr(facts, "_TYPES", dict(facts._TYPES))
    monkeypatch.setattr(facts, "_BY_CLASS", dict(facts._BY_CLASS))


def old() -> tuple[FactType[Any], bytes]:
    """Return a topic as it was, and a stored fact of it."""

    @fact("test.held", at="held_at")
    class Held:
        """A meeting took place."""

        held_at: At
        room: str
        people: int
        kind: Literal["review", "talk"] = "talk"

    return fact_type(Held), encode(example(fact_type(Held)))


def changed(made: type) -> FactType[Any]:
    """Return the topic with another class."""
    del facts._TYPES["test.held"]
    return fact_type(fact("test.held", at="held_at")(made))


@pytest.mark.usefixtures("declared")
def test_an_unchanged_topic_has_no_problem() -> None:
    kind, written = old()
    assert list(problems(kind, written)) == []


class Renamed:
    """A meeting took place."""

    held_at: At
    place: str
    people: int
    kind: Literal["review", "talk"] = "talk"


class Removed:
    """A meeting took place."""

    held_at: At
    room: str
    people: int


class Reordered:
    """A meeting took place."""

    held_at: At
    people: int
    room: str
    kind: Literal["review", "talk"] = "talk"


class Added:
    """A meeting took place."""

    held_at: At
    room: str
    people: int
    kind: Literal["review", "talk"] = "talk"
    host: str | None = None


class Retyped:
    """A meeting took place."""

    held_at: At
    room: int
    people: int
    kind: Literal["review", "talk"] = "talk"


class Narrowed:
    """A meeting took place."""

    held_at: At
    room: str
    people: Annotated[int, Field(le=10)]
    kind: Literal["review", "talk"] = "talk"


class Reworded:
    """A meeting took place."""

    held_at: At
    room: str
    people: int
    kind: Literal["talk", "inquiry"] = "talk"


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (Renamed, "test.held.room is in the ledgers and not in the program any more"),
        (Removed, "test.held.kind is in the ledgers and not in the program any more"),
        (Reordered, "test.held has its fields in another order than before"),
        (Added, "test.held.host was added under the old revision; raise the revision"),
        (Retyped, "test.held cannot be read any more (Expected `int`, got `str`"),
        (Narrowed, "test.held is not valid as it was stored (people"),
        (Reworded, "test.held cannot be read any more (Invalid enum value 'review'"),
    ],
)
def test_a_change_that_old_ledgers_cannot_bear_is_found(made: type, sentence: str) -> None:
    _, written = old()
    found = list(problems(changed(made), written))
    assert any(sentence in each for each in found), found


@pytest.mark.usefixtures("declared")
def test_an_empty_field_in_a_golden_file_is_found() -> None:
    old()
    written = b'{"held_at":"2026-03-02T09:30:00Z","room":"a","people":3,"kind":"talk","host":null}'
    assert list(problems(changed(Added), written)) == ["test.held.host is empty in the golden file, which shows every field filled."]
