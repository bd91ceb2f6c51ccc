"""Makes a version of FedC4's form: its group table by the code of a build, its manifest; of its examples, a few.

<folder>/parts/               the tables of the groups of each shard, as the workers of a build leave them
<folder>/root/fedc4/1.0.0/    the version; of its shards only the beginning of the first, which the card shows
<folder>/root/fedc4/0.9.0/    an earlier one, without every hundredth group, to compare it with
<folder>/cache/               its index in the form for look-ups
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import groupstream
from benchmarks.fedc4_size.group_rows import EXAMPLE_BYTES, segments_by_shard
from benchmarks.fedc4_size.joining import describe_split, joined_parts, rows_of
from benchmarks.fedc4_size.names import EARLIER, NAME, NUM_GROUPS, NUM_SHARDS, SEED, VERSION, version_folder
from benchmarks.pipeline.pages import FEATURES, page_batch
from groupstream import layout
from groupstream.binary import byte_lengths, data_of
from groupstream.cache import CACHE_VARIABLE
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID
from groupstream.group_table import SCHEMA, write_group_table
from groupstream.manifest import Counts, Manifest, Shard
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records
from pipelines.group_parts import GroupPartWriter
from specs import load_spec

_SPEC = Path(__file__).parents[2] / "specs" / "fedc4.yaml"
_REAL_GROUPS = 6  # whose first example is there
_EVERY = 100


def make_version(folder: Path, num_groups: int) -> None:
    """Makes all of it, unless it is there."""
    if folder.exists():
        return
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    (making / "parts").mkdir(parents=True)
    version, earlier = (version_folder(making, number) for number in (VERSION, EARLIER))
    version.mkdir(parents=True)
    earlier.mkdir()
    shards = _write_parts(making / "parts", version, num_groups)
    table = layout.group_table_file("train")
    write_group_table(version / table, joined_parts(making / "parts"))
    write_group_table(earlier / table, _without_some(version / table))
    write_manifest(version, VERSION, shards)
    write_manifest(earlier, EARLIER, shards)
    os.environ[CACHE_VARIABLE] = str(making / "cache")
    _ = groupstream.open(version)["train"].index
    making.rename(folder)


def write_manifest(version: Path, number: str, shards: Iterable[Shard]) -> None:
    """The manifest of a version whose group table is there."""
    split = describe_split(version / layout.group_table_file("train"), shards)
    count = split.statistics.num_examples
    spec = load_spec(_SPEC)
    manifest = Manifest(
        name=NAME,
        version=number,
        description=spec.description,
        digest=number[0] * 64,
        spec=spec.resolved(),
        source={"kind": "huggingface", "dataset": "allenai/c4", "config": "en", "num_examples": count},
        code={"groupstream": "0.1.0", "groupstream-platform": "0.1.0"},
        seed=SEED,
        features=FEATURES,
        group_feature=GROUP_ID,
        splits={"train": split},
        counts=Counts(examples_in=count, examples_out=count),
    )
    (version / layout.MANIFEST).write_bytes(manifest.to_json())


def made_shards(num_groups: Iterable[int], num_examples: Iterable[int]) -> list[Shard]:
    """What a manifest says of shards; their checksums are made up."""
    counts = list(zip(num_groups, num_examples, strict=True))
    return [
        Shard(
            path=layout.shard_file("train", index, len(counts)),
            size_bytes=examples * (EXAMPLE_BYTES + OVERHEAD_BYTES),
            crc32c=f"{index * 2_654_435_761 % 2**32:08x}",
            sha256=f"{pow(3, 1_000 + index, 2**256):064x}",
            num_groups=groups,
            num_examples=examples,
        )
        for index, (groups, examples) in enumerate(counts)
    ]


def _write_parts(parts: Path, version: Path, num_groups: int) -> list[Shard]:
    num_shards = max(1, NUM_SHARDS * num_groups // NUM_GROUPS)
    counts = []
    for index, segments in enumerate(segments_by_shard(num_groups, num_shards)):
        if index == 0:
            segments = _with_real_examples(segments, version / layout.shard_file("train", 0, num_shards))
        files = (parts / f"{index:05d}.{what}.parquet" for what in ("groups", "labels"))
        with GroupPartWriter(*files, index) as writer:
            writer.add(segments)
        counts.append((writer.num_groups, writer.num_examples))
    return made_shards(*zip(*counts, strict=True))


def _with_real_examples(segments: pa.Table, shard: Path) -> pa.Table:
    """Of the first groups, one example each is written."""
    ids = segments["group_id"].combine_chunks()[:_REAL_GROUPS].cast(pa.large_binary())
    pages = page_batch(0, len(ids)).select(list(FEATURES))
    framed = frame_records(encode_examples(pages, FEATURES), encode_group_ids(ids))
    shard.write_bytes(data_of(framed))
    for name, values in {"num_examples": np.ones(len(ids), np.int64), "length_bytes": byte_lengths(framed)}.items():
        column = segments[name].to_numpy().copy()
        column[: len(ids)] = values
        segments = segments.set_column(segments.schema.get_field_index(name), name, pa.array(column))
    return segments


def _without_some(table: Path) -> Iterator[pa.Table]:
    """Every hundredth group is not there yet, and every fiftieth has an example less."""
    for rows in rows_of(table):
        places = np.arange(len(rows))
        sizes = rows["num_examples"].to_numpy() - (places % 50 == 1)
        rows = rows.set_column(SCHEMA.get_field_index("num_examples"), SCHEMA.field("num_examples"), pa.array(sizes))
        yield rows.filter(pa.array((places % _EVERY > 0) & (sizes > 0)))
