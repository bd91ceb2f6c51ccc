"""Choosing features of a source, and giving batches their types."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable

import pyarrow as pa

from groupstream import ExampleError, Feature, SpecError
from groupstream.features import GROUP_ID, DType, Features, arrow_schema, feature_of_arrow
from sources.source import Selection


def selected_features(wanted: Selection, schema: pa.Schema) -> Features:
    """The features that `source.features` wants, or all of the schema.

    A type that is declared for a list is the type of its values; a nested value becomes a string, its JSON.

    Raises:
        SpecError: one is not in the schema, or cannot be stored as it is.
    """
    dtypes = wanted if isinstance(wanted, dict) else {}
    found = {}
    for name in schema.names if wanted is None else wanted:
        if name not in schema.names:
            raise SpecError(
                f"source.features names {name!r}, which the source does not have; {hint(name, schema.names)}"
            )
        kind = schema.field(name).type
        found[name] = _declared(dtypes[name], kind) if name in dtypes else feature_of_arrow(name, kind)
    if not found:
        raise SpecError("no feature is left to store; name the features to keep under source.features")
    for name in found.keys() & {GROUP_ID, ""}:
        what = f"named {GROUP_ID!r}, which every stored record has already" if name else "without a name"
        raise SpecError(f"a feature of the source is {what}; list the features to keep under source.features")
    return found


def _declared(dtype: DType, kind: pa.DataType) -> Feature:
    if isinstance(kind, pa.FixedShapeTensorType):
        return Feature(dtype=dtype, shape=tuple(kind.shape))
    return Feature(dtype=dtype, shape=(None,) if _is_flat_list(kind) else ())


def _is_flat_list(kind: pa.DataType) -> bool:
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and not pa.types.is_nested(kind.value_type)


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


def conform(batch: pa.RecordBatch, features: Features, where: str, first: int = 1) -> pa.RecordBatch:
    """The columns of `features`, each with its type.

    Args:
        where: what the number of an example is put after in errors, such as "a.csv, row".
        first: the number of the first example of the batch.

    Raises:
        ExampleError: a column is not there, or a value does not fit.
    """
    columns = [_typed(batch, name, feature, where, first) for name, feature in features.items()]
    fields = [field.with_nullable(True) for field in arrow_schema(features)]
    return pa.record_batch(columns, schema=pa.schema(fields))


def _typed(batch: pa.RecordBatch, name: str, feature: Feature, where: str, first: int) -> pa.Array:
    if name not in batch.schema.names:
        raise ExampleError(f"{where} {first}: feature {name!r} is not there; {hint(name, batch.schema.names)}")
    column = batch.column(name)
    try:
        return _fitted(column, feature)
    except _MISFITS as error:
        row = _first_bad_row(column, feature)
        raise ExampleError(misfit(f"{where} {first + row}", name, _shown(column[row]), feature)) from error


def misfit(where: str, name: str, value: str, feature: Feature) -> str:
    """The message for a value that does not fit its feature."""
    kind = "UTF-8 text" if feature.dtype == "string" else feature.dtype
    return (
        f"{where}: {name} is {value[:80]}, which is no {f'list of {kind}' if feature.is_list else kind}. "
        "Mend the source, or give another type under source.features"
    )


# ArrowInvalid: a value. ArrowNotImplementedError: its type. TypeError: a value that JSON has no words for.
_MISFITS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError)


def _fitted(column: pa.Array, feature: Feature) -> pa.Array:
    if feature.dtype == "string" and not feature.shape and pa.types.is_nested(column.type):
        column = pa.array([None if v is None else json_text(v) for v in column.to_pylist()], pa.string())
    if column.type != feature.arrow_type:
        column = column.cast(feature.arrow_type)
    if feature.dtype == "string":
        column.validate(full=True)  # Arrow's readers do not all look whether text is UTF-8
    return column


def json_text(value: object) -> str:
    """A nested value as a string."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _first_bad_row(column: pa.Array, feature: Feature) -> int:
    """The first row that does not fit, by halving."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _fitted(column.slice(low, middle - low), feature)
            low = middle
        except _MISFITS:
            high = middle
    return low


def _shown(value: pa.Scalar) -> str:
    try:
        return repr(value.as_py())
    except UnicodeDecodeError:
        return repr(value.cast(pa.binary()).as_py() if pa.types.is_string(value.type) else str(value.type))
