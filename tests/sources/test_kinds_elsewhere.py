"""Parquet, images and published versions on a web server: read as those of this machine are."""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import SourceError
from groupstream.testing import FolderServer
from sources import DatasetGrouper, GroupstreamVersion, Images, Parquet

GOLDEN = Path(__file__).parents[1] / "golden/v1"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderServer]:
    """Serves the folder `data` of the test."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    (tmp_path / "data").mkdir()
    with FolderServer(tmp_path) as server:
        yield server


def test_parquet_is_read_column_by_column(server: FolderServer, tmp_path: Path, read_rows: Any) -> None:
    draw = os.urandom(1 << 22).hex()
    texts = [f"{i} {draw[i * 2_000 : (i + 1) * 2_000]}" for i in range(4_000)]
    table = pa.table({"big": texts, "n": range(4_000)})
    pq.write_table(table, tmp_path / "data/a.parquet", row_group_size=1_000)
    address = f"{server.url}/data/a.parquet"
    assert read_rows(Parquet(paths=[address])) == read_rows(Parquet(paths=[f"{tmp_path}/data/a.parquet"]))
    assert _bytes_asked_for(server) > 4 << 20
    server.requests.clear()
    assert [row["n"] for row in read_rows(Parquet(paths=[address], features=["n"]))] == list(range(4_000))
    assert _bytes_asked_for(server) < 4 << 20 < (tmp_path / "data/a.parquet").stat().st_size


def _bytes_asked_for(server: FolderServer) -> int:
    ranges = [re.findall(r"\d+", request.range) for request in server.requests if request.range]
    return sum(int(last) - int(first) + 1 for first, last in ranges)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_tar_of_images_is_read(name: str, server: FolderServer, tmp_path: Path, read_rows: Any) -> None:
    with tarfile.open(tmp_path / "data" / name, "w:gz" if name.endswith(".gz") else "w") as tar:
        for i in range(200):
            member = tarfile.TarInfo(f"{i % 3}/{i}.png")
            content = PNG + os.urandom(100 * i)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    rows = read_rows(Images(paths=[f"{server.url}/data/{name}"]))
    assert len(rows) == 200
    assert rows == read_rows(Images(paths=[f"{tmp_path}/data/{name}"]))


def test_files_of_images_are_read_side_by_side_in_their_order(
    server: FolderServer, tmp_path: Path, read_rows: Any
) -> None:
    paths = [f"data/{i % 2}/{i:02d}.png" for i in range(30)]
    for i, path in enumerate(paths):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(PNG + bytes([i]))
    rows = read_rows(Images(paths=[f"{server.url}/{path}" for path in paths]))
    assert rows == read_rows(Images(paths=[f"{tmp_path}/data/*/*.png"]))
    assert len(rows) == 30


def test_label_of_an_image_is_not_escaped(server: FolderServer, tmp_path: Path, read_rows: Any) -> None:
    for name in ("two words", "été"):
        (tmp_path / "data" / name).mkdir()
        (tmp_path / "data" / name / "1.png").write_bytes(PNG)
    there = Images(paths=[f"{server.url}/data/{name}/1.png" for name in ("two%20words", "%C3%A9t%C3%A9")])
    here = Images(paths=[f"{tmp_path}/data/*/*.png"])
    assert there.available_features() == here.available_features()
    assert there.available_features()["label"].labels == ("two words", "été")
    assert read_rows(there) == read_rows(here)[::-1]  # files are sorted by their addresses


def test_published_version_is_read(server: FolderServer, tmp_path: Path, read_rows: Any) -> None:
    shutil.copytree(GOLDEN / "text", tmp_path / "data/text")
    there = GroupstreamVersion(ref=f"{server.url}/data/text/1.0.0")
    here = GroupstreamVersion(ref="text", root=str(GOLDEN))
    assert read_rows(there) == read_rows(here)
    assert there.identity() == here.identity()


def test_shards_of_dataset_grouper_are_to_be_copied_first(server: FolderServer, tmp_path: Path, refusal: Any) -> None:
    (tmp_path / "data/s").write_bytes(b"x")
    error = refusal(DatasetGrouper(paths=[f"{server.url}/data/s"]))
    assert isinstance(error, SourceError)
    assert "is not on this machine; copy the shards" in str(error)
