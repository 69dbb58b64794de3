"""How we measure: in rounds that alternate between the contenders, so that what else the machine does falls on all of them."""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

__all__ = ["Spread", "alternate", "flushing", "interleave", "per_call", "percentile", "profile", "ratios", "spread", "timed", "typical"]

Act = Callable[[], object]

_NAMED: Final = 3  # parts of each
_BATCHES: Final = 9
_SMALLEST: Final = 0.02


class Spread(NamedTuple):
    """The median of some rounds, with the lowest and the highest of them."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median, lowest and highest of the values of rounds."""
    return Spread(median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return ours over theirs, round by round."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def alternate(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each contender measured in each round. Every round begins with another one of them."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            found[name].append(contenders[name]())
    return found


def interleave(acts: Mapping[str, Act], rounds: int, times: int) -> dict[str, list[float]]:
    """Return the median seconds of each act in each round; within a round the acts take turns, one call at a time.

    For acts of milliseconds: a disk or a neighbour that is slow for a while is so for all of them.
    """
    found: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        taken: dict[str, list[float]] = {name: [] for name in acts}
        for _ in range(times):
            for name, act in acts.items():
                taken[name].append(timed(act))
        for name, each in taken.items():
            found[name].append(median(each))
    return found


def timed(act: Act) -> float:
    """Return the seconds that an act takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def typical(act: Act, times: int) -> float:
    """Return the median of the seconds that an act takes."""
    return median(timed(act) for _ in range(times))


def per_call(act: Act, lasting_s: float) -> float:
    """Return the seconds of an act that may be too short for a clock: it is repeated in batches, and the median batch counts."""
    once = timed(act)
    repeated = round(lasting_s / _BATCHES / max(once, 1e-7))
    if repeated <= 1:
        return once

    def batch() -> None:
        for _ in range(repeated):
            act()

    return typical(batch, _BATCHES) / repeated


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed, for example 0.99 of them."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def flushing(folder: Path) -> Iterator[Act]:
    """Yield an act that writes 4 kB to the end of a file and waits for the disk: no durable append can be quicker."""
    path = folder / "flushed"
    with path.open("wb", buffering=0) as file:

        def flush() -> None:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())

        yield flush
    path.unlink()


def profile(act: Act) -> str:
    """Return where an act spends its time, by packages of ours and by libraries, the largest shares first.

    Taken with cProfile, which makes calls of Python dearer than they are; what the processor does in C keeps its length.
    """
    profiler = cProfile.Profile()
    profiler.runcall(act)
    spent: dict[str, Counter[str]] = defaultdict(Counter)
    stats: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]  # untold in typeshed
    for (file, _, name), (_, _, own, *_) in stats.items():
        area, part = _area(file, name)
        spent[area][part] += own
    total = sum(parts.total() for parts in spent.values())
    return ", ".join(
        _share(area, parts, total)
        for area, parts in sorted(spent.items(), key=lambda each: -each[1].total())
        if parts.total() >= _SMALLEST * total
    )


def _share(area: str, parts: Counter[str], total: float) -> str:
    named = [f"{part} {own / total:.0%}" for part, own in parts.most_common(_NAMED) if part and own >= _SMALLEST * total]
    return f"{parts.total() / total:.0%} {area}" + (f" ({', '.join(named)})" if named else "")


def _area(file: str, name: str) -> tuple[str, str]:
    """Return what a function belongs to, and which part of it where that says more."""
    if file == "~":
        called = name.strip("<>").removeprefix("built-in method ").removeprefix("method ").partition(" object")[0].replace("'", "")
        library = next((each for each in ("sqlite3", "msgspec", "pydantic", "psycopg") if each in called), None)
        return (library, called.split()[0].rpartition(".")[2]) if library else ("C functions of Python", called)
    parts = Path(file).parts
    if "opsledger" in parts:
        ours = parts[len(parts) - parts[::-1].index("opsledger") :]
        return ours[0].removesuffix(".py"), ".".join(ours[1:]).removesuffix(".py")
    if "benchmarks" in parts:
        return "the benchmark itself", ""
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py").removesuffix("_binary").removesuffix("_pool"), ""
    return "Python's library", Path(file).stem if file.endswith(".py") else "what dataclasses generate"
