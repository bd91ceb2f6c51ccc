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
from xdist.scheduler import LoadFileScheduling

# Before anything imports Prefect: tests neither use nor fill the home of whoever runs them.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

# Servers of tests make no blocks: their packages take seconds to load. A platform of `groupstream up` does.
os.environ["PREFECT_SERVER_REGISTER_BLOCKS_ON_START"] = "false"
os.environ["PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION"] = "false"

os.environ["GROUPSTREAM_RECORD_PULLS"] = "0"  # tests pull from folders that must stay as they are
for _variable in ("GROUPSTREAM_ROOT", "GROUPSTREAM_REGISTRY_URL"):
    os.environ.pop(_variable, None)

_REPOSITORY = Path(__file__).parents[1]

# Where a file or folder takes minutes: what takes longest begins first, and what takes seconds fills the end.
_LONGEST_FIRST = (
    "tests/platform",
    "tests/infra/test_compose_runs.py",
    "tests/access/test_secrets.py",
    "tests/flows",
    "tests/training",
    "tests/cards/test_card_browser.py",
    "tests/pipelines",
)


class _LongestFirst(LoadFileScheduling):
    """Gives each process files, and one of them all tests of a platform: they mostly wait, and share one that is up."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/platform" if nodeid.startswith("tests/platform/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _LongestFirst | None:
    """With --dist loadfile, as `make test` does it."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # it puts the files with most tests first, which are rarely the slow ones
    return _LongestFirst(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the files; the tests of a file stay in their order."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(_REPOSITORY).as_posix()
        found = (number for number, long in enumerate(_LONGEST_FIRST) if path == long or path.startswith(f"{long}/"))
        return next(found, len(_LONGEST_FIRST))

    items.sort(key=place)


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
