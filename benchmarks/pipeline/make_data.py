"""Makes sources on disk: the same files for the same name.

python -m benchmarks.pipeline.make_data FOLDER NAME [--part 0.001]

Parquet files as a data engineer has them: about 256 MB each, row groups of about 64 MB of values, Snappy; a column
`key`, which names the group, and a column `text`. Examples stand in a random order. `talk` is a prepared TFDS dataset
instead. `--part` makes so much of a source, with so much of its groups.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pipeline.tfds_folder import NUM_FILES, write_tfds_folder
from benchmarks.pipeline.words import texts
from benchmarks.reader.make_version import zipf_sizes
from groupstream.examples.encoding import encode_examples
from groupstream.features import Feature

ROW_GROUP_BYTES = 64 << 20
FILE_ROW_GROUPS = 4
FEATURES = {"key": Feature(dtype="string"), "text": Feature(dtype="string")}


@dataclass(frozen=True)
class Data:
    """What a source is like.

    Attributes:
        example_bytes: of key and text, on average.
        sizes: `zipf`, `hot` (Zipf, but the first group has half of all), or `few` (one or two in each).
        is_tfds: a prepared TFDS dataset instead of Parquet files.
    """

    num_examples: int
    num_groups: int
    example_bytes: int = 1_000
    sizes: str = "zipf"
    is_tfds: bool = False

    def part(self, share: float) -> Data:
        """The same with a share of its examples and of its groups."""
        groups = max(2, round(self.num_groups * share))
        examples = max(groups, round(self.num_examples * share))
        return replace(self, num_examples=examples, num_groups=groups)

    def group_sizes(self) -> np.ndarray:
        """int64[num_groups], which add up to num_examples."""
        if self.sizes == "few":
            sizes = np.ones(self.num_groups, np.int64)
            sizes[: self.num_examples - self.num_groups] += 1
            return sizes
        if self.sizes == "hot":
            hot = self.num_examples // 2
            return np.concatenate([[hot], zipf_sizes(self.num_examples - hot, self.num_groups - 1)])
        return zipf_sizes(self.num_examples, self.num_groups)


SOURCES = {
    "zipf-1.5gb": Data(1_500_000, 100_000),
    "zipf-5gb": Data(5_000_000, 100_000),
    "million-1gb": Data(1_000_000, 100_000),
    "million-10gb": Data(10_000_000, 1_000_000),
    "hot-10gb": Data(10_000_000, 1_000_000, sizes="hot"),
    "tiny": Data(7_500_000, 5_000_000, example_bytes=100, sizes="few"),
    "talk": Data(100_000, 8_500, example_bytes=512, is_tfds=True),
}


@dataclass(frozen=True)
class Made:
    """A source on disk.

    Attributes:
        source: as a spec names it.
        payload_bytes: of its keys and texts, uncompressed.
    """

    folder: str
    source: dict[str, object]
    num_examples: int
    num_groups: int
    payload_bytes: int


def make_data(folder: Path, name: str, part: float = 1.0) -> Made:
    """Makes a source of `SOURCES` below `folder`, if it is not there."""
    return make_source(folder, name, SOURCES[name].part(part))


def make_source(folder: Path, name: str, data: Data) -> Made:
    """Makes a source like `data` below `folder`, if one of this name and size is not there."""
    target = folder / f"{name}-{data.num_examples}"
    described = target / "made.json"
    if not described.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        payload_bytes = _write_tfds(target, data) if data.is_tfds else _write_parquet(target, data)
        source = {"kind": "tfds", "folder": str(target)} if data.is_tfds else _parquet_source(target)
        made = Made(str(target), source, data.num_examples, data.num_groups, payload_bytes)
        described.write_text(json.dumps(made.__dict__))
    return Made(**json.loads(described.read_text()))


def _parquet_source(target: Path) -> dict[str, object]:
    return {"kind": "parquet", "paths": [f"{target}/*.parquet"]}


def _owners(data: Data) -> np.ndarray:
    """int32[num_examples]: the group of each example, in the order of the source."""
    owners = np.repeat(np.arange(data.num_groups, dtype=np.int32), data.group_sizes())
    np.random.default_rng(1).shuffle(owners)
    return owners


def _rows(data: Data, owners: np.ndarray, number: int) -> pa.Table:
    """The examples of some owners; `number` makes their texts others than those of another part."""
    used, codes = np.unique(owners, return_inverse=True)
    keys = pa.array([f"site{group:07d}.example.org" for group in used.tolist()], pa.large_string())
    draw = np.random.default_rng([2, number])
    text_bytes = data.example_bytes - len("site0000000.example.org")
    return pa.table({"key": keys.take(pa.array(codes)), "text": texts(draw, len(owners), text_bytes)})


def _write_parquet(target: Path, data: Data) -> int:
    owners, payload_bytes = _owners(data), 0
    rows = ROW_GROUP_BYTES // data.example_bytes
    schema = pa.schema([("key", pa.string()), ("text", pa.string())])
    for number, first in enumerate(range(0, len(owners), rows * FILE_ROW_GROUPS)):
        path = target / f"part-{number:04d}.parquet"
        with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=["key"]) as writer:
            for start in range(first, min(first + rows * FILE_ROW_GROUPS, len(owners)), rows):
                table = _rows(data, owners[start : start + rows], start)
                payload_bytes += _value_bytes(table)
                writer.write_table(table.cast(schema), row_group_size=rows)
    return payload_bytes


def _value_bytes(table: pa.Table) -> int:
    return sum(pa.compute.sum(pa.compute.binary_length(column)).as_py() for column in table.columns)


def _write_tfds(target: Path, data: Data) -> int:
    """Examples of key and text as a prepared TFDS dataset."""
    schema = pa.schema([(name, feature.arrow_type) for name, feature in FEATURES.items()])
    tables = [_rows(data, owners, n).cast(schema) for n, owners in enumerate(np.array_split(_owners(data), NUM_FILES))]
    batches = (table.combine_chunks().to_batches()[0] for table in tables)
    write_tfds_folder(target, FEATURES, (encode_examples(batch, FEATURES) for batch in batches))
    return sum(map(_value_bytes, tables))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=SOURCES)
    parser.add_argument("--part", type=float, default=1.0)
    given = parser.parse_args()
    print(json.dumps(make_data(given.folder, given.name, given.part).__dict__))
