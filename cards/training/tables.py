"""The tables that a report is drawn from."""

from __future__ import annotations

import pyarrow as pa

from groupstream.errors import UsageError
from groupstream.label_skew import Floats

ROUNDS_SCHEMA = pa.schema(
    [
        ("algorithm", pa.string()),
        ("seed", pa.int64()),
        ("round", pa.int64()),
        ("loss_before", pa.float64()),  # a target, of the model that the clients of the round get
        ("loss_during", pa.float64()),  # a target, over their local steps
        ("accuracy_before", pa.float64()),  # share of the targets, from 0 to 1
        ("num_targets", pa.float64()),
        ("num_steps", pa.float64()),
        ("update_norm", pa.float64()),
        ("client_learning_rate", pa.float64()),
        ("server_learning_rate", pa.float64()),
        ("seconds", pa.float64()),  # of the round, all of it
        ("data_seconds", pa.float64()),  # of these, how long it waited for data
    ]
)
"""A row for each algorithm, seed and round."""

EVALUATION_SCHEMA = pa.schema(
    [
        ("algorithm", pa.string()),
        ("seed", pa.int64()),
        ("group_id", pa.binary()),
        ("learning_rate", pa.float64()),  # of fine-tuning
        ("num_targets", pa.int64()),
        ("loss_before", pa.float64()),
        ("loss_after", pa.float64()),
        ("accuracy_before", pa.float64()),
        ("accuracy_after", pa.float64()),
        ("is_selection", pa.bool_()),  # a group whose only use is to choose the rate
    ]
)
"""A row for each algorithm, seed, group and rate of fine-tuning."""

_FIRST = ("fedavg", "fedsgd")  # whom the paper compares


def as_rounds(table: pa.Table) -> pa.Table:
    """With the columns of `ROUNDS_SCHEMA`, in their types.

    Raises:
        UsageError: a column is missing or has values of another kind.
    """
    return _cast(table, ROUNDS_SCHEMA, "rounds")


def as_evaluation(table: pa.Table) -> pa.Table:
    """With the columns of `EVALUATION_SCHEMA`, in their types.

    Raises:
        UsageError: a column is missing or has values of another kind.
    """
    return _cast(table, EVALUATION_SCHEMA, "evaluation")


def _cast(table: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    if missing := [name for name in schema.names if name not in table.column_names]:
        raise UsageError(f"the table of {what} has no column {missing[0]!r}; it needs {', '.join(schema.names)}")
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(f"the table of {what} does not have the types of its schema: {error}") from None


def floats(table: pa.Table, name: str) -> Floats:
    """A column as float64; what is missing or infinite is NaN."""
    values = table[name].to_numpy().astype("float64")
    values[abs(values) == float("inf")] = float("nan")
    return values


def plain_name(algorithm: str) -> str:
    """By which one is known, however it is spelled.

    >>> plain_name("FedAvg"), plain_name("fed_sgd")
    ('fedavg', 'fedsgd')
    """
    return "".join(filter(str.isalnum, algorithm.lower()))


def order_algorithms(*tables: pa.Table) -> list[str]:
    """The algorithms of some tables: those that the paper compares, then by name. The same in any order of rows.

    >>> order_algorithms(pa.table({"algorithm": ["ditto", "FedSGD", "FedAvg", "ditto"]}))
    ['FedAvg', 'FedSGD', 'ditto']
    """
    names = {name for table in tables for name in table["algorithm"].unique().to_pylist()}
    return sorted(names, key=lambda name: (plain_name(name) not in _FIRST, plain_name(name), name))
