"""Names for groups of which only the examples are known."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from groupstream.errors import ExampleError
from groupstream.examples.decoding import decode_examples
from groupstream.feature_inference import infer_features
from groupstream.features import Feature, Features

# From the records of some groups, their bounds, the name of the file and the number of the first group in it.
Name = Callable[[pa.LargeBinaryArray, np.ndarray, str, int], list[bytes]]


def by_position(records: pa.LargeBinaryArray, bounds: np.ndarray, file_name: str, number: int) -> list[bytes]:
    """`<file name>:<number of the group in the file>`."""
    prefix = os.fsencode(file_name)
    return [b"%s:%d" % (prefix, number + i) for i in range(len(bounds) - 1)]


class ByFeature:
    """The value of a feature, integers in decimal. The kind of the feature is seen in the first examples.

    Raises:
        ExampleError: it is missing, has two values in one group, or is of a kind that names nothing.
    """

    def __init__(self, feature: str) -> None:
        self._name = feature
        self._features: Features | None = None

    def __call__(self, records: pa.LargeBinaryArray, bounds: np.ndarray, file_name: str, number: int) -> list[bytes]:
        """The value for each group; for an empty one, its place."""
        ids = by_position(records, bounds, file_name, number)
        values = self._values(records) if len(records) else []
        for i, (start, stop) in enumerate(itertools.pairwise(bounds.tolist())):
            distinct = sorted(set(values[start:stop]))
            if len(distinct) > 1:
                raise ExampleError(two_names(ids[i].decode(errors="backslashreplace"), distinct, self._name))
            ids[i] = distinct[0] if distinct else ids[i]
        return ids

    def _values(self, records: pa.LargeBinaryArray) -> list[bytes]:
        if self._features is None:
            self._features = {self._name: self._described(records)}
        values = decode_examples(records, self._features).column(0).to_pylist()
        return [value if isinstance(value, bytes) else b"%d" % value for value in values]

    def _described(self, records: pa.LargeBinaryArray) -> Feature:
        found = infer_features([records])
        if self._name not in found:
            raise ExampleError(f"no feature {self._name!r} names the groups; the examples have {', '.join(found)}")
        dtype = found[self._name].dtype
        if dtype == "float32":
            raise ExampleError(f"feature {self._name!r} is float32, which names no groups; choose text or integers")
        return Feature(dtype="int64" if dtype == "int64" else "bytes")


def two_names(group: str, values: list[bytes], feature: str | None = None) -> str:
    """What to say of a group whose examples would name it differently."""
    shown = " and ".join(repr(v.decode(errors="backslashreplace")) for v in values[:2])
    what = "what names it" if feature is None else f"feature {feature!r}"
    return (
        f"{group}: {what} is {shown} in one group; "
        "name groups by a feature that all examples of a group share, or by their places"
    )
