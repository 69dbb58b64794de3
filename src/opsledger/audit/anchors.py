"""Anchors: they carry a checkpoint away from the database that it speaks of, and say where to.

    directory   a file for each checkpoint, never overwritten; best on another machine's disk, or write-once
    git         the same in a repository, committed; push it where others look
    command     a program of the host's, which gets the note on its standard input and prints its receipt

Each may be repeated: a checkpoint that is there already is left as it is, and another one in its place is an error. Cosignatures of
witnesses and time stamps have their place beside these.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from opsledger.audit.note import Checkpoint, Note
from opsledger.errors import BadInput, Unavailable

__all__ = ["Anchor", "Carried", "anchor"]

_PATIENCE_S: Final = 60
_FORMS: Final = "write directory:PATH, git:PATH or command:PROGRAM ARGUMENTS"


class Carried(NamedTuple):
    """Where a checkpoint went, in the anchor's own words."""

    anchor: str
    receipt: str


class Anchor(NamedTuple):
    """One place to carry checkpoints to. `carry` raises Unavailable where it could not, BadInput where another one is there."""

    name: str
    carry: Callable[[str], Carried]


def anchor(said: str) -> Anchor:
    """Return the anchor that a text such as `directory:/srv/checkpoints` names. Raises BadInput."""
    kind, colon, rest = said.partition(":")
    if not colon or not rest.strip() or kind not in _KINDS:
        raise BadInput("anchor.unknown", f"'{kind}' is no anchor; {_FORMS}.")
    carry = _KINDS[kind]
    return Anchor(said, lambda note: Carried(said, carry(rest, note)))


def _directory(where: str, note: str) -> str:
    return str(_stored(Path(where), note))


def _git(where: str, note: str) -> str:
    folder = Path(where)
    if not (folder / ".git").exists():
        raise BadInput("anchor.no_repository", f"{folder} is no git repository; make it one with `git init`.")
    name = _stored(folder, note).name
    _run(["git", "-C", where, "add", "--", name], where)
    if _run(["git", "-C", where, "status", "--porcelain", "--", name], where):
        size = Checkpoint.parse(Note.parse(note).text).size
        author = ["-c", "user.name=opsledger", "-c", "user.email=opsledger@localhost"]
        _run(["git", "-C", where, *author, "commit", "--quiet", "-m", f"checkpoint of {size} facts", "--", name], where)
    return f"{name} in commit {_run(['git', '-C', where, 'log', '-1', '--format=%H', '--', name], where).strip()}"


def _command(line: str, note: str) -> str:
    words = shlex.split(line)
    return _run(words, words[0], note).strip()[:500] or "done"


_KINDS: Final[dict[str, Callable[[str, str], str]]] = {"directory": _directory, "git": _git, "command": _command}


def _stored(folder: Path, note: str) -> Path:
    """Write a checkpoint into a folder under its size, whole or not at all; leave the same one that is there."""
    size = Checkpoint.parse(Note.parse(note).text).size
    path = folder / f"checkpoint-{size:012d}.note"
    try:
        if path.exists():
            if path.read_text(encoding="utf-8") != note:
                raise BadInput("anchor.other", f"{path} holds another checkpoint of the same size; keep both: one of them is a fork.")
            return path
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{path.name}.{os.getpid()}"
        with part.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        raise Unavailable(
            "anchor.unavailable", f"The checkpoint could not be written to {path} ({error.strerror}); carry it again."
        ) from None
    return path


def _run(words: list[str], what: str, given: str = "") -> str:
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603  # the host's own
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("anchor.unavailable", f"{what} could not take the checkpoint: {type(error).__name__}; carry it again.") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").partition("\n")[0][:200]
        raise Unavailable("anchor.unavailable", f"{what} could not take the checkpoint (exit {done.returncode}): {said}; carry it again.")
    return done.stdout
