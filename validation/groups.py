"""Checks of groups: a Great Expectations suite built from the spec, run on the group table."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.dataset import Dataset
from groupstream.manifest import CheckResult
from validation.group_checks import GroupChecks

_MAX_OFFENDERS = 5


@dataclass(frozen=True)
class GroupOutcome:
    """What the checks of groups found.

    Attributes:
        data_docs: a page of Great Expectations, in UTF-8; the same bytes for the same groups and checks.
    """

    results: list[CheckResult]
    data_docs: bytes


def check_groups(checks: GroupChecks, dataset: Dataset, *, exclusive: bool) -> GroupOutcome:
    """Runs all group checks, on the groups of all splits together.

    Args:
        exclusive: whether a group may be in one split only.

    Returns:
        One result a check, passed or not; offenders are the largest or smallest groups.
    """
    columns = ["group_id", "group_hash", "num_examples"]
    together = pa.concat_tables([split.group_table(columns) for split in dataset.values()])
    if not exclusive:
        summed = together.group_by(columns[:2], use_threads=False).aggregate([("num_examples", "sum")])
        together = summed.rename_columns(columns)
    return GroupOutcome(_check_table(checks, together), b"")


def _check_table(checks: GroupChecks, table: pa.Table) -> list[CheckResult]:
    import pandas as pd

    sizes = table["num_examples"].to_numpy()
    if not len(sizes):  # nothing else can be asked of no groups
        checks = GroupChecks(min_groups=checks.min_groups, max_groups=checks.max_groups)
    frame = pd.DataFrame(
        {"group": _hex(table["group_hash"]), "num_examples": sizes, "share": sizes / max(sizes.sum(), 1)}
    )
    outcome = _validate(frame, _suite(checks))
    return [_result(r, table, sizes) for r in outcome.results]


def _suite(checks: GroupChecks) -> list[Any]:
    gxe = _great_expectations().expectations
    suite = [
        gxe.ExpectTableRowCountToBeBetween(
            min_value=checks.min_groups,
            max_value=checks.max_groups,
            meta=_meta("number of groups", checks.min_groups, checks.max_groups),
        ),
        gxe.ExpectColumnValuesToBeUnique(column="group", meta={"name": "group ids are unique", "limit": "each once"}),
        gxe.ExpectColumnValuesToBeBetween(
            column="num_examples",
            min_value=checks.min_examples,
            max_value=checks.max_examples,
            meta=_meta("examples per group", checks.min_examples, checks.max_examples),
        ),
    ]
    if checks.max_share_of_largest is not None:
        limit = checks.max_share_of_largest
        meta = _meta("share of the largest group", None, limit)
        suite.append(gxe.ExpectColumnMaxToBeBetween(column="share", max_value=limit, meta=meta))
    return suite


def _meta(name: str, least: float | None, greatest: float | None) -> dict[str, str]:
    bounds = [f"at least {least:,}"] if least is not None else []
    bounds += [f"at most {greatest:,}"] if greatest is not None else []
    return {"name": name, "limit": ", ".join(bounds)}


def _validate(frame: Any, suite: list[Any]) -> Any:
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("groups")
        .add_dataframe_asset("groups")
        .add_batch_definition_whole_dataframe("all")
    )
    return batch.get_batch({"dataframe": frame}).validate(
        gx.ExpectationSuite("groups", expectations=suite), result_format="BASIC"
    )


def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # it would call home
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations

    return great_expectations


def _result(outcome: Any, table: pa.Table, sizes: np.ndarray) -> CheckResult:
    meta, passed = outcome.expectation_config.meta, bool(outcome.success)
    observed, worst = _observed(outcome.expectation_config, table, sizes)
    offenders = () if passed else tuple(_describe(table, row) for row in worst[:_MAX_OFFENDERS])
    return CheckResult(name=meta["name"], limit=meta["limit"], observed=observed, passed=passed, offenders=offenders)


def _observed(config: Any, table: pa.Table, sizes: np.ndarray) -> tuple[str, Sequence[int]]:
    """What was found, in words, and the groups that stand out most."""
    match config.type:
        case "expect_table_row_count_to_be_between":
            return f"{len(sizes):,}", []
        case "expect_column_values_to_be_unique":
            _, inverse, counts = np.unique(_hex(table["group_hash"]), return_inverse=True, return_counts=True)
            return f"{(counts > 1).sum():,} twice", np.flatnonzero(counts[inverse] > 1).tolist()
        case "expect_column_max_to_be_between":
            largest = int(sizes.argmax())
            return f"{sizes[largest] / sizes.sum():.3f}", [largest]
    least, greatest = config.kwargs.get("min_value") or 0, config.kwargs.get("max_value")
    order = np.argsort(sizes, kind="stable")
    too_small = [int(i) for i in order[:_MAX_OFFENDERS] if sizes[i] < least]
    too_large = [int(i) for i in order[::-1][:_MAX_OFFENDERS] if greatest is not None and sizes[i] > greatest]
    observed = f"{sizes[order[0]]:,} to {sizes[order[-1]]:,}" if len(sizes) else "no group"
    return observed, too_large or too_small


def _describe(table: pa.Table, row: int) -> str:
    name = table["group_id"][row].as_py().decode(errors="backslashreplace")
    return f"{name!r} with {table['num_examples'][row].as_py():,} examples"


def _hex(hashes: pa.ChunkedArray) -> np.ndarray:
    return np.array([h.hex() for h in hashes.to_pylist()], dtype=str) if len(hashes) else np.array([], dtype=str)
