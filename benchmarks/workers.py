"""What runs beside a benchmark in a process of its own: a word says what, a URL on which ledger. Answers as JSON.

    python -m benchmarks.workers peak URL N    rebuild all tables by N processes; tell the most memory that it took
    python -m benchmarks.workers follow URL    keep the tables up until the input ends; tell when they showed which position
    python -m benchmarks.workers seal URL      seal each second, or after 1,000 facts, until the input ends; tell how much that was
    python -m benchmarks.workers rebuild URL   rebuild all tables; tell when, and how long each was compared and applied

It says that it is ready, and begins when a line comes in. Times are those of `time.monotonic`, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from opsledger.app import OpsLedger
from opsledger.projections.table import Table
from opsledger.replay.shadow import Difference, Shadow

__all__ = ["Worker"]

_MODULE: Final = "benchmarks.workers"
_ROOT: Final = Path(__file__).parents[1]
_PROCESSES: Final = Path("/proc")
_LOOKED_S: Final = 0.05
_SEALED_EVERY_S: Final = 1.0
_SEALED_AFTER: Final = 1000


class Worker:
    """A process at work. It begins when it is told to go, and its answer is read when it has ended."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", _MODULE, *words]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._is_ready = False

    def ready(self) -> None:
        """Wait until it has made its preparations."""
        assert self._process.stdout is not None
        if not self._is_ready and not self._process.stdout.readline():
            raise RuntimeError("The worker ended before it was ready; what it said is above.")
        self._is_ready = True

    def go(self) -> None:
        """Let it begin."""
        self.ready()
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def result(self) -> dict[str, Any]:
        """End its input and return its answer."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"The worker ended with {self._process.returncode}; what it said is above.")
        found: dict[str, Any] = json.loads(said)
        return found


# Inside the process.


def _peak(ledger: OpsLedger, workers: str) -> dict[str, Any]:
    _ready()
    before = _most_kb("self")
    ended, most_beside = threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(_LOOKED_S):
            most_beside[0] = max(most_beside[0], sum(_most_kb(each) for each in _children()))

    watching = threading.Thread(target=watch)
    watching.start()
    ledger.tables.rebuild(workers=int(workers))
    ended.set()
    watching.join()
    return {"before_kb": before, "peak_kb": _most_kb("self") + most_beside[0]}


def _most_kb(process: str) -> int:
    """Return the most memory that a process has held; nothing of one that has ended.

    Not what `getrusage` says, which begins with what the process held that started it.
    """
    try:
        lines = (_PROCESSES / process / "status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _children() -> Iterator[str]:
    """Yield the ids of the processes that this one has started."""
    for path in _PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = path.read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                yield path.parent.name


def _follow(ledger: OpsLedger) -> dict[str, Any]:
    ledger.catch_up()
    _ready()
    ended = _ended()
    shown: list[tuple[int, float]] = []
    position = 0
    while not ended.is_set() or position < ledger.store.head().position:
        reached = ledger.catch_up()
        if reached > position:
            position = reached
            shown.append((position, time.monotonic()))
        ledger.store.wait(position, 0.05)
    return {"shown": shown}


def _seal(ledger: OpsLedger) -> dict[str, Any]:
    ledger.seal()
    _ready()
    ended = _ended()
    begun, busy_s, sealings, first = time.monotonic(), 0.0, 0, ledger.seals.size()
    sealed, last = first, begun
    while not ended.is_set():
        ledger.store.wait(sealed + _SEALED_AFTER - 1, max(0.0, min(0.1, last + _SEALED_EVERY_S - time.monotonic())))
        if ledger.store.head().position < sealed + _SEALED_AFTER and time.monotonic() < last + _SEALED_EVERY_S:
            continue
        last = time.monotonic()
        sealed = ledger.seal().size
        busy_s += time.monotonic() - last
        sealings += 1
    return {"facts": sealed - first, "sealings": sealings, "busy_s": busy_s, "lasted_s": time.monotonic() - begun}


def _ended() -> threading.Event:
    """Return what is set once the input has ended."""
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    return ended


def _rebuild(ledger: OpsLedger) -> dict[str, Any]:
    ledger.tables.prepare()
    _ready()
    with _watched() as spent:
        begin = time.monotonic()
        differences = ledger.tables.rebuild()
        end = time.monotonic()
    return {"begin": begin, "end": end, "differed": sum(each.rows for each in differences), "spent_s": spent}


@contextmanager
def _watched() -> Iterator[Counter[str]]:
    """Yield the seconds that each table takes to be compared and applied, counted while they pass."""
    spent: Counter[str] = Counter()
    compared, applied = Shadow.difference, Shadow.apply

    def difference(self: Shadow, table: Table) -> Difference:
        begin = time.monotonic()
        found = compared(self, table)
        spent[table.name] += time.monotonic() - begin  # type: ignore[assignment]  # seconds are counted too
        return found

    def apply(self: Shadow, table: Table) -> None:
        begin = time.monotonic()
        applied(self, table)
        spent[table.name] += time.monotonic() - begin  # type: ignore[assignment]

    Shadow.difference, Shadow.apply = difference, apply  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Shadow.difference, Shadow.apply = compared, applied  # type: ignore[method-assign]


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


_WORDS: Final[dict[str, Callable[..., dict[str, Any]]]] = {"peak": _peak, "follow": _follow, "seal": _seal, "rebuild": _rebuild}

if __name__ == "__main__":
    word, where, *more = sys.argv[1:]
    with OpsLedger.open(where) as opened:
        print(json.dumps(_WORDS[word](opened, *more)))
