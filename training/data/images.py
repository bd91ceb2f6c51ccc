"""Clients of images with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import Dataset, ExampleError, UnknownKeyError, UsageError
from groupstream.features import Feature
from groupstream.images import decode_images
from groupstream.python_values import python_values
from training.data.form import ClientExamples, ItemArray, Items, first_examples, require_no_nulls
from training.data.labels import Labels


@dataclass(frozen=True)
class ImageForm:
    """Images: `image` uint8[num_items, height, width, channels], `label` int32[num_items], `mask` bool[num_items].

    Attributes:
        feature: the image: encoded, or a tensor of uint8.
        shape: (height, width, channels), the same for all.
        labels: their classes.
    """

    feature: str
    shape: tuple[int, int, int]
    labels: Labels

    @property
    def features(self) -> tuple[str, ...]:
        """See `ClientForm`."""
        return self.feature, self.labels.feature

    @property
    def item(self) -> Mapping[str, ItemArray]:
        """See `ClientForm`."""
        return {
            "image": ItemArray(self.shape, np.uint8),
            "label": ItemArray((), np.int32),
            "mask": ItemArray((), np.bool_),
        }

    def read(self, clients: Iterable[ClientExamples]) -> Iterator[Items]:
        """See `ClientForm`.

        Raises:
            ExampleError: an image of another shape, or one that cannot be decoded; a label of no class.
        """
        for client in clients:
            found, is_cut = first_examples(client)
            arrays = {
                "image": np.concatenate([np.zeros((0, *self.shape), np.uint8), *map(self._pixels, found)]),
                "label": np.concatenate([np.zeros(0, np.int32), *map(self.labels.of, found)]),
            }
            num_items = len(arrays["label"])
            yield Items({**arrays, "mask": np.ones(num_items, bool)}, num_items, 0, is_cut)

    def _pixels(self, batch: pa.RecordBatch) -> np.ndarray:
        require_no_nulls(batch, [self.feature])
        found = _decoded(batch.column(self.feature))
        for pixels in found:
            if pixels.shape != self.shape:
                raise ExampleError(
                    f"an image of {self.feature} has the shape {pixels.shape}, the first one has {self.shape}; "
                    "build a version in which all are alike"
                )
        return np.stack(found) if found else np.zeros((0, *self.shape), np.uint8)


def find_images(dataset: Dataset, labels: Labels, name: str | None = None) -> ImageForm:
    """The images of a version. Reads the first example where the shape is not known without.

    Args:
        name: the feature. Without it, the only one of encoded images, or of tensors of uint8 that may be one.

    Raises:
        UnknownKeyError: no feature has this name.
        UsageError: it holds no images; or none can be chosen.
    """
    features, ref = dataset.features, dataset.manifest.ref
    candidates = [one for one, feature in features.items() if _may_be_image(feature)]
    if name is None:
        if len(candidates) != 1:
            raise UsageError(
                f"{ref} has {len(candidates)} features of images{': ' if candidates else ''}{', '.join(candidates)}; "
                f"name one of {', '.join(features)}"
            )
        name = candidates[0]
    if name not in features:
        raise UnknownKeyError(f"{ref} has no feature {name!r}; it has {', '.join(features)}")
    if name not in candidates:
        raise UsageError(
            f"feature {name!r} of {ref} is {features[name].dtype} of shape {list(features[name].shape)}, no image: "
            "neither encoded nor a tensor of uint8 of two or three dimensions"
        )
    shape = _with_channels(features[name].tensor_shape) or _shape_of_first(dataset, name)
    return ImageForm(name, shape, labels)


def _may_be_image(feature: Feature) -> bool:
    return feature.is_image or (feature.is_tensor and feature.dtype == "uint8" and len(feature.shape) in (2, 3))


def _with_channels(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1) if shape else None


def _decoded(column: pa.Array) -> list[np.ndarray]:
    if not isinstance(column.type, pa.FixedShapeTensorType):
        return [pixels for pixels in decode_images(column) if pixels is not None]
    shape = _with_channels(tuple(column.type.shape)) or ()
    return [pixels.reshape(shape) for pixels in python_values(column)]


def _shape_of_first(dataset: Dataset, name: str) -> tuple[int, int, int]:
    for split in dataset.values():
        for group in split.select(name):
            for batch in group.batches():
                for pixels in _decoded(batch.column(name).drop_null()[:1]):
                    return pixels.shape[0], pixels.shape[1], pixels.shape[2]
    raise UsageError(f"no example of {dataset.manifest.ref} has an image in {name!r}; name another feature")
