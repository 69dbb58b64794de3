"""Worker processes, and how they are asked: over their standard streams, one question after the other, one answer to each.

A worker is a program of its own (`opsledger.replay.worker`, `opsledger.replay.looker`), so a host's script needs no guard. It is
told on its standard input what to do, where nobody sees the password of a database. A worker whose input is closed ends: none
outlives the call, nor the process that called. What it meets instead of an answer, it answers with, and whoever asked raises it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from opsledger.errors import NoLedger, Unavailable
from opsledger.ledger.application import open_store
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl

__all__ = ["Worker", "asked_of", "same_ledger", "serve"]

_PATIENCE_S: Final = 5.0


class Worker:
    """A worker process of a program, asked by one thread at a time."""

    def __init__(self, program: str) -> None:
        # Modules are found where this process finds them, also those of a host that runs from anywhere.
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        try:
            self._process = subprocess.Popen(  # noqa: S603  # a program of ours
                [sys.executable, "-P", "-m", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                process_group=0,  # an interrupt from the keyboard is for this process, which then ends its workers
            )
        except OSError as error:
            why = error.strerror or error
            raise Unavailable("workers.unstarted", f"No worker process can be started here ({why}); go on with one worker.") from None

    def ask(self, question: Any) -> Any:
        """Return what the worker answers. Raises what it met, or Unavailable when it ended before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            answer = pickle.load(self._process.stdout)  # noqa: S301  # it comes from our own program, over a pipe of its own
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._ended() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(at_once=error is not None)

    def end(self, *, at_once: bool) -> None:
        """Wait for the process to end, which it does when its input is closed; or kill it."""
        if at_once:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> Unavailable:
        self._process.kill()
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return Unavailable(
            "workers.ended",
            f"A worker process {how} before its work was done, and nothing was changed; repeat, with fewer workers if memory is short.",
        )


# Inside the process.


def serve(answers: Callable[[BinaryIO], Iterator[Any]]) -> None:
    """Answer all that is asked on the standard input; `answers` yields one for each thing that it takes with `asked_of`."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a host's module prints is no answer
    try:
        for answer in answers(asked):
            pickle.dump(answer, told)
            told.flush()
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone
    except Exception as error:  # goes to the process that asked, which raises it
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        pickle.dump(error, told)
        told.flush()


def same_ledger(where: LedgerUrl, ledger_id: str) -> Store:
    """Return the store at a URL. Raises NoLedger where it is another ledger than the process that asked has."""
    store = open_store(where)
    if store.meta().get("ledger_id", "") != ledger_id:
        raise NoLedger("workers.other_ledger", f"At {where.shown} a worker process found another ledger; open the ledger again.")
    return store


def asked_of(asked: BinaryIO) -> Any:
    """Return the next thing that is asked; None at the end."""
    try:
        return pickle.load(asked)  # noqa: S301  # it comes from the process that started this one, over a pipe of its own
    except EOFError:
        return None
