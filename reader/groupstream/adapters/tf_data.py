"""A stream of groups as a tf.data.Dataset.

Python runs once a chunk of 4 MiB, where the stream reads, checks and decodes it; the graph cuts it in groups and
examples. A group that is larger than a chunk is read a block at a time while its examples are asked for, so memory is
bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from groupstream.adapters import needed
from groupstream.adapters.flat_columns import flat_columns
from groupstream.adapters.numpy_columns import refuse_double_names
from groupstream.adapters.stretches import all_chunks
from groupstream.adapters.tf_columns import TfColumns
from groupstream.chunk import Chunk
from groupstream.errors import UsageError
from groupstream.features import GROUP_ID
from groupstream.group_rows import NUMBERS, GroupRows
from groupstream.shard_reader import ShardReader

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

EXAMPLES = "examples"


def to_tf(stream: GroupStream, *, nested: bool = True, tensors: bool = False, decode_images: bool = False) -> Any:
    """See `GroupStream.to_tf`."""
    if tensors and (decode_images or not nested):
        raise UsageError(
            "tensors=True gives whole groups with images as they are encoded; leave nested and decode_images"
        )
    tf = needed("tensorflow", "tf")
    reader = stream.split.reader(stream.features)
    refuse_double_names(reader.features, GROUP_ID)
    if nested and not reader.features:
        raise UsageError("select() names no feature, and the examples of a nested dataset need one; use nested=False")
    pipeline = _Pipeline(tf, stream, reader, TfColumns(tf, reader.features, decode_images))
    if tensors:
        return pipeline.tensors()
    return pipeline.nested() if nested else pipeline.flat()


@dataclass(frozen=True)
class _Pipeline:
    tf: Any
    stream: GroupStream
    reader: ShardReader
    columns: TfColumns

    def flat(self) -> Any:
        """One element an example."""
        tf = self.tf
        spec = (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64), self.columns.spec)
        batches = tf.data.Dataset.from_generator(self._batches, output_signature=spec).prefetch(1)
        examples = batches.flat_map(
            lambda ids, counts, arrays: tf.data.Dataset.from_tensor_slices(
                {GROUP_ID: tf.repeat(ids, counts), **self.columns.tensors(arrays)}
            )
        )
        return self.columns.with_images(examples, tf.data.AUTOTUNE)

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]]:
        for chunk in all_chunks(self.stream):
            ids = _ids(chunk.rows)
            for block in chunk.blocks():
                counts = np.array([len(block)]) if chunk.is_large else chunk.rows.num_examples
                yield ids, counts, self._arrays(block)

    def tensors(self) -> Any:
        """One element a group, with the tensors of all its examples."""
        tf = self.tf
        counts = tf.TensorSpec([None], tf.int64)
        spec = (tf.TensorSpec([None], tf.string), counts, self.columns.spec)
        chunks = tf.data.Dataset.from_generator(self._whole_chunks, output_signature=spec).prefetch(1)
        return chunks.flat_map(
            lambda ids, counts, arrays: tf.data.Dataset.from_tensor_slices(
                (ids, tf.cumsum(counts, exclusive=True), tf.cumsum(counts))
            ).map(lambda group_id, start, end: self._held(group_id, arrays, start, end))
        )

    def _whole_chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]]:
        for chunk in all_chunks(self.stream):
            examples = pa.concat_batches(list(chunk.blocks())) if chunk.is_large else chunk.examples
            yield _ids(chunk.rows), chunk.rows.num_examples, self._arrays(examples)

    def _held(self, group_id: Any, arrays: Any, start: Any, end: Any) -> dict[str, Any]:
        return {GROUP_ID: group_id, EXAMPLES: self.columns.tensors(arrays, start, end)}

    def nested(self) -> Any:
        """One element a group, with a dataset of its examples."""
        tf = self.tf
        numbers = tf.TensorSpec([None, len(NUMBERS)], tf.int64)
        spec = (tf.TensorSpec([], tf.bool), tf.TensorSpec([None], tf.string), numbers, self.columns.spec)
        chunks = tf.data.Dataset.from_generator(self._chunks, output_signature=spec).prefetch(1)
        return chunks.flat_map(self._groups_of)

    def _chunks(self) -> Iterator[tuple[bool, np.ndarray, np.ndarray, tuple[np.ndarray, ...]]]:
        for chunk in all_chunks(self.stream):
            examples = self.reader.decode(pa.array([], pa.large_binary())) if chunk.is_large else chunk.examples
            yield chunk.is_large, _ids(chunk.rows), _numbers(chunk.rows), self._arrays(examples)

    def _groups_of(self, is_large: Any, ids: Any, numbers: Any, arrays: Any) -> Any:
        """The groups of a chunk: those that it holds, then the one that it only names."""
        tf = self.tf
        ends = tf.cumsum(numbers[:, NUMBERS.index("num_examples")])
        starts = ends - numbers[:, NUMBERS.index("num_examples")]
        held = tf.data.Dataset.from_tensor_slices((ids, starts, ends)).take(
            tf.cast(is_large, tf.int64) - 1
        )  # -1 is all
        named = tf.data.Dataset.from_tensor_slices((ids, numbers)).take(tf.cast(is_large, tf.int64))
        return held.map(
            lambda group_id, start, end: self._group(
                group_id, tf.data.Dataset.from_tensor_slices(self.columns.tensors(arrays, start, end))
            )
        ).concatenate(named.map(lambda group_id, place: self._group(group_id, self._streamed(group_id, place))))

    def _group(self, group_id: Any, examples: Any) -> dict[str, Any]:
        return {GROUP_ID: group_id, EXAMPLES: self.columns.with_images(examples).with_options(self._plain())}

    def _streamed(self, group_id: Any, numbers: Any) -> Any:
        """The examples of a group, read a block at a time."""
        blocks = self.tf.data.Dataset.from_generator(
            self._blocks, args=(group_id, numbers), output_signature=self.columns.spec
        )
        return blocks.flat_map(lambda *arrays: self.tf.data.Dataset.from_tensor_slices(self.columns.tensors(arrays)))

    def _blocks(self, group_id: bytes, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        rows = GroupRows(np.zeros(1, np.int64), [bytes(group_id)], *numbers[:, None])
        for block in Chunk(self.reader, rows).blocks():
            yield self._arrays(block)

    def _arrays(self, batch: pa.RecordBatch) -> tuple[np.ndarray, ...]:
        columns = flat_columns(batch, self.reader.features).values()
        return tuple(array for column in columns for array in column if array is not None)

    def _plain(self) -> Any:
        """Options without which an iterator over a group alone rewrites its graph and starts threads: 14 ms, not 1."""
        options = self.tf.data.Options()
        options.threading.private_threadpool_size = 1
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        options.experimental_optimization.inject_prefetch = False
        return options


def _ids(rows: GroupRows) -> np.ndarray:
    ids = np.empty(len(rows), object)
    ids[:] = rows.group_ids
    return ids


def _numbers(rows: GroupRows) -> np.ndarray:
    """int64[num_groups, 6]: the numbers of the rows, from which they can be made again."""
    return np.stack([getattr(rows, name).astype(np.int64) for name in NUMBERS], axis=1)
