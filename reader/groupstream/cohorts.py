"""Cohorts: the groups of each round, as a function of a seed and the number of the round.

Round 400 is the same whether rounds 0 to 399 were drawn or not, on any number of workers. Three ways to draw:

- `uniform`: distinct groups, all equally likely, each round anew.
- `by_size`: distinct groups, drawn one after the other, with a chance proportional to the number of examples among
  those that are left.
- `epochs`: every group once, in a random order, before any comes again. The last cohort of an epoch is smaller if
  the size does not divide the number of groups.

Source: `uniform` and `epochs` take positions of a seeded permutation (`permutation`), so they cost O(size).
`by_size` inverts the cumulated sizes and throws repeated groups away, which is the same as drawing among those that
are left ("successive sampling").
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from groupstream.errors import UsageError
from groupstream.group import Group, single_group
from groupstream.group_rows import GroupRows
from groupstream.permutation import permute, uniforms
from groupstream.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from groupstream.dataset import Split

Sampling = Literal["uniform", "by_size", "epochs"]
SAMPLINGS: tuple[Sampling, ...] = ("uniform", "by_size", "epochs")


@dataclass(frozen=True)
class Cohorts:
    """The cohorts of all rounds. `cohorts[round]` is one; iterating yields rounds 0, 1, 2, ... without end.

    >>> import groupstream
    >>> cohorts = groupstream.open("text@1.0.0", "tests/golden/v1")["train"].cohorts(size=2, seed=7)
    >>> [group.name for group in cohorts[400]]
    ['مريم', 'Ada Lovelace']

    Attributes:
        split: where the groups are.
        size: groups a cohort.
        seed: of the draws.
        sampling: see the module.
        selection: which groups take part.
        features: which features are decoded; None for all.
    """

    split: Split
    size: int
    seed: int
    sampling: Sampling = "uniform"
    selection: Selection = EVERYTHING
    features: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise UsageError(f"sampling is {self.sampling!r}; it is one of {', '.join(SAMPLINGS)}")
        if not self.num_groups:
            raise UsageError(f"no group of {self.split.ref} {self.split.name} takes part; choose a wider filter")
        if not 1 <= self.size <= self.num_groups:
            raise UsageError(
                f"size is {self.size}; a cohort has 1 to {self.num_groups:,} groups, as many as take part; "
                "choose a smaller size or a wider filter"
            )

    @property
    def num_groups(self) -> int:
        """How many groups take part."""
        return self.split.num_groups if self._selected is None else len(self._selected)

    @property
    def rounds_per_epoch(self) -> int:
        """How many rounds see every group once, where the sampling is `epochs`."""
        return -(-self.num_groups // self.size)

    def __getitem__(self, round: int) -> Cohort:
        """The cohort of a round, from 0. Reads the index only."""
        if round < 0:
            raise UsageError(f"round {round} does not exist; rounds are numbered from 0")
        draws = {"uniform": self._uniform, "by_size": self._by_size, "epochs": self._of_epoch}
        places = draws[self.sampling](round)
        rows = places if self._selected is None else self._selected[places].astype(np.int64)
        return Cohort(self.split, round, self.split.index.rows(rows), self.features)

    def __iter__(self) -> CohortIterator:
        return CohortIterator(self)

    def _uniform(self, round: int) -> np.ndarray:
        return permute(np.arange(self.size), self.num_groups, self.seed, f"round {round}")

    def _of_epoch(self, round: int) -> np.ndarray:
        epoch, step = divmod(round, self.rounds_per_epoch)
        steps = np.arange(step * self.size, min((step + 1) * self.size, self.num_groups))
        return permute(steps, self.num_groups, self.seed, f"epoch {epoch}")

    def _by_size(self, round: int) -> np.ndarray:
        ends, taken, drawn = self._size_ends, dict[int, None](), 0
        while True:
            count = 2 * (self.size - len(taken)) + 16
            draws = uniforms(drawn, count, self.seed, f"round {round} by size")
            for place in np.searchsorted(ends, np.floor(draws * ends[-1]), side="right").tolist():
                taken[place] = None
                if len(taken) == self.size:
                    return np.fromiter(taken, np.int64, self.size)
            drawn += count
            ends = np.cumsum(_without(self._sizes, taken))  # or a few large groups would be drawn again and again

    @functools.cached_property
    def _sizes(self) -> np.ndarray:
        sizes = self.split.index.column("num_examples")
        return sizes if self._selected is None else sizes[self._selected]

    @functools.cached_property
    def _size_ends(self) -> np.ndarray:
        """int64[num_groups]: 8 bytes a group, once."""
        return np.cumsum(self._sizes)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A short text that only the same cohorts share; states hold it."""
        words = f"{self.split.ref} {self.split.name} {self.size} {self.sampling} seed {self.seed}"
        return f"{words} {self.selection.fingerprint()}".rstrip()

    def __getstate__(self) -> dict[str, Any]:
        """Travels to other processes without what was looked up here."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @functools.cached_property
    def _selected(self) -> np.ndarray | None:
        return self.selection.rows(self.split.index) if self.selection else None


def _without(sizes: np.ndarray, places: Mapping[int, None]) -> np.ndarray:
    left = sizes.copy()
    left[list(places)] = 0
    return left


class CohortIterator(Iterator["Cohort"]):
    """Yields the cohorts of rounds that follow each other. Its state is the number of the next round."""

    def __init__(self, cohorts: Cohorts) -> None:
        self._cohorts = cohorts
        self._round = 0

    def __next__(self) -> Cohort:
        cohort = self._cohorts[self._round]
        self._round += 1
        return cohort

    def state_dict(self) -> dict[str, Any]:
        """Where it stands: the same on any number of workers."""
        return {"cohorts": self._cohorts.fingerprint, "round": self._round}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on with the round that the state says.

        Raises:
            UsageError: the state is of other cohorts.
        """
        if state.get("cohorts") != self._cohorts.fingerprint:
            raise UsageError(
                f"the state is of the cohorts {state.get('cohorts')!r}, these are {self._cohorts.fingerprint!r}; "
                "load it into cohorts of the same version, split, filter, size, seed and sampling"
            )
        self._round = int(state["round"])


@dataclass(frozen=True)
class Cohort(Sequence[Group]):
    """The groups of one round, in the order in which they were drawn.

    Attributes:
        round: its number.
        rows: ids, sizes and places of its groups; known without touching the data.
    """

    split: Split
    round: int
    rows: GroupRows
    features: tuple[str, ...] | None = None

    @property
    def group_ids(self) -> list[bytes]:
        """The ids of its groups."""
        return self.rows.group_ids

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Group]:
        """Its groups. They are read and decoded together, those that lie near each other in one request."""
        return self.split.groups_of(self.rows, self.features)

    @overload
    def __getitem__(self, place: int) -> Group: ...
    @overload
    def __getitem__(self, place: slice) -> Cohort: ...
    def __getitem__(self, place: int | slice) -> Group | Cohort:
        """One of its groups, read by itself; or a part of the cohort."""
        chosen = range(len(self))[place]
        if isinstance(chosen, int):
            return single_group(self.split.reader(self.features), self.rows.cut(chosen, chosen + 1))
        return self._part(chosen)

    def balanced(self, num_workers: int) -> list[Cohort]:
        """Shares for workers, disjoint and complete, with examples spread as evenly as a greedy rule can.

        The largest group goes first, each to the worker that has the fewest examples yet. The fullest worker has at
        most 4/3 of what the best possible spread would give it. Source: Graham, "Bounds on Multiprocessing Timing
        Anomalies", 1969.

        Args:
            num_workers: how many; with more workers than groups some get none.
        """
        if num_workers < 1:
            raise UsageError(f"num_workers is {num_workers}; it should be at least 1")
        shares: list[list[int]] = [[] for _ in range(num_workers)]
        loads = [(0, worker) for worker in range(num_workers)]
        for place in np.argsort(-self.rows.num_examples, kind="stable").tolist():
            load, worker = loads[0]
            shares[worker].append(place)
            heapq.heapreplace(loads, (load + int(self.rows.num_examples[place]), worker))
        return [self._part(sorted(share)) for share in shares]

    def shard(self, index: int, count: int) -> Cohort:
        """The share of one of `count` workers; see `balanced`."""
        if not 0 <= index < count:
            raise UsageError(f"worker {index} of {count} does not exist; workers are numbered from 0 to {count - 1}")
        return self.balanced(count)[index]

    def _part(self, places: Sequence[int]) -> Cohort:
        return Cohort(self.split, self.round, self.rows.take(np.array(places, np.int64)), self.features)
