"""What the tests of several packages use."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports Prefect: tests neither use nor fill the home of whoever runs them.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

os.environ["GROUPSTREAM_RECORD_PULLS"] = "0"  # tests pull from folders that must stay as they are
for _variable in ("GROUPSTREAM_ROOT", "GROUPSTREAM_REGISTRY_URL"):
    os.environ.pop(_variable, None)

_REPOSITORY = Path(__file__).parents[1]

SharedData = Callable[[str], Path]


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> SharedData:
    """Gives the folder of a real dataset by its name; skips the test where it is not on this machine."""
    archives = Path(os.environ.get("GROUPSTREAM_SHARED_DATA", _REPOSITORY.parent / "shared/data"))

    @functools.cache
    def unpacked(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        with tarfile.open(archives / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        return folder / name

    def find(name: str) -> Path:
        if not (archives / f"{name}.tar.gz").exists():
            pytest.skip(f"no {name}.tar.gz in {archives}; name its folder in GROUPSTREAM_SHARED_DATA")
        return unpacked(name)

    return find


@pytest.fixture(scope="module")  # no longer: while it is open, nothing else can run an event loop in this thread
def browser() -> Iterator[Any]:
    """Chromium, for tests that open a page; they are skipped where there is none."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on PATH; get it with: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; get it with: pip install playwright")
    with playwright.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
