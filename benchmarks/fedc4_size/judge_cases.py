"""What is made of all groups' statistics before a version is published: checks, drift, the card."""

from __future__ import annotations

from pathlib import Path

import groupstream
from benchmarks.fedc4_size.found import Found
from benchmarks.fedc4_size.names import EARLIER, VERSION, version_folder
from groupstream import Dataset

_LIMITS = {
    "min_groups": 10,
    "max_groups": 10**9,
    "min_examples": 1,
    "max_examples": 9_999,
    "min_bytes": 1,
    "min_words": 1,
    "percentiles": [{"of": of, "percent": percent, "min": 0} for of in ("examples", "bytes") for percent in (50, 99)],
    "max_share_of_largest": 0.5,
    "max_share_of_singletons": 0.9,
}
_DRIFT = {
    "max_groups_change": 0.1,
    "max_examples_change": 0.1,
    "max_groups_removed": 0.1,
    "max_groups_added": 0.001,  # which is broken, so that those that are new are named
    "max_size_distance": 0.1,
}


def checks(folder: Path) -> Found:
    """Every kind of check of groups that needs no label; benchmarks.checks.groups has those too."""
    from validation import GroupChecks
    from validation.groups import check_groups

    found, dataset = Found(), _opened(folder, VERSION)
    with found.timed("checks of groups"):
        results = check_groups(GroupChecks.model_validate(_LIMITS), dataset, exclusive=True).results
    if not results:
        raise RuntimeError("no check of groups was made")
    return found


def drift(folder: Path) -> Found:
    """Held against an earlier version of the same seed: both tables are read side by side."""
    return _drift(folder, "drift, same seed", _opened(folder, EARLIER))


def drift_of_another_seed(folder: Path) -> Found:
    """Of another seed: the groups of both are hashed anew, and sorted."""
    earlier = _opened(folder, EARLIER)
    manifest = earlier.manifest.model_copy(update={"seed": earlier.manifest.seed + 1})
    return _drift(folder, "drift, another seed", Dataset(earlier.stored_at, manifest))


def card(folder: Path) -> Found:
    """The page about the version."""
    from pipelines.card import draw_card

    found, dataset = Found(), _opened(folder, VERSION)
    with found.timed("dataset card"):
        page = draw_card(dataset.manifest, dataset)
    found.bytes["dataset card"] = len(page.encode())
    return found


def _drift(folder: Path, name: str, earlier: Dataset) -> Found:
    from validation.drift import check_drift
    from validation.drift_checks import DriftChecks

    found, now = Found(), _opened(folder, VERSION)
    with found.timed(name):
        results = check_drift(DriftChecks.model_validate(_DRIFT), earlier, now)
    broken = [result.name for result in results if not result.passed]
    if broken != ["new groups, as a share of the earlier ones"]:
        raise RuntimeError(f"of the drift checks these were broken: {broken}, not only that of new groups")
    return found


def _opened(folder: Path, version: str) -> Dataset:
    return groupstream.open(version_folder(folder, version))
