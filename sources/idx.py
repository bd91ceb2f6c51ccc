"""idx files: the images and labels of MNIST and its kin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import Feature, SourceError, SpecError
from groupstream.features import Features
from sources.batch_size import BATCH_BYTES
from sources.choice import SELECTION_HELP, Selection
from sources.files import SourceFile, find_files, identity_of, names_of, opened
from sources.selection import chosen_features, conform, features_in_source
from sources.source import Piece, Source, SourceBatch

_MAGIC = b"\0\0\x08"  # unsigned bytes; the number of dimensions follows
_MAX_BATCH_EXAMPLES = 4096


class Idx(Source):
    """Pairs of idx files, images and labels; .gz is decompressed. A piece is a pair.

    Features: image, uint8 of shape (height, width, 1), and label, int64.
    Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """

    model_config = ConfigDict(title="MNIST (idx)")

    kind: Literal["idx"] = "idx"
    places: ClassVar[frozenset[str]] = frozenset(["images", "labels"])
    images: list[str] = Field(min_length=1, description='Files or patterns, such as "mnist/*-images-idx3-ubyte.gz".')
    labels: list[str] = Field(min_length=1, description="The label files, in the same order when sorted by name.")
    features: Selection = Field(None, description=SELECTION_HELP)

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        _, *size = _read_shape(self._pairs()[0][0], num_dimensions=3)
        found = {"image": Feature(dtype="uint8", shape=(*size, 1)), "label": Feature(dtype="int64")}
        return chosen_features(self.features, found)

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        pairs = self._pairs()
        names = names_of([images for images, _ in pairs])
        return [Piece(i, name, pair) for i, (name, pair) in enumerate(zip(names, pairs, strict=True))]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of([file for pair in self._pairs() for file in pair])

    def known_num_examples(self) -> int | None:
        """See `Source.known_num_examples`."""
        return sum(_read_shape(labels, num_dimensions=1)[0] for _, labels in self._pairs())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        images, labels = piece.part
        num_images, *size = _read_shape(images, num_dimensions=3)
        (num_labels,) = _read_shape(labels, num_dimensions=1)
        if num_images != num_labels:
            raise SourceError(
                f"{images} has {num_images:,} images, {labels} {num_labels:,} labels; "
                "pair them in source.images and source.labels"
            )
        image = features_in_source(self.features, features).get("image")
        if image is not None and image.is_tensor and (*size, 1) != image.shape:
            raise SourceError(
                f"{images} has images of {tuple(size)}, the first file of {image.shape[:2]}; build them as two datasets"
            )
        number, size_of_batch = 1, max(1, min(_MAX_BATCH_EXAMPLES, BATCH_BYTES // max(1, math.prod(size))))
        blocks = zip(_read_blocks(images, 3, size_of_batch), _read_blocks(labels, 1, size_of_batch), strict=True)
        for some, their_labels in blocks:
            batch = _batch(some, their_labels)
            yield SourceBatch(conform(batch, features, f"{piece.label}, image", number, self.features))
            number += len(batch)

    def _pairs(self) -> list[tuple[SourceFile, SourceFile]]:
        images, labels = find_files(self.images, "source.images"), find_files(self.labels, "source.labels")
        if len(images) != len(labels):
            raise SpecError(
                f"source.images names {len(images)} files, source.labels {len(labels)}; give as many of each"
            )
        return list(zip(images, labels, strict=True))


def _batch(images: np.ndarray, labels: np.ndarray) -> pa.RecordBatch:
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), math.prod(images.shape[1:]))
    image = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), (*images.shape[1:], 1)), pixels)
    return pa.record_batch({"image": image, "label": pa.array(labels.astype(np.int64))})


def _read_blocks(file: SourceFile, num_dimensions: int, num_items: int) -> Iterator[np.ndarray]:
    """The tensor of an idx file, uint8, so many of its first dimension at a time."""
    count, *size = _read_shape(file, num_dimensions)
    item_bytes = math.prod(size)
    with opened(file) as stream:
        stream.read(4 + 4 * num_dimensions)
        for start in range(0, count, num_items):
            want = min(num_items, count - start) * item_bytes
            data = stream.read(want)
            if len(data) < want:
                raise SourceError(_wrong_size(file, start * item_bytes + len(data), count * item_bytes))
            yield np.frombuffer(data, np.uint8).reshape(-1, *size)
        if more := stream.read(1):
            raise SourceError(_wrong_size(file, count * item_bytes + len(more), count * item_bytes))


def _wrong_size(file: SourceFile, found_bytes: int, expected_bytes: int) -> str:
    found = f"at least {found_bytes:,}" if found_bytes > expected_bytes else f"{found_bytes:,}"
    return f"{file} holds {found} bytes of data, its header says {expected_bytes:,}. Fetch the file again"


def _read_shape(file: SourceFile, num_dimensions: int) -> tuple[int, ...]:
    """The shape in the header of an idx file."""
    with opened(file) as stream:
        header = stream.read(4 + 4 * num_dimensions)
    what = {1: "labels", 3: "images"}[num_dimensions]
    if header[:4] != _MAGIC + bytes([num_dimensions]):
        raise SourceError(
            f"{file} is no idx file of {what}: it begins with {header[:4].hex(' ') or 'nothing'}, "
            f"not 00 00 08 {num_dimensions:02x}. Check source.images and source.labels"
        )
    if len(header) < 4 + 4 * num_dimensions:
        raise SourceError(f"{file} ends within its header. Fetch the file again")
    return tuple(np.frombuffer(header, ">u4", offset=4).tolist())
