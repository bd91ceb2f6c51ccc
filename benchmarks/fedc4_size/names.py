"""What is called how, and how large FedC4 is."""

from __future__ import annotations

from pathlib import Path

NAME, VERSION, EARLIER = "fedc4", "1.0.0", "0.9.0"
NUM_GROUPS, NUM_SHARDS = 15_600_000, 1_024  # see docs/fedc4.md
SEED = 0
ROOT = "gs://bucket/datasets"  # of the versions of a registry; nothing is read there


def version_folder(folder: Path, version: str = VERSION) -> Path:
    """Of a version that was made in a folder."""
    return folder / "root" / NAME / version
