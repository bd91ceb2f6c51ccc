"""By the value of a feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from partitioners import ByFeature, ExampleIds


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array(["é", " x ", "", None]), ["é".encode(), b" x ", b"", None]),
        (pa.array(["x"], pa.large_string()), [b"x"]),
        (pa.array(["x", None]).dictionary_encode(), [b"x", None]),
        (pa.array([b"\xff\0", None]), [b"\xff\0", None]),
        (pa.array([-(2**63), 0, None]), [b"-9223372036854775808", b"0", None]),
        (pa.array([255], pa.uint8()), [b"255"]),
        (pa.array([True, False, None]), [b"true", b"false", None]),
    ],
    ids=lambda values: str(getattr(values, "type", "")),
)
def test_group_id_is_the_value(values: pa.Array, ids: list[Any]) -> None:
    batch = pa.record_batch({"k": values})
    assert ByFeature(feature="k").assign(batch, ExampleIds(0, np.arange(len(values)))).to_pylist() == ids


def test_values_that_differ_are_groups_that_differ() -> None:
    values = ["a", "A", "a ", "\u00e9", "e\u0301", "1", "01"]  # no case folding, no normalisation
    ids = ByFeature(feature="k").assign(pa.record_batch({"k": values}), ExampleIds(0, np.arange(len(values))))
    assert len(set(ids.to_pylist())) == len(values)
