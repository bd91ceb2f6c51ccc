"""Held-out clients as arrays: what a model is tuned on, and what it is tested on then.

Each client's examples are divided in two halves by a draw for each example, a function of the seed, the group and the
example's place in it. A client with a single example, as an article grouped by its title, has its items divided
instead: the first half for tuning, the rest for testing, where no token is a target of both. With
`protocol="paper"` the same data serves for both, as in Charles et al. 2023, arXiv 2307.09619, where clients are
tested on what they were tuned on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from groupstream import Group, UsageError
from groupstream.permutation import permute
from training.data.clients import PackedCohort
from training.data.form import ClientExamples, ClientForm, Items
from training.data.packing import Clients, CohortFiller, Packing, PackingCounts

Protocol = Literal["divided", "paper"]


@dataclass(frozen=True)
class HeldOutCounts:
    """What became of held-out clients; `num_clients` = those in the arrays + the two reasons.

    Attributes:
        num_clients: all.
        num_too_small: have a single item, which cannot be divided.
        num_without_targets: have nothing to tune on, or nothing to test on, such as a half of empty texts.
        tuning, testing: of those in the arrays. `num_examples` of each is its share of the client, and
            `num_examples_read` is 0 for the second half of a divided example.
    """

    num_clients: int = 0
    num_too_small: int = 0
    num_without_targets: int = 0
    tuning: PackingCounts = field(default_factory=PackingCounts)
    testing: PackingCounts = field(default_factory=PackingCounts)

    def __add__(self, other: HeldOutCounts) -> HeldOutCounts:
        return HeldOutCounts(
            self.num_clients + other.num_clients,
            self.num_too_small + other.num_too_small,
            self.num_without_targets + other.num_without_targets,
            self.tuning + other.tuning,
            self.testing + other.testing,
        )


class PackedHeldOut(NamedTuple):
    """Some held-out clients; both cohorts have the same in the same places."""

    tuning: PackedCohort
    testing: PackedCohort
    counts: HeldOutCounts


@dataclass(frozen=True)
class HeldOutPacker:
    """Packs held-out clients; the same arrays on any machine.

    Called with a cohort, such as those of `held_out.cohorts(size, seed, sampling="epochs")`, of which
    `rounds_per_epoch` are all clients.

    Attributes:
        form: what clients are turned into.
        tuning: the steps in which a client tunes the model.
        testing: the batches that it is tested on. `short="pad"`, so that no target counts twice.
        cohort_size: places for clients.
        seed: of the draws of examples.
        protocol: see the module.
    """

    form: ClientForm
    tuning: Packing
    testing: Packing
    cohort_size: int
    seed: int
    protocol: Protocol = "divided"

    def __post_init__(self) -> None:
        if self.protocol not in ("divided", "paper"):
            raise UsageError(f"protocol is {self.protocol!r}; it is divided or paper")
        if self.testing.num_epochs not in (None, 1) or (
            self.testing.num_epochs is None and self.testing.short != "pad"
        ):
            raise UsageError("testing repeats targets, which would then count twice; give its Packing short='pad'")

    def __call__(self, clients: Clients) -> PackedHeldOut:
        """Reads and packs held-out clients."""
        groups: list[Group] = []

        def noted() -> Iterator[Group]:
            for group in clients:
                groups.append(group)
                yield group

        items = self.form.read(part for group in noted() for part in self._parts(group))
        fillers = [
            CohortFiller(self.form, packing, self.cohort_size, clients.round) for packing in (self.tuning, self.testing)
        ]
        counts, place = HeldOutCounts(), 0
        for first in items:
            group, place = groups[place], place + 1
            halves = self._halves(group, first, items)
            reason = _reason_to_skip(first, halves)
            counts += HeldOutCounts(1, int(reason == "too small"), int(reason == "without targets"))
            if reason is None:
                for filler, half, num_examples in zip(fillers, halves, self._shares(group), strict=True):
                    filler.add(group.id, num_examples, half)
        tuning, testing = (filler.packed() for filler in fillers)
        counts += HeldOutCounts(tuning=tuning.counts, testing=testing.counts)
        return PackedHeldOut(tuning.cohort, testing.cohort, counts)

    def _has_two_parts(self, group: Group) -> bool:
        return self.protocol == "divided" and group.num_examples > 1

    def _shares(self, group: Group) -> tuple[int, int]:
        if self._has_two_parts(group):
            return group.num_examples // 2, group.num_examples - group.num_examples // 2
        return group.num_examples, group.num_examples

    def _parts(self, group: Group) -> Iterator[ClientExamples]:
        """What is read of a group: two halves, or all of it once."""
        if self._has_two_parts(group):
            yield ClientExamples(examples_of_half(group, self.seed, is_tuning=True), self.tuning.max_items)
            yield ClientExamples(examples_of_half(group, self.seed, is_tuning=False), self.testing.max_items)
        else:
            num_needed = max(self.tuning.max_items, self.testing.max_items)
            yield ClientExamples(group.batches(), num_needed if self.protocol == "paper" else 2 * num_needed)

    def _halves(self, group: Group, first: Items, items: Iterator[Items]) -> tuple[Items, Items]:
        if self._has_two_parts(group):
            return first, next(items)
        if self.protocol == "paper":
            return first, first
        return first.part(0, len(first) // 2), first.part(len(first) // 2, len(first))


def examples_of_half(group: Group, seed: int, *, is_tuning: bool) -> Iterator[pa.RecordBatch]:
    """The examples of a group that are for tuning, or those for testing: of n examples n // 2 and the others."""
    start, num_tuning = 0, group.num_examples // 2
    for block in group.batches():
        places = np.arange(start, start + len(block))
        ranks = permute(places, group.num_examples, seed, f"tuning of {group.id.hex()}")
        yield block.filter(pa.array((ranks < num_tuning) == is_tuning))
        start += len(block)


def _reason_to_skip(first: Items, halves: tuple[Items, Items]) -> str | None:
    if all(half.num_targets for half in halves):
        return None
    return "too small" if len(first) == 1 and halves[0] is not first else "without targets"
