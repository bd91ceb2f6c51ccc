"""Labels as a spec lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BeforeValidator, Field


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


# As `keys.key_bytes` writes it, so that 3 may stand in YAML.
LabelValue = Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]


def refuse_repeated(values: Iterable[str]) -> None:
    """Raises ValueError where a value stands twice."""
    (value, count), *_ = Counter(values).most_common(1)
    if count > 1:
        raise ValueError(f"{value!r} stands {count} times; write each once")


def label_places(labels: pa.Array, values: list[str]) -> np.ndarray:
    """int64[num_examples]: the position of each label in the list, -1 where it is not there, or is null.

    Args:
        labels: binary[num_examples].
        values: the labels that there are, each once.
    """
    coded = labels.dictionary_encode()
    places = pc.index_in(coded.dictionary, value_set=pa.array([value.encode() for value in values], pa.binary()))
    return pc.fill_null(places.take(coded.indices), -1).to_numpy(zero_copy_only=False).astype(np.int64)
