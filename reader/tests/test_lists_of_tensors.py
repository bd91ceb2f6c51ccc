"""A feature of shape (null, d1, ...), from the version to what people do with its columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import Feature
from groupstream.features import arrow_schema, feature_of_arrow

FEATURES = {
    "boxes": Feature(dtype="float32", shape=(None, 2, 2)),
    "mask": Feature(dtype="bool", shape=(None, 3), optional=True),
}


def example(number: int) -> dict[str, Any]:
    boxes = np.arange(number % 4 * 4, dtype=np.float32).reshape(-1, 2, 2).tolist()
    return {"boxes": boxes, "mask": None if number % 5 == 0 else [[True, False, number % 2 == 0]] * (number % 3)}


@pytest.fixture
def table(make_version: Any) -> pa.Table:
    root = make_version([example(n) for n in range(100)], [b"a" if n < 60 else b"b" for n in range(100)], FEATURES)
    dataset = groupstream.open("made", str(root))
    assert dataset.features == FEATURES
    return pa.concat_tables([dataset["train"].group(name).table() for name in ("a", "b")])


def test_a_version_holds_them(table: pa.Table) -> None:
    assert table.schema == arrow_schema(FEATURES)
    assert table.to_pylist() == [example(n) for n in range(100)]
    assert table.slice(61, 7).to_pylist() == [example(n) for n in range(61, 68)]
    assert {name: feature_of_arrow(name, table[name].type) for name in FEATURES} == {
        name: feature.model_copy(update={"optional": False}) for name, feature in FEATURES.items()
    }


def test_their_columns_survive_ipc_and_parquet(table: pa.Table, tmp_path: Path) -> None:
    target = io.BytesIO()
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table.slice(3))
    assert pa.ipc.open_stream(target.getvalue()).read_all().to_pylist() == table.slice(3).to_pylist()
    pq.write_table(table, tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == table.to_pylist()
