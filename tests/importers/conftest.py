"""Where third-party data are: never in this repository, so a run without them says plainly what it did not show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsledger.app import OpsLedger
from opsledger.importers.servicenow import ImportResult, import_servicenow

ZONE = "America/Sao_Paulo"
_BESIDE_THE_CHECKOUT = Path(__file__).parents[2].parent / "shared" / "data"


def shared_data() -> Path:
    """Return the folder of third-party data. Where there is none the test is skipped, and the run says so at its end."""
    folder = Path(os.environ.get("OPSLEDGER_SHARED_DATA") or _BESIDE_THE_CHECKOUT)
    if not folder.is_dir():
        pytest.skip(
            "The third-party data of this test are not part of the repository: put them into ../shared/data beside the checkout, "
            "or name their folder with OPSLEDGER_SHARED_DATA."
        )
    return folder


@pytest.fixture(scope="session")
def availability_data() -> Path:
    """Give the folder of a real status page's and a real uptime monitor's history."""
    return shared_data() / "availability"


@pytest.fixture(scope="session")
def slice_path() -> Path:
    """Give the first 1,000 incidents of the real log."""
    return shared_data() / "servicenow" / "dev_slice_1000_incidents.csv.xz"


@pytest.fixture(scope="session")
def slice_import(slice_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpsLedger, ImportResult]]:
    """Give a ledger with the slice imported and projected, and what the import said. Tests only read it."""
    with OpsLedger.create(f"sqlite:///{tmp_path_factory.mktemp('slice')}/ops.db") as ledger:
        result = import_servicenow(ledger, slice_path, ZONE)
        ledger.catch_up()
        yield ledger, result
