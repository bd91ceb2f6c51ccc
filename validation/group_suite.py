"""The Great Expectations suite of the groups: what holds for each group is asked of blocks, the rest of one row.

Great Expectations takes whole frames. So that memory stays bounded it gets a block of groups at a time, with only the
columns that something is asked of; counts of what was unexpected add up. Figures of all groups are a frame of one row.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from validation.group_asks import Ask
from validation.group_summary import GroupSummary


class GroupSuite:
    """One suite, its groups given block by block. Importing Great Expectations takes 3 to 5 seconds, once."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        gx = load_great_expectations()
        self._of_each = [ask for ask in asks if ask.value is None]
        self._of_all = [ask for ask in asks if ask.value is not None]
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("groups").add_dataframe_asset("groups")
        self._batches = asset.add_batch_definition_whole_dataframe("all")
        self._suite_of_each = _suite(gx.expectations.ExpectColumnValuesToBeBetween, self._of_each)
        self._suite_of_all = _suite(gx.expectations.ExpectColumnMaxToBeBetween, self._of_all)
        self._found: dict[str, Any] = {}

    def add(self, block: np.ndarray) -> None:
        """Asks of each group of a block."""
        frame = {ask.name: ask.values(block) for ask in self._of_each}
        for name, result in self._validate(frame, self._suite_of_each).items():
            self._found[name] = _added(self._found[name], result) if name in self._found else result

    def finish(self, summary: GroupSummary) -> dict[str, Any]:
        """Asks of all groups together. The results of Great Expectations by the names of the checks.

        Where there was no group, nothing was asked of each.
        """
        frame = {ask.name: np.array([ask.value(summary)]) for ask in self._of_all if ask.value is not None}
        return self._found | self._validate(frame, self._suite_of_all)

    def _validate(self, columns: dict[str, np.ndarray], suite: Any) -> dict[str, Any]:
        import pandas as pd

        batch = self._batches.get_batch({"dataframe": pd.DataFrame(columns)})
        results = batch.validate(suite, result_format="BASIC").results
        for result in results:
            _raise_what_was_raised(result)
        return {result.expectation_config.kwargs["column"]: result for result in results}


def load_great_expectations() -> Any:
    """Imports it, so that it neither calls home nor logs."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)  # it sets its own
    return great_expectations


def _suite(expectation: Any, asks: Sequence[Ask]) -> Any:
    import great_expectations as gx

    return gx.ExpectationSuite(
        "groups",
        expectations=[
            expectation(
                column=ask.name, min_value=ask.least, max_value=ask.greatest, description=f"{ask.name}: {ask.limit}"
            )
            for ask in asks
        ],
    )


def _added(first: Any, second: Any) -> Any:
    """Two results of one expectation as one."""
    found, more = first.result, second.result
    num_groups, num_unexpected = (found[key] + more[key] for key in ("element_count", "unexpected_count"))
    first.result = {
        "element_count": num_groups,
        "unexpected_count": num_unexpected,
        "unexpected_percent": 100 * num_unexpected / num_groups,
    }
    first.success = bool(first.success and second.success)
    return first


def _raise_what_was_raised(result: Any) -> None:
    """An expectation that could not be evaluated counts as failed otherwise, without a word."""
    raised = result.exception_info or {}
    for info in (raised, *(inner for inner in raised.values() if isinstance(inner, dict))):
        if info.get("raised_exception"):
            name = result.expectation_config.kwargs["column"]
            raise RuntimeError(f"Great Expectations could not evaluate {name!r}: {info.get('exception_message')}")
