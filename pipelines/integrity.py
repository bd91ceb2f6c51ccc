"""Whether what a build wrote is what it meant to write: looked at before it is published."""

from __future__ import annotations

from groupstream.dataset import Dataset
from groupstream.manifest import CheckResult
from groupstream.verify import check_files

SAMPLE_BYTES = 16 << 20
_MAX_HASHED = 1 << 13  # ids of a split: to hash all takes 0.5 s for a million groups


def check_draft(dataset: Dataset, sample_bytes: int = SAMPLE_BYTES) -> list[CheckResult]:
    """Reads back the index and a sample of the shards of a `Draft.dataset`.

    Args:
        sample_bytes: see `check_files`. A build whose shards have no more is read whole. docs/checks/files.md says what
            it costs.

    Returns:
        One result of kind "files" a check: the same for the same spec and source.
    """
    return check_files(dataset, full=False, sample_bytes=sample_bytes, max_hashed=_MAX_HASHED)
