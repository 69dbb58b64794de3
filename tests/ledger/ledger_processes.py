"""Starts `ledger_worker.py` as processes of their own, and hears what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("ledger_worker.py")


class Worker:
    """One process. It waits for `go` before it does its work."""

    def __init__(self, act: str, url: str, *more: str) -> None:
        command = [sys.executable, str(WORKER), act, url, *more]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self._said, self._told = self.process.stdout, self.process.stdin

    def line(self) -> list[str]:
        """Return the words of its next line."""
        return self._said.readline().split()

    def go(self) -> None:
        """Let it begin."""
        self._told.write("go\n")
        self._told.flush()

    def kill(self) -> int:
        """End it as `kill -9` does; return how it ended."""
        self.process.kill()
        return self.process.wait(60)

    def rest(self) -> list[list[str]]:
        """Return the words of all its lines to come; the last is left out where it was cut short."""
        return [line.split() for line in self._said.read().splitlines(keepends=True) if line.endswith("\n")]

    def finished(self) -> list[list[str]]:
        """Wait for its end, which must be a good one, and return what it said."""
        lines = self.rest()
        assert self.process.wait(120) == 0
        return lines

    def close(self) -> None:
        """End it, if it still runs."""
        self.kill()
        self._said.close()
        self._told.close()


def go(*workers: Worker) -> None:
    """Let workers begin together, once all are ready."""
    for worker in workers:
        assert worker.line() == ["ready"]
    for worker in workers:
        worker.go()
