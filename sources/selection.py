"""Choosing features of a source, and giving batches their types."""

from __future__ import annotations

import difflib

import pyarrow as pa

from groupstream import ExampleError, Feature, SpecError
from groupstream.features import GROUP_ID, Features, arrow_schema, feature_of_arrow
from sources.source import Selection


def selected_features(wanted: Selection, schema: pa.Schema) -> Features:
    """The features that `source.features` wants, or all of the schema.

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
        found[name] = Feature(dtype=dtypes[name]) if name in dtypes else feature_of_arrow(name, schema.field(name).type)
    if GROUP_ID in found:
        raise SpecError(
            f"a feature of the source is named {GROUP_ID!r}, which every stored record has already; "
            "leave it out of source.features"
        )
    return found


def hint(name: str, names: list[str]) -> str:
    """What to write instead of a name that is not there."""
    close = difflib.get_close_matches(name, names, 1)
    has = f"it has {', '.join(sorted(names)[:20])}" + (", ..." if len(names) > 20 else "")
    return f"did you mean {close[0]!r}? {has}" if close else has


def conform(batch: pa.RecordBatch, features: Features, where: str) -> pa.RecordBatch:
    """The columns of `features`, each with its type.

    Args:
        where: names the first row of the batch in errors.

    Raises:
        ExampleError: a column is not there, or a value does not fit.
    """
    columns = [_typed(batch, name, feature, where) for name, feature in features.items()]
    fields = [field.with_nullable(True) for field in arrow_schema(features)]
    return pa.record_batch(columns, schema=pa.schema(fields))


def _typed(batch: pa.RecordBatch, name: str, feature: Feature, where: str) -> pa.Array:
    if name not in batch.schema.names:
        raise ExampleError(f"{where}: feature {name!r} is not there; {hint(name, batch.schema.names)}")
    column = batch.column(name)
    if column.type == feature.arrow_type:
        return column
    try:
        return column.cast(feature.arrow_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = _first_bad_row(column, feature)
        value = repr(column[row].as_py())[:80]
        raise ExampleError(
            f"{where} + {row}: {name} is {value}, which is no {feature.dtype}. "
            f"Mend the source, or give another type under source.features"
        ) from error


def _first_bad_row(column: pa.Array, feature: Feature) -> int:
    """The first row that does not cast, by halving."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(feature.arrow_type)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
