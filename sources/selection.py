"""Choosing features of a source, and giving batches their types."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from groupstream import ExampleError, Feature, SpecError
from groupstream.binary import integers
from groupstream.features import GROUP_ID, DType, Features, arrow_schema, feature_of_arrow
from sources.casting import MISFITS, cast_column
from sources.casting import json_text as json_text
from sources.choice import Selection, declared_dtypes, names_in_source


def selected_features(wanted: Selection, schema: pa.Schema) -> Features:
    """The features that `source.features` wants, or all of the schema.

    A type that is declared for a list is the type of its values; a nested value becomes a string, its JSON.

    Raises:
        SpecError: one is not in the schema, or cannot be stored as it is.
    """
    dtypes = declared_dtypes(wanted)
    return {
        name: _declared(dtypes[old], kind) if old in dtypes else _as_it_is(old, kind)
        for name, old in _chosen(wanted, schema.names).items()
        for kind in [schema.field(old).type]
    }


def chosen_features(wanted: Selection, features: Features) -> Features:
    """The same, of a source that describes its features itself.

    What is known of a feature, such as the names of its classes, is kept where its type is.
    """
    dtypes = declared_dtypes(wanted)
    return {
        name: _with_dtype(features[old], dtypes.get(old, features[old].dtype))
        for name, old in _chosen(wanted, list(features)).items()
    }


def _chosen(wanted: Selection, names: list[str]) -> dict[str, str]:
    """The names of the features to keep, and their names in the source."""
    chosen = {name: name for name in names} if wanted is None else names_in_source(wanted)
    for old in chosen.values():
        if old not in names:
            raise SpecError(f"source.features names {old!r}, which the source does not have; {hint(old, names)}")
        if names.count(old) > 1:
            raise SpecError(
                f"the source has {names.count(old)} features that are named {old!r}; name each once there, or leave "
                "them out of source.features"
            )
    if not chosen:
        raise SpecError("no feature is left to store; name the features to keep under source.features")
    for name in chosen.keys() & {GROUP_ID, ""}:
        what = f"named {GROUP_ID!r}, which every stored record has already" if name else "without a name"
        raise SpecError(
            f"a feature of the source is {what}; list the features to keep under source.features, "
            "or rename it there, such as {new_name: {from: old_name}}"
        )
    if twice := [old for old, count in Counter(chosen.values()).items() if count > 1]:
        raise SpecError(f"source.features takes {twice[0]!r} of the source twice; a feature is kept under one name")
    return chosen


def _declared(dtype: DType, kind: pa.DataType) -> Feature:
    if isinstance(kind, pa.FixedShapeTensorType):
        return Feature(dtype=dtype, shape=tuple(kind.shape))
    if _may_be_tensor(kind) and dtype not in ("string", "bytes"):
        return Feature(dtype=dtype, shape=_sizes(kind)[0])
    return Feature(dtype=dtype, shape=(None,) if _is_flat_list(kind) else ())


def _as_it_is(name: str, kind: pa.DataType) -> Feature:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _may_be_tensor(kind):
        shape, item = _sizes(kind)
        if not pa.types.is_nested(item) and (dtype := feature_of_arrow(name, item).dtype) not in ("string", "bytes"):
            return Feature(dtype=dtype, shape=shape)
    return feature_of_arrow(name, kind)


def _may_be_tensor(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind) and 0 not in _sizes(kind)[0]


def _sizes(kind: pa.DataType) -> tuple[tuple[int, ...], pa.DataType]:
    """The shape of lists of fixed size within each other, and the type of their values."""
    sizes = []
    while pa.types.is_fixed_size_list(kind):
        sizes.append(kind.list_size)
        kind = kind.value_type
    return tuple(sizes), kind


def _is_flat_list(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and not pa.types.is_nested(kind.value_type)


def _with_dtype(feature: Feature, dtype: DType) -> Feature:
    if dtype == feature.dtype:
        return feature
    shape = (None,) if feature.is_list and not feature.tensor_shape else feature.shape
    if dtype in ("string", "bytes") and feature.tensor_shape:
        shape = ()  # the JSON of a tensor
    return Feature(dtype=dtype, shape=shape, optional=feature.optional)


def hint(name: str, names: Iterable[str]) -> str:
    """What to write instead of a name that is not there."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, 1)
    has = f"it has {', '.join(names[:20])}" + (", ..." if len(names) > 20 else "")
    return f"did you mean {close[0]!r}? {has}" if close else has


def refuse_new_features(names: Iterable[str], features: Features, where: str) -> None:
    """Refuses features that come up after the features of the source were found out.

    Raises:
        ExampleError: one of `names` is not among the features.
    """
    if new := sorted(set(names) - set(features)):
        raise ExampleError(
            f"{where}: {', '.join(new)} appears here but not at the beginning of the source. "
            "Name the features to keep, with their types, under source.features"
        )


def features_in_source(wanted: Selection, features: Features) -> Features:
    """The same features under the names that they have in the source."""
    names = names_in_source(wanted)
    return {names.get(name, name): feature for name, feature in features.items()}


def conform(
    batch: pa.RecordBatch, features: Features, where: str, first: int = 1, wanted: Selection = None
) -> pa.RecordBatch:
    """The columns of `features`, each with its type.

    Args:
        batch: of the source: its columns have the names that the source gives them.
        features: by the names that the spec gives them.
        where: what the number of an example is put after in errors, such as "a.csv, row".
        first: the number of the first example of the batch.
        wanted: the selection that gives features other names than the source does.

    Raises:
        ExampleError: a column is not there, or a value does not fit.
    """
    columns = [
        _typed(batch, name, feature, where, first) for name, feature in features_in_source(wanted, features).items()
    ]
    fields = [field.with_nullable(True) for field in arrow_schema(features)]
    return pa.record_batch(columns, schema=pa.schema(fields))


def _typed(batch: pa.RecordBatch, name: str, feature: Feature, where: str, first: int) -> pa.Array:
    if name not in batch.schema.names:
        raise ExampleError(f"{where} {first}: feature {name!r} is not there; {hint(name, batch.schema.names)}")
    column = batch.column(name)
    try:
        return cast_column(column, feature)
    except MISFITS as error:
        row = _first_bad_row(column, feature)
        raise ExampleError(misfit(f"{where} {first + row}", name, _shown(column[row]), feature)) from error


def misfit(where: str, name: str, value: str, feature: Feature) -> str:
    """The message for a value that does not fit its feature."""
    kind: str = "UTF-8 text" if feature.dtype == "string" else feature.dtype
    if feature.is_list:
        kind = f"list of {kind}"
    if feature.is_tensor:
        kind = f"tensor of {kind} without nulls"
    return (
        f"{where}: {name} is {value[:80]}, which is no {kind}. "
        "Mend the source, or give another type under source.features"
    )


def _first_bad_row(column: pa.Array, feature: Feature) -> int:
    """The first row that does not fit, by halving; it is not null, though where the type is wrong nulls fail too."""
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    low, high = 0, len(rows)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            cast_column(column.take(integers(rows[low:middle])), feature)
            low = middle
        except MISFITS:
            high = middle
    return int(rows[low]) if len(rows) else 0


def _shown(value: pa.Scalar) -> str:
    try:
        return repr(value.as_py())
    except UnicodeDecodeError:
        return repr(value.cast(pa.binary()).as_py() if pa.types.is_string(value.type) else str(value.type))
