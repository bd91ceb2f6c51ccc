"""A disk that is really full, where one may be mounted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupstream import PublishError
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from specs import Spec

pytestmark = pytest.mark.integration


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # a worker that ends may still have its log open


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_disk_that_fills_up_ends_the_build_with_what_to_do(small_disk, tmp_path, num_workers):
    source = tmp_path / "source"
    source.mkdir()
    for file in range(4):
        lines = (f'{{"key": "k{row % 50}", "text": "{"x" * 900}", "left_out": 1}}' for row in range(6000))
        (source / f"{file}.jsonl").write_text("\n".join(lines))
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{source}/*.jsonl"], "features": ["key", "text"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "runner": {"num_workers": num_workers},
    }
    plan = make_plan(Spec.model_validate(fields, extra="forbid"))
    with (
        pytest.raises(PublishError, match=r"staging area .*No space left on device.*runner.staging"),
        staging_area(small_disk) as staging,
    ):
        partition(plan, staging)
    assert [path.name for path in small_disk.rglob("*")] == [".staging"]
