"""Keys as group ids: whatever type a feature has, its values become bytes."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from groupstream import SpecError


def key_bytes(column: pa.Array, name: str) -> pa.Array:
    """Each value as binary: text as UTF-8, numbers in decimal, bool as true and false; null stays null.

    Raises:
        SpecError: the feature holds lists or tensors, which are no keys.
    """
    if pa.types.is_nested(column.type) or isinstance(column.type, pa.BaseExtensionType):
        raise SpecError(f"partitioner: feature {name!r} is {column.type}, which is no key; name one of single values")
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column.cast(pa.binary())
    return column.cast(pa.string()).cast(pa.binary())


def as_text(keys: pa.Array) -> pa.Array:
    """Binary as string; null where it is no UTF-8."""
    try:
        return keys.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(key) for key in keys.to_pylist()], pa.string())


def _decoded(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None


def map_distinct(column: pa.Array, name: str, rule: Callable[[str], str | None]) -> pa.Array:
    """Applies a rule to each distinct text once; bytes that are no UTF-8 have no group. Returns binary[len(column)].

    Raises:
        SpecError: see `key_bytes`.
    """
    coded = key_bytes(column, name).dictionary_encode()
    mapped = [None if text is None else rule(text) for text in as_text(coded.dictionary).to_pylist()]
    return pc.take(pa.array(mapped, pa.string()).cast(pa.binary()), coded.indices)
