"""What a feature of an example is, and how it looks in Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, model_validator

from groupstream.errors import SpecError

GROUP_ID = "group_id"  # the feature that every stored record carries

DType = Literal["string", "bytes", "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32"]

_ARROW_OF: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "bool": pa.bool_(),
    **{f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32)},
    "int64": pa.int64(),
    "float32": pa.float32(),
}


class Feature(BaseModel):
    """One feature of an example.

    Attributes:
        dtype: the type of one value.
        shape: `()` for one value, `(None,)` for a list of any length, `(None, 2, 3)` for a list of any
            length of tensors of that shape, stored as one flat list in row-major order. All numbers for a
            tensor of fixed shape, which is stored as its raw little-endian bytes in row-major order.
        image_format: "png" or "jpeg" where the bytes are an encoded image.
        labels: the names of the classes, where the value is a class index.
        optional: whether examples may lack it. A missing feature reads as null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: DType
    shape: tuple[int | None, ...] = ()
    image_format: Literal["png", "jpeg"] | None = None
    labels: tuple[str, ...] | None = None
    optional: bool = False

    @model_validator(mode="after")
    def _shape_is_one_of_four(self) -> Feature:
        if self.tensor_shape and (min(self.tensor_shape) < 1 or self.dtype in ("string", "bytes")):
            raise ValueError(f"a tensor holds numbers and is not empty; this is {self.dtype} of shape {self.shape}")
        if None in self.shape[1:]:
            raise ValueError(
                f"shape {self.shape} is neither (), (null,) for a list, all numbers for a tensor, "
                "nor (null, number, ...) for a list of tensors"
            )
        return self

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """The shape of the tensor, or of each tensor of a list; `()` for all else."""
        return tuple(d for d in self.shape if d is not None)

    @property
    def is_list(self) -> bool:
        """Whether the number of values, or of tensors, differs between examples."""
        return self.shape[:1] == (None,)

    @property
    def is_tensor(self) -> bool:
        """Whether the value is stored as the raw bytes of a tensor of fixed shape."""
        return bool(self.shape) and None not in self.shape

    @property
    def is_text(self) -> bool:
        """Whether it holds words to count."""
        return self.dtype == "string" and not self.shape

    @property
    def is_image(self) -> bool:
        """Whether it is one encoded image."""
        return self.image_format is not None and not self.shape

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of its column in a record batch."""
        if self.is_tensor:
            return pa.fixed_shape_tensor(self.value_type, self.tensor_shape)
        return pa.list_(self.item_type) if self.is_list else self.value_type

    @property
    def item_type(self) -> pa.DataType:
        """The type of an item of a list: of one value, or of a tensor as nested lists of fixed size.

        Not Arrow's fixed-shape tensor: inside a list it comes out of `to_pylist()` without its shape, and
        `pa.array()` cannot make one.
        """
        kind = self.value_type
        for size in reversed(self.tensor_shape):
            kind = pa.list_(kind, size)
        return kind

    @property
    def value_type(self) -> pa.DataType:
        """The Arrow type of one value."""
        return _ARROW_OF[self.dtype]


Features = Mapping[str, Feature]


def arrow_schema(features: Features) -> pa.Schema:
    """The schema of a batch that holds `features`, in their order."""
    return pa.schema([pa.field(name, f.arrow_type, nullable=f.optional) for name, f in features.items()])


def feature_of_arrow(name: str, kind: pa.DataType) -> Feature:
    """The feature that stores an Arrow column without loss.

    Raises:
        SpecError: no feature of a tf.train.Example holds this type without loss.
    """
    if isinstance(kind, pa.FixedShapeTensorType):
        if kind.permutation not in (None, [*range(len(kind.shape))]):
            raise SpecError(
                f"feature {name!r} is a tensor stored in the order {kind.permutation} of its dimensions; "
                "write it in row-major order, or leave it out of source.features"
            )
        return Feature(dtype=_dtype_of_arrow(name, kind.value_type), shape=tuple(kind.shape))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item, sizes = kind.value_type, []
        while pa.types.is_fixed_size_list(item):
            sizes.append(item.list_size)
            item = item.value_type
        return Feature(dtype=_dtype_of_arrow(name, item), shape=(None, *sizes))
    return Feature(dtype=_dtype_of_arrow(name, kind))


def _dtype_of_arrow(name: str, kind: pa.DataType) -> DType:
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "bytes"
    for dtype, arrow in _ARROW_OF.items():
        if kind == arrow:
            return dtype  # type: ignore[return-value]
    ways_out = {
        "double": "float32 to round it, or string to keep every digit",
        "uint64": "int64 or string",
        "null": "the type it should have (the first block of the source holds only nulls)",
    }
    way_out = ways_out.get(str(kind), "string, or leave it out of source.features")
    raise SpecError(
        f"feature {name!r} is {kind} in the source, which a tf.train.Example cannot hold as it is; "
        f"declare its dtype under source.features as {way_out}"
    )
