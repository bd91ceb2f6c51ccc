"""Groups as datasets of Grain: each at its place, or one after the other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from groupstream.adapters import needed
from groupstream.adapters.numpy_batches import Batching, NumpyForm
from groupstream.batches import ExampleBatches
from groupstream.chunk import cut_in_chunks
from groupstream.errors import UsageError
from groupstream.features import GROUP_ID

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

grain = needed("grain", "grain")

EXAMPLES = "examples"


def to_grain(stream: GroupStream, batching: Batching, streaming: bool | None = None) -> Any:
    """See `GroupStream.to_grain`."""
    is_map = batching.batch_size is None and batching.by_group
    if streaming is False and not is_map:
        raise UsageError("batches cannot be looked up by their place; leave out streaming=False, or batch_size and by")
    form = NumpyForm(stream.decoded_features, batching)
    if is_map and not streaming:
        return grain.MapDataset.source(GroupSource(stream, form))
    return GrainStream(stream, form, batching)


class GroupSource:
    """The groups of a stream by their positions: a source for `grain.MapDataset`.

    Position i of a stream with n groups an epoch is group i % n of epoch i // n. Reading one is a look-up in the index
    and one range request; several that lie together are read in one.

    Args:
        stream: whose groups, in its order.
        form: of their examples.

    Raises:
        UsageError: the stream has no end.
    """

    def __init__(self, stream: GroupStream, form: NumpyForm) -> None:
        if stream.num_epochs is None:
            raise UsageError("the stream has no end; leave its repeat() out and repeat the grain.MapDataset")
        self._stream = stream
        self._form = form

    def __len__(self) -> int:
        return self._num_groups * (self._stream.num_epochs or 1)

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self._getitems([position])[0]

    def _getitems(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """What Grain calls for several at once."""
        split = self._stream.split
        rows = split.index.rows(self._rows_at(np.asarray(positions, np.int64)))
        reader = split.reader(self._stream.features)
        groups = (group for chunk in cut_in_chunks(reader, [rows]) for group in chunk.groups())
        found = []
        for group in groups:
            blocks = [self._form.block(batch, [group.id], np.array([len(batch)])) for batch in group.batches()]
            found.append({GROUP_ID: group.id, EXAMPLES: self._form.join(blocks)})
        return found

    def _rows_at(self, positions: np.ndarray) -> np.ndarray:
        """The numbers of the groups in stored order."""
        stream = self._stream
        epochs, steps = np.divmod(positions, self._num_groups)
        if stream.seed is None:
            return self._stored_rows[steps]
        places = steps * stream.num_shards + stream.shard_index
        rows = np.empty(len(steps), np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            rows[here] = stream.rows_at(stream.first_epoch + epoch, places[here])
        return rows

    @functools.cached_property
    def _num_groups(self) -> int:
        """In an epoch of this shard."""
        return len(self._stored_rows if self._stream.seed is None else self._stream.positions())

    @functools.cached_property
    def _stored_rows(self) -> Any:
        """The rows of this shard that pass, ascending: what stored order consists of."""
        span = self._stream.positions()
        if not self._stream.selection:
            return _Range(span.start, span.stop)
        rows = self._stream.selection.rows(self._stream.split.index)
        return rows[(rows >= span.start) & (rows < span.stop)]

    def __getstate__(self) -> dict[str, Any]:
        """Travels to workers without what was looked up here."""
        return {"_stream": self._stream, "_form": self._form}

    def __repr__(self) -> str:
        return f"GroupSource({self._stream!r})"


class _Range:
    """The numbers of a range, as an array would give them."""

    def __init__(self, start: int, stop: int) -> None:
        self._start = start
        self._length = stop - start

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        return places + self._start


class GrainStream(grain.IterDataset):  # type: ignore[name-defined]
    """What a stream yields, one item after the other. Of W workers of `mp_prefetch`, each reads one shard of W."""

    def __init__(self, stream: GroupStream, form: NumpyForm, batching: Batching) -> None:
        super().__init__()
        self._stream = stream
        self._form = form
        self._batching = batching

    def __iter__(self) -> GrainIterator:
        return GrainIterator(self._batching.batches(self._stream, self._form), self._batching.by_group)

    def set_slice(self, sl: slice, sequential_slice: bool = False) -> None:
        """What a worker of Grain calls on its copy: `slice(index, None, count)`."""
        self._stream = self._stream.shard(sl.start or 0, sl.step or 1)

    def __str__(self) -> str:
        return f"GrainStream({self._stream!r})"


class GrainIterator(grain.DatasetIterator):  # type: ignore[name-defined]
    """Its states are those of `ExampleBatches`."""

    def __init__(self, batches: ExampleBatches, by_group: bool) -> None:
        super().__init__()
        self._batches = batches
        self._by_group = by_group

    def __next__(self) -> Any:
        item = next(self._batches)
        return {GROUP_ID: item[0], EXAMPLES: item[1]} if self._by_group else item

    def get_state(self) -> dict[str, Any]:
        """Where it stands: a small dictionary that JSON can hold."""
        return self._batches.state_dict()

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from a state.

        Raises:
            UsageError: the state is of another stream.
        """
        self._batches.load_state_dict(state)
