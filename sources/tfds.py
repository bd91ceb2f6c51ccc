"""TensorFlow Datasets. Records are passed through as they are; only the features that are looked at are decoded."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator, model_validator

from groupstream import CorruptError, Feature, SourceError, SpecError
from groupstream.features import GROUP_ID, Features
from groupstream.tfrecord import iter_record_blocks
from sources.allowed import refuse_outside_any
from sources.array_records import count_records, iter_record_ranges
from sources.choice import SELECTION_HELP, Selection
from sources.files import first_line, identity_of
from sources.records import DECODES_HELP, RecordSelection, read_records
from sources.selection import chosen_features, hint
from sources.source import Piece, Source, SourceBatch
from sources.tfds_code import refuse_foreign_classes
from sources.tfds_features import stored_features

_PIECE_BYTES = 64 << 20
_NAMESPACE = re.compile(r"[\w.-]+:(?!\d)")  # such as huggingface:c4; a version follows the other colon


class Tfds(Source):
    """A TFDS dataset, by name or by the folder of a prepared one. Its files are TFRecord or ArrayRecord.

    A piece is a TFRecord file, or about 64 MiB of the records of an ArrayRecord file. Unless features are chosen, the
    records are stored byte for byte, with the group id appended. What TFDS nests has the name that it has in a
    record, such as `a/b`.
    """

    model_config = ConfigDict(title="TFDS")

    kind: Literal["tfds"] = "tfds"
    places: ClassVar[frozenset[str]] = frozenset(["folder", "data_dir"])
    dataset: str | None = Field(
        None,
        description='Its name, such as "c4/en:3.1.0". It is downloaded and prepared where it is not yet.',
        json_schema_extra={"pattern": f"^(?!{_NAMESPACE.pattern})"},
    )
    folder: str | None = Field(None, description="Instead of the name: the folder of a prepared version.")
    data_dir: str | None = Field(
        None, description="Where TFDS keeps its datasets. Default: its own, ~/tensorflow_datasets."
    )
    split: str = Field("train", description="Which of its splits to read.")
    features: Selection = Field(None, description=f"{SELECTION_HELP} {DECODES_HELP}")

    @field_validator("dataset")
    @classmethod
    def _is_of_tfds(cls, dataset: str | None) -> str | None:
        if dataset is not None and _NAMESPACE.match(dataset):
            raise ValueError("of a dataset of others TFDS would fetch the code and run it; name one of its own")
        return dataset

    @model_validator(mode="after")
    def _name_or_folder(self) -> Tfds:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("give dataset (a name) or folder (of a prepared version), one of the two")
        return self

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        return chosen_features(self.features, self._stored_features())

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        parts = [part for file in self._files() for part in _parts_of(file)]
        return [Piece(i, _label(*part), part) for i, part in enumerate(parts)]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        info = self._builder().info
        return {"dataset": info.full_name, **identity_of(self._files())}

    def known_num_examples(self) -> int | None:
        """See `Source.known_num_examples`."""
        return self._builder().info.splits[self.split].num_examples

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        return read_records(_records(*piece.part), features, needed, self._selected(), piece.label)

    def _selected(self) -> RecordSelection | None:
        return None if self.features is None else RecordSelection(self.features, self._stored_features())

    def _stored_features(self) -> Features:
        found: dict[str, Feature] = {}
        for name, connector in self._builder().info.features.items():
            found |= stored_features(name, connector) if name != GROUP_ID else {}
        return found

    def _builder(self) -> Any:
        try:
            import tensorflow_datasets as tfds

            if (prepared := self.folder or self.data_dir) is not None:
                refuse_foreign_classes(prepared)
            if self.folder is not None:
                return tfds.builder_from_directory(str(Path(self.folder).expanduser()))
            builder = tfds.builder(self.dataset, data_dir=self.data_dir)
            with contextlib.redirect_stdout(sys.stderr):
                builder.download_and_prepare()
        except SpecError:
            raise
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
        if self.folder or self.data_dir:  # its own folder is the deployment's
            refuse_outside_any(files, "source.folder" if self.folder else "source.data_dir")
        if any(file_format(file) is None for file in files):
            raise SourceError(
                f"{files[0].name} is neither a TFRecord nor an ArrayRecord file; "
                f"prepare {info.full_name} with file_format=tfrecord"
            )
        return files


def file_format(file: Path) -> str | None:
    """What a file of a TFDS dataset is, by its name."""
    return next((known for known in ("tfrecord", "array_record") if f".{known}" in file.name), None)


_Range = tuple[int, int] | None  # numbers of records; None for a whole file


def _parts_of(file: Path) -> list[tuple[Path, _Range]]:
    """A TFRecord file whole, an ArrayRecord file in ranges of its records: what is read on its own."""
    if file_format(file) == "tfrecord":
        return [(file, None)]
    num_records = count_records(file)
    num_parts = max(1, min(num_records, round(file.stat().st_size / _PIECE_BYTES)))
    borders = [num_records * i // num_parts for i in range(num_parts + 1)]
    return [(file, pair) for pair in itertools.pairwise(borders)]


def _label(file: Path, part: _Range) -> str:
    return file.name if part is None else f"{file.name}[{part[0]}:{part[1]}]"


def _records(file: Path, part: _Range) -> Iterator[pa.LargeBinaryArray]:
    if part is not None:
        yield from iter_record_ranges(file, *part)
        return
    try:
        with open(file, "rb") as stream:
            size = file.stat().st_size
            yield from iter_record_blocks(lambda offset, length: _read_at(stream, offset, length), 0, size, str(file))
    except (OSError, CorruptError) as error:
        what = str(error).rpartition(". ")[0] or str(error)  # without the way out of a published version
        raise SourceError(f"cannot read {file}: {what}. Prepare the dataset again") from error


def _read_at(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    data: bytes = file.read(size)
    return data
