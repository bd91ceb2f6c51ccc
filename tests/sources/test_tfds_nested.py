"""TFDS features within features, and files of the ArrayRecord format."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupstream import ExampleError, Feature, SourceError, SpecError
from sources import Tfds

NUM_EXAMPLES = 40


def _example(i: int) -> dict[str, Any]:
    return {
        "id": i,
        "meta": {"who": f"u{i % 3}", "deep": {"when": i / 4}},
        "turns": [{"text": f"{i}.{t}", "score": t} for t in range(i % 3)],
        "frames": [np.full((2, 3), i + t, np.float32) for t in range(i % 4)],
        "pictures": [np.full((2, 2, 3), i, np.uint8)] * (i % 2),
        "ragged": [list(range(n)) for n in range(i % 3)],
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same dataset, prepared in both file formats."""
    import tensorflow_datasets as tfds

    f = tfds.features

    class NestedForTests(tfds.core.GeneratorBasedBuilder):
        __module__ = "nested_for_tests"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            kinds = {
                "id": f.Scalar(np.int64),
                "meta": {"who": f.Text(), "deep": {"when": f.Scalar(np.float32)}},
                "turns": f.Sequence({"text": f.Text(), "score": f.Scalar(np.int32)}),
                "frames": f.Sequence(f.Tensor(shape=(2, 3), dtype=np.float32)),
                "pictures": f.Sequence(f.Image(shape=(2, 2, 3), encoding_format="png")),
                "ragged": f.Sequence(f.Sequence(f.Scalar(np.int64))),
            }
            return tfds.core.DatasetInfo(builder=self, features=f.FeaturesDict(kinds))

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[Any]:
            return ((i, _example(i)) for i in range(NUM_EXAMPLES))

    found = {}
    for file_format in ("tfrecord", "array_record"):
        folder = tmp_path_factory.mktemp(file_format)
        NestedForTests(data_dir=folder, file_format=file_format).download_and_prepare()
        found[file_format] = str(folder / "nested_for_tests/1.0.0")
    return found


@pytest.fixture(params=["tfrecord", "array_record"])
def folder(request: pytest.FixtureRequest, folders: dict[str, str]) -> str:
    return folders[request.param]


def test_nested_features_have_the_names_that_they_have_in_a_record(folder: str) -> None:
    assert Tfds(folder=folder).available_features() == {
        "frames": Feature(dtype="float32", shape=(None, 2, 3)),
        "id": Feature(dtype="int64"),
        "meta/deep/when": Feature(dtype="float32"),
        "meta/who": Feature(dtype="string"),
        "pictures": Feature(dtype="bytes", shape=(None,), image_format="png"),
        "ragged/ragged_flat_values": Feature(dtype="int64", shape=(None,)),
        "ragged/ragged_row_lengths_0": Feature(dtype="int64", shape=(None,)),
        "turns/score": Feature(dtype="int64", shape=(None,)),
        "turns/text": Feature(dtype="string", shape=(None,)),
    }


def test_nested_features_are_read_as_they_were_written(folder: str, read_rows: Any) -> None:
    rows = read_rows(Tfds(folder=folder))
    assert sorted(row["id"] for row in rows) == list(range(NUM_EXAMPLES))
    for row in rows:
        example = _example(row["id"])
        assert row["meta/who"] == example["meta"]["who"]
        assert row["meta/deep/when"] == example["meta"]["deep"]["when"]
        assert row["turns/text"] == [turn["text"] for turn in example["turns"]]
        assert row["frames"] == [frame.tolist() for frame in example["frames"]]
        assert [picture[:4] for picture in row["pictures"]] == [b"\x89PNG"] * len(example["pictures"])
        assert row["ragged/ragged_flat_values"] == [value for values in example["ragged"] for value in values]
        assert row["ragged/ragged_row_lengths_0"] == [len(values) for values in example["ragged"]]


def test_both_file_formats_hold_the_same_records(folders: dict[str, str]) -> None:
    records = [
        [r for piece in source.pieces() for b in source.read(piece, {}, frozenset()) for r in b.records.to_pylist()]
        for source in (Tfds(folder=folder) for folder in folders.values())
    ]
    assert len(records[0]) == NUM_EXAMPLES
    assert records[0] == records[1]


def test_array_record_file_falls_into_ranges_of_its_records(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, read_rows: Any
) -> None:
    source = Tfds(folder=folders["array_record"])
    (whole,) = source.pieces()
    rows = read_rows(source)
    monkeypatch.setattr("sources.tfds._PIECE_BYTES", 1 << 14)
    pieces = source.pieces()
    assert len(pieces) > 2
    assert [piece.part[1][0] for piece in pieces[1:]] == [piece.part[1][1] for piece in pieces[:-1]]
    assert (pieces[0].part[1][0], pieces[-1].part[1][1]) == (0, NUM_EXAMPLES)
    first, last = pieces[1].part[1]
    assert pieces[1].label == f"{whole.part[0].name}[{first}:{last}]"
    assert read_rows(source) == rows


def test_features_are_chosen_renamed_and_cast(folder: str, read_rows: Any) -> None:
    source = Tfds(folder=folder, features={"who": {"from": "meta/who"}, "id": "string", "frames": "string"})
    assert source.available_features() == {
        "who": Feature(dtype="string"),
        "id": Feature(dtype="string"),
        "frames": Feature(dtype="string"),
    }
    rows = read_rows(source)
    assert {row["id"]: row["who"] for row in rows} == {str(i): f"u{i % 3}" for i in range(NUM_EXAMPLES)}
    assert next(row["frames"] for row in rows if row["id"] == "1") == "[[[1.0,1.0,1.0],[1.0,1.0,1.0]]]"
    batch = next(iter(source.read(source.pieces()[0], source.available_features(), frozenset())))
    assert batch.records is None


def test_what_is_known_of_a_chosen_feature_is_kept(tiny_tfds: Path) -> None:
    source = Tfds(dataset="tiny_for_tests", data_dir=str(tiny_tfds), features=["label", "image", "grid"])
    assert source.available_features() == {
        "label": Feature(dtype="int64", labels=("even", "odd")),
        "image": Feature(dtype="bytes", image_format="png"),
        "grid": Feature(dtype="int16", shape=(2, 3)),
    }


def test_value_that_does_not_fit_the_chosen_type_is_named_with_its_place(folder: str, refusal: Any) -> None:
    error = refusal(Tfds(folder=folder, features={"w": {"from": "meta/deep/when", "dtype": "int64"}}))
    assert isinstance(error, ExampleError)
    assert re.match(r"nested_for_tests-train\..*-of-00001(\[0:40\])?, example \d+: meta/deep/when is ", str(error))
    assert "which is no int64" in str(error)


def test_unknown_feature_is_refused_with_the_nearest(folder: str, refusal: Any) -> None:
    error = refusal(Tfds(folder=folder, features=["meta/how"]))
    assert isinstance(error, SpecError)
    assert "did you mean 'meta/who'?" in str(error)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "empty"])
def test_broken_array_record_file_is_refused(
    damage: str, folders: dict[str, str], tmp_path: Path, refusal: Any
) -> None:
    shutil.copytree(folders["array_record"], tmp_path / "copy")
    (file,) = (tmp_path / "copy").glob("*.array_record*")
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        middle = 1_000  # of the records; what follows them is padding
        changed = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        file.write_bytes({"cut": content[:-5], "changed": changed, "empty": b""}[damage])
    error = refusal(Tfds(folder=str(tmp_path / "copy")))
    assert isinstance(error, SourceError)
    assert f"{file.name}" in str(error)
    assert "Prepare the dataset again" in str(error)
