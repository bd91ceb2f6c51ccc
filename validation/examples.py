"""Checks of examples: a pandera schema built from the spec, applied to a batch at a time.

What a batch measures (lengths, words, whether a pattern is found) is worked out on whole columns first; pandera holds
that against the limits. Only where it finds something, it is asked which examples they are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from validation.example_check import ExampleCheck
from validation.example_rules import Rule, measure, rules_of


def violations(checks: Mapping[str, ExampleCheck], batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    """The checks that are broken, as "text: min_length 1", each with bool[num_examples]: which break it first.

    About 1 ms for a batch, and what is measured.

    Raises:
        UsageError: an image is to be decoded, and Pillow is not installed.
    """
    if not checks or not len(batch):
        return {}
    measured = measure(checks, batch)
    schema = _schema(tuple((name, rule) for name, check in checks.items() for rule in rules_of(check)))
    error = _first_error(schema, _frame(measured))
    if error is None:
        return {}
    found: dict[str, np.ndarray] = {}
    is_left = np.ones(len(batch), bool)
    for (name, rule), values in measured.items():
        broken = is_left & ~rule.passes(values).to_numpy(zero_copy_only=False)
        if broken.any():
            reason = f"{name}: {rule.reason}"
            found[reason] = found.get(reason, False) | broken
            is_left &= ~broken
    if not found:  # it is no example that pandera refuses
        raise error
    return found


def _first_error(schema: Any, frame: Any) -> Exception | None:
    import pandera.pandas

    try:
        schema.validate(frame)
    except pandera.errors.SchemaError as error:
        return error
    return None


def _frame(measured: Mapping[tuple[str, Rule], pa.Array]) -> Any:
    """A pandas.DataFrame of them. No copy."""
    import pandas as pd

    columns = {_column_name(name, rule): pd.arrays.ArrowExtensionArray(v) for (name, rule), v in measured.items()}
    return pd.DataFrame(columns, copy=False)


def _column_name(feature: str, rule: Rule) -> str:
    return f"{feature}: {rule.name}"


@functools.lru_cache(maxsize=8)
def _schema(rules: tuple[tuple[str, Rule], ...]) -> Any:
    from pandera.pandas import DataFrameSchema

    return DataFrameSchema(checks=[_pandera_check(_column_name(name, rule), rule) for name, rule in rules])


def _pandera_check(column: str, rule: Rule) -> Any:
    """A check of the frame: one of a column costs three times as much.

    Its answer is one for all examples: of each, pandera would list the values that fail.
    """
    import pandas as pd
    import pandera.pandas

    def holds(frame: pd.DataFrame) -> bool:
        return bool(pc.all(rule.passes(pa.array(frame[column].array))).as_py())

    return pandera.pandas.Check(holds, error=f"{column}: {rule.reason}", ignore_na=False)
