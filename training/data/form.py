"""How the examples of a client become arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from groupstream import ExampleError


class ClientExamples(NamedTuple):
    """The examples of one client.

    Attributes:
        blocks: decoded, some at a time; the next is asked for only while more is needed.
        max_items: how many items are needed; None for all.
    """

    blocks: Iterator[pa.RecordBatch]
    max_items: int | None = None


class Items(NamedTuple):
    """What the batches of one client are made of: sequences of its text, or examples.

    Attributes:
        arrays: each [num_items, ...]. `mask` says which targets count, and has no axis but the first where an item is
            one target.
        num_examples: how many examples have a part in them, or are empty.
        num_empty_examples: how many of these have nothing to learn from, such as an empty text.
        is_cut: whether the client has more than these.
    """

    arrays: dict[str, np.ndarray]
    num_examples: int
    num_empty_examples: int
    is_cut: bool

    def __len__(self) -> int:
        return len(self.arrays["mask"])

    @property
    def num_targets(self) -> int:
        """How many targets count."""
        return int(self.arrays["mask"].sum())

    def part(self, start: int, stop: int) -> Items:
        """Some of them; the examples are counted with the part that begins at 0."""
        arrays = {name: array[start:stop] for name, array in self.arrays.items()}
        counts = (self.num_examples, self.num_empty_examples) if start == 0 else (0, 0)
        return Items(arrays, *counts, self.is_cut or stop < len(self))


class ItemArray(NamedTuple):
    """The shape and the type of one item of an array."""

    shape: tuple[int, ...]
    dtype: type[np.generic]


class ClientForm(Protocol):
    """What clients are turned into: text, images or numbers."""

    @property
    def features(self) -> tuple[str, ...]:
        """What it reads of an example; `stream.select(*form.features)` decodes no more."""

    @property
    def item(self) -> Mapping[str, ItemArray]:
        """The arrays of one item, `mask` among them."""

    def read(self, clients: Iterable[ClientExamples]) -> Iterator[Items]:
        """The items of each client, in order."""


def first_examples(client: ClientExamples) -> tuple[list[pa.RecordBatch], bool]:
    """The blocks that hold the first `max_items` examples, the last one cut; and whether there are more."""
    found: list[pa.RecordBatch] = []
    num_left = client.max_items
    for block in client.blocks:
        if num_left is not None and len(block) > num_left:
            return [*found, block.slice(0, num_left)], True
        found.append(block)
        if num_left is not None:
            num_left -= len(block)
    return found, False


def require_no_nulls(batch: pa.RecordBatch, names: Iterable[str]) -> None:
    """Refuses examples without a value.

    Raises:
        ExampleError: there are some.
    """
    for name in names:
        if num_missing := batch.column(name).null_count:
            raise ExampleError(
                f"{num_missing:,} of {len(batch):,} examples have no {name}; "
                f"build a version without them: checks: {{examples: {{{name}: {{nullable: false}}}}}}"
            )
