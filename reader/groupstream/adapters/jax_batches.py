"""Groups, and batches of examples, as JAX arrays on a device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from groupstream.adapters import needed
from groupstream.adapters.numpy_batches import Batching, NumpyForm
from groupstream.batches import ExampleBatches
from groupstream.errors import UsageError
from groupstream.features import Feature, Features
from groupstream.place import Place

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

_NUM_AHEAD = 1  # batches that are on their way to the device while one is worked on


def to_jax(stream: GroupStream, batching: Batching, sharding: Any = None) -> JaxBatches:
    """See `GroupStream.to_jax`."""
    needed("jax", "jax")
    _refuse_what_jax_has_no_array_for(stream.decoded_features, batching)
    form = NumpyForm(stream.decoded_features, batching, with_ids=False)
    return JaxBatches(batching.batches(stream, form), batching.by_group, sharding)


class JaxBatches(Iterator[Any]):
    """Moves batches of NumPy arrays to a device, one ahead of the reader; its states are of what was given."""

    def __init__(self, batches: ExampleBatches, by_group: bool, sharding: Any) -> None:
        self._batches = batches
        self._by_group = by_group
        self._sharding = sharding
        self._place = batches.place
        self._ahead: deque[tuple[Any, Place]] = deque()

    def __next__(self) -> Any:
        try:
            while len(self._ahead) <= _NUM_AHEAD and (item := next(self._batches, None)) is not None:
                self._ahead.append((self._on_device(item), self._batches.place))
        except BaseException:
            self.load_state_dict(self.state_dict())  # or the next call would leave out what failed
            raise
        if not self._ahead:
            self._place = self._batches.place
            raise StopIteration
        item, self._place = self._ahead.popleft()
        return item

    def state_dict(self) -> dict[str, Any]:
        """Where it stands. No I/O."""
        return self._batches.state_at(self._place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `ExampleBatches.load_state_dict`."""
        self._batches.load_state_dict(state)
        self._place = self._batches.place
        self._ahead.clear()

    def _on_device(self, item: Any) -> Any:
        if not self._by_group:
            return self._put(item)
        group_id, batch = item
        return group_id, self._put(batch)

    def _put(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        jax = needed("jax", "jax")
        fitting = {name: _fitting(name, values, jax.config.jax_enable_x64) for name, values in batch.items()}
        return jax.device_put(fitting, self._sharding)


def _fitting(name: str, values: np.ndarray, has_64_bits: bool) -> np.ndarray:
    """What JAX would make 32 bits wide without a word is looked at first."""
    if values.dtype == object:
        raise UsageError(f"the images of feature {name!r} differ in size; give them one size, or use to_numpy()")
    if has_64_bits or values.dtype != np.int64:
        return values
    narrow = values.astype(np.int32)
    if (narrow != values).any():
        worst = values[narrow != values].flat[0]
        raise UsageError(
            f"feature {name!r} holds {worst}, which an int32 does not; "
            'allow 64 bits with jax.config.update("jax_enable_x64", True)'
        )
    return narrow


def _refuse_what_jax_has_no_array_for(features: Features, batching: Batching) -> None:
    def fits(name: str, feature: Feature) -> bool:
        if feature.dtype in ("string", "bytes"):
            return batching.decode_images and feature.is_image and not feature.optional
        return not feature.is_list or isinstance(batching.pad_to, int) or name in (batching.pad_to or {})

    refused = {name: feature for name, feature in features.items() if not fits(name, feature)}
    if not refused:
        return
    name, feature = next(iter(refused.items()))
    what = f"a list of {feature.dtype}" if feature.is_list else feature.dtype
    others = ", ".join(repr(name) for name in features if name not in refused) or "none, so use to_numpy()"
    ways = ", or pad lists of numbers with pad_to=" if any(f.is_list for f in refused.values()) else ""
    raise UsageError(
        f"JAX has no array for {', '.join(map(repr, refused))} ({name!r} is {what}); "
        f"leave them out with select(), which leaves {others}{ways}"
    )
