"""What the tests of several packages use."""

from __future__ import annotations

import functools
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

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
