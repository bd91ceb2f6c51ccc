"""The steps that make a stream: which groups, in what order, which part. A split has them, and so has a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import index as as_int
from typing import TYPE_CHECKING

from groupstream.cohorts import Cohorts, Sampling
from groupstream.errors import UsageError
from groupstream.selection import Selection

if TYPE_CHECKING:
    from groupstream.stream import GroupStream


class StreamSteps:
    """Gives `GroupStream` and `Split` their steps. Each gives a new stream and changes nothing."""

    def _as_stream(self) -> GroupStream:
        raise NotImplementedError

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
        stream, added = self._as_stream(), Selection.of(min_examples, max_examples, group_ids)
        if added.group_ids is not None:
            stream.split.rows_of(added.group_ids)
        return replace(stream, selection=stream.selection & added)

    def select(self, *features: str) -> GroupStream:
        """Decodes these features only, in this order. What is not decoded costs next to nothing.

        Raises:
            UnknownKeyError: a name that no feature has.
        """
        stream = self._as_stream()
        return replace(stream, features=tuple(stream.split.features_named(features)))

    def shuffle(self, seed: int) -> GroupStream:
        """In a random order of all groups, another one each epoch, with O(1) memory a group.

        The first time a split of more than 65,536 groups is shuffled, its index is copied to the cache in a form for
        random access: about 1 s a million groups.
        """
        return replace(self._as_stream(), seed=as_int(seed))

    def shard(self, index: int, count: int) -> GroupStream:
        """Part `index` of `count`; the parts are disjoint and together complete.

        A shard may be cut in shards again, as the workers of a host do. Shuffle first, shard then: so the shards of
        a shard are together that shard.

        Raises:
            UsageError: index is not in range(count).
        """
        index, count = as_int(index), as_int(count)
        if not 0 <= index < count:
            raise UsageError(f"shard {index} of {count} does not exist; shards are numbered from 0 to {count - 1}")
        stream = self._as_stream()
        here = stream.shard_index
        inner = here * count + index if stream.seed is None else here + index * stream.num_shards
        return replace(stream, shard_index=inner, num_shards=stream.num_shards * count)

    def repeat(self, num_epochs: int | None = None) -> GroupStream:
        """So many epochs after each other, or without end."""
        if num_epochs is not None and num_epochs < 1:
            raise UsageError(f"num_epochs is {num_epochs}; it should be at least 1, or None for no end")
        return replace(self._as_stream(), num_epochs=num_epochs)

    def epoch(self, number: int) -> GroupStream:
        """Begins with epoch `number` instead of 0. Only a shuffled stream differs by it."""
        return replace(self._as_stream(), first_epoch=as_int(number))

    def prefetch(self, num_chunks: int) -> GroupStream:
        """Reads and decodes so many chunks of 4 MiB ahead, each in a thread; memory grows by about twice that each.

        Without this it is 0 where the files are local, since decoding needs the interpreter that its consumer needs,
        and 4 where each chunk is a request that takes its time. Ahead helps where the consumer waits for a device.
        """
        return replace(self._as_stream(), num_chunks_ahead=max(0, as_int(num_chunks)))

    def cohorts(
        self,
        size: int,
        seed: int,
        sampling: Sampling = "uniform",
        *,
        min_examples: int | None = None,
        max_examples: int | None = None,
        group_ids: Sequence[bytes | str] | None = None,
    ) -> Cohorts:
        """Samples of these groups for each round; the order of a stream and its shards play no part.

        Args:
            size: groups a cohort.
            seed: round k of one seed is always the same.
            sampling: `uniform`, `by_size` or `epochs` (without replacement until every group has come); see
                `cohorts`.
            min_examples, max_examples, group_ids: which groups take part; see `filter`.

        Raises:
            UsageError: size is larger than the number of groups that take part.
        """
        stream = self.filter(min_examples=min_examples, max_examples=max_examples, group_ids=group_ids)
        return Cohorts(stream.split, as_int(size), as_int(seed), sampling, stream.selection, stream.features)
