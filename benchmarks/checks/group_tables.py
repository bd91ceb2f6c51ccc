"""Makes the group tables and label tables of a version without examples, which checks of groups do not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from groupstream import layout
from groupstream.commit import describe_file
from groupstream.group_order import hash_group_ids
from groupstream.group_table import LABEL_SCHEMA, SCHEMA, write_group_table
from groupstream.manifest import Counts, GroupSizes, Manifest, SplitInfo, Statistics, StoredFile

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
NUM_LABELS = 20
LABELS_A_GROUP = 3
_PART = 1 << 18


def make_group_tables(folder: Path, num_groups: int) -> None:
    """Writes the manifest and the tables of a version in three splits; about 100 bytes of disk a group."""
    folder.mkdir(parents=True)
    ids = np.array([b"group-%08d" % i for i in range(num_groups)], object)
    hashes = hash_group_ids(ids, 0).reshape(-1).view("S16")
    order = np.argsort(hashes)
    draw = np.random.default_rng(0)
    split_of = draw.choice(len(SHARES), num_groups, p=list(SHARES.values()))
    splits, files = {}, []
    for number, name in enumerate(SHARES):
        rows = order[split_of == number]
        sizes = np.minimum(draw.zipf(1.7, len(rows)), 10_000)
        splits[name] = _write_groups(folder, name, ids[rows], hashes[rows], sizes)
        files.append(_write_labels(folder, name, sizes))
    count = sum(split.statistics.num_examples for split in splits.values())
    manifest = Manifest(
        name="made",
        version="1.0.0",
        digest="0" * 64,
        spec={},
        source={},
        code={},
        seed=0,
        features={},
        group_feature="",
        splits=splits,
        counts=Counts(examples_in=count, examples_out=count),
        files=tuple(files),
    )
    (folder / layout.MANIFEST).write_bytes(manifest.to_json())
    (folder / "expected.txt").write_bytes(b"\n".join(ids[::10].tolist()))


def _write_groups(folder: Path, name: str, ids: np.ndarray, hashes: np.ndarray, sizes: np.ndarray) -> SplitInfo:
    path = folder / layout.group_table_file(name)
    num_bytes = sizes * (400 + np.arange(len(sizes)) % 997)
    words = num_bytes // 6

    def parts() -> Iterator[pa.Table]:
        for start in range(0, len(ids), _PART):
            cut = slice(start, start + _PART)
            columns = {field.name: np.zeros(len(ids[cut]), field.type.to_pandas_dtype()) for field in list(SCHEMA)[2:]}
            columns |= {"num_examples": sizes[cut], "num_bytes": num_bytes[cut], "num_words": words[cut]}
            keys = [
                pa.array(ids[cut], pa.binary()),
                pa.Array.from_buffers(pa.binary(16), len(ids[cut]), [None, pa.py_buffer(hashes[cut].tobytes())]),
            ]
            yield pa.table([*keys, *columns.values()], schema=SCHEMA)

    write_group_table(path, parts())
    p10, p50, p90 = np.quantile(sizes, [0.1, 0.5, 0.9], method="lower").tolist()
    statistics = Statistics(
        num_groups=len(ids),
        num_examples=int(sizes.sum()),
        num_bytes=int(num_bytes.sum()),
        num_words=int(words.sum()),
        group_sizes=GroupSizes(p10=p10, p50=p50, p90=p90, max=int(sizes.max())),
    )
    return SplitInfo(shards=(), group_table=describe_file(path.name, path), statistics=statistics)


def _write_labels(folder: Path, name: str, sizes: np.ndarray) -> StoredFile:
    """Up to three labels a group, that follow each other."""
    path = folder / layout.label_table_file(name)
    labels = np.array([b"%d" % label for label in range(NUM_LABELS)], object)

    def parts() -> Iterator[pa.Table]:
        for start in range(0, len(sizes), _PART):
            some = sizes[start : start + _PART]
            num_labels = np.minimum(some, LABELS_A_GROUP)
            groups = np.repeat(np.arange(len(some)), num_labels)
            place = np.arange(len(groups)) - np.repeat(np.cumsum(num_labels) - num_labels, num_labels)
            codes = np.sort((groups + place) % NUM_LABELS + groups * NUM_LABELS) % NUM_LABELS
            counts = np.where(place == 0, some[groups] - num_labels[groups] + 1, 1)
            yield pa.table([groups + start, pa.array(labels[codes], pa.binary()), counts], schema=LABEL_SCHEMA)

    write_group_table(path, parts(), LABEL_SCHEMA)
    return describe_file(path.name, path)
