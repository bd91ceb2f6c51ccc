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


def map_distinct(column: pa.Array, name: str, rule: Callable[[str], str | None]) -> pa.Array:
    """Applies a rule to each distinct text once; bytes that are no UTF-8 have no group. Returns binary[len(column)].

    Raises:
        SpecError: see `key_bytes`.
    """
    coded = key_bytes(column, name).dictionary_encode()
    mapped = [_apply(rule, value) for value in coded.dictionary.to_pylist()]
    return pc.take(pa.array(mapped, pa.string()).cast(pa.binary()), coded.indices)


def _apply(rule: Callable[[str], str | None], value: bytes) -> str | None:
    try:
        return rule(value.decode())
    except UnicodeDecodeError:
        return None
