"""What holds for every source."""

from __future__ import annotations

import atexit
import functools
import gzip
import io
import json
import os
import pickle
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from groupstream import Feature
from groupstream.binary import data_of
from groupstream.dataset_grouper.sequence_example import encode_groups
from groupstream.examples.encoding import encode_examples
from groupstream.tfrecord import frame_records
from sources import (
    AnySource,
    CommaSeparated,
    DatasetGrouper,
    GroupstreamVersion,
    HuggingFace,
    Idx,
    Images,
    JsonLines,
    Parquet,
    PythonModules,
    Source,
    Text,
    Tfds,
    WikiExtractor,
)

NUM_EXAMPLES = 6


@dataclass(frozen=True)
class Case:
    """How to make a source in a folder, and a change to the file that holds `old`.

    Attributes:
        num_examples: in the order of their texts, "alpha 0" and so on, where a feature `text` is among them.
        old: None where no file may be changed.
    """

    kind: type[Source]
    make: Callable[[Path], Source]
    num_pieces: int = 2
    num_examples: int = NUM_EXAMPLES
    old: bytes | None = b"alpha"
    new: bytes = b"alphb"


def _texts(first: int, end: int) -> list[str]:
    return [f"alpha {i}" for i in range(first, end)]


def _write_pair(folder: Path, render: Callable[[list[str]], str], name: str) -> list[str]:
    (folder / f"1{name}").write_text(render(_texts(0, 4)))
    (folder / f"2{name}").write_text(render(_texts(4, 6)))
    return [str(folder / f"*{name}")]


def _csv(folder: Path) -> Source:
    return CommaSeparated(paths=_write_pair(folder, lambda texts: "\n".join(["text", *texts]), ".csv"))


def _jsonl(folder: Path) -> Source:
    return JsonLines(paths=_write_pair(folder, lambda t: "\n".join(json.dumps({"text": x}) for x in t), ".jsonl"))


def _text(folder: Path) -> Source:
    return Text(paths=_write_pair(folder, lambda texts: "\r\n".join(texts), ".txt"))


def _wikiextractor(folder: Path) -> Source:
    article = '<doc id="{0}" url="u" title="T">\n{0}\n</doc>\n'
    return WikiExtractor(paths=_write_pair(folder, lambda texts: "".join(map(article.format, texts)), ".txt"))


def _python_modules(folder: Path) -> Source:
    for i in range(3):
        (folder / f"m{i}.py").write_text(f"X = 'alpha'\ndef f{i}(): pass\n")
    return PythonModules(folder=str(folder), examples="definition")


def _idx(folder: Path) -> Source:
    for name, count in (("a", 4), ("b", 2)):
        images = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (count, 2, 3)) + bytes(range(6)) * count
        (folder / f"{name}-images").write_bytes(images)
        labels = b"\0\0\x08\1" + count.to_bytes(4, "big") + b"\x07" * count
        (folder / f"{name}-labels.gz").write_bytes(gzip.compress(labels, mtime=0))
    return Idx(images=[f"{folder}/*-images"], labels=[f"{folder}/*-labels.gz"])


def _huggingface(folder: Path) -> Source:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": _texts(0, 6)}).save_to_disk(str(folder / "saved"))
    return HuggingFace(folder=str(folder / "saved"))


def _huggingface_streamed(folder: Path) -> Source:
    (folder / "data").mkdir()
    _write_pair(folder / "data", lambda t: "\n".join(json.dumps({"text": x}) for x in t), "-train.jsonl")
    return HuggingFace(dataset=str(folder / "data"), streaming=True)


def _parquet(folder: Path) -> Source:
    for name, texts in (("a", _texts(0, 4)), ("b", _texts(4, 6))):
        pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet", compression="none")
    return Parquet(paths=[f"{folder}/*.parquet"])


def _images(folder: Path) -> Source:
    image = b"\x89PNG\r\n\x1a\nalpha"
    for i in range(4):
        (folder / f"images/{i % 2}").mkdir(parents=True, exist_ok=True)
        (folder / f"images/{i % 2}/{i}.png").write_bytes(image)
    with tarfile.open(folder / "images/more.tar", "w") as tar:
        for i in (4, 5):
            member = tarfile.TarInfo(f"{i % 2}/{i}.png")
            member.size = len(image)
            tar.addfile(member, io.BytesIO(image))
    return Images(paths=[f"{folder}/images/*/*.png", f"{folder}/images/*.tar"])


def _dataset_grouper(folder: Path) -> Source:
    kinds = {"text": Feature(dtype="string")}
    for name, texts in (("a", _texts(0, 4)), ("b", _texts(4, 6))):
        records = encode_examples(pa.record_batch({"text": texts}), kinds)
        groups = encode_groups(records, np.array([0, 1, len(texts)]))
        (folder / f"shard-{name}").write_bytes(bytes(data_of(frame_records(groups))))
    return DatasetGrouper(paths=[f"{folder}/shard-*"])


def _groupstream_version(folder: Path) -> Source:
    shutil.copytree(Path(__file__).parents[1] / "golden/v1/digits", folder / "digits")
    return GroupstreamVersion(ref="digits", root=str(folder), group_feature="old_group")


@functools.cache
def _tfds_builder() -> Any:
    import tensorflow_datasets as tfds

    class ConformanceForTests(tfds.core.GeneratorBasedBuilder):
        __module__ = "conformance_for_tests"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Any:
            return ((i, {"text": text}) for i, text in enumerate(_texts(0, 6)))

    return ConformanceForTests


@functools.cache
def _prepared_with_tfds(file_format: str) -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _tfds_builder()(data_dir=folder, file_format=file_format).download_and_prepare()
    return folder / "conformance_for_tests/1.0.0"


def _tfds(folder: Path, file_format: str = "tfrecord") -> Source:
    shutil.copytree(_prepared_with_tfds(file_format), folder / "prepared")
    return Tfds(folder=str(folder / "prepared"))


def _tfds_array_record(folder: Path) -> Source:
    return _tfds(folder, "array_record")


CASES = [
    Case(CommaSeparated, _csv),
    Case(DatasetGrouper, _dataset_grouper),
    Case(GroupstreamVersion, _groupstream_version, num_examples=20, old=None),  # a version never changes
    Case(HuggingFace, _huggingface, num_pieces=1),
    Case(HuggingFace, _huggingface_streamed),
    Case(Idx, _idx, old=bytes(range(6)), new=bytes(range(1, 7))),
    Case(Images, _images),
    Case(JsonLines, _jsonl),
    Case(Parquet, _parquet),
    Case(PythonModules, _python_modules, num_pieces=1),
    Case(Text, _text),
    Case(Tfds, _tfds, num_pieces=1),
    Case(Tfds, _tfds_array_record, num_pieces=1, old=bytes(8), new=b"\1" + bytes(7)),  # its texts are compressed
    Case(WikiExtractor, _wikiextractor),
]


_KNOWING = (GroupstreamVersion, Idx, Parquet, Tfds)


def test_cases_cover_every_source() -> None:
    assert {case.kind for case in CASES} == set(get_args(get_args(AnySource)[0]))


@pytest.fixture(params=CASES, ids=lambda case: case.kind.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def source(case: Case, tmp_path: Path) -> Source:
    return case.make(tmp_path)


def _read(source: Source, piece: Any) -> list[pa.RecordBatch]:
    features = source.available_features()
    return [batch.columns for batch in source.read(piece, features, frozenset(features))]


def test_source_gives_every_example_with_its_features(source: Source, case: Case, read_rows: Any) -> None:
    rows = read_rows(source)
    assert len(rows) == case.num_examples
    assert all(row.keys() == source.available_features().keys() for row in rows)
    if "text" in source.available_features() and not isinstance(source, PythonModules):
        assert [row["text"] for row in rows] == _texts(0, 6)


def test_a_number_of_examples_that_is_known_is_the_number(source: Source, case: Case) -> None:
    known = source.known_num_examples()
    assert known == case.num_examples if isinstance(source, _KNOWING) else known in (None, case.num_examples)


def test_pieces_are_numbered_named_and_read_alike_after_pickling(source: Source, case: Case) -> None:
    pieces = source.pieces()
    assert [piece.index for piece in pieces] == list(range(case.num_pieces))
    assert len({piece.label for piece in pieces}) == len(pieces)
    for piece in reversed(pieces):
        copy, its_piece = pickle.loads(pickle.dumps((source, piece)))
        assert _read(copy, its_piece) == _read(source, piece)


def test_a_piece_gives_the_same_batches_again(source: Source) -> None:
    for piece in source.pieces():
        first, again = _read(source, piece), _read(source, piece)
        assert [len(batch) for batch in first] == [len(batch) for batch in again]
        assert all(one.equals(other) for one, other in zip(first, again, strict=True))


def test_pieces_do_not_depend_on_the_working_directory(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = source.pieces()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert source.pieces() == pieces


def test_source_survives_a_json_round_trip(source: Source) -> None:
    assert TypeAdapter(AnySource).validate_json(source.model_dump_json()) == source


def test_feature_is_stored_under_another_name_and_type(source: Source, read_rows: Any) -> None:
    rows = read_rows(source)
    for name, feature in source.available_features().items():
        wanted = {"renamed": {"from": name}, "as_text": {"from": name, "dtype": "string"}}
        renamed, as_text = (
            TypeAdapter(AnySource).validate_python({**source.model_dump(), "features": {new: wanted[new]}})
            for new in wanted
        )
        assert renamed.available_features()["renamed"] == feature
        assert [row["renamed"] for row in read_rows(renamed)] == [row[name] for row in rows]
        if feature.dtype != "bytes":
            assert as_text.available_features()["as_text"].dtype == "string"
            assert len(read_rows(as_text)) == len(rows)


def test_identity_is_that_of_the_content_wherever_it_lies(
    source: Source, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("moved") / "deeper"
    shutil.copytree(tmp_path, moved)
    fields = source.model_dump_json().replace(str(tmp_path), str(moved))
    assert TypeAdapter(AnySource).validate_json(fields).identity() == source.identity()


def test_identity_does_not_change_with_the_time_of_a_file(source: Source, tmp_path: Path) -> None:
    before = source.identity()
    for file in tmp_path.rglob("*"):
        os.utime(file, (1, 1))
    assert source.identity() == before


def test_identity_changes_with_one_byte(source: Source, case: Case, tmp_path: Path) -> None:
    if case.old is None:
        pytest.skip("none of its files may change")
    before = source.identity()
    file = next(f for f in sorted(tmp_path.rglob("*")) if f.is_file() and case.old in f.read_bytes())
    file.write_bytes(file.read_bytes().replace(case.old, case.new, 1))
    assert source.identity() != before
    assert source.identity()["num_bytes"] > 0


@pytest.mark.parametrize(
    "make", [_csv, _dataset_grouper, _idx, _jsonl, _parquet, _python_modules, _text, _wikiextractor]
)
def test_identity_changes_with_the_name_of_a_file(make: Callable[[Path], Source], tmp_path: Path) -> None:
    source = make(tmp_path)
    before = source.identity()
    file = next(f for f in sorted(tmp_path.iterdir()) if f.is_file())
    file.rename(file.with_name(f"0{file.name}"))
    assert source.identity() != before
