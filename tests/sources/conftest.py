"""Sources to read, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import GroupstreamError
from sources import Source

os.environ["HF_HUB_OFFLINE"] = "1"  # before the datasets library is imported

Rows = list[dict[str, Any]]
ReadRows = Callable[[Source], Rows]
Refusal = Callable[[Source], GroupstreamError]
Write = Callable[[str, str | bytes], str]


def _batches(source: Source) -> Iterator[pa.RecordBatch]:
    features = source.available_features()
    for piece in source.pieces():
        for batch in source.read(piece, features, frozenset(features)):
            batch.columns.validate(full=True)
            assert batch.columns.schema.types == [feature.arrow_type for feature in features.values()]
            yield batch.columns


@pytest.fixture
def read_rows() -> ReadRows:
    """All examples of a source; their columns have the types of its features."""
    return lambda source: [row for batch in _batches(source) for row in batch.to_pylist()]


@pytest.fixture
def refusal() -> Refusal:
    """The error of a source that cannot be read to its end. It is one line, of bounded length."""

    def read(source: Source) -> GroupstreamError:
        with pytest.raises(GroupstreamError) as caught:
            list(_batches(source))
        message = str(caught.value)
        assert "\n" not in message
        assert len(message) < 700
        return caught.value

    return read


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file into the folder that the test runs in, and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, content: str | bytes) -> str:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write_file


@pytest.fixture(scope="session")
def tiny_tfds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data_dir of a real TFDS dataset, `tiny_for_tests`: 10 examples in train, 5 in test."""
    import tensorflow_datasets as tfds

    features = tfds.features

    class TinyForTests(tfds.core.GeneratorBasedBuilder):
        __module__ = "tiny_for_tests"  # TFDS looks for the files of the package of a builder, which has none
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            kinds = {
                "text": features.Text(),
                "label": features.ClassLabel(names=["even", "odd"]),
                "image": features.Image(shape=(None, None, 3), encoding_format="png"),
                "score": features.Scalar(np.float32),
                "flag": features.Scalar(np.bool_),
                "grid": features.Tensor(shape=(2, 3), dtype=np.int16, encoding="bytes"),
                "box": features.Tensor(shape=(4,), dtype=np.float32),
                "tags": features.Sequence(features.Text()),
                "labels": features.Sequence(features.ClassLabel(names=["even", "odd"])),
                "numbers": features.Sequence(features.Scalar(np.int32)),
            }
            return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict(kinds))

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._generate_examples(0, 10), "test": self._generate_examples(10, 15)}

        def _generate_examples(self, start: int, end: int) -> Any:
            return ((i, tiny_example(i)) for i in range(start, end))

    folder = tmp_path_factory.mktemp("tfds")
    TinyForTests(data_dir=folder, file_format="tfrecord").download_and_prepare()
    return folder


def tiny_example(i: int) -> dict[str, Any]:
    return {
        "text": f"alpha é {i}",
        "label": i % 2,
        "image": np.full((4, 5, 3), i, np.uint8),
        "score": i / 2,
        "flag": i % 2 == 1,
        "grid": np.full((2, 3), -i, np.int16),
        "box": [0, 1, 2, i],
        "tags": ["ü"] * (i % 3),
        "labels": [i % 2] * (i % 2),
        "numbers": list(range(i % 4)),
    }
