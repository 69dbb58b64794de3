"""An uptime monitor's history (Upptime) -> facts about probes, in a stream per site and UTC month, and what it watches.

    ledger = OpsLedger.open("sqlite:///ops.db")
    import_upptime(ledger, Path("status-repository"))

The folder holds probes.csv, plain, .xz or .gz, and upptimerc.yml, the monitor's configuration, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from opsledger.app.recording import checked_id
from opsledger.app.taking import Taken, recognise
from opsledger.domain import monitor, service
from opsledger.errors import BadInput
from opsledger.importers.files import sha256
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.importers.upptime_probes import BadRow, ProbeRow, Site, dirt, facts_of, read
from opsledger.ledger.codec import read_all
from opsledger.policies.instants import SECOND, micros, moment

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["LOCATION", "SILENT_AFTER_S", "ImportResult", "import_upptime"]

Progress = Callable[[int, int], None]
"""Told (done, of) in rows."""

LOCATION: Final = "upptime"
SILENT_AFTER_S: Final = 26 * 3600
"""The monitor writes at least once a day; its daily job comes late by an hour and a half now and then."""

_BATCH: Final = 1000
_PROBES: Final = ("probes.csv", "probes.csv.xz", "probes.csv.gz")
_CONFIGURATIONS: Final = ("upptimerc.yml", ".upptimerc.yml")


def import_upptime(
    ledger: OpsLedger,
    folder: Path | str,
    *,
    source: str = "upptime",
    location: str = LOCATION,
    silent_after_s: int = SILENT_AFTER_S,
    progress: Progress | None = None,
) -> ImportResult:
    """Take in the history in a folder; return what was new, known and set aside.

    Each row is known by its commit and site. The same history again adds nothing; a longer one adds its new rows. A row whose
    content has changed since, that cannot be read, that lies in the future, or before what is known of its site, is set aside and
    listed in `import_quarantine`, and nothing of it is recorded. The site's slug is the id of the service.

    A row changes the state where it says another one, and covers the time since the row before unless that is longer ago than
    `silent_after_s`. The configuration registers its sites as services and itself as a monitor with this silence, where they are
    not: from then on time in which it was silent for longer is unknown. An objective is the host's to publish. Raises BadInput
    where there is no history, or it or the configuration cannot be read; then nothing was recorded.
    """
    folder = Path(folder)
    checked_id(source), checked_id(location)
    path = _found(folder, _PROBES)
    if path is None:
        raise BadInput("import.not_upptime", f"'{folder.name}' has none of {', '.join(_PROBES)}; give the folder of the monitor's history.")
    configured = _configuration(_found(folder, _CONFIGURATIONS))
    rows = sum(1 for _ in read(path))  # to its end, before anything of it is recorded
    digest = sha256(path)
    run = Run.start(ledger, source, file_name=path.name, sha256=digest, zone="UTC", rows=rows)
    taking, history, done = _Taking(run, location, silent_after_s * SECOND, configured), read(path), 0
    while batch := list(islice(history, _BATCH)):
        taking.take(batch)
        done += len(batch)
        if progress is not None:
            progress(done, rows)
    _register(ledger, configured, taking.first, source=source, location=location, silent_after_s=silent_after_s)
    return run.finish(rows=rows, sha256=digest, policy_ref=None)


@dataclass(frozen=True, slots=True)
class _Configured:
    """What the monitor is told to watch: names of sites by slug, and who owns them."""

    owner: str = "unknown"
    repository: str = "upptime"
    sites: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Taking:
    """Takes in batch after batch. `first` is when each service was first probed, of the rows that were read."""

    run: Run
    location: str
    silent_after: int
    configured: _Configured
    sites: dict[str, Site] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def take(self, batch: list[ProbeRow | BadRow]) -> None:
        """Record what is new in a batch."""
        now = micros(self.run.ledger.now())
        told = [row for row in batch if isinstance(row, ProbeRow) and row.at <= now]
        aside = [_aside(row) for row in batch if isinstance(row, BadRow) or row.at > now]
        rows = {row.source_id: row for row in reversed(told)}  # the first of each id
        seen = recognise(self.run.ledger, self.run.source, {id: row.content for id, row in rows.items()})
        self.run.count(dirt(told, self.configured.sites))
        records: list[Taken] = []
        known = 0
        for row in told:
            self.first[row.slug] = min(row.at, self.first.get(row.slug, row.at))
            first, site = rows[row.source_id], self._site(row.slug)
            if row.source_id in seen.changed or row.content != first.content:
                aside.append(Quarantined(row.row, "changed", row.source_id))
            elif row.source_id in seen.known or row is not first:
                known += 1
            elif site.newest is not None and row.at <= site.newest:
                aside.append(Quarantined(row.row, "late", row.source_id))
            else:
                records.append(self._record(site, row))
        self.run.take(records, sorted(aside, key=lambda each: each.row), known=known)

    def _record(self, site: Site, row: ProbeRow) -> Taken:
        facts = facts_of(site, row, silent_after=self.silent_after)
        month = f"{site.streams}{moment(row.at):%Y-%m}"
        return Taken(row.source_id, tuple((month, event) for event in facts), row.content)

    def _site(self, slug: str) -> Site:
        """Return what the ledger knows of a site: its newest month says it."""
        if slug not in self.sites:
            site = self.sites[slug] = Site(slug, self.location)
            store = self.run.ledger.store
            for recorded in read_all(store.stream(max(store.heads_within(site.streams), default=""))):
                site.hear(recorded.fact)
        return self.sites[slug]


def _aside(row: ProbeRow | BadRow) -> Quarantined:
    if isinstance(row, BadRow):
        return Quarantined(row.row, "malformed", column=row.column)
    return Quarantined(row.row, "future", row.source_id, "last_updated")


def _register(
    ledger: OpsLedger, configured: _Configured, first: Mapping[str, int], *, source: str, location: str, silent_after_s: int
) -> None:
    """Record the services that the monitor watches and the monitor itself, where they are not, since they were first probed."""
    watched = {slug: first[slug] for slug in configured.sites if slug in first}
    standing = ledger.store.heads([*(f"service:{slug}" for slug in watched), f"monitor:{configured.repository}"])
    for slug, at in watched.items():
        if f"service:{slug}" not in standing:
            since = ledger.by(f"import:{source}", role="import", at=moment(at))
            since.record(service.register, slug, name=configured.sites[slug], kind="web", owner_id=configured.owner)
    if watched and f"monitor:{configured.repository}" not in standing:
        ledger.by(f"import:{source}", role="import", at=moment(min(watched.values()))).record(
            monitor.register,
            configured.repository,
            category="application",
            tool="upptime",
            check="http",
            services=tuple(configured.sites),
            locations=(location,),
            silent_after_s=silent_after_s,
        )


def _found(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _configuration(path: Path | None) -> _Configured:
    if path is None:
        return _Configured()
    try:
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        sites = {_slug(site): str(site["name"]) for site in said.get("sites", ())}
        return _Configured(checked_id(str(said["owner"])), checked_id(str(said["repo"])), sites)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        raise BadInput(
            "import.not_upptime",
            f"'{path.name}' is not an Upptime configuration with owner, repo and named sites; mend it, or take it away.",
        ) from None


def _slug(site: Mapping[str, Any]) -> str:
    """Return the name of a site's files: as it is given, else of its name, as in datalab-api of "Datalab (API)"."""
    name = "".join(each if each.isalnum() else " " for each in str(site["name"]).lower())
    return checked_id(str(site.get("slug") or "-".join(name.split())))
