"""Groups, and batches of examples, as a dataset of PyTorch that its workers share and that resumes exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from groupstream.adapters import needed
from groupstream.adapters.numpy_batches import Batching, NumpyForm
from groupstream.batches import ExampleBatches
from groupstream.errors import UsageError
from groupstream.features import GROUP_ID
from groupstream.ragged import Ragged

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

torch = needed("torch", "torch")  # brings torch.utils.data


def to_torch(stream: GroupStream, batching: Batching) -> TorchStream:
    """See `GroupStream.to_torch`."""
    return TorchStream(stream, batching)


class TorchForm(NumpyForm):
    """Dictionaries of tensors, and of lists where there is no tensor: texts, bytes, lists of differing lengths."""

    def block(self, examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray) -> dict[str, Any]:
        """As in NumPy, but lists for arrays of objects."""
        columns = super().block(examples, group_ids, counts)
        return {name: _as_list_of_objects(column) for name, column in columns.items()}

    def join(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch, as PyTorch has it."""
        return {name: _as_torch(column) for name, column in super().join(parts).items()}


_IterableDataset: Any = torch.utils.data.IterableDataset


class TorchStream(_IterableDataset):
    """A stream for `torch.utils.data.DataLoader(dataset, batch_size=None)` or torchdata's `StatefulDataLoader`.

    Each of W workers takes shard w of W of the stream. Processes of a distributed training are not workers: give each
    its own part with `stream.shard(rank, world_size)`. It travels to other processes, forked or spawned.

    One pass over it is what the stream says: one epoch, or those of `stream.repeat()`. The order of a shuffled epoch is
    a function of the seed and the number of the epoch; so the next pass is in another order only after `set_epoch`, as
    with PyTorch's DistributedSampler.
    """

    def __init__(self, stream: GroupStream, batching: Batching) -> None:
        super().__init__()
        self._stream = stream
        self._batching = batching
        self._form = TorchForm(stream.decoded_features, batching)
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # workers that persist see it change

    def set_epoch(self, epoch: int) -> None:
        """Where the passes that follow begin, counted from the stream's first epoch; also in workers that persist."""
        self._epoch[0] = epoch

    def __iter__(self) -> TorchIterator:
        stream = self._stream.epoch(self._stream.first_epoch + int(self._epoch[0]))
        worker = torch.utils.data.get_worker_info()
        if worker is not None:
            stream = stream.shard(worker.id, worker.num_workers)
        return TorchIterator(self, stream)

    def batches(self, stream: GroupStream) -> ExampleBatches:
        """Those of a part of the stream."""
        return self._batching.batches(stream, self._form)


class TorchIterator(Iterator[dict[str, Any]]):
    """One pass of one worker. `StatefulDataLoader` keeps the state of each."""

    def __init__(self, dataset: TorchStream, stream: GroupStream) -> None:
        self._dataset = dataset
        self._stream = stream
        self._batches = dataset.batches(stream)

    def __next__(self) -> dict[str, Any]:
        item = next(self._batches)
        if isinstance(item, dict):
            return item
        group_id, batch = item
        return {GROUP_ID: group_id, **batch}

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, and with which epoch it began. No I/O."""
        return {**self._batches.state_dict(), "first_epoch": self._stream.first_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state.

        Raises:
            UsageError: the state is of another stream, or of another number of workers in the middle of an epoch.
        """
        if "first_epoch" not in state:
            raise UsageError("the state is not of to_torch(); load it into what it was taken from")
        self._stream = self._stream.epoch(state["first_epoch"])
        self._batches = self._dataset.batches(self._stream)
        self._batches.load_state_dict(state)


def _as_list_of_objects(column: Any) -> Any:
    return column.tolist() if isinstance(column, np.ndarray) and column.dtype == object else column


def _as_torch(column: np.ndarray | Ragged | list[Any]) -> Any:
    if isinstance(column, list):
        return column
    if isinstance(column, Ragged):
        return _lists(column)
    if column.dtype == object:  # images of several sizes
        return [None if image is None else _tensor(image) for image in column]
    return _tensor(column)


def _lists(column: Ragged) -> list[Any]:
    if column.values.dtype == object:
        return column.tolist()
    return list(torch.split(_tensor(column.values), column.lengths.tolist()))


def _tensor(values: np.ndarray) -> Any:
    return torch.from_numpy(values if values.flags.writeable else values.copy())
