"""Hugging Face datasets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from groupstream import SourceError
from groupstream.features import Features
from sources.selection import conform, selected_features
from sources.source import SELECTION_HELP, Piece, Selection, Source, SourceBatch

_PIECE_EXAMPLES = 100_000
_BATCH_EXAMPLES = 2_000


class HuggingFace(Source):
    """A split of a dataset of the Hugging Face hub, or one saved with save_to_disk. A piece is 100,000 examples."""

    model_config = ConfigDict(title="Hugging Face")

    kind: Literal["huggingface"] = "huggingface"
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
        return selected_features(self.features, _load(self).features.arrow_schema)

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        total = len(_load(self))
        starts = range(0, total, _PIECE_EXAMPLES)
        return [
            Piece(i, f"{self.split}[{start}:{min(start + _PIECE_EXAMPLES, total)}]", start)
            for i, start in enumerate(starts)
        ]

    def identity(self) -> dict[str, Any]:
        """The fingerprint that the datasets library keeps for its content. See `Source.identity`."""
        loaded = _load(self)
        return {"fingerprint": loaded._fingerprint, "num_examples": len(loaded)}

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        rows = _load(self).with_format("arrow")
        end = min(piece.part + _PIECE_EXAMPLES, len(rows))
        for start in range(piece.part, end, _BATCH_EXAMPLES):
            table: pa.Table = rows[start : min(start + _BATCH_EXAMPLES, end)]
            for batch in table.combine_chunks().to_batches():
                yield SourceBatch(conform(batch, features, f"{self.split}, row {start}"))


@functools.lru_cache(maxsize=2)
def _load_once(arguments: str) -> Any:
    """The dataset that a source names; kept, since each piece asks for it."""
    source = HuggingFace.model_validate_json(arguments)
    import datasets

    try:
        if source.folder is None:
            return datasets.load_dataset(source.dataset, source.config, split=source.split, revision=source.revision)
        loaded = datasets.load_from_disk(str(Path(source.folder).expanduser()))
        return loaded[source.split] if isinstance(loaded, datasets.DatasetDict) else loaded
    except (FileNotFoundError, ConnectionError, ValueError, KeyError) as error:
        raise SourceError(
            f"Hugging Face has no {source.folder or source.dataset!r} with split {source.split!r}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _load(source: HuggingFace) -> Any:
    return _load_once(source.model_dump_json())
