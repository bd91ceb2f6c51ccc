"""A version to be broken, and what its checks say of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream.commit import describe_file
from groupstream.manifest import CheckResult, Manifest
from groupstream.verify import check_files

NAMES = ["manifest", "files", "checksums", "sums of the index", "order of the index", "label tables", "groups"]

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(golden_copy: Path) -> Path:
    """digits@1.0.0: two shards, three groups with labels. To be broken."""
    return golden_copy / "digits" / "1.0.0"


@pytest.fixture
def results_of() -> Callable[[Path], dict[str, CheckResult]]:
    """The result of each check, by its name; looks at what all results have in common."""

    def check(folder: Path) -> dict[str, CheckResult]:
        results = {result.name: result for result in check_files(groupstream.open(folder), full=True)}
        assert list(results) == NAMES
        assert all(len(result.offenders) <= 5 and result.kind == "files" for result in results.values())
        assert all(bool(result.offenders) != result.passed for result in results.values())
        return results

    return check


@pytest.fixture
def failed_in(results_of: Callable) -> Callable[[Path], dict[str, tuple[str, ...]]]:
    """The offenders of each check that failed."""
    return lambda folder: {name: result.offenders for name, result in results_of(folder).items() if not result.passed}


@pytest.fixture
def resign() -> Callable[..., None]:
    """Writes files and a manifest that describes them, as a builder with a fault would.

    resign(folder, change of the manifest's fields, **contents of files, by the beginning of the name).
    """

    def write(folder: Path, change: Change = lambda fields: None, **contents: bytes) -> None:
        fields = json.loads((folder / "manifest.json").read_bytes())
        for split in fields["splits"].values():
            for file in (*split["shards"], split["group_table"], *fields["files"]):
                for name, content in contents.items():
                    if file["path"].replace(".", "_").replace("-", "_").startswith(name):
                        (folder / file["path"]).write_bytes(content)
                        file.update(describe_file(file["path"], content).model_dump())
        change(fields)
        (folder / "manifest.json").write_bytes(Manifest.model_validate(fields).to_json())

    return write


@pytest.fixture
def flip_a_bit() -> Callable[[Path, int], None]:
    """flip_a_bit(file, byte)."""

    def flip(path: Path, position: int) -> None:
        content = bytearray(path.read_bytes())
        content[position] ^= 4
        path.write_bytes(content)

    return flip
