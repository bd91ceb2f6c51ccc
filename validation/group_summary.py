"""Figures of all groups together, added up a block at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from validation.group_blocks import SIZES

_COLUMNS = (*SIZES, "labels")


@dataclass
class GroupSummary:
    """Figures of all groups together.

    Attributes:
        least, greatest, totals: by the columns of sizes and labels.
        num_singletons: groups with one example.
        num_repeated: groups with several rows in the table of a split.
        num_in_several_splits: groups that more than one split has.
        num_labelled: examples with a label.
        num_moved: how many of them would need another label, if each group were to be like all.
        percentiles: sizes, by what is counted and the percentage.
        num_missing: ids that are expected, of groups that are not there.
    """

    num_groups: int = 0
    least: dict[str, int] = field(default_factory=dict)
    greatest: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COLUMNS, 0))
    num_singletons: int = 0
    num_repeated: int = 0
    num_in_several_splits: int = 0
    num_labelled: int = 0
    num_moved: float = 0.0
    percentiles: dict[tuple[str, float], int] = field(default_factory=dict)
    num_missing: int = 0

    def add(self, block: np.ndarray) -> None:
        """Adds some groups. A block has one or more."""
        self.num_groups += len(block)
        for column in _COLUMNS:
            values = block[column]
            self.totals[column] += int(values.sum())
            self.least[column] = min(self.least.get(column, int(values[0])), int(values.min()))
            self.greatest[column] = max(self.greatest.get(column, int(values[0])), int(values.max()))
        self.num_singletons += int((block["examples"] == 1).sum())
        self.num_repeated += int((block["repeats"] > 0).sum())
        self.num_in_several_splits += int((block["splits"] > 1).sum())
        self.num_labelled += int(block["labelled"].sum())
        self.num_moved += float(block["moved"].sum())

    @property
    def share_of_largest(self) -> float:
        """Of all examples, those of the group that has the most."""
        return self.greatest.get("examples", 0) / max(1, self.totals["examples"])

    @property
    def share_of_singletons(self) -> float:
        """Of the groups, those with one example."""
        return self.num_singletons / max(1, self.num_groups)

    @property
    def label_distance(self) -> float:
        """The mean, over groups weighted by their examples with a label, of the total variation distance to all.

        To 12 digits, so that a distance of exactly the limit is not above it.
        """
        return round(self.num_moved / max(1, self.num_labelled), 12)
