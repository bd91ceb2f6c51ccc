"""Columns of encoded images, as Hugging Face writes them to Arrow and Parquet: a struct of `bytes` and `path`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from groupstream import ExampleError, Feature, SpecError
from groupstream.features import Features

ImageFormat = Literal["png", "jpeg"]

_MAGIC: dict[ImageFormat, bytes] = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff"}
_SHOWN_BYTES = 12


def is_image_struct(kind: pa.DataType) -> bool:
    """Whether a column is a struct of the bytes of a file and its path."""
    if not pa.types.is_struct(kind) or {field.name for field in kind} != {"bytes", "path"}:
        return False
    return pa.types.is_binary(kind.field("bytes").type) or pa.types.is_large_binary(kind.field("bytes").type)


def without_paths(schema: pa.Schema) -> pa.Schema:
    """The schema of the same columns, with bytes where there are such structs."""
    return pa.schema(
        [field.with_type(pa.binary()) if is_image_struct(field.type) else field for field in schema], schema.metadata
    )


def bytes_of_images(batch: pa.RecordBatch, where: str, first: int) -> pa.RecordBatch:
    """The same columns, with the bytes where there are such structs.

    Raises:
        ExampleError: an image is a path only.
    """
    if not any(is_image_struct(kind) for kind in batch.schema.types):
        return batch
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if is_image_struct(column.type):
            path, column = pc.struct_field(column, "path"), pc.struct_field(column, "bytes")
            _refuse_paths(name, path.filter(column.is_null()), column.is_null(), where, first)
        columns.append(column)
    return pa.record_batch(columns, names=batch.schema.names)


def _refuse_paths(name: str, paths: pa.Array, is_null: pa.Array, where: str, first: int) -> None:
    if len(paths) > paths.null_count:
        there = pc.index(is_null, True).as_py() + next(i for i, path in enumerate(paths) if path.is_valid)
        raise ExampleError(
            f"{where} {first + there}: {name} is the path {paths.drop_null()[0].as_py()[:80]!r} without its bytes. "
            "Write the dataset with the bytes in it, such as with Hugging Face save_to_disk"
        )


def with_formats(features: Features, images: Mapping[str, pa.Array]) -> dict[str, Feature]:
    """The features, with the format of their images.

    Args:
        images: the first values of each feature that holds images, and whose type the spec does not give.

    Raises:
        SpecError: images in a format that a feature does not know.
    """
    found = dict(features)
    for name, first_values in images.items():
        if len(values := first_values.drop_null()):
            known = format_of(values[0].as_py())
            if known is None:
                raise SpecError(
                    f"feature {name!r} holds files that are neither PNG nor JPEG; the first begins with "
                    f"{values[0].as_py()[:_SHOWN_BYTES]!r}. Declare it bytes under source.features to keep them as "
                    "they are, or convert them"
                )
            found[name] = features[name].model_copy(update={"image_format": known})
    return found


def format_of(data: bytes) -> ImageFormat | None:
    """The format of an image, by the bytes that it begins with."""
    return next((name for name, magic in _MAGIC.items() if data.startswith(magic)), None)


def refuse_other_formats(batch: pa.RecordBatch, features: Features, where: str, first: int = 1) -> None:
    """Refuses an image that is not in the format of its feature. A feature that is not there is left to `conform`.

    Raises:
        ExampleError: with its place.
    """
    for name, feature in features.items():
        if feature.is_image and feature.image_format and name in batch.schema.names:
            fits = pc.starts_with(batch.column(name), _MAGIC[feature.image_format])
            if (row := pc.index(fits, False).as_py()) >= 0:
                data = batch.column(name)[row].as_py()
                raise ExampleError(
                    f"{where} {first + row}: {name} is {_described(data)}, where the source begins with "
                    f"{feature.image_format.upper()} images. Convert it, or declare {name} as bytes under "
                    "source.features to keep images of several formats"
                )


def _described(data: bytes) -> str:
    known = format_of(data)
    return f"a {known.upper()} image" if known else f"no image that is known, it begins with {data[:_SHOWN_BYTES]!r}"
