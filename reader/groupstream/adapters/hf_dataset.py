"""A stream of groups as a dataset of Hugging Face: an Arrow file in the cache, or a stream.

<cache>/huggingface/<hash of the stream>/examples.arrow    an Arrow IPC stream, which `datasets` maps into memory
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from groupstream.adapters import needed
from groupstream.adapters.hf_columns import HfColumns
from groupstream.adapters.stretches import Stretch, all_chunks, chunks_of, stretches_of
from groupstream.cache import cache_folder
from groupstream.cached_folder import has_sizes, make_cached_folder
from groupstream.chunk import Chunk
from groupstream.disk import ANOTHER_CACHE, explaining_errors
from groupstream.errors import UsageError

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

_FILE = "examples.arrow"
_LAYOUT = 1  # raise it when the same stream should give another file


def to_hf(stream: GroupStream, *, streaming: bool = False, binary_ids: bool = False) -> Any:
    """See `GroupStream.to_hf`."""
    datasets = needed("datasets", "hf")
    if stream.num_epochs is None:
        raise UsageError(
            "the stream has no end, a Hugging Face dataset has; leave repeat() out, or say how many epochs"
        )
    columns = HfColumns(datasets, stream.decoded_features, binary_ids)
    return _streamed(datasets, stream, columns) if streaming else _mapped(datasets, stream, columns)


def _mapped(datasets: Any, stream: GroupStream, columns: HfColumns) -> Any:
    folder = cache_folder() / "huggingface" / _fingerprint(stream, columns)
    if not has_sizes(folder):
        with explaining_errors(folder, f"{ANOTHER_CACHE}, or stream with to_hf(streaming=True)"):
            make_cached_folder(folder, lambda aside: _write(stream, columns, aside / _FILE))
    return datasets.Dataset.from_file(str(folder / _FILE), split=datasets.NamedSplit(stream.split.name))


def _write(stream: GroupStream, columns: HfColumns, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, columns.mapped.arrow_schema) as writer:
        for chunk in all_chunks(stream):
            for table in _tables(columns, chunk):
                writer.write_table(table)


def _streamed(datasets: Any, stream: GroupStream, columns: HfColumns) -> Any:
    from datasets.iterable_dataset import ArrowExamplesIterable

    settings = (stream, columns.features, columns.binary_ids)
    iterable = ArrowExamplesIterable(_named_tables, {"settings": settings, "stretches": stretches_of(stream)})
    info = datasets.DatasetInfo(features=columns.mapped)
    return datasets.IterableDataset(iterable, info=info, split=datasets.NamedSplit(stream.split.name))


def _named_tables(settings: Any, stretches: list[Stretch]) -> Iterator[tuple[str, pa.Table]]:
    """What `datasets` calls, in whichever process, with the stretches that are to be read there."""
    stream, features, binary_ids = settings
    columns = HfColumns(needed("datasets", "hf"), features, binary_ids)
    for stretch in stretches:
        tables = (table for chunk in chunks_of(stream, stretch) for table in _tables(columns, chunk))
        for number, table in enumerate(tables):
            yield f"{stretch.epoch}_{stretch.start}_{number}", table


def _tables(columns: HfColumns, chunk: Chunk) -> Iterator[pa.Table]:
    for block in chunk.blocks():
        counts = np.array([len(block)]) if chunk.is_large else chunk.rows.num_examples
        yield columns.table(block, chunk.rows.group_ids, counts)


def _fingerprint(stream: GroupStream, columns: HfColumns) -> str:
    """Of all that the file depends on."""
    split = stream.split
    files = [shard.sha256 for shard in split.info.shards] + [split.info.group_table.sha256]
    order = {f.name: getattr(stream, f.name) for f in dataclasses.fields(stream) if f.compare and f.name != "split"}
    what = [_LAYOUT, split.ref, split.name, files, order, dict(columns.features), columns.binary_ids]
    return hashlib.sha256(repr(what).encode()).hexdigest()[:32]
