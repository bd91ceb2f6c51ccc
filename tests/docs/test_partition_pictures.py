"""The page of the partitioners: its specs, its pictures, and that they are of each other."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from partitioners import AnyPartitioner
from specs import Spec

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "partition-pictures.md"
NATURAL = {"composite", "url_host", "url_domain", "regex", "time_buckets", "mapping", "function"}  # need other features
_MAX_BYTES = 60_000


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("partition_pictures", ROOT / "scripts" / "partition_pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    __import__("sys").modules["partition_pictures"] = module  # where its dataclass looks for itself
    spec.loader.exec_module(module)
    return module


def test_the_page_has_every_synthetic_partitioner_on_both_datasets(script):
    pictures = list(script.pictures_of(PAGE.read_text()))
    shown = {(picture.dataset, picture.fields["partitioner"]["kind"]) for picture in pictures}
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(AnyPartitioner)[0])} - NATURAL
    without_numbers = {("cifar100", "clusters")}  # encoded images
    assert shown == {(dataset, kind) for dataset in ("mnist", "cifar100") for kind in kinds} - without_numbers


def test_every_spec_of_the_page_is_one(script):
    for picture in script.pictures_of(PAGE.read_text()):
        Spec.model_validate(picture.fields, extra="forbid")


def test_the_pictures_are_those_of_the_page_and_small(script):
    pictures = [picture.file for picture in script.pictures_of(PAGE.read_text())]
    assert len(pictures) == len(set(pictures))
    assert set(pictures) == set((PAGE.parent / "assets" / "partitions").glob("*.svg"))
    for file in pictures:
        content = file.read_text()
        assert len(content) < _MAX_BYTES and content.startswith("<svg") and "prefers-color-scheme" in content
        assert not re.search(r"https?://(?!www\.w3\.org/)", content)


def test_the_table_has_a_row_for_each_picture(script):
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [
        picture.words
        for dataset in ("mnist", "cifar100")
        for picture in script.pictures_of(PAGE.read_text())
        if picture.dataset == dataset
    ]


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["mnist-label_dirichlet-0.1", "mnist-shards"])
def test_a_picture_is_what_the_partitioner_makes_today(script, name):
    if not (Path(os.environ.get("GROUPSTREAM_SHARED_DATA", ROOT.parent / "shared/data")) / "mnist_idx.tar.gz").exists():
        pytest.skip("no mnist_idx.tar.gz; name its folder in GROUPSTREAM_SHARED_DATA")
    page = PAGE.read_text()
    picture = next(p for p in script.pictures_of(page) if p.file.stem == name)
    with script.in_data("mnist"):
        svg, row = script.draw(picture)
    assert row in page and svg == picture.file.read_text(), "run scripts/partition_pictures.py"
