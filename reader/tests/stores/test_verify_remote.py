"""The checks of the files, where the version lies elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

import groupstream
from groupstream.manifest import CheckResult
from groupstream.verify import check_files

# Google's client lets go of some failed answers unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True),
]


def copied(place, folder: Path, leave_out: str = "", change: str = "") -> str:
    """Brings a version there; gives its address."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != leave_out):
        content = bytearray(file.read_bytes())
        if file.name == change:
            content[-9] ^= 1
        place.write(f"{folder.parent.name}/{folder.name}/{file.relative_to(folder).as_posix()}", bytes(content))
    return f"{place.root}/{folder.parent.name}/{folder.name}"


def failed_at(address: str, *, full: bool = True, sample_bytes: int = 1) -> dict[str, CheckResult]:
    results = check_files(groupstream.open(address), full=full, sample_bytes=sample_bytes)
    return {result.name: result for result in results if not result.passed}


@pytest.mark.parametrize("full", [True, False])
def test_a_version_elsewhere_passes(place, two_splits: Path, cache: Path, full: bool) -> None:
    address = copied(place, two_splits / "wide" / "1.0.0")
    here = check_files(groupstream.open(two_splits / "wide" / "1.0.0"), full=full, sample_bytes=1)
    assert check_files(groupstream.open(address), full=full, sample_bytes=1) == here
    assert all(result.passed for result in here)


def test_what_is_missing_elsewhere_is_found(place, two_splits: Path, cache: Path) -> None:
    name = "test-00001-of-00002.tfrecord"
    failed = failed_at(copied(place, two_splits / "wide" / "1.0.0", leave_out=name))
    assert set(failed) == {"files", "checksums", "groups"}
    assert failed["files"].offenders == (f"{name}: is missing",)


def test_a_changed_byte_elsewhere_is_found_by_a_sample(place, two_splits: Path, cache: Path) -> None:
    failed = failed_at(copied(place, two_splits / "wide" / "1.0.0", change="test.groups.parquet"), full=False)
    assert set(failed) == {"checksums", "sums of the index", "order of the index", "groups"}
    assert failed["checksums"].offenders[0].startswith("test.groups.parquet: crc32c ")
