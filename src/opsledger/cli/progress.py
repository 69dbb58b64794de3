"""How far a long command is, on stderr: a bar with facts per second and time left, or plain lines where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from opsledger.cli.output import say

__all__ = ["plain_lines", "progress"]

Told = Callable[[int, int], None]

_FIRST_S: Final = 2.0
_EVERY_S: Final = 10.0
_REDRAWN_S: Final = 0.05


@contextmanager
def progress(what: str, unit: str = "facts") -> Iterator[Told]:
    """Yield a function to tell (done, of) to. Nothing stays on the screen of what was done at once."""
    if not sys.stderr.isatty():
        yield plain_lines(what, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[speed]}")
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn(compact=True), "left")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, began, shown = bar.add_task(what, total=None, speed=""), time.monotonic(), 0.0

        def told(done: int, of: int) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _REDRAWN_S or done >= of:
                bar.update(task, completed=done, total=of, speed=_speed(done, now - began, unit))
                shown = now

        yield told


def plain_lines(what: str, unit: str, clock: Callable[[], float] = time.monotonic) -> Told:
    """Return a function to tell (done, of) to, which says so after two seconds, then every ten, and at the end of a long work."""
    began = clock()
    due = began + _FIRST_S

    def told(done: int, of: int) -> None:
        nonlocal due
        now = clock()
        spent = now - began
        if done >= of:
            if due > began + _FIRST_S:
                say(f"{what}: {done:,} {unit} in {spent:.0f} s, {_speed(done, spent, unit)}")
                due = began + _FIRST_S
            return
        if now < due:
            return
        due = now + _EVERY_S
        left = spent * (of - done) / done if done else 0.0
        say(f"{what}: {done:,} of {of:,} {unit}, {_speed(done, spent, unit)}, {left:.0f} s left")

    return told


def _speed(done: int, spent: float, unit: str) -> str:
    return f"{done / spent if spent > 0 else 0:,.0f} {unit}/s"
