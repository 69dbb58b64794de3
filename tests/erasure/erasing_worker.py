"""A process that erases p-1 and purges, and is killed after one of its steps: `erasing_worker.py URL NOW STEP`.

A step is whatever has an effect: a fact that is recorded, a mark, a key destroyed, bytes wiped, parts removed. Prints each when it
is done, so that whoever started it knows how many there are.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from opsledger.app import OpsLedger, erasing
from opsledger.ledger import erasures, keys
from opsledger.testing.plugin import Clock

EFFECTS: tuple[tuple[Any, str], ...] = (
    (OpsLedger, "_record"),
    (erasures.Erasures, "mark"),
    (erasures.Erasures, "purge"),
    (erasures.Erasures, "wipe"),
    (keys, "wipe"),
    (keys.LocalKeys, "destroy"),
)


def cut(after: int, end: Callable[[], None], told: Callable[[str], None]) -> None:
    """Have `end` called after so many effects."""
    done = 0

    def counted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            result = act(*args, **kwargs)
            done += 1
            told(name)
            if done == after:
                end()
            return result

        return wrapped

    for place, name in EFFECTS:
        setattr(place, name, counted(name, getattr(place, name)))


def erase(ledger: OpsLedger, clock: Clock) -> None:
    """Erase p-1 as from nothing, and purge once it is time."""
    ledger.erase("p-1", jurisdiction="gdpr", handled_by="u-7", decided_by="u-9", basis="Art. 17(1)(b)")
    clock.now += timedelta(days=31)
    erasing.purge(ledger)


def main(url: str, now: str, after: str) -> None:
    clock = Clock(now)
    with OpsLedger.open(url, clock=clock) as ledger:
        cut(int(after), lambda: os.kill(os.getpid(), signal.SIGKILL), lambda name: print(name, flush=True))
        erase(ledger, clock)


if __name__ == "__main__":
    main(*sys.argv[1:])
