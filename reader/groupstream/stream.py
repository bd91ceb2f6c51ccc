"""Streams of groups: which, in what order, and which part of them; each a value, each step optional.

The order of an epoch is a function of the seed and the number of the epoch, never of who reads it. So:

- Shards of a stream, `(index, count)`, are disjoint and complete. In stored order a shard is a range of the rows, so
  a host reads files of its own. Shuffled, shard i takes the positions i, i + count, i + 2 count, ... of the one
  order of the epoch.
- A state holds the epoch and the position, so resuming reads nothing of what came before.
- The number of shards may change between epochs, in either order. In the middle of an epoch it may change if the
  order is shuffled and every shard has yielded the same number of groups when the state is taken, as in synchronous
  training: then exactly the groups that were not yielded yet follow, in the order of the epoch. Stored order refuses
  it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from groupstream.chunk import Chunk, cut_in_chunks, work_ahead
from groupstream.cohorts import Cohorts, Sampling
from groupstream.errors import UsageError
from groupstream.features import Features
from groupstream.framework_methods import FrameworkMethods
from groupstream.group import Group
from groupstream.group_rows import GroupRows
from groupstream.permutation import permute
from groupstream.position import Position
from groupstream.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from groupstream.dataset import Split

_BLOCK_ROWS = 1 << 12
_REMOTE_CHUNKS_AHEAD = 4


@dataclass(frozen=True)
class GroupStream(FrameworkMethods):
    """Some groups of a split in some order. Iterating yields `Group`s; see `GroupIterator` for how to resume.

    >>> import groupstream
    >>> stream = groupstream.open("text@1.0.0", "tests/golden/v1")["train"].filter(min_examples=3).shuffle(seed=7)
    >>> [group.name for group in stream.shard(0, 2)]
    ['مريم', '[red]x[/red]', 'Ada Lovelace']

    Attributes:
        split: where the groups are.
        selection: which of them.
        features: the names of the features that are decoded; None for all.
        seed: of the shuffle; None for stored order, which is a random order too, but always the same.
        shard_index, num_shards: which part of the stream.
        first_epoch: shuffled epochs differ from each other by this number.
        num_epochs: how many follow each other; None for no end.
        num_chunks_ahead: see `prefetch`.
    """

    split: Split
    selection: Selection = EVERYTHING
    features: tuple[str, ...] | None = None
    seed: int | None = None
    shard_index: int = 0
    num_shards: int = 1
    first_epoch: int = 0
    num_epochs: int | None = 1
    num_chunks_ahead: int | None = field(default=None, compare=False)

    def filter(
        self,
        *,
        min_examples: int | None = None,
        max_examples: int | None = None,
        group_ids: Sequence[bytes | str] | None = None,
    ) -> GroupStream:
        """Only groups of such sizes, or with these ids. Filters add up. Reads the index only.

        Raises:
            UnknownKeyError: an id that the split does not have.
        """
        added = Selection.of(min_examples, max_examples, group_ids)
        if added.group_ids is not None:
            self.split.rows_of(added.group_ids)
        return replace(self, selection=self.selection & added)

    def select(self, *features: str) -> GroupStream:
        """Decodes these features only, in this order. What is not decoded costs next to nothing."""
        self.split.features_named(features)
        return replace(self, features=features)

    def shuffle(self, seed: int) -> GroupStream:
        """In a random order of all groups, another one each epoch, with O(1) memory a group.

        The first time a split of more than 65,536 groups is shuffled, its index is copied to the cache in a form for
        random access:
        about 0.5 s a million groups.
        """
        return replace(self, seed=int(seed))

    def shard(self, index: int, count: int) -> GroupStream:
        """Part `index` of `count`; the parts are disjoint and together complete.

        A shard may be cut in shards again, as the workers of a host do. Shuffle first, shard then: so the shards of
        a shard are together that shard.

        Raises:
            UsageError: index is not in range(count).
        """
        if not 0 <= index < count:
            raise UsageError(f"shard {index} of {count} does not exist; shards are numbered from 0 to {count - 1}")
        here = self.shard_index
        inner = here * count + index if self.seed is None else here + index * self.num_shards
        return replace(self, shard_index=inner, num_shards=self.num_shards * count)

    def repeat(self, num_epochs: int | None = None) -> GroupStream:
        """So many epochs after each other, or without end."""
        if num_epochs is not None and num_epochs < 1:
            raise UsageError(f"num_epochs is {num_epochs}; it should be at least 1, or None for no end")
        return replace(self, num_epochs=num_epochs)

    def epoch(self, number: int) -> GroupStream:
        """Begins with epoch `number` instead of 0. Only a shuffled stream differs by it."""
        return replace(self, first_epoch=int(number))

    def prefetch(self, num_chunks: int) -> GroupStream:
        """Reads and decodes so many chunks of 8 MiB ahead, each in a thread; memory grows by about twice that each.

        Without this it is 1 where the files are local, and 4 where each chunk is a request that takes its time.
        """
        return replace(self, num_chunks_ahead=max(0, int(num_chunks)))

    def cohorts(self, size: int, seed: int, sampling: Sampling = "uniform") -> Cohorts:
        """Samples of these groups for each round; the order of the stream and its shards play no part.

        Args:
            size: groups a cohort.
            seed: round k of one seed is always the same.
            sampling: `uniform`, `by_size` or `epochs` (without replacement until every group has come); see
                `cohorts`.

        Raises:
            UsageError: size is larger than the number of groups.
        """
        return Cohorts(self.split, size, seed, sampling, self.selection, self.features)

    @property
    def decoded_features(self) -> Features:
        """The features that are decoded, in their order."""
        return self.split.features if self.features is None else self.split.features_named(self.features)

    def _as_stream(self) -> GroupStream:
        return self

    def __iter__(self) -> GroupIterator:
        return GroupIterator(self)

    def chunks(
        self, *, epoch: int | None = None, start: Position | None = None, decode: bool = True
    ) -> Iterator[Chunk]:
        """The groups of one epoch, many at once: what adapters are made of.

        Args:
            epoch: default the first.
            start: where to begin; default at the beginning.
            decode: whether examples, or else only records, are worked on ahead.
        """
        at = start or Position()
        epoch = self.first_epoch if epoch is None else epoch
        blocks = self._stored_rows(at) if self.seed is None else self._shuffled_rows(epoch, at)
        chunks = cut_in_chunks(self.split.reader(self.features), blocks)
        return work_ahead(chunks, Chunk.decode if decode else Chunk.read, self.chunks_ahead)

    @property
    def chunks_ahead(self) -> int:
        """How many chunks are read ahead: what `prefetch` says, or what suits where the data lies."""
        if self.num_chunks_ahead is not None:
            return self.num_chunks_ahead
        return 1 if self.split.is_local else _REMOTE_CHUNKS_AHEAD

    def _stored_rows(self, at: Position) -> Iterator[GroupRows]:
        total = self.split.num_groups
        start, stop = (total * i // self.num_shards for i in (self.shard_index, self.shard_index + 1))
        start = max(start, at.base + at.taken)
        if self.selection.group_ids is not None:
            rows = self.selection.rows(self.split.index)
            rows = rows[(rows >= start) & (rows < stop)]
            for first in range(0, len(rows), _BLOCK_ROWS):
                yield self.split.index.rows(rows[first : first + _BLOCK_ROWS])
            return
        for block in self.split.index_file.rows(start, stop):
            yield self.selection.apply(block)

    def _shuffled_rows(self, epoch: int, at: Position) -> Iterator[GroupRows]:
        assert self.seed is not None
        index, rows = self.split.index, self._selected_rows
        total = len(index) if rows is None else len(rows)
        num_steps = self._num_steps(at.base)
        for first in range(at.taken, num_steps, _BLOCK_ROWS):
            steps = np.arange(first, min(first + _BLOCK_ROWS, num_steps))
            places = permute(at.base + steps * self.num_shards + self.shard_index, total, self.seed, f"epoch {epoch}")
            yield index.rows(places if rows is None else rows[places], steps)

    @functools.cached_property
    def _selected_rows(self) -> np.ndarray | None:
        """The rows that pass, ascending; None where all do. 4 or 8 bytes a group."""
        return self.selection.rows(self.split.index) if self.selection else None

    def has_epoch(self, epoch: int) -> bool:
        """Whether the stream goes on to this epoch."""
        return self.num_epochs is None or epoch < self.first_epoch + self.num_epochs

    def state_at(self, epoch: int, position: Position) -> dict[str, Any]:
        """What `place_of` understands: a dictionary of texts and numbers."""
        if self._is_end(position):
            epoch, position = epoch + 1, Position()
        shard = [self.shard_index, self.num_shards]
        return {"stream": self._fingerprint, "shard": shard, "epoch": epoch, **asdict(position)}

    def place_of(self, state: Mapping[str, Any]) -> tuple[int, Position]:
        """The epoch and the position of a state, maybe of another number of shards.

        Raises:
            UsageError: see `GroupIterator.load_state_dict`.
        """
        if state.get("stream") != self._fingerprint:
            raise UsageError(
                f"the state is of the stream {state.get('stream')!r}, this one is {self._fingerprint!r}; "
                "load it into a stream of the same version, split, filter and seed"
            )
        position = Position(int(state["base"]), int(state["taken"]))
        index, count = state["shard"]
        if [index, count] == [self.shard_index, self.num_shards] or position == Position():
            return int(state["epoch"]), position
        if self.seed is None:
            raise UsageError(
                f"the state is of shard {index} of {count} in the middle of an epoch, this is shard {self.shard_index} "
                f"of {self.num_shards}; in stored order the number of shards may change between epochs only. "
                "Resume with as many shards, or shuffle the stream"
            )
        return int(state["epoch"]), Position(position.base + position.taken * count)

    def _is_end(self, position: Position) -> bool:
        """Whether nothing of the epoch is left. Stored and filtered, only asking for the next group tells."""
        if self.seed is None:
            return position.taken >= self.split.num_groups * (self.shard_index + 1) // self.num_shards
        return position.taken >= self._num_steps(position.base)

    def _num_steps(self, base: int) -> int:
        """How many groups a shuffled shard has from `base` on."""
        total = self.split.num_groups if self._selected_rows is None else len(self._selected_rows)
        return max(0, -(-(total - base - self.shard_index) // self.num_shards))

    @functools.cached_property
    def _fingerprint(self) -> str:
        order = "stored" if self.seed is None else f"shuffled by {self.seed}"
        return f"{self.split.ref} {self.split.name} {order} {self.selection.fingerprint()}".rstrip()


class GroupIterator(Iterator[Group]):
    """Yields the groups of a stream, and can say where it stands.

    `state_dict()` is a small dictionary that JSON can hold. Loaded into an iterator of the same stream, the next
    group is the one that would have come.
    """

    def __init__(self, stream: GroupStream) -> None:
        self._stream = stream
        self._epoch = stream.first_epoch
        self._position = Position()
        self._groups: Iterator[Group] | None = None

    def __next__(self) -> Group:
        if self._groups is None:
            self._groups = self._run()
        return next(self._groups)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands. No I/O."""
        return self._stream.state_at(self._epoch, self._position)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state.

        Raises:
            UsageError: the state is of another stream; or of another number of shards, in the middle of an epoch in
                stored order.
        """
        self._epoch, self._position = self._stream.place_of(state)
        self._groups = None

    def _run(self) -> Iterator[Group]:
        while self._stream.has_epoch(self._epoch):
            base = self._position.base
            for chunk in self._stream.chunks(epoch=self._epoch, start=self._position):
                for position, group in zip(chunk.rows.positions.tolist(), chunk.groups(), strict=True):
                    self._position = Position(base, position + 1)
                    yield group
            self._epoch, self._position = self._epoch + 1, Position()
