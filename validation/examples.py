"""Checks of examples: a pandera schema built from the spec, applied to a batch at a time."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream import SpecError
from groupstream.features import Feature, Features
from validation.model import ExampleCheck


def refuse_impossible_checks(checks: Mapping[str, ExampleCheck], features: Features) -> None:
    """Refuses checks that no example could answer.

    Raises:
        SpecError: a check of a feature that is not there, or that has no length or no value to compare.
    """
    for name, check in checks.items():
        if name not in features:
            raise SpecError(
                f"checks.examples names {name!r}, which is no feature; the features are {', '.join(features)}"
            )
        if unfit := _unfit_limits(check, features[name]):
            raise SpecError(
                f"checks.examples.{name}.{unfit} does not apply to {_kind_of(features[name])}; leave it out"
            )


def violations(checks: Mapping[str, ExampleCheck], batch: pa.RecordBatch) -> np.ndarray:
    """object[num_examples]: the first check that each example breaks, as "text: min_length 1"; None for a good one."""
    found = np.full(len(batch), None, object)
    if not checks or not len(batch):
        return found
    import pandera.pandas

    frame = batch.select(list(checks)).to_pandas(types_mapper=_arrow_backed)
    try:
        _schema(tuple(checks.items())).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        for row, column, check in reversed(list(zip(cases["index"], cases["column"], cases["check"], strict=True))):
            found[int(row)] = f"{column}: {'null' if check == 'not_nullable' else check}"
    return found


@functools.lru_cache(maxsize=8)
def _schema(checks: tuple[tuple[str, ExampleCheck], ...]) -> Any:
    import pandera.pandas as pandera

    columns = {name: pandera.Column(checks=_pandera_checks(check), nullable=check.nullable) for name, check in checks}
    return pandera.DataFrameSchema(columns)


def _pandera_checks(check: ExampleCheck) -> list[Any]:
    from pandera.pandas import Check

    limits = {
        "min_length": lambda limit: Check(lambda s: _lengths(s) >= limit, error=f"min_length {limit}"),
        "max_length": lambda limit: Check(lambda s: _lengths(s) <= limit, error=f"max_length {limit}"),
        "min_value": lambda limit: Check.ge(limit, error=f"min_value {limit:g}"),
        "max_value": lambda limit: Check.le(limit, error=f"max_value {limit:g}"),
        "allowed": lambda limit: Check.isin(limit, error="not among the allowed values"),
    }
    return [make(getattr(check, name)) for name, make in limits.items() if getattr(check, name) is not None]


def _lengths(series: Any) -> Any:
    kind = series.dtype.pyarrow_dtype
    accessor: Any = series.list if pa.types.is_list(kind) else series.str
    return accessor.len()


def _arrow_backed(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind)


def _unfit_limits(check: ExampleCheck, feature: Feature) -> str | None:
    is_text = feature.dtype in ("string", "bytes")
    unfit = []
    if not (feature.is_list or (is_text and not feature.shape)):
        unfit += ["min_length", "max_length"]
    if is_text or feature.shape:
        unfit += ["min_value", "max_value"]
    if feature.shape:
        unfit += ["allowed"]
    return next((name for name in unfit if getattr(check, name) is not None), None)


def _kind_of(feature: Feature) -> str:
    return f"a feature of dtype {feature.dtype}" + (f" and shape {feature.shape}" if feature.shape else "")
