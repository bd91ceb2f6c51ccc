"""What is timed, each in a process of its own: `python -m benchmarks.reader.cases CASE FOLDER NAME` prints JSON.

FOLDER holds what `prepare` made of the version NAME: the same examples for every peer. The second pass of a process is
timed, since the first one pays for memory that the system has to find; of TensorFlow's cases, which take longer, the
first. Imports and opening are not timed, and every case touches every column of every group.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c

import groupstream
from groupstream import Split
from groupstream.tfrecord import iter_record_blocks

Case = Callable[[Path, str], int]  # gives the number of examples that it saw


def split_of(folder: Path, name: str, **how: Any) -> Split:
    """The version's only split."""
    return groupstream.open(name, str(folder), **how)["train"]


def _shards(folder: Path, name: str) -> list[Path]:
    return sorted((folder / name / "1.0.0").glob("train-*.tfrecord"))


def raw(folder: Path, name: str) -> int:
    """Records with CRC checks, no decoding, one after the other: what anyone would write."""
    value, count = google_crc32c.value, 0
    for path in _shards(folder, name):
        data, position = path.read_bytes(), 0
        while position < len(data):
            length, crc = struct.unpack_from("<QI", data, position)
            record = data[position + 12 : position + 12 + length]
            (data_crc,) = struct.unpack_from("<I", data, position + 12 + length)
            if _masked(value(data[position : position + 8])) != crc or _masked(value(record)) != data_crc:
                raise ValueError(position)
            position += 16 + length
            count += 1
    return count


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def raw_blocks(folder: Path, name: str) -> int:
    """The same by our own reader, a block at a time."""
    count = 0
    for path in _shards(folder, name):
        with open(path, "rb") as file:
            blocks = iter_record_blocks(functools.partial(_read, file.fileno()), 0, path.stat().st_size, str(path))
            count += sum(map(len, blocks))
    return count


def _read(file: int, offset: int, length: int) -> bytes:
    return os.pread(file, length, offset)


def _touch(groups: Iterator[groupstream.Group]) -> int:
    count = 0
    for group in groups:
        for batch in group.batches():
            _ = batch.columns
            count += batch.num_rows
    return count


def stored(folder: Path, name: str) -> int:
    """Group by group in stored order, every feature as an Arrow column."""
    return _touch(iter(split_of(folder, name)))


def shuffled(folder: Path, name: str) -> int:
    """The same in a shuffled order."""
    return _touch(iter(split_of(folder, name).shuffle(7)))


def arrow_copy(folder: Path, name: str) -> int:
    """Group by group from the Arrow copy."""
    return _touch(iter(split_of(folder, name, arrow=True)))


def to_numpy(folder: Path, name: str) -> int:
    """Group by group as NumPy arrays."""
    return sum(len(arrays["year"]) for _, arrays in split_of(folder, name).to_numpy())


def to_python(folder: Path, name: str) -> int:
    """Group by group as columns of Python values."""
    count = 0
    for group in split_of(folder, name):
        for batch in group.batches():
            count += len(batch.to_pydict()["year"])
    return count


def to_torch(folder: Path, name: str) -> int:
    """Group by group as tensors and lists."""
    return sum(len(group["year"]) for group in split_of(folder, name).to_torch())


def to_tf_tensors(folder: Path, name: str) -> int:
    """to_tf(tensors=True): each group as tensors, in a Python loop."""
    return sum(int(group["examples"]["year"].shape[0]) for group in split_of(folder, name).to_tf(tensors=True))


def to_tf_nested(folder: Path, name: str) -> int:
    """to_tf(): each group a tf.data.Dataset, read in batches of 64 in a Python loop."""
    count = 0
    for group in split_of(folder, name).to_tf():
        for batch in group["examples"].batch(64):
            count += int(batch["year"].shape[0])
    return count


def to_tf_readme(folder: Path, name: str) -> int:
    """to_tf() read as Dataset Grouper's README reads its own stream: each example of each group as NumPy values."""
    return sum(1 for group in split_of(folder, name).to_tf() for _ in group["examples"].as_numpy_iterator())


def to_tf_flat(folder: Path, name: str) -> int:
    """to_tf(): the nested groups flattened inside tf.data, in batches of 64."""
    stream = split_of(folder, name).to_tf().flat_map(lambda group: group["examples"])
    return sum(int(batch["year"].shape[0]) for batch in stream.batch(64))


def hf_python(folder: Path, name: str) -> int:
    """A Hugging Face dataset sorted by group, sliced to Python columns."""
    dataset, bounds = _hf(folder, name)
    return sum(len(dataset[a:b]["year"]) for a, b in bounds)


def hf_arrow(folder: Path, name: str) -> int:
    """The same in Arrow format."""
    dataset, bounds = _hf(folder, name)
    dataset, count = dataset.with_format("arrow"), 0
    for a, b in bounds:
        table = dataset[a:b]
        _ = table.columns
        count += table.num_rows
    return count


@functools.cache
def _hf(folder: Path, name: str) -> tuple[Any, list[tuple[int, int]]]:
    import datasets

    ends = json.loads((folder / "peers" / name / "ends.json").read_text())
    return datasets.load_from_disk(str(folder / "peers" / name / "hf")), list(zip([0, *ends], ends, strict=False))


def sqlite(folder: Path, name: str) -> int:
    """SQLite keyed by group, serialised examples decoded by protobuf (upb)."""
    parse = _example_class().FromString
    count = 0
    with sqlite3.connect(folder / "peers" / name / "groups.sqlite") as database:
        for (group,) in database.execute("SELECT DISTINCT group_id FROM examples").fetchall():
            rows = database.execute("SELECT example FROM examples WHERE group_id = ?", (group,))
            columns = [_values(parse(example)) for (example,) in rows]
            count += len(columns)
    return count


def _example_class() -> Any:
    from groupstream.examples.parsing import example_class

    return example_class()


def _values(example: Any) -> tuple[Any, ...]:
    feature = example.features.feature
    return (
        feature["text"].bytes_list.value[0].decode(),
        feature["topic"].bytes_list.value[0].decode(),
        feature["year"].int64_list.value[0],
        list(feature["scores"].float_list.value),
    )


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        raw, raw_blocks, stored, shuffled, arrow_copy, to_numpy, to_python, to_torch,
        to_tf_tensors,
        to_tf_nested, to_tf_readme, to_tf_flat, hf_python, hf_arrow, sqlite,
    )
}  # fmt: skip


def measure(name: str, folder: Path, version: str) -> dict[str, float]:
    """Seconds, examples and peak memory of one case; a framework is imported before the clock starts."""
    if name.startswith("to_tf"):
        import tensorflow  # noqa: F401
    if name.startswith("to_torch"):
        import torch  # noqa: F401
    if name.startswith("hf"):
        _hf(folder, version)
    _ = split_of(folder, version).index_file
    if not name.startswith("to_tf"):  # which take long enough
        CASES[name](folder, version)
    before = _peak_bytes()
    start = time.perf_counter()
    examples = CASES[name](folder, version)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "examples": examples, "peak_bytes": _peak_bytes(), "bytes_before": before}


def _peak_bytes() -> int:
    """Of this process; getrusage would give that of its parent where that was larger."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
