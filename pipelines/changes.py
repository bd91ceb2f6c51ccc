"""What differs between two versions, as far as their numbers have to say: nothing, additions, or anything else.

Whatever the manifests and the indexes can tell is looked at first. Examples are read only where all that was there
seems to be there still.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groupstream.commands.printing import counted, one_line
from groupstream.dataset import Dataset, Split
from groupstream.differences import aligned, matched
from groupstream.errors import CorruptError, ExampleError
from groupstream.layout import MANIFEST
from groupstream.manifest import Manifest
from groupstream.refs import Location
from groupstream.stored import read_stored
from groupstream.stores import Store
from groupstream.version_differences import feature_changes, sorted_groups
from pipelines.contents import Chosen, OnGroups, differing_groups, differing_values
from pipelines.numbering import Level

_UNCHANGED = "the same examples in the same groups"
_SHOWN_NAMES = 3


@dataclass(frozen=True)
class Changes:
    """How much differs, and what, in words for people."""

    level: Level
    why: str

    def __str__(self) -> str:
        return f"{self.level}: {self.why}"


def changes_between(old: Dataset, new: Dataset, on_groups: OnGroups = lambda count: None) -> Changes:
    """Compares two versions, of which either may be a draft.

    An example is its values of the features that both have; the order of the examples in a group counts, the order of
    the groups does not. A group that is in several splits is one of each.

    Reads the indexes of splits that differ. Where their groups have as many examples as before, it reads both versions
    whole, once, and groups whose bytes differ a second time. Takes about 60 bytes of memory a group of both.

    Args:
        on_groups: called with the number of groups whose examples have just been read.

    Returns:
        Of what cannot be read, that anything may have changed.
    """
    found = _Found()
    try:
        _compare_features(old, new, found)
        pairs = _compare_splits(old, new, found)
        if found.level < Level.MAJOR:
            _compare_examples(pairs, list(old.features), found, on_groups)
    except (CorruptError, ExampleError) as error:
        return _not_comparable(error)
    return Changes(found.level, "; ".join(found.words) or _UNCHANGED)


class DraftChanges:
    """What differs between a draft and published versions of its dataset. Each is compared once.

    Args:
        store: where they are published.
        on_groups: see `changes_between`.
    """

    def __init__(self, store: Store, draft: Dataset, on_groups: OnGroups = lambda count: None) -> None:
        self._store = store
        self._draft = draft
        self._on_groups = on_groups
        self._found: dict[tuple[str, bool], Changes] = {}

    def since(self, older: str) -> Changes:
        """What differs from a version with a smaller number."""
        return self._compared(older, is_older=True)

    def until(self, newer: str) -> Changes:
        """What differs in a version with a larger number."""
        return self._compared(newer, is_older=False)

    def _compared(self, version: str, *, is_older: bool) -> Changes:
        if (version, is_older) not in self._found:
            self._found[version, is_older] = self._compare(f"{self._draft.manifest.name}/{version}", is_older)
        return self._found[version, is_older]

    def _compare(self, folder: str, is_older: bool) -> Changes:
        path = f"{folder}/{MANIFEST}"
        try:
            manifest = Manifest.from_json(read_stored(self._store, path), f"{self._store.root}/{path}")
        except CorruptError as error:
            return _not_comparable(error)
        published = Dataset(Location(self._store, folder), manifest)
        old, new = (published, self._draft) if is_older else (self._draft, published)
        return changes_between(old, new, self._on_groups)


def _not_comparable(error: Exception) -> Changes:
    return Changes(Level.MAJOR, f"they cannot be compared: {one_line(str(error))}")


@dataclass
class _Found:
    level: Level = Level.PATCH
    words: list[str] = field(default_factory=list)

    def add(self, level: Level, words: str) -> None:
        self.level = max(self.level, level)
        self.words.append(words)


@dataclass
class _Groups:
    """What the group tables of a split say.

    Attributes:
        added: int64, places in the table after. The others are counts.
        rewritten: int64, places before and after of groups with as many examples in other bytes.
    """

    before: Split
    after: Split
    removed: int = 0
    grown: int = 0
    shrunk: int = 0
    added: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    rewritten: tuple[np.ndarray, np.ndarray] = field(default_factory=lambda: (np.empty(0, np.int64),) * 2)


def _compare_features(old: Dataset, new: Dataset, found: _Found) -> None:
    changes = feature_changes(old, new)
    for what, level in (("removed", Level.MAJOR), ("changed", Level.MAJOR), ("added", Level.MINOR)):
        if names := [one_line(name) for name in changes[what]]:
            found.add(level, f"{counted(len(names), 'feature')} {what}: {_some(names)}")


def _compare_splits(old: Dataset, new: Dataset, found: _Found) -> list[_Groups]:
    """Those in other bytes, of which the groups are to be compared."""
    for level, what, names in (
        (Level.MAJOR, "removed", [name for name in old if name not in new]),
        (Level.MINOR, "added", [name for name in new if name not in old]),
    ):
        if names:
            found.add(level, f"{counted(len(names), 'split')} {what}: {_some([one_line(name) for name in names])}")
    both = [name for name in old if name in new and _shards(old[name]) != _shards(new[name])]
    pairs = [_match_groups(old[name], new[name]) for name in both]
    for name, groups in zip(both, pairs, strict=True):
        changed = {"removed": groups.removed, "grown": groups.grown, "shrunk": groups.shrunk}
        level = Level.MAJOR if any(changed.values()) else Level.MINOR
        if words := _in_words({**changed, "added": len(groups.added)}):
            found.add(level, _of_split(name, old, words))
    return pairs


def _compare_examples(pairs: list[_Groups], features: list[str], found: _Found, on_groups: OnGroups) -> None:
    for groups in pairs:
        edited = _edited(groups, features, on_groups)
        if len(edited):
            split, place = groups.before, int(edited[0])
            first = next(split.index_file.rows(place, place + 1)).group_ids[0]
            words = f"{counted(len(edited), 'group')} with other examples, such as {one_line(first)}"
            found.add(Level.MAJOR, words if len(pairs) == 1 else f"{one_line(split.name)}: {words}")
            return


def _edited(groups: _Groups, features: list[str], on_groups: OnGroups) -> np.ndarray:
    """int64: the places before of groups that hold other examples, though as many. First those in other bytes."""
    old, new = (Chosen(split, np.ones(split.num_groups, bool)) for split in (groups.before, groups.after))
    new = new.without(groups.added)
    kept = old.without(groups.rewritten[0]), new.without(groups.rewritten[1])
    rewritten = Chosen(old.split, old.rows & ~kept[0].rows), Chosen(new.split, new.rows & ~kept[1].rows)
    edited = differing_values(*rewritten, features, on_groups)
    if not edited.rows.any():
        edited = differing_groups(*kept, features, on_groups)
    return np.flatnonzero(edited.rows)


def _match_groups(before: Split, after: Split) -> _Groups:
    """Reads both indexes."""
    found = _Groups(before, after)
    added, rewritten = [found.added], [found.rewritten]
    by_seed = before.seed == after.seed
    for parts in aligned(*(sorted_groups([split], by_seed=by_seed) for split in (before, after))):
        gone, new, old_rows, new_rows = matched(*parts)
        growth = new_rows["examples"] - old_rows["examples"]
        found.removed += len(gone)
        found.grown += int((growth > 0).sum())
        found.shrunk += int((growth < 0).sum())
        added.append(new["position"])
        other = (growth == 0) & (old_rows["bytes"] != new_rows["bytes"])
        rewritten.append((old_rows["position"][other], new_rows["position"][other]))
    found.added = np.concatenate(added)
    old_places, new_places = zip(*rewritten, strict=True)
    found.rewritten = np.concatenate(old_places), np.concatenate(new_places)
    return found


def _shards(split: Split) -> list[str]:
    """What is equal where the splits hold the same bytes."""
    return [shard.sha256 for shard in split.info.shards]


def _in_words(counts: dict[str, int]) -> str:
    """`12 groups removed, 3 grown`; nothing where all are 0."""
    there = {what: number for what, number in counts.items() if number}
    first = next(iter(there), None)
    return ", ".join(f"{counted(n, 'group') if what == first else f'{n:,}'} {what}" for what, n in there.items())


def _of_split(name: str, old: Dataset, words: str) -> str:
    return words if len(old) == 1 else f"{one_line(name)}: {words}"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")
