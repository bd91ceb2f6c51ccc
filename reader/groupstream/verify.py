"""Whether what is stored is what was written: every byte, every CRC, the index against the shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from groupstream.dataset import Dataset
from groupstream.errors import CorruptError
from groupstream.manifest import CheckResult, Manifest
from groupstream.verify_files import check_checksums, check_sizes
from groupstream.verify_finding import Finding
from groupstream.verify_groups import check_groups
from groupstream.verify_index import check_order, check_sums
from groupstream.verify_labels import check_labels
from groupstream.verify_manifest import check_manifest

SAMPLE_BYTES = 256 << 20


def _ignore(size: int) -> None:
    pass


@dataclass(frozen=True)
class Extent:
    """How much of a version is read.

    Attributes:
        full: whether all, also where the shards have more than `sample_bytes`.
        sample_bytes: at most so much of the shards is read whole, and about as much in groups; of each shard at least
            the first group, up to 64 KiB.
        max_hashed: of about how many ids in a split the hash is computed again; None for all.
    """

    full: bool
    sample_bytes: int = SAMPLE_BYTES
    max_hashed: int | None = None

    def reads_all(self, manifest: Manifest) -> bool:
        """Whether all is read: because it is asked for, or because the shards have no more than a sample would."""
        return self.full or _shard_bytes(manifest) <= self.sample_bytes

    def planned_bytes(self, manifest: Manifest) -> int:
        """About how many bytes of files and groups are read."""
        shards, files = _shard_bytes(manifest), sum(file.size_bytes for file in manifest.all_files())
        return files - shards + 2 * (shards if self.reads_all(manifest) else self.sample_bytes)


def _shard_bytes(manifest: Manifest) -> int:
    return sum(shard.size_bytes for split in manifest.splits.values() for shard in split.shards)


def check_files(
    dataset: Dataset,
    *,
    full: bool,
    sample_bytes: int = SAMPLE_BYTES,
    max_hashed: int | None = None,
    on_bytes: Callable[[int], None] = _ignore,
) -> list[CheckResult]:
    """Compares a version with its manifest. One check that fails keeps no other from running.

    The manifest, the tables and the small files are always read whole, the shards twice: as files and as groups. Of
    large versions a sample is read: shards that are drawn, and groups; the same ones each time, as the digest of the
    manifest is the seed. Memory is bounded by about 60 bytes a group of one split, and a few blocks.

    Args:
        full, sample_bytes, max_hashed: see `Extent`.
        on_bytes: called with the number of bytes just read of files and groups, maybe in threads.

    Returns:
        One result of kind "files" a check, passed or not.

    Raises:
        StoreError: the store cannot be reached.
    """
    return [finding.result() for finding in run_checks(dataset, Extent(full, sample_bytes, max_hashed), on_bytes)]


def verify(dataset: Dataset, on_bytes: Callable[[int], None] = _ignore) -> int:
    """Reads all of a version, twice, and compares it with its manifest.

    Args:
        on_bytes: called with the number of bytes just read, maybe in threads.

    Returns:
        The number of examples read.

    Raises:
        CorruptError: the first thing that is not as it was written.
        StoreError: the store cannot be reached.
    """
    for finding in run_checks(dataset, Extent(full=True), on_bytes):
        if not finding.passed:
            raise CorruptError(finding.faults[0].message)
    return sum(split.statistics.num_examples for split in dataset.manifest.splits.values())


def run_checks(dataset: Dataset, extent: Extent, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
    """The checks one after the other, as they are done. See `check_files`."""
    manifest = dataset.manifest
    splits = list(dataset.from_shards().values())
    sample_bytes = None if extent.reads_all(manifest) else extent.sample_bytes
    seed = int.from_bytes(hashlib.sha256(manifest.digest.encode()).digest()[:8], "big")
    yield check_manifest(dataset)
    yield check_sizes(dataset)
    yield check_checksums(dataset, sample_bytes, seed, on_bytes)
    yield check_sums(manifest, splits)
    yield check_order(splits, extent.max_hashed)
    yield check_labels(manifest.spec, splits)
    yield check_groups(manifest, splits, sample_bytes, seed, on_bytes)
