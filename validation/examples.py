"""Checks of examples: a pandera schema built from the spec, applied to a batch at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import SpecError
from groupstream.features import Feature, Features
from validation.example_check import ExampleCheck


def refuse_impossible_checks(checks: Mapping[str, ExampleCheck], features: Features) -> None:
    """Refuses checks that no example could answer.

    Raises:
        SpecError: a check of a feature that is not there, or that has no length or no value to compare.
    """
    for name, check in checks.items():
        if name not in features:
            raise SpecError(
                f"checks.examples names {name!r}, which the source does not give; it gives {', '.join(features)}"
            )
        if unfit := _unfit_limits(check, features[name]):
            raise SpecError(
                f"checks.examples.{name}.{unfit} {getattr(check, unfit)!r} does not apply to "
                f"{_kind_of(features[name])}; change it or leave it out"
            )


def violations(checks: Mapping[str, ExampleCheck], batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    """The checks that are broken, as "text: min_length 1", each with bool[num_examples]: which break it first."""
    if not checks or not len(batch):
        return {}
    import pandera.pandas

    found = np.full(len(batch), None, object)
    frame = batch.select(list(checks)).to_pandas(types_mapper=_arrow_backed)
    try:
        _schema(tuple(checks.items())).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        for row, column, check in reversed(list(zip(cases["index"], cases["column"], cases["check"], strict=True))):
            found[int(row)] = f"{column}: {'null' if check == 'not_nullable' else check}"
    return {reason: found == reason for reason in sorted({r for r in found if r is not None})}


@functools.lru_cache(maxsize=8)
def _schema(checks: tuple[tuple[str, ExampleCheck], ...]) -> Any:
    from pandera.pandas import Column, DataFrameSchema

    return DataFrameSchema({name: Column(checks=_pandera_checks(c), nullable=c.nullable) for name, c in checks})


def _pandera_checks(check: ExampleCheck) -> list[Any]:
    return [
        _pandera_check(functools.partial(rule, limit=getattr(check, name)), words.format(getattr(check, name)))
        for name, (rule, words) in _RULES.items()
        if getattr(check, name) is not None
    ]


def _pandera_check(rule: Callable[[pa.Array], pa.Array], error: str) -> Any:
    import pandas as pd
    import pandera.pandas

    def passes(series: pd.Series) -> pd.Series:
        return pd.Series(rule(pa.array(series.array)).to_numpy(zero_copy_only=False), index=series.index)

    return pandera.pandas.Check(passes, error=error)


def _at_least(column: pa.Array, limit: float) -> pa.Array:
    if pa.types.is_integer(column.type):  # compared as integers: the large ones are no floats
        return pc.greater_equal(column.cast(pa.int64()), _int64(math.ceil(limit)))
    return pc.greater_equal(column, pa.scalar(limit, column.type))


def _at_most(column: pa.Array, limit: float) -> pa.Array:
    if pa.types.is_integer(column.type):
        return pc.less_equal(column.cast(pa.int64()), _int64(math.floor(limit)))
    return pc.less_equal(column, pa.scalar(limit, column.type))


def _int64(value: int) -> pa.Scalar:
    return pa.scalar(max(-(1 << 63), min(value, (1 << 63) - 1)), pa.int64())


def _lengths(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        return pc.list_value_length(column)
    return pc.utf8_length(column) if pa.types.is_string(column.type) else pc.binary_length(column)


def _is_allowed(column: pa.Array, limit: tuple[str | int, ...]) -> pa.Array:
    kind = pa.int64() if pa.types.is_integer(column.type) else pa.binary()
    return pc.is_in(column.cast(kind), pa.array(limit, kind))


_RULES: dict[str, tuple[Any, str]] = {  # of each limit: what holds for the values that are not null, and its words
    "min_length": (lambda c, limit: pc.greater_equal(_lengths(c), limit), "min_length {}"),
    "max_length": (lambda c, limit: pc.less_equal(_lengths(c), limit), "max_length {}"),
    "min_value": (_at_least, "min_value {:g}"),
    "max_value": (_at_most, "max_value {:g}"),
    "allowed": (_is_allowed, "not among the allowed values"),
}


def _arrow_backed(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind)


def _unfit_limits(check: ExampleCheck, feature: Feature) -> str | None:
    is_text = feature.dtype in ("string", "bytes")
    unfit = []
    if not (feature.is_list or (is_text and not feature.shape)):
        unfit += ["min_length", "max_length"]
    if is_text or feature.shape or feature.dtype == "bool":
        unfit += ["min_value", "max_value"]
    kind = str if is_text else int
    if feature.shape or feature.dtype in ("bool", "float32") or not all(type(v) is kind for v in check.allowed or ()):
        unfit += ["allowed"]
    return next((name for name in unfit if getattr(check, name) is not None), None)


def _kind_of(feature: Feature) -> str:
    return f"a feature of dtype {feature.dtype}" + (f" and shape {feature.shape}" if feature.shape else "")
