from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Feature
from pipelines.batches import Batch
from pipelines.tally import Tally
from sources import Piece

FEATURES = {"text": Feature(dtype="string"), "number": Feature(dtype="int64")}


@pytest.fixture
def features() -> dict[str, Feature]:
    return FEATURES


@pytest.fixture
def make_batches() -> Callable[..., list[Batch]]:
    """Batches of a made-up source: Zipf-sized groups, texts of differing lengths."""

    def make(num_pieces: int = 3, rows_a_piece: int = 400, batch_rows: int = 64, num_groups: int = 60) -> list[Batch]:
        return [
            batch
            for index in range(num_pieces)
            for batch in _batches_of_piece(index, rows_a_piece, batch_rows, num_groups)
        ]

    return make


def _batches_of_piece(index: int, rows_a_piece: int, batch_rows: int, num_groups: int) -> Iterator[Batch]:
    draw = np.random.default_rng(index)
    groups = np.minimum(draw.zipf(1.3, rows_a_piece), num_groups) - 1
    texts = [f"piece {index} row {row} " + "wörd " * int(n) for row, n in enumerate(draw.integers(0, 20, rows_a_piece))]
    for start in range(0, rows_a_piece, batch_rows):
        rows = np.arange(start, min(start + batch_rows, rows_a_piece))
        columns = pa.record_batch({"text": pa.array([texts[r] for r in rows]), "number": pa.array(rows - 100)})
        ids = pa.array([f"group {groups[r]}".encode() for r in rows])
        yield Batch(Piece(index, f"piece-{index}"), start, rows, columns, None, ids, Tally(examples_in=len(rows)))


@pytest.fixture
def jsonl_source(tmp_path: Path) -> Path:
    """A folder with three JSONL files: 900 examples in 40 groups of differing sizes."""
    import orjson

    folder = tmp_path / "source"
    folder.mkdir()
    draw = np.random.default_rng(7)
    for file in range(3):
        keys = np.minimum(draw.zipf(1.4, 300), 40)
        lines = [
            orjson.dumps({"key": f"k{k}", "text": "word " * int(k), "file": file, "row": row})
            for row, k in enumerate(keys)
        ]
        (folder / f"part-{file}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder
