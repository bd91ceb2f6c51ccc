"""Where a shard of a stream stands in an epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """Where in an epoch a shard of a stream stands.

    Attributes:
        base: where the shards began: the number of groups that all shards had yielded when the count of shards changed.
        taken: how far this shard is from there: its number of steps in a shuffled order; the next row in stored order.
    """

    base: int = 0
    taken: int = 0
