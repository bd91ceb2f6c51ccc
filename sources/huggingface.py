"""Hugging Face datasets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, model_validator

from groupstream import Feature, SourceError
from groupstream.features import Features
from groupstream.stores import is_url
from sources.allowed import refuse_outside_any
from sources.batch_size import FIRST_BATCH_EXAMPLES, examples_a_batch
from sources.choice import SELECTION_HELP, Selection, declared_dtypes, names_in_source
from sources.files import first_line, identity_of
from sources.huggingface_loading import Address, identity_of_files, load
from sources.image_columns import bytes_of_images, refuse_other_formats, with_formats, without_paths
from sources.selection import conform, features_in_source, selected_features
from sources.source import Piece, Source, SourceBatch

_PIECE_EXAMPLES = 100_000


class HuggingFace(Source):
    """A split of a dataset of the Hugging Face hub, or one saved with save_to_disk.

    A piece is 100,000 examples; of a dataset that is streamed, one of its shards, which are its files. Images become
    features of their encoded bytes, in the format of the first one.
    """

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
    streaming: bool = Field(
        False,
        description="Read the files where they lie, and keep nothing on this disk; each worker fetches its own.",
    )
    features: Selection = Field(None, description=SELECTION_HELP)

    @model_validator(mode="after")
    def _name_or_folder(self) -> HuggingFace:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("give dataset (a name) or folder (written by save_to_disk), one of the two")
        if self.streaming and self.folder is not None:
            raise ValueError("a folder is read where it lies in any case; leave streaming out")
        return self

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        loaded = self._load()
        head = self._head(loaded, self.split) if self.streaming else _rows(loaded, 0, FIRST_BATCH_EXAMPLES)
        kinds = loaded.features
        if kinds is None:  # streamed, and its card says nothing: as the first examples are
            if head is None:
                raise SourceError(f"{self.dataset} has no example in split {self.split}, and describes no feature")
            kinds = _features_of(head.schema)
        found = selected_features(self.features, without_paths(kinds.arrow_schema))
        names = names_in_source(self.features)
        with_labels = {name: _with_labels(feature, kinds[names.get(name, name)]) for name, feature in found.items()}
        return self._with_image_formats(with_labels, kinds, head)

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        loaded = self._load()
        if self.streaming:
            count = loaded.num_shards
            return [Piece(i, f"{self.split}, shard {i + 1} of {count}", (i, count)) for i in range(count)]
        total = len(loaded)
        parts = [(start, min(start + _PIECE_EXAMPLES, total)) for start in range(0, total, _PIECE_EXAMPLES)]
        return [Piece(i, f"{self.split}[{start}:{end}]", (start, end)) for i, (start, end) in enumerate(parts)]

    def identity(self) -> dict[str, Any]:
        """What local data hold; of others what the datasets library or the hub names them by. See `Source.identity`."""
        if self.streaming:
            return identity_of_files(self._address())
        loaded = self._load()
        if loaded.cache_files and (self.folder or Path(self.dataset or "").exists()):
            return identity_of([Path(file["filename"]) for file in loaded.cache_files])
        return {"fingerprint": loaded._fingerprint, "num_examples": len(loaded)}

    def known_num_examples(self) -> int | None:
        """See `Source.known_num_examples`."""
        loaded = self._load()
        if not self.streaming:
            return len(loaded)
        split = (loaded.info.splits or {}).get(self.split)
        return split and split.num_examples

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        where = f"{piece.label}, row" if self.streaming else f"{self.split}, row"
        number = 1 if self.streaming else piece.part[0] + 1
        kinds = self._load().features
        wanted = features_in_source(self.features, features)
        for batch in self._batches(piece):
            kept = batch.select([name for name in batch.schema.names if name in wanted])
            embedded = bytes_of_images(_embedded(kept, kinds), where, number)
            columns = conform(embedded, features, where, number, self.features)
            refuse_other_formats(columns, features, where, number)
            yield SourceBatch(columns)
            number += len(batch)

    def _batches(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        loaded = self._load()
        if self.streaming:
            index, count = piece.part
            shard = loaded.shard(num_shards=count, index=index)
            head = self._head(shard, piece.label)  # read once more: only it shows how many examples fill a batch
            if head is not None:
                yield from self._streamed(shard, examples_a_batch(len(head), head.nbytes), piece.label)
            return
        start, end = piece.part
        want = FIRST_BATCH_EXAMPLES
        while start < end:
            batch = _rows(loaded, start, min(start + want, end))
            yield batch
            start += len(batch)
            want = examples_a_batch(len(batch), batch.nbytes)

    def _head(self, shard: Any, label: str) -> pa.RecordBatch | None:
        return next(self._streamed(shard, FIRST_BATCH_EXAMPLES, label), None)

    def _streamed(self, shard: Any, num_examples: int, label: str) -> Iterator[pa.RecordBatch]:
        """The examples of an IterableDataset."""
        try:
            for table in shard.with_format("arrow").iter(batch_size=num_examples):
                yield from table.combine_chunks().to_batches()  # several where text is over 2 GiB together
        except Exception as error:  # of the library, of its file formats, of the network
            raise SourceError(
                f"{self.dataset}, {label} cannot be read: {first_line(error)}. Fetch the data again"
            ) from error

    def _with_image_formats(
        self, features: dict[str, Feature], kinds: Any, head: pa.RecordBatch | None
    ) -> dict[str, Feature]:
        if head is None or not len(head):
            return features
        names = names_in_source(self.features)
        declared = frozenset(declared_dtypes(self.features))
        images = {
            name: old
            for name in features
            for old in [names.get(name, name)]
            if _is_image(kinds[old]) and old not in declared
        }
        plain = bytes_of_images(_embedded(head.select(sorted(images.values())), kinds), f"{self.split}, row", 1)
        return with_formats(features, {name: plain.column(old) for name, old in images.items()})

    def _address(self) -> Address:
        return Address(self.dataset, self.config, self.folder, self.split, self.revision, self.streaming)

    def _load(self) -> Any:
        return load(self._address())


def _rows(loaded: Any, start: int, end: int) -> pa.RecordBatch:
    """Examples of a datasets.Dataset, in the order of a select or shuffle where it has one."""
    table = loaded.with_format("arrow")[start : min(end, len(loaded))]
    batches = table.combine_chunks().to_batches()  # several where text is over 2 GiB together: the rest is read next
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)


def _features_of(schema: pa.Schema) -> Any:
    import datasets

    return datasets.Features.from_arrow_schema(schema)


def _is_image(kind: Any) -> bool:
    import datasets

    return isinstance(kind, datasets.Image)


def _embedded(batch: pa.RecordBatch, kinds: Any) -> pa.RecordBatch:
    """The same, with the bytes of images of which the dataset holds the paths only."""
    columns = [
        _with_bytes(kinds[name], column) if kinds is not None and _is_image(kinds[name]) else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def _with_bytes(kind: Any, images: pa.Array) -> pa.Array:
    """An image may be anywhere: the path stands in the data."""
    without = images.filter(pc.is_null(pc.struct_field(images, "bytes")))
    paths = [path for path in pc.struct_field(without, "path").to_pylist() if path and not is_url(path)]
    refuse_outside_any(paths, "the path of an image")
    return kind.embed_storage(images)


def _with_labels(feature: Feature, kind: Any) -> Feature:
    names = getattr(getattr(kind, "feature", kind), "names", None)  # of a datasets.ClassLabel, or of a list of them
    return feature.model_copy(update={"labels": tuple(names)}) if names and feature.dtype == "int64" else feature
