"""Keys as group ids: whatever type a feature has, its values become bytes."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def key_bytes(column: pa.Array) -> pa.Array:
    """Each value as binary: text as UTF-8, numbers in decimal; null stays null."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column.cast(pa.binary())
    return column.cast(pa.string()).cast(pa.binary())


def map_distinct(column: pa.Array, rule: Callable[[str], str | None]) -> pa.Array:
    """Applies a rule to each distinct text once. Returns binary[len(column)]."""
    coded = column.cast(pa.string()).dictionary_encode()
    mapped = [rule(text) for text in coded.dictionary.to_pylist()]
    return pc.take(pa.array(mapped, pa.string()).cast(pa.binary()), coded.indices)
