"""TensorFlow Datasets. Records are passed through as they are; only the features that are looked at are decoded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from groupstream import CorruptError, Feature, SourceError, SpecError
from groupstream.examples.decoding import decode_examples
from groupstream.features import GROUP_ID, DType, Features
from groupstream.tfrecord import iter_record_blocks
from sources.files import first_line, identity_of
from sources.selection import hint
from sources.source import Piece, Source, SourceBatch


class Tfds(Source):
    """A TFDS dataset, by name or by the folder of a prepared one. A piece is one of its TFRecord files.

    All features are kept: the records are stored byte for byte, with the group id appended.
    """

    model_config = ConfigDict(title="TensorFlow Datasets")

    kind: Literal["tfds"] = "tfds"
    places: ClassVar[frozenset[str]] = frozenset(["folder", "data_dir"])
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
        features = self._builder().info.features
        return {name: _feature_of(name, connector) for name, connector in features.items() if name != GROUP_ID}

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
        except (OSError, CorruptError) as error:
            what = str(error).rpartition(". ")[0] or str(error)  # without the way out of a published version
            raise SourceError(f"cannot read {piece.part}: {what}. Prepare the dataset again") from error

    def _builder(self) -> Any:
        try:
            import tensorflow_datasets as tfds

            if self.folder is not None:
                return tfds.builder_from_directory(str(Path(self.folder).expanduser()))
            builder = tfds.builder(self.dataset, data_dir=self.data_dir)
            with contextlib.redirect_stdout(sys.stderr):
                builder.download_and_prepare()
        except ImportError as error:
            raise SourceError(
                f"source kind tfds needs a package: {error}. Run: pip install tensorflow-datasets importlib_resources"
            ) from error
        except Exception as error:  # of the library, of the dataset's own code, of the network
            raise SourceError(
                f"TFDS cannot load {self.folder or self.dataset!r}: {first_line(error)}. "
                "Check source.dataset and data_dir, or source.folder: it holds dataset_info.json"
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
    from tensorflow_datasets import features as of_tfds

    stored = connector.get_serialized_info()
    if isinstance(stored, dict) or len(stored.shape) > 1:
        raise _unsupported(name, connector)
    match connector:
        case of_tfds.Image():
            return Feature(dtype="bytes", image_format=connector.encoding_format or "png")
        case of_tfds.ClassLabel():
            return Feature(dtype="int64", labels=tuple(connector.names))
        case of_tfds.Text():
            return Feature(dtype="string")
        case of_tfds.Sequence():
            value = _feature_of(name, connector.feature)
            return Feature(dtype="bytes", shape=(None,)) if value.shape else value.model_copy(update={"shape": (None,)})
    dtype = np.dtype(stored.np_dtype)
    if dtype != np.dtype(connector.numpy_dtype):  # a tensor stored as bytes
        return _encoded_tensor(name, connector)
    return Feature(dtype=_STORED_DTYPES.get(dtype.kind, "bytes"), shape=(None,) if stored.shape else ())


# Of a list or a single value: whatever its width, it is stored in 64 bits, or in a float of 32.
_STORED_DTYPES: dict[str, DType] = {"b": "bool", "i": "int64", "u": "int64", "f": "float32"}


def _encoded_tensor(name: str, connector: Any) -> Feature:
    dtype = np.dtype(connector.numpy_dtype).name
    is_plain = getattr(connector.to_json_content(), "encoding", None) == "bytes" and connector.shape
    if not is_plain or None in connector.shape or dtype not in get_args(DType):
        raise _unsupported(name, connector)
    return Feature(dtype=dtype, shape=connector.shape)


def _unsupported(name: str, connector: Any) -> SpecError:
    return SpecError(
        f"feature {name!r} of the TFDS dataset is {' '.join(repr(connector).split())}, which is not read; "
        "store the dataset with Hugging Face save_to_disk and use kind: huggingface"
    )
