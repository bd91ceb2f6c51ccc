"""What differs between two versions: features, settings, and of each split sizes, groups and labels.

The group tables and label tables are read, a part at a time, never the data. Where the seeds of the two differ, the
groups of a split take about 60 bytes of memory each, as `differences` says. Either may be a version that is not
published yet.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.dataset import Dataset, Split
from groupstream.differences import COLUMNS, ID_COLUMNS, Change, by_stored_hash, by_unkeyed_hash, compare, merged
from groupstream.index_file import IndexFile
from groupstream.label_differences import LabelChange, compare_labels, count_labels

_GROUPS = ("added", "removed", "grown", "shrunk", "rewritten", "kept")

OnGroups = Callable[[int], None]  # takes how many more groups have been read


def version_differences(
    old: Dataset, new: Dataset, num_largest: int = 5, on_groups: OnGroups = lambda count: None
) -> dict[str, Any]:
    """What differs, as `groupstream diff --json` shows it; ids of groups and labels are bytes.

    Args:
        num_largest: how many groups, and how many labels, of those that changed most to name in a split.
        on_groups: called with the number of groups that have just been read, of the splits that both have.

    Returns:
        `before` and `after`: the refs. `differ`. `features` and `settings`: each `added`, `removed` and `changed`.
        `splits`, by name: `before` and `after`, the statistics, None where it has no such split; `same_bytes`; where
        both have it in other bytes, `groups`, how many of them did what, and `largest_changes`; where both have a
        label table, `labels`, their total variation distance and the labels that changed most.
    """
    names = dict.fromkeys([*old, *new])
    splits = {name: _split_differences(old.get(name), new.get(name), num_largest, on_groups) for name in names}
    features, settings = feature_changes(old, new), _changed(_settings(old), _settings(new))
    same_bytes = all(split["same_bytes"] for split in splits.values())
    return {
        "before": old.manifest.ref,
        "after": new.manifest.ref,
        "differ": not same_bytes or any((*features.values(), *settings.values())),
        "features": features,
        "settings": settings,
        "splits": splits,
    }


def feature_changes(old: Dataset, new: Dataset) -> dict[str, Any]:
    """By name, the features `added` and `removed`, and of those that are `changed` what they were and are."""
    return _changed(_features(old), _features(new))


def sorted_groups(
    splits: Sequence[Split], *, by_seed: bool, on_groups: OnGroups = lambda count: None
) -> Iterator[np.ndarray]:
    """The groups of splits of one version as sorted parts, for `differences.compare`. A group of several is one.

    Positions count on from split to split.

    Args:
        by_seed: as they lie, which is for versions of one seed; else they are sorted anew, in memory.
    """
    columns, read = (COLUMNS, by_stored_hash) if by_seed else (ID_COLUMNS, by_unkeyed_hash)
    starts = itertools.accumulate((split.num_groups for split in splits), initial=0)
    return merged(
        [
            _moved(read(_counted(split.index_file.batches(list(columns)), on_groups)), start)
            for split, start in zip(splits, starts, strict=False)
        ]
    )


def _moved(parts: Iterator[np.ndarray], start: int) -> Iterator[np.ndarray]:
    for part in parts:
        part["position"] += start
        yield part


def _counted(batches: Iterator[pa.RecordBatch], on_groups: OnGroups) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        on_groups(len(batch))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "added": {key: new[key] for key in new if key not in old},
        "removed": {key: old[key] for key in old if key not in new},
        "changed": {key: [old[key], new[key]] for key in old if key in new and old[key] != new[key]},
    }


def _features(dataset: Dataset) -> dict[str, Any]:
    return {name: feature.model_dump(mode="json") for name, feature in dataset.features.items()}


def _settings(dataset: Dataset) -> dict[str, Any]:
    """What the version was built by and from, flat. Without what changes nothing in it, and what its features say."""
    manifest = dataset.manifest
    spec = {key: value for key, value in manifest.spec.items() if key not in ("checks", "name", "description")}
    source = {**manifest.source, **_mapping(spec.get("source"))}
    source.pop("features", None)
    checks = {"groups": _actions(_mapping(_mapping(manifest.spec.get("checks")).get("groups")))}
    return dict(_flat({**spec, "seed": manifest.seed, "source": source, "checks": checks}))


def _actions(checks: Mapping[str, Any]) -> dict[str, Any]:
    """What is done with groups that are too small or too large: of all checks, these change what is published."""
    limits = {"too_small": ("min_examples", "merged_group"), "too_large": ("max_examples",)}
    set_ones = [action for action in limits if checks.get(action, "fail") != "fail"]
    return {key: checks.get(key) for action in set_ones for key in (action, *limits[action])}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{key}.")
        elif inner not in (None, ""):
            yield f"{prefix}{key}", inner


def _split_differences(
    before: Split | None, after: Split | None, num_largest: int, on_groups: OnGroups
) -> dict[str, Any]:
    found: dict[str, Any] = {
        side: None if split is None else split.info.statistics.model_dump(mode="json")
        for side, split in (("before", before), ("after", after))
    }
    if before is None or after is None:
        return {**found, "same_bytes": False}
    found["same_bytes"] = _files(before) == _files(after)
    if not found["same_bytes"]:
        found |= _group_differences(before, after, num_largest, on_groups)
    if before.label_file is not None and after.label_file is not None:
        found["labels"] = _label_differences(before.label_file, after.label_file, num_largest)
    return found


def _files(split: Split) -> list[str]:
    return [split.info.group_table.sha256, *(shard.sha256 for shard in split.info.shards)]


def _group_differences(before: Split, after: Split, num_largest: int, on_groups: OnGroups) -> dict[str, Any]:
    by_seed = before.seed == after.seed
    old, new = (sorted_groups([split], by_seed=by_seed, on_groups=on_groups) for split in (before, after))
    found = compare(old, new, num_largest)
    return {
        "groups": {name: getattr(found, name) for name in _GROUPS},
        "largest_changes": _named(found.largest, before, after),
    }


def _named(changes: list[Change], before: Split, after: Split) -> list[dict[str, Any]]:
    ids = ids_of(changes, [before], [after])
    return [
        {"group_id": group_id, "examples_before": change.before, "examples_after": change.after}
        for change, group_id in zip(changes, ids, strict=True)
    ]


def ids_of(changes: Sequence[Change], before: Sequence[Split], after: Sequence[Split]) -> list[bytes]:
    """The ids of the groups that changed, by the positions that `sorted_groups` gave them. Reads the indexes once."""
    ids = {
        is_after: _ids_at(splits, {c.position for c in changes if c.is_after == is_after})
        for is_after, splits in ((False, before), (True, after))
    }
    return [ids[c.is_after][c.position] for c in changes]


def _ids_at(splits: Sequence[Split], positions: set[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    first = 0
    for batch in itertools.chain.from_iterable(split.index_file.batches(["group_id"]) for split in splits):
        if len(found) == len(positions):
            break
        inside = [p for p in positions if first <= p < first + len(batch)]
        found |= {p: batch.column("group_id")[p - first].as_py() for p in inside}
        first += len(batch)
    return found


def _label_differences(before: IndexFile, after: IndexFile, num_largest: int) -> dict[str, Any]:
    old, new = (count_labels(file.batches(["label", "num_examples"])) for file in (before, after))
    found = compare_labels(old, new, num_largest)
    return {
        "distance": found.distance,
        "examples_before": found.num_before,
        "examples_after": found.num_after,
        "largest_changes": [_label_change(c, found.num_before, found.num_after) for c in found.largest],
    }


def _label_change(change: LabelChange, num_before: int, num_after: int) -> dict[str, Any]:
    return {
        "label": change.label,
        "examples_before": change.before,
        "examples_after": change.after,
        "share_before": change.before / max(num_before, 1),
        "share_after": change.after / max(num_after, 1),
    }
