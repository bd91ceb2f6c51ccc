"""TensorFlow Datasets. Records are passed through as they are; only the features that are looked at are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from groupstream import Feature, SourceError, SpecError
from groupstream.example_decoding import decode_examples
from groupstream.features import GROUP_ID, Features
from groupstream.tfrecord import iter_record_blocks
from sources.files import identity_of
from sources.selection import hint
from sources.source import Piece, Source, SourceBatch


class Tfds(Source):
    """A TFDS dataset, by name or by the folder of a prepared one. A piece is one of its TFRecord files.

    All features are kept: the records are stored byte for byte, with the group id appended.
    """

    model_config = ConfigDict(title="TensorFlow Datasets")

    kind: Literal["tfds"] = "tfds"
    dataset: str | None = Field(
        None, description='Its name, such as "c4/en:3.1.0". It is downloaded and prepared where it is not yet.'
    )
    folder: str | None = Field(None, description="Instead of the name: the folder of a prepared version.")
    data_dir: str | None = Field(
        None, description="Where TFDS keeps its datasets. Default: its own, ~/tensorflow_datasets."
    )
    split: str = Field("train", description="Which of its splits to read.")

    @model_validator(mode="after")
    def _name_or_folder(self) -> Tfds:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("give dataset (a name) or folder (of a prepared version), one of the two")
        return self

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        found = {}
        for name, connector in self._builder().info.features.items():
            if name != GROUP_ID:
                found[name] = _feature_of(name, connector)
        return found

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        files = self._files()
        return [Piece(i, file.name, file) for i, file in enumerate(files)]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        info = self._builder().info
        return {"dataset": info.full_name, **identity_of(self._files())}

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        wanted = {name: f.model_copy(update={"optional": True}) for name, f in features.items() if name in needed}
        try:
            with open(piece.part, "rb") as file:
                for records in iter_record_blocks(
                    lambda offset, size: _read_at(file, offset, size), 0, piece.part.stat().st_size, str(piece.part)
                ):
                    yield SourceBatch(decode_examples(records, wanted), records)
        except OSError as error:
            raise SourceError(
                f"cannot read {piece.part}: {error.strerror}. Prepare the dataset again with: tfds build"
            ) from error

    def _builder(self) -> Any:
        import tensorflow_datasets as tfds

        try:
            if self.folder is not None:
                return tfds.builder_from_directory(str(Path(self.folder).expanduser()))
            builder = tfds.builder(self.dataset, data_dir=self.data_dir)
            builder.download_and_prepare()
        except (tfds.core.DatasetNotFoundError, FileNotFoundError, ValueError) as error:
            raise SourceError(
                f"TFDS has no dataset {self.folder or self.dataset!r}: {str(error).splitlines()[0]}"
            ) from error
        return builder

    def _files(self) -> list[Path]:
        info = self._builder().info
        if self.split not in info.splits:
            raise SpecError(
                f"source.split {self.split!r} is not in {info.full_name}; {hint(self.split, list(info.splits))}"
            )
        files = [Path(f) for f in info.splits[self.split].filepaths]
        if any(".tfrecord" not in file.name for file in files):
            raise SourceError(
                f"{files[0].name} is no TFRecord file; prepare {info.full_name} with file_format=tfrecord"
            )
        return files


def _read_at(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    data: bytes = file.read(size)
    return data


def _feature_of(name: str, connector: Any) -> Feature:
    """Our description of a TFDS feature as it stands in the record."""
    kind = type(connector).__name__
    if kind == "Image":
        return Feature(dtype="bytes", image_format=connector.encoding_format or "png")
    if kind == "ClassLabel":
        return Feature(dtype="int64", labels=tuple(connector.names))
    if kind == "Text":
        return Feature(dtype="string")
    stored = connector.get_serialized_info()
    if isinstance(stored, dict) or stored.shape not in ((), (None,)):
        raise SpecError(
            f"feature {name!r} of the TFDS dataset is a {kind} that this source does not read; "
            "store the dataset with Hugging Face save_to_disk and use kind: huggingface"
        )
    if connector.shape and None not in connector.shape:  # stored as bytes
        return Feature(dtype=connector.numpy_dtype.__name__, shape=connector.shape)
    return Feature(dtype=_dtype_of(connector.numpy_dtype), shape=stored.shape)


def _dtype_of(numpy_type: Any) -> Any:
    """The dtype of a list or a single value; whatever its width there, it is stored in 64 bits, or in a float of 32."""
    kind = np.dtype(numpy_type).kind
    return {"b": "bool", "i": "int64", "u": "int64", "f": "float32"}.get(kind, "bytes")
