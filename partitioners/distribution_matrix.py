"""Groups by given shares: a table says how much of each label every group gets."""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from groupstream import SpecError
from partitioners.keys import key_bytes
from partitioners.label_values import LabelValue, label_places, refuse_repeated
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.shares import bounds_of, choose_by_code
from partitioners.spec_file import SpecFile, read_content
from partitioners.words import quoted

_TOLERANCE = 1e-4  # shares are written with few digits; they are scaled to sum to 1

_Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


class ByDistributionMatrix(Seeded, SpecFile, RulePartitioner):
    """Each example in a group by a draw, with the chances that stand in the row of its label.

    The row `cat: [0.5, 0.5, 0]` sends half of the cats to group 0 and half to group 1. Rows sum to 1, whether the
    label has many examples or few. An example whose label has no row has no group.

    Source: the DistributionPartitioner of Flower Datasets. Theirs cuts the list of a label's examples by the shares;
    ours draws for each example, so shares are exact in expectation.
    """

    model_config = ConfigDict(title="Label shares")

    kind: Literal["distribution_matrix"] = "distribution_matrix"
    feature: str = Field("label", description="The feature that holds the label.")
    shares: dict[LabelValue, _Shares] | None = Field(
        None, min_length=1, description="For each label, the share of its examples that each group gets; they sum to 1."
    )
    file: str | None = Field(
        None,
        min_length=1,
        description="Or a CSV file with the shares: a header of label and the ids of the groups, then a line for each "
        "label. A path, or gs://, s3:// or https://.",
    )

    @model_validator(mode="after")
    def _is_said_once(self) -> ByDistributionMatrix:
        if (self.shares is None) == (self.file is None):
            raise ValueError("give one of shares and file")
        if self.shares is not None:
            _refuse_bad_rows(self.shares, len(next(iter(self.shares.values()))))
        return self

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        whose = "a file" if self.shares is None else "the spec"
        return f"Each example in a group by a draw, with the shares that {whose} states for its {quoted(self.feature)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key | {self.feature}

    def matrix(self) -> Matrix:
        """The shares.

        Raises:
            SpecError: the file holds no such table.
            StoreError: it cannot be reached.
        """
        return _matrix_of_rows(self.shares) if self.shares is not None else _read(self.file or "", self.fingerprint)

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        matrix = self.matrix()
        codes = label_places(key_bytes(batch.column(self.feature), self.feature), matrix.labels)
        groups = choose_by_code(codes, self.draw(batch, ids), lambda code: matrix.bounds[code])
        if matrix.group_ids is None:
            return numbered(groups, matrix.bounds.shape[1])
        has_group = (groups >= 0) & (groups < len(matrix.group_ids))
        return matrix.group_ids.take(pa.array(groups, mask=~has_group))


class Matrix(NamedTuple):
    """Shares of labels.

    Attributes:
        labels: of the rows.
        bounds: float64[num_labels, num_groups], see `shares.bounds_of`.
        group_ids: binary[num_groups]; None for numbers.
    """

    labels: list[str]
    bounds: np.ndarray
    group_ids: pa.Array | None = None


def _matrix_of_rows(rows: Mapping[str, Sequence[float]], group_ids: pa.Array | None = None) -> Matrix:
    return Matrix(list(rows), np.stack([bounds_of(np.array(row)) for row in rows.values()]), group_ids)


def _refuse_bad_rows(rows: Mapping[str, Sequence[float]], num_groups: int) -> None:
    for label, row in rows.items():
        if len(row) != num_groups:
            raise ValueError(f"label {label!r} has {len(row)} shares for {num_groups} groups")
        if not all(0 <= share <= 1 for share in row):
            raise ValueError(f"label {label!r} has a share that is not from 0 to 1")
        if not math.isclose(total := sum(row), 1, abs_tol=_TOLERANCE):
            raise ValueError(f"the shares of label {label!r} sum to {total:g}, not to 1")


@functools.lru_cache(maxsize=1)
def _read(address: str, fingerprint: str) -> Matrix:
    """The table of a CSV file, read once in a process."""
    try:
        return _parse(read_content(address, fingerprint).decode("utf-8-sig"))
    except (ValueError, csv.Error) as error:
        raise SpecError(
            f"partitioner.file {address!r} is no table of shares: {error}. Write the header label,GROUP,GROUP,... and "
            "then a line for each label, such as cat,0.5,0.5"
        ) from error


def _parse(text: str) -> Matrix:
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    if len(lines) < 2 or len(lines[0]) < 2:
        raise ValueError("it has no header" if not lines else "it has no label" if lines[0][1:] else "it has no group")
    names = lines[0][1:]
    if "" in names:
        raise ValueError("a group has no name")
    refuse_repeated(names)
    refuse_repeated(label for label, *_ in lines[1:])
    rows = {label: [float(share) for share in shares] for label, *shares in lines[1:]}
    _refuse_bad_rows(rows, len(names))
    return _matrix_of_rows(rows, pa.array([name.encode() for name in names], pa.binary()))
