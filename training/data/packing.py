"""The clients of a round as arrays of one shape, and what became of them, counted.

The rule, for a client with `num_items` items (sequences of text, or examples) where `num_steps * batch_size` fit:

- It has more: the first ones are taken, and it is counted as cut. It is not read further.
- It has fewer: with `short="repeat"` it is gone through again from its beginning until all steps are full (Charles et
  al. 2023, arXiv 2307.09619: clients are repeated and truncated to the same number of batches); with
  `short="pad"` the rest is padding.
- With `num_epochs`, its own items are gone through so many times, without a gap in between, up to `num_steps` steps;
  the rest is padding.
- It has no target at all: its place is padding, and it is counted.

Padding counts in no mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, Protocol

import numpy as np

from groupstream import Group, UsageError
from groupstream.permutation import uniforms
from training.data.clients import PackedCohort
from training.data.form import ClientExamples, ClientForm, Items

Short = Literal["repeat", "pad"]


@dataclass(frozen=True)
class Packing:
    """How many steps a client makes, and of what.

    Attributes:
        num_steps: steps of each client.
        batch_size: items a step.
        num_epochs: how often a client goes through its items, at most; None for as often as `short` says.
        short: what a client does that has fewer items than fit; without `num_epochs` only.
        shuffle_seed: its items are taken in an order that this seed, the round, its id and the epoch give, rather than
            in theirs. Of a client that is cut, only the items that are read are shuffled. None for their order.
    """

    num_steps: int
    batch_size: int
    num_epochs: int | None = None
    short: Short = "repeat"
    shuffle_seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", "num_epochs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UsageError(f"{name} is {value}; it should be at least 1")
        if self.short not in ("repeat", "pad"):
            raise UsageError(f"short is {self.short!r}; it is repeat or pad")

    @property
    def max_items(self) -> int:
        """How many items fit."""
        return self.num_steps * self.batch_size

    @property
    def may_repeat(self) -> bool:
        """Whether an item may be there more than once."""
        return self.short == "repeat" if self.num_epochs is None else self.num_epochs > 1

    def places(self, num_items: int, round: int, group_id: bytes) -> np.ndarray:
        """int64[at most max_items]: which of its items a client takes, in order; what is left is padding."""
        if not num_items:
            return np.zeros(0, np.int64)
        if self.num_epochs is not None:
            num_taken = min(num_items * self.num_epochs, self.max_items)
        else:
            num_taken = self.max_items if self.short == "repeat" else min(num_items, self.max_items)
        if self.shuffle_seed is None:
            return np.arange(num_taken) % num_items
        num_epochs = -(-num_taken // num_items)
        draws = uniforms(0, num_epochs * num_items, self.shuffle_seed, f"round {round} of {group_id.hex()}")
        return np.argsort(draws.reshape(num_epochs, num_items), axis=1, kind="stable").ravel()[:num_taken]

    def cuts(self, items: Items) -> bool:
        """Whether a client would do more if more fitted."""
        return items.is_cut or len(items) * (self.num_epochs or 1) > self.max_items


@dataclass(frozen=True)
class PackingCounts:
    """What became of clients; counts of several cohorts add up.

    `num_examples` = `num_examples_read` + what cut clients did not read. `num_items` + `num_items_repeated` +
    `num_items_padded` are all places of the arrays.

    Attributes:
        num_clients: all, those without targets among them.
        num_places_without_client: places of the cohort that no client was drawn for.
        num_clients_cut: had more than fits.
        num_clients_repeated: took some of their items more than once.
        num_clients_padded: have padding in place of items.
        num_clients_without_targets: have nothing to learn from, such as empty text only; all of it is padding.
        num_examples: of the clients, as the index says.
        num_examples_read: have a part in the arrays, or are empty.
        num_examples_empty: of these, those without a token.
        num_items: distinct items in the arrays.
        num_items_repeated: places taken by an item that is there already.
        num_items_padded: places without an item, those of no client among them.
        num_targets: that count, each as often as it is there.
    """

    num_clients: int = 0
    num_places_without_client: int = 0
    num_clients_cut: int = 0
    num_clients_repeated: int = 0
    num_clients_padded: int = 0
    num_clients_without_targets: int = 0
    num_examples: int = 0
    num_examples_read: int = 0
    num_examples_empty: int = 0
    num_items: int = 0
    num_items_repeated: int = 0
    num_items_padded: int = 0
    num_targets: int = 0

    def __add__(self, other: PackingCounts) -> PackingCounts:
        return PackingCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Clients(Protocol):
    """The clients of a round: a `groupstream.Cohort` is one."""

    @property
    def round(self) -> int:
        """Its number."""

    def __iter__(self) -> Iterator[Group]: ...


class Packed(NamedTuple):
    """A cohort that was packed, and what became of its clients."""

    cohort: PackedCohort
    counts: PackingCounts


@dataclass(frozen=True)
class CohortPacker:
    """Packs cohorts: called with a cohort, it gives the same arrays on any machine, in any order of rounds.

    Attributes:
        form: what clients are turned into. Let the cohorts decode its features only: `stream.select(*form.features)`.
        packing: how many steps of what.
        cohort_size: places for clients; a smaller cohort is filled with padding.
    """

    form: ClientForm
    packing: Packing
    cohort_size: int

    def __call__(self, clients: Clients) -> Packed:
        """Reads and packs the clients of a round.

        Raises:
            UsageError: more clients than places.
        """
        groups: list[tuple[bytes, int]] = []

        def noted() -> Iterator[Group]:
            for group in clients:
                groups.append((group.id, group.num_examples))
                yield group

        items = self.form.read(ClientExamples(group.batches(), self.packing.max_items) for group in noted())
        filler = CohortFiller(self.form, self.packing, self.cohort_size, clients.round)
        for place, client in enumerate(items):
            filler.add(*groups[place], client)
        return filler.packed()


class CohortFiller:
    """Arrays that are filled with one client after the other."""

    def __init__(self, form: ClientForm, packing: Packing, cohort_size: int, round: int) -> None:
        self._packing = packing
        self._cohort_size = cohort_size
        self._round = round
        self._arrays = {
            name: np.zeros((cohort_size, packing.max_items, *item.shape), item.dtype)
            for name, item in form.item.items()
        }
        self._group_ids: list[bytes] = []
        self._counts = PackingCounts()

    def add(self, group_id: bytes, num_examples: int, items: Items) -> None:
        """Puts a client in the next place.

        Raises:
            UsageError: there is none.
        """
        place = len(self._group_ids)
        if place == self._cohort_size:
            raise UsageError(
                f"round {self._round} has more than {self._cohort_size} clients; give the packer the cohorts' size"
            )
        taken = self._packing.places(len(items), self._round, group_id)
        for name, array in self._arrays.items():
            array[place, : len(taken)] = items.arrays[name][taken]
        num_targets = int(self._arrays["mask"][place].sum())
        num_distinct = min(len(items), len(taken))
        self._group_ids.append(group_id)
        self._counts += PackingCounts(
            num_clients=1,
            num_clients_cut=int(self._packing.cuts(items)),
            num_clients_repeated=int(len(taken) > num_distinct),
            num_clients_padded=int(0 < len(taken) < self._packing.max_items),
            num_clients_without_targets=int(num_targets == 0),
            num_examples=num_examples,
            num_examples_read=items.num_examples,
            num_examples_empty=items.num_empty_examples,
            num_items=num_distinct,
            num_items_repeated=len(taken) - num_distinct,
            num_items_padded=self._packing.max_items - len(taken),
            num_targets=num_targets,
        )

    def packed(self) -> Packed:
        """The cohort; places that were not filled are padding."""
        num_empty = self._cohort_size - len(self._group_ids)
        counts = self._counts + PackingCounts(
            num_places_without_client=num_empty, num_items_padded=num_empty * self._packing.max_items
        )
        steps = (self._cohort_size, self._packing.num_steps, self._packing.batch_size)
        num_targets = self._arrays["mask"].reshape(self._cohort_size, -1).sum(axis=1, dtype=np.int64)
        batches = {name: array.reshape(*steps, *array.shape[2:]) for name, array in self._arrays.items()}
        return Packed(PackedCohort(batches, num_targets, self._group_ids), counts)


def total(counts: Iterable[PackingCounts]) -> PackingCounts:
    """The sum."""
    return sum(counts, start=PackingCounts())
