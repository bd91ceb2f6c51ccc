"""Real datasets, from their files to groups read back: every example is there once, with the values of the file."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest

import groupstream
from groupstream.verify import verify
from partitioners.url_host import host_of
from specs import load_spec
from tests.extent import ONLY_WITH_ALL

pytestmark = [pytest.mark.integration, pytest.mark.shared_data]

SPECS = Path(__file__).parents[1] / "shared_specs"


@pytest.fixture
def built(with_server, shared_data, root, monkeypatch):
    """Builds one of the specs in tests/shared_specs; the version that came of it."""
    from flows.build_dataset import build_dataset

    def build(name: str, *settings: str):
        monkeypatch.chdir(shared_data(name))
        spec = load_spec(SPECS / f"{name}.yaml", [f"publish.root={root}", *settings])
        dataset = groupstream.open(build_dataset(spec).location)
        assert verify(dataset) == sum(split.num_examples for split in dataset.values())
        return dataset

    return build


def grouped(split) -> Iterator[tuple[str, dict]]:
    return ((group.name, example) for group in split for example in group.examples())


def csv_rows(folder: Path) -> list[dict[str, str]]:
    return [row for file in sorted(folder.rglob("*.csv")) for row in csv_rows_of(file)]


def csv_rows_of(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def as_counter(rows) -> Counter:
    return Counter(tuple(sorted(row.items())) for row in rows)


def test_news_by_host(built, shared_data):
    split = built("news_abp")["train"]
    lines = gzip.decompress((shared_data("news_abp") / "articles_sample20.jsonl.gz").read_bytes()).splitlines()
    expected = Counter((host_of(row["url"]), row["content_original"]) for row in map(orjson.loads, lines))
    assert (split.num_groups, split.num_examples) == (242, 7_488)
    assert Counter((name, row["content_original"]) for name, row in grouped(split)) == expected


def test_articles_by_title(built):
    dataset = built("wiki_en2015")
    split = dataset["train"]
    assert (split.num_groups, split.num_examples) == (2_250, 2_250)
    assert dataset.manifest.counts.dropped == {"check text: min_length 1": 11}
    assert all(name == row["title"] for name, row in grouped(split))
    assert "Anarchism is a political philosophy" in next(split.group("Anarchism").examples())["text"]


def test_posts_by_author(built, shared_data):
    split = built("hn_posts", "source.features=null", "checks={}")["train"]
    assert (split.num_groups, split.num_examples) == (10_382, 20_100)
    assert as_counter(row for _, row in grouped(split)) == as_counter(csv_rows(shared_data("hn_posts")))
    assert all(name == row["author"] for name, row in grouped(split))


def test_posts_without_a_url_have_no_host(built):
    by_host = ("partitioner.kind=url_host", "partitioner.feature=url", "checks={}")
    with pytest.raises(
        groupstream.ExampleError, match=r"2,440 of 20,100 examples have no group: feature 'url' gives none"
    ):
        built("hn_posts", *by_host)
    split = built("hn_posts", *by_host, "partitioner.missing=drop", "publish.version=2.0.0")["train"]
    assert split.num_examples == 17_660


def test_digits_pixel_for_pixel(built, shared_data):
    split = built("mnist_idx")["train"]
    assert (split.num_groups, split.num_examples) == (10, 70_000)
    folder = shared_data("mnist_idx")
    images, labels = [], []
    for part in ("t10k", "train"):
        images.append(np.frombuffer(gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:], "u1"))
        labels.append(np.frombuffer(gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:], "u1"))
    pixels, digits = np.concatenate(images).reshape(-1, 28, 28, 1), np.concatenate(labels)
    for digit in range(10):  # within a group, examples stand in source order
        column = split.group(str(digit)).table()["image"].combine_chunks()
        np.testing.assert_array_equal(column.to_numpy_ndarray(), pixels[digits == digit])


def test_posts_by_domain(built, shared_data):
    split = built("web_reddit", "source.features=null", "runner.num_workers=2", "publish.shard_bytes=10000000")["train"]
    assert (split.num_groups, split.num_examples, len(split.info.shards)) == (5_771, 63_871, 6)
    assert as_counter(row for _, row in grouped(split)) == as_counter(csv_rows(shared_data("web_reddit")))
    assert all(name == row["domain"] for name, row in itertools.islice(grouped(split), 5_000))


@ONLY_WITH_ALL  # books, and posts by domain
def test_posts_by_the_file_they_are_in(built, shared_data):
    by_file = (
        "source.path_feature=subreddit",
        "partitioner.feature=subreddit",
        "checks={}",
        "source.features=[title]",
        "text_features=[title]",
    )
    split = built("web_reddit", *by_file)["train"]
    expected = {path.name: len(csv_rows_of(path)) for path in shared_data("web_reddit").rglob("*.csv")}
    assert {Path(group.name).name: group.num_examples for group in split} == expected
    assert (split.num_groups, split.num_examples) == (70, 63_871)


def test_books_by_file_paragraph_by_paragraph(built, shared_data):
    split = built("books_md")["train"]
    assert (split.num_groups, split.num_examples) == (63, 88_343)
    text = (shared_data("books_md") / "Jane Austen" / "Mansfield Park.md").read_text(encoding="utf-8")
    paragraphs = [part.strip("\n") for part in re.split(r"\n(?:[ \t]*\n)+", text) if part.strip()]
    found = [example["text"] for example in split.group("Jane Austen/Mansfield Park.md").examples()]
    assert found == paragraphs


def test_speeches_by_speaker(built, shared_data):
    split = built("tinyshakespeare")["train"]
    text = (shared_data("tinyshakespeare") / "input.txt").read_text(encoding="utf-8")
    expected = Counter((p.split("\n")[0].removesuffix(":"), p) for p in map(str.strip, text.split("\n\n")) if p)
    assert (split.num_groups, split.num_examples) == (309, 7_222)
    assert Counter((name, row["text"]) for name, row in grouped(split)) == expected


def test_images_by_fine_label_held_out_by_example(built, shared_data):
    splits = "splits={by: example, fractions: {train: 0.8, test: 0.2}}"
    dataset = built(
        "cifar100_png",
        splits,
        "partitioner={kind: label_dirichlet, feature: label, alpha: 0.3, num_groups: 20}",
        "checks={}",
    )
    total = sum(split.num_examples for split in dataset.values())
    assert (total, dataset.manifest.counts.dropped) == (15_000, {})
    assert abs(dataset["train"].num_examples - 12_000) < 4 * (15_000 * 0.8 * 0.2) ** 0.5
