"""The real datasets of shared/data in other forms: whatever the form, the examples are the same."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import Feature
from groupstream.images import decode_images
from sources import HuggingFace, Images, Parquet, Source, Tfds

os.environ["HF_HUB_OFFLINE"] = "1"

pytestmark = [pytest.mark.shared_data, pytest.mark.integration]


@pytest.fixture(scope="module")
def cifar(shared_data: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the two tars, and one with their files."""
    tars, unpacked = shared_data("cifar100_png"), tmp_path_factory.mktemp("cifar")
    for tar in tars.glob("*.tar"):
        with tarfile.open(tar) as archive:
            archive.extractall(unpacked, filter="data")
    return tars, unpacked


def _digests(source: Source) -> Counter[tuple[int, bytes]]:
    """How often each label and image is there."""
    found: Counter[tuple[int, bytes]] = Counter()
    features = source.available_features()
    for piece in source.pieces():
        for batch in source.read(piece, features, frozenset(features)):
            images = (hashlib.sha256(data).digest() for data in batch.columns["image"].to_pylist())
            found.update(zip(batch.columns["label"].to_pylist(), images, strict=True))
    return found


def test_cifar_is_the_same_in_tars_and_in_folders(cifar: tuple[Path, Path]) -> None:
    tars, unpacked = cifar
    in_tars, in_folders = Images(paths=[f"{tars}/*.tar"]), Images(paths=[f"{unpacked}/**/*.png"])
    features = in_tars.available_features()
    assert features == in_folders.available_features()
    assert features["image"] == Feature(dtype="bytes", image_format="png")
    labels = features["label"].labels or ()
    assert (len(labels), labels[0], labels[-1]) == (100, "apple", "worm")
    assert (len(in_tars.pieces()), len(in_folders.pieces())) == (2, 15)
    found = _digests(in_tars)
    assert found == _digests(in_folders)
    assert Counter(label for label, _ in found.elements()) == dict.fromkeys(range(100), 150)
    expected = Counter(
        (labels.index(file.parent.name), hashlib.sha256(file.read_bytes()).digest()) for file in unpacked.rglob("*.png")
    )
    assert found == expected


@pytest.fixture(scope="module")
def news(shared_data: Any) -> list[dict[str, Any]]:
    packed = (shared_data("news_abp") / "articles_sample20.jsonl.gz").read_bytes()
    return [orjson.loads(line) for line in gzip.decompress(packed).splitlines()]


def _news_parquet(folder: Path, news: list[dict[str, Any]]) -> Source:
    pq.write_table(pa.Table.from_pylist(news), folder / "train.parquet", row_group_size=1_000)
    return Parquet(paths=[f"{folder}/*.parquet"])


def _news_saved(folder: Path, news: list[dict[str, Any]]) -> Source:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(news).save_to_disk(str(folder / "saved"), num_shards=3)
    return HuggingFace(folder=str(folder / "saved"))


def _news_streamed(folder: Path, news: list[dict[str, Any]]) -> Source:
    for i in range(3):
        pq.write_table(pa.Table.from_pylist(news[i * 2_500 : (i + 1) * 2_500]), folder / f"train-{i}.parquet")
    return HuggingFace(dataset=str(folder), streaming=True)


@pytest.mark.parametrize("make", [_news_parquet, _news_saved, _news_streamed])
def test_news_is_the_same_in_every_form(make: Any, news: list[dict[str, Any]], tmp_path: Path, read_rows: Any) -> None:
    assert len(news) == 7_488
    assert read_rows(make(tmp_path, news)) == news


@pytest.fixture(scope="module")
def digits(shared_data: Any) -> tuple[np.ndarray, np.ndarray]:
    """2,000 images and labels of MNIST."""
    folder = shared_data("mnist_idx")
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28, 1)[:2_000], np.frombuffer(labels, np.uint8)[:2_000]


@pytest.fixture(scope="module")
def mnist_builder(digits: tuple[np.ndarray, np.ndarray]) -> Any:
    import tensorflow_datasets as tfds

    class MnistForTests(tfds.core.GeneratorBasedBuilder):
        __module__ = "mnist_for_tests"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            kinds = {
                "image": tfds.features.Image(shape=(28, 28, 1), encoding_format="png"),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            features = tfds.features.FeaturesDict(kinds)
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"test": self._generate_examples()}

        def _generate_examples(self) -> Any:
            pairs = zip(*digits, strict=True)
            return ((i, {"image": image, "label": int(label)}) for i, (image, label) in enumerate(pairs))

    return MnistForTests


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_mnist_is_read_from_what_tfds_prepares(
    file_format: str, mnist_builder: Any, digits: tuple[np.ndarray, np.ndarray], tmp_path: Path, read_rows: Any
) -> None:
    mnist_builder(data_dir=tmp_path, file_format=file_format).download_and_prepare()
    rows = read_rows(Tfds(folder=str(tmp_path / "mnist_for_tests/1.0.0"), split="test"))
    assert [row["label"] for row in rows] == digits[1].tolist()
    decoded = decode_images(pa.array([row["image"] for row in rows]))
    assert np.array_equal(np.stack(decoded), digits[0])
