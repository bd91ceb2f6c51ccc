"""Hugging Face datasets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from groupstream import Feature, SourceError, SpecError
from groupstream.features import Features
from sources.files import first_line, identity_of
from sources.selection import conform, hint, selected_features
from sources.source import SELECTION_HELP, Piece, Selection, Source, SourceBatch

_PIECE_EXAMPLES = 100_000
_BATCH_EXAMPLES = 2_000


class HuggingFace(Source):
    """A split of a dataset of the Hugging Face hub, or one saved with save_to_disk. A piece is 100,000 examples."""

    model_config = ConfigDict(title="Hugging Face")

    kind: Literal["huggingface"] = "huggingface"
    places: ClassVar[frozenset[str]] = frozenset(["folder"])
    dataset: str | None = Field(
        None, description='Its name on the hub, such as "allenai/c4", or the path of a folder of data files.'
    )
    config: str | None = Field(None, description='Its configuration, such as "en".')
    folder: str | None = Field(None, description="Instead of the name: a folder written by save_to_disk.")
    split: str = Field("train", description="Which of its splits to read.")
    revision: str | None = Field(
        None, description="Branch, tag or commit on the hub. Name a commit to build the same twice."
    )
    features: Selection = Field(None, description=SELECTION_HELP)

    @model_validator(mode="after")
    def _name_or_folder(self) -> HuggingFace:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("give dataset (a name) or folder (written by save_to_disk), one of the two")
        return self

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        loaded = _load(self)
        found = selected_features(self.features, loaded.features.arrow_schema)
        return {name: _with_labels(feature, loaded.features[name]) for name, feature in found.items()}

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        total = len(_load(self))
        starts = range(0, total, _PIECE_EXAMPLES)
        return [
            Piece(i, f"{self.split}[{start}:{min(start + _PIECE_EXAMPLES, total)}]", start)
            for i, start in enumerate(starts)
        ]

    def identity(self) -> dict[str, Any]:
        """What local data hold; of others the fingerprint that the datasets library keeps. See `Source.identity`."""
        loaded = _load(self)
        if loaded.cache_files and (self.folder or Path(self.dataset or "").exists()):
            return identity_of([Path(file["filename"]) for file in loaded.cache_files])
        return {"fingerprint": loaded._fingerprint, "num_examples": len(loaded)}

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        rows = _load(self).with_format("arrow")
        end = min(piece.part + _PIECE_EXAMPLES, len(rows))
        for start in range(piece.part, end, _BATCH_EXAMPLES):
            table: pa.Table = rows[start : min(start + _BATCH_EXAMPLES, end)]  # in the order of a select or shuffle
            (batch,) = table.combine_chunks().to_batches()
            yield SourceBatch(conform(batch, features, f"{self.split}, row", start + 1))


def _with_labels(feature: Feature, kind: Any) -> Feature:
    names = getattr(kind, "names", None)  # of a datasets.ClassLabel
    return feature.model_copy(update={"labels": tuple(names)}) if names and feature.dtype == "int64" else feature


def _load(source: HuggingFace) -> Any:
    files = Path(source.folder).expanduser().rglob("*.json") if source.folder else ()
    return _load_once(source.model_dump_json(), max((file.stat().st_mtime_ns for file in files), default=0))


@functools.lru_cache(maxsize=2)
def _load_once(arguments: str, modified_at_ns: int) -> Any:
    """The dataset that a source names; kept for as long as its folder is as it was, since each piece asks for it."""
    source = HuggingFace.model_validate_json(arguments)
    name = source.folder or source.dataset
    try:
        import datasets

        if source.folder is None:
            return datasets.load_dataset(source.dataset, source.config, split=source.split, revision=source.revision)
        loaded = datasets.load_from_disk(str(Path(source.folder).expanduser()))
    except ImportError as error:
        raise SourceError(f"source kind huggingface needs a package: {error}. Run: pip install datasets") from error
    except Exception as error:  # of the library, of its file formats, of the network
        raise SourceError(
            f"Hugging Face datasets cannot load {name!r}, split {source.split!r}: {first_line(error)}. "
            "Check source.dataset, config and split, or source.folder"
        ) from error
    if isinstance(loaded, datasets.Dataset):
        return loaded
    if source.split not in loaded:
        raise SpecError(f"source.split {source.split!r} is not in {name}; {hint(source.split, loaded)}")
    return loaded[source.split]
