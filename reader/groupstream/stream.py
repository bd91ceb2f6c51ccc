"""Streams of groups: which, in what order, and which part of them; each a value, each step optional.

The order of an epoch is a function of the seed and the number of the epoch, never of who reads it. So:

- Shards of a stream, `(index, count)`, are disjoint and complete. In stored order a shard is a range of the rows, so
  a host reads files of its own. Shuffled, shard i takes the positions i, i + count, i + 2 count, ... of the one
  order of the epoch.
- A state holds the epoch and the position, so resuming reads nothing of what came before.
- The number of shards may change between epochs, in either order; a shard that has given its last group is between
  epochs when it was asked for the next. In the middle of an epoch it may change if the
  order is shuffled and every shard has yielded the same number of groups when the state is taken, as in synchronous
  training: then exactly the groups that were not yielded yet follow, in the order of the epoch. Stored order refuses
  it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from groupstream.chunk import Chunk, cut_in_chunks, work_ahead
from groupstream.errors import UsageError
from groupstream.features import Features
from groupstream.framework_methods import FrameworkMethods
from groupstream.group import Group
from groupstream.group_rows import GroupRows
from groupstream.permutation import permute
from groupstream.position import Position
from groupstream.resumable import Resumable
from groupstream.selection import EVERYTHING, Selection
from groupstream.steps import StreamSteps

if TYPE_CHECKING:
    from groupstream.dataset import Split

_BLOCK_ROWS = 1 << 12
_REMOTE_CHUNKS_AHEAD = 4


@dataclass(frozen=True)
class GroupStream(StreamSteps, FrameworkMethods):
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

    @property
    def decoded_features(self) -> Features:
        """The features that are decoded, in their order."""
        return self.split.features if self.features is None else self.split.features_named(self.features)

    def _as_stream(self) -> GroupStream:
        return self

    def __iter__(self) -> GroupIterator:
        return GroupIterator(self)

    def chunks(
        self,
        *,
        epoch: int | None = None,
        start: Position | None = None,
        stop: int | None = None,
        decode: bool = True,
    ) -> Iterator[Chunk]:
        """The groups of one epoch, many at once: what adapters are made of.

        Args:
            epoch: default the first.
            start: where to begin; default at the beginning.
            stop: the position, counted as those of the groups are, before which to stop; default at the end.
            decode: whether examples, or else only records, are worked on ahead.
        """
        at = start or Position()
        epoch = self.first_epoch if epoch is None else epoch
        span = self.positions(at.base)
        span = range(max(span.start, at.taken), span.stop if stop is None else min(span.stop, stop))
        blocks = self._stored_rows(span) if self.seed is None else self._shuffled_rows(epoch, at.base, span)
        chunks = cut_in_chunks(self.split.reader(self.features), blocks)
        return work_ahead(chunks, Chunk.decode if decode else Chunk.read, self.chunks_ahead)

    def positions(self, base: int = 0) -> range:
        """Those of an epoch: steps if it is shuffled, else rows, also those that a filter leaves out.

        Reads the index of a stream that is filtered and shuffled.

        Args:
            base: see `Position`.
        """
        if self.seed is not None:
            return range(max(0, -(-(self._num_selected - base - self.shard_index) // self.num_shards)))
        start, stop = (self.split.num_groups * i // self.num_shards for i in (self.shard_index, self.shard_index + 1))
        return range(start, stop)

    @property
    def chunks_ahead(self) -> int:
        """How many chunks are read ahead: what `prefetch` says, or what suits where the data lies."""
        if self.num_chunks_ahead is not None:
            return self.num_chunks_ahead
        return 0 if self.split.is_local else _REMOTE_CHUNKS_AHEAD

    def _stored_rows(self, span: range) -> Iterator[GroupRows]:
        if self.selection.group_ids is not None:
            rows = self.selection.rows(self.split.index)
            rows = rows[(rows >= span.start) & (rows < span.stop)]
            for first in range(0, len(rows), _BLOCK_ROWS):
                yield self.split.index.rows(rows[first : first + _BLOCK_ROWS])
            return
        for block in self.split.index_file.rows(span.start, span.stop):
            yield self.selection.apply(block)

    def _shuffled_rows(self, epoch: int, base: int, span: range) -> Iterator[GroupRows]:
        assert self.seed is not None
        for first in range(span.start, span.stop, _BLOCK_ROWS):
            steps = np.arange(first, min(first + _BLOCK_ROWS, span.stop))
            places = base + steps * self.num_shards + self.shard_index
            yield self.split.index.rows(self.rows_at(epoch, places), steps)

    def rows_at(self, epoch: int, places: np.ndarray) -> np.ndarray:
        """int64[num_places]: the rows that stand at these places of the order of all shards of a shuffled epoch."""
        assert self.seed is not None
        rows = permute(places, self._num_selected, self.seed, f"epoch {epoch}")
        return rows if self._selected_rows is None else self._selected_rows[rows]

    @property
    def _num_selected(self) -> int:
        return self.split.num_groups if self._selected_rows is None else len(self._selected_rows)

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
        """Whether nothing of the epoch is left for this shard; or, shuffled, for any that has given as many groups.

        Stored and filtered, only asking for the next group tells.
        """
        if position == Position():
            return False
        if self.seed is None:
            return position.taken >= self.positions().stop
        return position.base + position.taken * self.num_shards >= self._num_selected

    def require_something(self, given: bool) -> None:
        """Refuses to look for more without end, where a whole epoch gave nothing.

        Raises:
            UsageError: so it is.
        """
        if not given and self.num_epochs is None:
            raise UsageError(
                f"shard {self.shard_index} of {self.num_shards} of {self._fingerprint!r} gives nothing in a whole "
                "epoch, and the stream has no end; use fewer shards, a wider filter, smaller batches or repeat(n)"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Travels to other processes without what was looked up here."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @functools.cached_property
    def _fingerprint(self) -> str:
        order = "stored" if self.seed is None else f"shuffled by {self.seed}"
        return f"{self.split.ref} {self.split.name} {order} {self.selection.fingerprint()}".rstrip()


class GroupIterator(Resumable[Group]):
    """Yields the groups of a stream, and can say where it stands.

    `state_dict()` is a small dictionary that JSON can hold. Loaded into an iterator of the same stream, the next
    group is the one that would have come.
    """

    def __init__(self, stream: GroupStream) -> None:
        self._stream = stream
        self._epoch = stream.first_epoch
        self._position = Position()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands. Reads nothing but the index, and that of a filtered and shuffled stream only."""
        return self._stream.state_at(self._epoch, self._position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state.

        Raises:
            UsageError: the state is of another stream; or of another number of shards, in the middle of an epoch in
                stored order; or of batches of examples, in the middle of a group.
        """
        place = self._stream.place_of(state)
        if num_given := state.get("num_given"):
            raise UsageError(
                f"the state is of batches of examples, {num_given:,} examples into a group; load it into such batches"
            )
        self._epoch, self._position = place
        self._running = None

    def _run(self) -> Iterator[Group]:
        while self._stream.has_epoch(self._epoch):
            base = self._position.base
            for chunk in self._stream.chunks(epoch=self._epoch, start=self._position):
                for position, group in zip(chunk.rows.positions.tolist(), chunk.groups(), strict=True):
                    self._position = Position(base, position + 1)
                    yield group
            self._stream.require_something(self._position != Position())
            self._epoch, self._position = self._epoch + 1, Position()
