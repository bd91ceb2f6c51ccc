"""Shards of Dataset Grouper, the library of the paper: `read_groups` reads them; `exports` writes them."""

from groupstream.dataset_grouper.reading import ShardGroup, read_groups

__all__ = ["ShardGroup", "read_groups"]
