"""The columns of a batch of examples in TensorFlow: from flat arrays to tensors, in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groupstream.adapters.numpy_columns import IS_THERE
from groupstream.features import Feature, Features


@dataclass(frozen=True)
class TfColumns:
    """How features travel and what becomes of them.

    Attributes:
        tf: the module of TensorFlow.
        features: those that are decoded.
        decode_images: whether an encoded image becomes its pixels.
    """

    tf: Any
    features: Features
    decode_images: bool

    @property
    def spec(self) -> tuple[Any, ...]:
        """The arrays of a batch, in the order of `FlatColumn`: values, then row splits and presence if it has them."""
        return tuple(spec for feature in self.features.values() for spec in self._specs(feature))

    def tensors(self, arrays: Sequence[Any], start: Any = None, end: Any = None) -> dict[str, Any]:
        """The columns of the examples from `start` to `end`; default all."""
        left = iter(arrays)
        tensors: dict[str, Any] = {}
        for name, feature in self.features.items():
            values = next(left)
            tensors[name] = self._lists(values, next(left), start, end) if feature.is_list else values[start:end]
            if feature.optional:
                tensors[f"{name}{IS_THERE}"] = next(left)[start:end]
        return tensors

    def with_images(self, examples: Any, num_parallel_calls: int | None = None) -> Any:
        """The same examples, with pixels where there are images to decode."""
        formats = {n: f.image_format for n, f in self.features.items() if f.image_format and f.is_image}
        if not (self.decode_images and formats):
            return examples
        return examples.map(
            lambda example: {**example, **{name: self._pixels(example[name], formats[name]) for name in formats}},
            num_parallel_calls=num_parallel_calls,
            deterministic=None if num_parallel_calls is None else True,
        )

    def _specs(self, feature: Feature) -> list[Any]:
        tf = self.tf
        specs = [tf.TensorSpec([None, *feature.tensor_shape], self._dtype(feature))]
        if feature.is_list:
            specs.append(tf.TensorSpec([None], tf.int64))
        if feature.optional:
            specs.append(tf.TensorSpec([None], tf.bool))
        return specs

    def _dtype(self, feature: Feature) -> Any:
        return self.tf.as_dtype("string" if feature.dtype == "bytes" else feature.dtype)

    def _lists(self, values: Any, row_splits: Any, start: Any, end: Any) -> Any:
        if start is not None:
            row_splits = row_splits[start : end + 1]
            values, row_splits = values[row_splits[0] : row_splits[-1]], row_splits - row_splits[0]
        return self.tf.RaggedTensor.from_row_splits(values, row_splits, validate=False)

    def _pixels(self, encoded: Any, image_format: str) -> Any:
        """uint8[height, width, channels]; 0 x 0 x 1 where the image is missing."""
        decode = self.tf.io.decode_png if image_format == "png" else self.tf.io.decode_jpeg
        is_there = self.tf.strings.length(encoded) > 0
        return self.tf.cond(is_there, lambda: decode(encoded), lambda: self.tf.zeros([0, 0, 1], self.tf.uint8))
