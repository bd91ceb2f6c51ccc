"""Groups, and batches of examples, as dictionaries of NumPy arrays."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from groupstream.adapters.numpy_columns import IS_THERE, is_there, numpy_column, objects, refuse_double_names
from groupstream.batches import BatchForm, ExampleBatches
from groupstream.errors import UnknownKeyError, UsageError
from groupstream.features import GROUP_ID, Feature, Features
from groupstream.ragged import Ragged

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

LENGTH = "_length"  # after the name of a padded list: its length before that
By = Literal["group", "example"]
PadTo = int | Mapping[str, int] | None


@dataclass(frozen=True)
class Batching:
    """What batches a person asks for; `GroupStream.to_numpy` says what each attribute means.

    Raises:
        UsageError: `by` is neither "group" nor "example".
    """

    batch_size: int | None = None
    by: By | None = None
    drop_last: bool = False
    pad_to: PadTo = None
    decode_images: bool = False

    def __post_init__(self) -> None:
        if self.by not in (None, "group", "example"):
            raise UsageError(f'by is {self.by!r}; it should be "group" or "example"')

    @property
    def by_group(self) -> bool:
        """Whether a batch holds examples of one group. By default it does where there is no size of batches."""
        return self.batch_size is None if self.by is None else self.by == "group"

    def batches(self, stream: GroupStream, form: BatchForm) -> ExampleBatches:
        """Those of a stream."""
        return ExampleBatches(stream, form, self.batch_size, drop_last=self.drop_last, by_group=self.by_group)


class NumpyForm:
    """Dictionaries of arrays, by feature.

    A block is converted once and its arrays are sliced: a group costs a slice a feature. Images stay encoded until
    they are in a batch, for decoded they may be a hundred times as large.

    Args:
        features: of the examples.
        batching: whether images are decoded, and which lists are padded.
        with_ids: whether there is an array of group ids; default where a batch is across groups.

    Raises:
        UsageError: a name would stand for two arrays.
        UnknownKeyError: `pad_to` names what is no list of numbers.
    """

    def __init__(self, features: Features, batching: Batching, with_ids: bool | None = None) -> None:
        self._features = features
        self._with_ids = not batching.by_group if with_ids is None else with_ids
        self._widths = _widths(features, batching.pad_to)
        self._images = {name for name, f in features.items() if f.is_image} if batching.decode_images else set()
        refuse_double_names(features, *(name + LENGTH for name in self._widths))

    def block(self, examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray) -> dict[str, Any]:
        """By feature an array, a `Ragged`, or an Arrow array of encoded images."""
        columns: dict[str, Any] = {}
        if self._with_ids:
            columns[GROUP_ID] = np.repeat(objects(group_ids), counts)
        for name, feature in self._features.items():
            columns.update(self._columns(name, feature, examples.column(name)))
        return columns

    def cut(self, block: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
        """A slice of each array. No copy."""
        return {name: column[start:stop] for name, column in block.items()}

    def join(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        """One part as it is, several copied together; images decoded."""
        batch = parts[0] if len(parts) == 1 else {name: _joined([part[name] for part in parts]) for name in parts[0]}
        for name in self._images:
            batch[name] = decoded_images(batch[name])
        return batch

    def _columns(self, name: str, feature: Feature, column: pa.Array) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if name in self._images:
            columns[name] = column
        else:
            columns[name] = values = numpy_column(column, feature)
            if name in self._widths:
                columns[name] = values.padded(self._widths[name])  # type: ignore[union-attr]
                columns[name + LENGTH] = values.lengths  # type: ignore[union-attr]
        if feature.optional:
            columns[name + IS_THERE] = is_there(column)
        return columns


def to_numpy(stream: GroupStream, batching: Batching) -> ExampleBatches:
    """See `GroupStream.to_numpy`."""
    return batching.batches(stream, NumpyForm(stream.decoded_features, batching))


def decoded_images(column: pa.Array) -> np.ndarray:
    """[num_examples, height, width, channels] where all are of one size, else an object array of such."""
    from groupstream.images import decode_images

    images = decode_images(column)
    shapes = {None if image is None else image.shape for image in images}
    if len(shapes) == 1 and None not in shapes:
        return np.stack([image for image in images if image is not None])
    return objects(images)


def _widths(features: Features, pad_to: PadTo) -> dict[str, int]:
    lists = [name for name, f in features.items() if f.is_list and f.dtype not in ("string", "bytes")]
    widths = dict.fromkeys(lists, pad_to) if isinstance(pad_to, int) else dict(pad_to or {})
    for name, width in widths.items():
        if name not in lists:
            raise UnknownKeyError(f"pad_to names {name!r}; lists of numbers are {', '.join(lists) or 'none'}")
        if width < 1:
            raise UsageError(f"pad_to is {width}; it should be at least 1")
    return widths


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], Ragged):
        return Ragged.joined(parts)
    if isinstance(parts[0], list):
        return [*itertools.chain.from_iterable(parts)]
    return pa.concat_arrays(parts) if isinstance(parts[0], pa.Array) else np.concatenate(parts)
