"""idx files: the images and labels of MNIST and its kin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import Feature, SourceError, SpecError
from groupstream.features import Features
from sources.files import find_files, identity_of, names_of, opened
from sources.source import Piece, Source, SourceBatch

_MAGIC = b"\0\0\x08"  # unsigned bytes; the number of dimensions follows
_BATCH_EXAMPLES = 4096


class Idx(Source):
    """Pairs of idx files, images and labels; .gz is decompressed. A piece is a pair.

    Features: image, uint8 of shape (height, width, 1), and label, int64.
    Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """

    model_config = ConfigDict(title="idx (MNIST)")

    kind: Literal["idx"] = "idx"
    images: list[str] = Field(min_length=1, description='Files or patterns, such as "mnist/*-images-idx3-ubyte.gz".')
    labels: list[str] = Field(min_length=1, description="The label files, in the same order when sorted by name.")

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        shape = _read_idx(self._pairs()[0][0], header_only=True).shape
        return {"image": Feature(dtype="uint8", shape=(*shape[1:], 1)), "label": Feature(dtype="int64")}

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        pairs = self._pairs()
        labels = names_of([images for images, _ in pairs])
        return [Piece(i, label, pair) for i, (label, pair) in enumerate(zip(labels, pairs, strict=True))]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of([file for pair in self._pairs() for file in pair])

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        images, labels = (_read_idx(file) for file in piece.part)
        if len(images) != len(labels):
            raise SourceError(
                f"{piece.label} has {len(images):,} images, {piece.part[1]} {len(labels):,} labels; "
                "pair them in source.images and source.labels"
            )
        if (*images.shape[1:], 1) != features["image"].shape:
            raise SourceError(
                f"{piece.label} has images of {images.shape[1:]}, the first file of {features['image'].shape[:2]}; "
                "build them as two datasets"
            )
        for start in range(0, len(images), _BATCH_EXAMPLES):
            yield SourceBatch(
                _batch(images[start : start + _BATCH_EXAMPLES], labels[start : start + _BATCH_EXAMPLES], features)
            )

    def _pairs(self) -> list[tuple[Path, Path]]:
        images, labels = find_files(self.images), find_files(self.labels)
        if len(images) != len(labels):
            raise SpecError(
                f"source.images names {len(images)} files, source.labels {len(labels)}; give as many of each"
            )
        return list(zip(images, labels, strict=True))


def _batch(images: np.ndarray, labels: np.ndarray, features: Features) -> pa.RecordBatch:
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), math.prod(images.shape[1:]))
    image = pa.ExtensionArray.from_storage(features["image"].arrow_type, pixels)
    return pa.record_batch({"image": image, "label": pa.array(labels.astype(np.int64))})


def _read_idx(file: Path, header_only: bool = False) -> np.ndarray:
    """The tensor of an idx file; with `header_only`, one of its shape whose bytes are not read."""
    with opened(file) as stream:
        header = stream.read(4)
        if header[:3] != _MAGIC or len(header) < 4:
            raise SourceError(
                f"{file} is no idx file of unsigned bytes: it begins with {header.hex(' ') or 'nothing'}, not 00 00 08. "
                "Check source.images and source.labels"
            )
        shape = tuple(np.frombuffer(stream.read(4 * header[3]), ">u4").tolist())
        if header_only:
            return np.broadcast_to(np.uint8(0), shape)
        data = stream.read()
    if len(data) != math.prod(shape):
        raise SourceError(
            f"{file} holds {len(data):,} bytes of data, its header says {math.prod(shape):,}. Fetch the file again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
