"""Images: one file each, or in tars."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import ExampleError, Feature, SourceError, SpecError
from groupstream.features import Features
from sources.batch_size import BATCH_BYTES
from sources.choice import SELECTION_HELP, Selection, declared_dtypes
from sources.files import SourceFile, find_files, identity_of, names_of, unreadable
from sources.image_columns import refuse_other_formats, with_formats
from sources.selection import chosen_features, conform, features_in_source, hint
from sources.source import Piece, Source, SourceBatch
from sources.tars import IMAGE_ENDINGS, image_names, is_tar, iter_images

_PIECE_FILES = 1_000
_BATCH_EXAMPLES = 2_000
_READS_AT_ONCE = 8  # of files that lie elsewhere

_Part = tuple[tuple[SourceFile, str], ...]  # files, and their names


class FoundImage(NamedTuple):
    """An image, not decoded.

    Attributes:
        path: below the folder that all files of the source share; of one in a tar, it follows the name of the tar.
        address: the whole path, in which the label stands; nothing in it is escaped.
        data: the bytes; none where they are not asked for.
    """

    path: str
    address: str
    data: bytes


class Images(Source):
    """PNG or JPEG images, as files or in tars. They stay encoded as they are. A piece is a tar, or 1,000 files.

    Features: image (bytes), label (int64, by default the number of its folder among the names of all folders, sorted;
    the name itself where it is declared a string) and path. Of a tar, the files that end in .png, .jpg or .jpeg are
    the images; what else is in it is left out. To number the labels, tars are read once more, unless source.labels
    gives the names.
    """

    model_config = ConfigDict(title="Images")

    kind: Literal["images"] = "images"
    places: ClassVar[frozenset[str]] = frozenset(["paths"])
    paths: list[str] = Field(
        min_length=1, description='Images or tars of images, or patterns, such as "flowers/**/*.jpg" or "train-*.tar".'
    )
    label_part: Annotated[int, Field(le=-2)] | None = Field(
        -2,
        description="Which part of the path of an image is its label, from the end: -2 is its folder, -3 the folder "
        "around that. Nothing: no label.",
    )
    labels: list[str] | None = Field(
        None, min_length=1, description="The names of the labels, in their order. Default: all that are found, sorted."
    )
    features: Selection = Field(None, description=SELECTION_HELP)

    def available_features(self) -> Features:
        """Reads the paths of all images, and the first image. See `Source.available_features`."""
        files = self._files()
        declared = declared_dtypes(self.features)
        found = {"image": Feature(dtype="bytes"), "path": Feature(dtype="string")}
        if self.label_part is not None:
            by_name = declared.get("label") == "string"
            names = () if by_name else tuple(self.labels or self._found_labels(files))
            found["label"] = Feature(dtype="string") if by_name else Feature(dtype="int64", labels=names)
        if "image" not in declared:
            found = with_formats(found, {"image": pa.array([self._first_image(files)], pa.binary())})
        return chosen_features(self.features, found)

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        parts: list[_Part] = []
        files = self._files()
        named = zip(files, names_of(files), strict=True)
        for in_tar, some in itertools.groupby(named, lambda pair: is_tar(pair[0])):
            size = 1 if in_tar else _PIECE_FILES
            listed = tuple(some)
            parts += [listed[start : start + size] for start in range(0, len(listed), size)]
        return [Piece(i, _label_of(part), part) for i, part in enumerate(parts)]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of(self._files())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        kinds = features_in_source(self.features, features)
        label_numbers = self._label_numbers(kinds)
        number, where = 1, f"{piece.label}, image"
        for images in _in_batches(_found_in(piece.part, with_bytes="image" in kinds)):
            columns = {
                "image": pa.array([image.data for image in images], pa.binary()),
                "path": pa.array([image.path for image in images], pa.string()),
            }
            if "label" in kinds:
                columns["label"] = self._label_column(images, label_numbers)
            found = conform(pa.record_batch(columns), features, where, number, self.features)
            refuse_other_formats(found, features, where, number)
            yield SourceBatch(found)
            number += len(images)

    def _label_numbers(self, kinds: Features) -> dict[str, int] | None:
        """By its name, the number of a label; None where the names themselves are asked for."""
        if "label" not in kinds or kinds["label"].dtype == "string":
            return None
        labels = kinds["label"].labels or self.labels or self._found_labels(self._files())
        return {label: i for i, label in enumerate(labels)}

    def _label_column(self, images: list[FoundImage], numbers: dict[str, int] | None) -> pa.Array:
        labels = [self._label_in(image.address) for image in images]
        if numbers is None:
            return pa.array(labels, pa.string())
        for image, label in zip(images, labels, strict=True):
            if label not in numbers:
                raise ExampleError(f"{image.path}: {label!r} is not among source.labels; {hint(label, numbers)}")
        return pa.array([numbers[label] for label in labels], pa.int64())

    def _label_in(self, address: str) -> str:
        parts = address.split("/")
        if self.label_part is None or len(parts) < -self.label_part or not (label := parts[self.label_part]):
            raise SpecError(
                f"the path {address!r} has no part {self.label_part} to be its label. Set source.label_part, which "
                "counts from the end, or leave the label out: label_part: null"
            )
        return label

    def _found_labels(self, files: list[SourceFile]) -> list[str]:
        labels: set[str] = set()
        for file in files:
            address = file.plain_address
            addresses = [f"{address}/{name}" for name in image_names(file)] if is_tar(file) else [address]
            labels.update(map(self._label_in, addresses))
        return sorted(labels)

    def _first_image(self, files: list[SourceFile]) -> bytes:
        images = (image for file in files for image in _found_in(((file, file.name),), with_bytes=True))
        if (first := next(images, None)) is None:
            raise SourceError(f"{files[0]} holds no image, no file that ends in {', '.join(IMAGE_ENDINGS)}")
        return first.data

    def _files(self) -> list[SourceFile]:
        return find_files(self.paths)


def _label_of(part: _Part) -> str:
    first, last = part[0][1], part[-1][1]
    return first if first == last else f"{first} ... {last}"


def _found_in(part: _Part, with_bytes: bool) -> Iterator[FoundImage]:
    """The images of a tar, or of some files."""
    if is_tar(part[0][0]):
        for file, name in part:
            for inner, data in iter_images(file):
                yield FoundImage(f"{name}/{inner}", f"{file.plain_address}/{inner}", data)
    elif with_bytes and part[0][0].local_path is None:
        with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
            for start in range(0, len(part), _READS_AT_ONCE):
                yield from threads.map(_read, part[start : start + _READS_AT_ONCE])
    else:
        for file, name in part:
            yield _read((file, name)) if with_bytes else FoundImage(name, file.plain_address, b"")


def _read(named: tuple[SourceFile, str]) -> FoundImage:
    file, name = named
    try:
        return FoundImage(name, file.plain_address, file.read())
    except OSError as error:
        raise SourceError(unreadable(file, error)) from error


def _in_batches(images: Iterable[FoundImage]) -> Iterator[list[FoundImage]]:
    """At most 8 MiB and 2,000 images at a time, or one larger."""
    batch: list[FoundImage] = []
    size = 0
    for image in images:
        if batch and (size + len(image.data) > BATCH_BYTES or len(batch) == _BATCH_EXAMPLES):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += len(image.data)
    if batch:
        yield batch
