"""Looking at the worker processes of this one from outside: which there are, and whether they still run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["AtFirst", "command_of", "gone", "workers"]


def command_of(process: int) -> str:
    """Return the command line of a process that runs; nothing of one that ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def workers(of: int | None = None) -> list[int]:
    """Return the workers that a process (default: this one) has and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and "-m opsledger.replay." in command_of(int(entry.name)):
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue  # it ended meanwhile
            if int(parent) == (of or os.getpid()):
                found.append(int(entry.name))
    return found


def gone(processes: Iterable[int], within_s: float = 20.0) -> bool:
    """Return whether processes have ended, or do before long."""
    left, end = list(processes), time.monotonic() + within_s
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left = [process for process in left if command_of(process)]
    return not left


class AtFirst:
    """Keeps what it is told of progress, and does something at the first news, when the workers are in the middle of it."""

    def __init__(self, act: Callable[[], Any] = lambda: None) -> None:
        self._act = act
        self.told: list[tuple[int, int]] = []
        self.workers: list[int] = []

    def __call__(self, done: int, of: int) -> None:
        """Take the news."""
        self.told.append((done, of))
        if len(self.told) == 1:
            self.workers = workers()
            self._act()
