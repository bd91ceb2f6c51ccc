"""What holds for every source."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from sources import (
    AnySource,
    CommaSeparated,
    HuggingFace,
    Idx,
    JsonLines,
    PythonModules,
    Source,
    Text,
    Tfds,
    WikiExtractor,
)

NUM_EXAMPLES = 6


@dataclass(frozen=True)
class Case:
    """How to make a source of NUM_EXAMPLES examples in a folder, and a change to the file that holds `old`."""

    kind: type[Source]
    make: Callable[[Path], Source]
    num_pieces: int = 2
    old: bytes = b"alpha"
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


CASES = [
    Case(CommaSeparated, _csv),
    Case(HuggingFace, _huggingface, num_pieces=1),
    Case(Idx, _idx, old=bytes(range(6)), new=bytes(range(1, 7))),
    Case(JsonLines, _jsonl),
    Case(PythonModules, _python_modules, num_pieces=1),
    Case(Text, _text),
    Case(WikiExtractor, _wikiextractor),
]


def test_cases_cover_every_source() -> None:
    members = set(get_args(get_args(AnySource)[0]))
    assert {case.kind for case in CASES} | {Tfds} == members  # TFDS: test_tfds.py


@pytest.fixture(params=CASES, ids=lambda case: case.kind.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def source(case: Case, tmp_path: Path) -> Source:
    return case.make(tmp_path)


def _read(source: Source, piece: Any) -> list[pa.RecordBatch]:
    features = source.available_features()
    return [batch.columns for batch in source.read(piece, features, frozenset(features))]


def test_source_gives_every_example_with_its_features(source: Source, read_rows: Any) -> None:
    rows = read_rows(source)
    assert len(rows) == NUM_EXAMPLES
    assert all(row.keys() == source.available_features().keys() for row in rows)
    if "text" in source.available_features() and not isinstance(source, PythonModules):
        assert [row["text"] for row in rows] == _texts(0, 6)


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
    before = source.identity()
    file = next(f for f in sorted(tmp_path.rglob("*")) if f.is_file() and case.old in f.read_bytes())
    file.write_bytes(file.read_bytes().replace(case.old, case.new, 1))
    assert source.identity() != before
    assert source.identity()["num_bytes"] > 0


@pytest.mark.parametrize("make", [_csv, _idx, _jsonl, _python_modules, _text, _wikiextractor])
def test_identity_changes_with_the_name_of_a_file(make: Callable[[Path], Source], tmp_path: Path) -> None:
    source = make(tmp_path)
    before = source.identity()
    file = next(f for f in sorted(tmp_path.iterdir()) if f.is_file())
    file.rename(file.with_name(f"0{file.name}"))
    assert source.identity() != before
