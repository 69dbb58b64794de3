"""What controls watch of monitoring: every objective has a live source, no source falls silent, each category has a monitor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opsledger.policies.intervals import union
from opsledger.policies.known import Known
from opsledger.policies.signs import last_sign, missing
from opsledger.policies.voices import FOREVER
from opsledger.projections.availability.monitor_sources import Watcher
from opsledger.projections.availability.objectives import Life, lives
from opsledger.projections.availability.sources import Monitors, Objectives, Source
from opsledger.projections.availability.watching import Watch, asked, model_at

__all__ = ["category_watches", "source_watches", "uncovered"]

_LIVE: Final = "Of every objective there is a live source: something that measures it, and was heard recently enough."
_CATEGORY: Final = "While anything is promised, each category that the operating model names has a monitor."


def uncovered(held: Sequence[Life], position: int, measuring: Sequence[Watcher]) -> Iterator[Watch]:
    """Yield when an objective had no live source, or would have none from then on."""
    there = [span for watcher in measuring for span in watcher.there]
    last = max([position, *(watcher.last_position for watcher in measuring)])
    for begin, came in missing([(life.start, life.stop) for life in held], there):
        evidence = sorted({position, *(watcher.position for watcher in measuring)})
        yield from asked("slo_without_source", begin, came, _LIVE, "high", evidence=evidence, last_position=last)


def source_watches(watchers: Iterable[Watcher]) -> Iterator[Watch]:
    """Yield when sources of registered monitors were silent for too long; those that fell silent together are told together."""
    found: dict[int, list[tuple[Watcher, int | None]]] = {}
    for watcher in watchers:
        if watcher.monitor_id is not None:
            for begin, came in missing(union(watcher.lives), watcher.there):
                found.setdefault(begin, []).append((watcher, came))
    for begin, silent in sorted(found.items()):
        names = ", ".join(watcher.name for watcher, _ in silent)
        ends = [each for _, each in silent if each is not None]
        came = max(ends) if len(ends) == len(silent) else None
        rule = f"A source that watches a service is heard as often as its monitor or the operating model says; silent: {names}."
        signs = [last_sign(watcher.signs, begin) for watcher, _ in silent]
        evidence = sorted({*(watcher.position for watcher, _ in silent), *(sign.position for sign in signs if sign is not None)})
        last = max(watcher.last_position for watcher, _ in silent)
        yield from asked("source_stale", begin, came, rule, "medium", evidence=evidence, last_position=last)


def category_watches(category: str, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield when anything was promised and no monitor of a category was registered."""
    sources = [state for state in states.values() if isinstance(state, Source)]
    promised = [(each.start, each.stop) for source in sources if isinstance(source.told, Objectives) for each in lives(source.told, None)]
    there, positions = [], []
    for source in sources:
        if isinstance(source.told, Monitors):
            told = sorted(source.told.told, key=lambda each: each[:2])
            for (at, position, said), until in zip(told, [*(each[0] for each in told[1:]), FOREVER], strict=True):
                if said is not None and said.category == category:
                    there.append((at, until))
                    positions.append(position)
    first = [source for source in sources if isinstance(source.told, Objectives)]
    last = max((source.last_position for source in sources), default=0)
    for begin, came in missing(union(promised), there):
        if category in model_at(known, begin).monitoring.categories:
            evidence = sorted(
                {*positions, *(min(position for position, _ in source.told.versions) for source in first if source.told.versions)}
            )
            yield from asked("category_unwatched", begin, came, _CATEGORY, "low", evidence=evidence, last_position=last)
