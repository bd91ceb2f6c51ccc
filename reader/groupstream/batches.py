"""Batches of examples across groups, with an exact place to go on from.

A state is that of the stream at the group that holds the next example, and how many of its examples were given
already. So it depends neither on the size of the batches nor on how groups are read together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from groupstream.errors import UsageError
from groupstream.place import Block, Place
from groupstream.resumable import Resumable

if TYPE_CHECKING:
    from groupstream.stream import GroupStream


class BatchForm(Protocol):
    """What batches are made of: an adapter's own kind of arrays."""

    def block(self, examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray) -> Any:
        """The examples of some groups, of which the i-th has counts[i], in the form that batches are cut from."""

    def cut(self, block: Any, start: int, stop: int) -> Any:
        """Some examples of a block. No copy."""

    def join(self, parts: list[Any]) -> Any:
        """One batch of parts that were cut; often it is one part."""


class ExampleBatches(Resumable[Any]):
    """The examples of a stream in batches of exactly `batch_size`; the last of an epoch is smaller, or dropped.

    It can say where it stands, and go on from there: `state_dict()` is a small dictionary that JSON can hold. Loaded
    into the batches of the same stream, the next example is the one that would have come, also with another
    `batch_size`.

    Args:
        stream: whose examples; several epochs follow each other, no batch holds examples of two.
        form: of the batches.
        batch_size: examples a batch. None for what was read together, up to about 4 MiB, or for whole groups.
        drop_last: leaves a smaller last batch out.
        by_group: each item is `(group_id, batch)`, and a batch holds examples of one group; the last of a group may be
            smaller. Without a `batch_size` a group is held whole.

    Raises:
        UsageError: batch_size is less than 1.
    """

    def __init__(
        self,
        stream: GroupStream,
        form: BatchForm,
        batch_size: int | None = None,
        *,
        drop_last: bool = False,
        by_group: bool = False,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it should be at least 1, or None")
        self._stream = stream
        self._form = form
        self._batch_size = batch_size
        self._drop_last = drop_last
        self._by_group = by_group
        self._place = Place(stream.first_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands. Reads nothing but the index, and that of a filtered and shuffled stream only."""
        return self.state_at(self._place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state. Within a large group, what was given of it is read again and not decoded.

        Raises:
            UsageError: the state is of another stream, or of another number of shards in the middle of an epoch.
        """
        num_given = int(state.get("num_given", 0))
        epoch, position = self._stream.place_of(state)
        mine = [self._stream.shard_index, self._stream.num_shards]
        if list(state["shard"]) != mine and (state["taken"] or num_given):
            raise UsageError(
                f"the state is of shard {state['shard'][0]} of {state['shard'][1]} in the middle of an epoch, this is "
                f"shard {mine[0]} of {mine[1]}; in batches of examples the number may change between epochs only"
            )
        self._place = Place(epoch, position, num_given)
        self._running = None

    @property
    def place(self) -> Place:
        """Where it stands, for `state_at`: costs nothing, so that those who work ahead can keep one for each batch."""
        return self._place

    def state_at(self, place: Place) -> dict[str, Any]:
        """The state of a place."""
        at = place.settled()
        return {**self._stream.state_at(at.epoch, at.position), "num_given": at.num_given}

    def _run(self) -> Iterator[Any]:
        while self._stream.has_epoch(self._place.epoch):
            start = self._place.settled()
            blocks = self._blocks(start)
            yield from self._by_groups(start, blocks) if self._by_group else self._across_groups(start, blocks)
            self._stream.require_something(self._place.settled() != Place(start.epoch))
            self._place = Place(start.epoch + 1)

    def _across_groups(self, start: Place, blocks: Iterator[Block]) -> Iterator[Any]:
        batch = _Batch(self._form, self._batch_size)
        block = None
        for block in blocks:
            num_examples = int(block.bounds[-1])
            for stop in batch.fill(block, 0, num_examples):
                self._place = Place(start.epoch, start.position, 0, block, stop)
                yield batch.take()
            if self._batch_size is None:
                self._place = Place(start.epoch, start.position, 0, block, num_examples)
                yield batch.take()
        if batch.parts and block is not None and not self._drop_last:
            self._place = Place(start.epoch, start.position, 0, block, int(block.bounds[-1]))
            yield batch.take()

    def _by_groups(self, start: Place, blocks: Iterator[Block]) -> Iterator[Any]:
        batch = _Batch(self._form, self._batch_size)
        for block in blocks:
            bounds = block.bounds.tolist()
            last = len(block.group_ids) - 1
            for i, group_id in enumerate(block.group_ids):
                for stop in batch.fill(block, bounds[i], bounds[i + 1]):
                    self._place = Place(start.epoch, start.position, 0, block, stop)
                    yield group_id, batch.take()
                if not batch.parts or (i == last and block.is_open):
                    continue
                rest = batch.take()
                if not (self._drop_last and self._batch_size):
                    self._place = Place(start.epoch, start.position, 0, block, bounds[i + 1])
                    yield group_id, rest

    def _blocks(self, start: Place) -> Iterator[Block]:
        """The examples that are left of an epoch; what was given of a large group is not decoded."""
        num_before = start.num_given
        for chunk in self._stream.chunks(epoch=start.epoch, start=start.position):
            rows = chunk.rows
            for examples in chunk.blocks(num_before):
                num_read = num_before + len(examples)
                bounds = np.clip(chunk.bounds - num_before, 0, len(examples))
                content = self._form.block(examples, rows.group_ids, np.diff(bounds))
                is_open = num_read < int(chunk.bounds[-1])
                yield Block(content, rows.group_ids, rows.positions, bounds, num_before, is_open)
                num_before = num_read
            num_before = 0


class _Batch:
    """A batch that fills up, maybe from several blocks."""

    def __init__(self, form: BatchForm, size: int | None) -> None:
        self._form = form
        self._size = size
        self._num_examples = 0
        self.parts: list[Any] = []

    def fill(self, block: Block, start: int, end: int) -> Iterator[int]:
        """Takes the examples from `start` to `end`; whenever it is full, it gives where in the block it stands."""
        while start < end:
            stop = end if self._size is None else min(start + self._size - self._num_examples, end)
            self.parts.append(self._form.cut(block.content, start, stop))
            self._num_examples += stop - start
            start = stop
            if self._num_examples == self._size:
                yield stop

    def take(self) -> Any:
        """What it holds; then it is empty."""
        parts, self.parts, self._num_examples = self.parts, [], 0
        return self._form.join(parts)
