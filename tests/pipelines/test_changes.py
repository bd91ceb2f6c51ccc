"""What differs between two versions: compared with the definition, by decoding everything."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groupstream import Dataset, Feature
from groupstream.binary import joined
from groupstream.examples.encoding import encode_examples
from pipelines import contents
from pipelines.changes import Changes, changes_between
from pipelines.draft import Draft
from pipelines.numbering import Level

TEXT, NUMBER = Feature(dtype="string"), Feature(dtype="int64", optional=True)
FEATURES = {"text": TEXT, "number": NUMBER}
Splits = dict[str, dict[bytes, list[dict[str, Any]]]]
Make = Callable[..., Draft]


def backwards(batch: pa.RecordBatch, features: Mapping[str, Feature]) -> pa.LargeBinaryArray:
    """The same examples in other bytes: features in the opposite order, as other software might write them."""
    return joined(*(encode_examples(batch.select([name]), {name: features[name]}) for name in sorted(features)[::-1]))


def level_by_definition(old: Dataset, new: Dataset) -> Level:
    """As the docs say it: everything is decoded and held against each other."""
    if any(new.features.get(name) != feature for name, feature in old.features.items()):
        return Level.MAJOR
    before, after = ({s: _groups(split, list(old.features)) for s, split in each.items()} for each in (old, new))
    if any(after.get(s, {}).get(g) != examples for s in before for g, examples in before[s].items()):
        return Level.MAJOR
    if not before.keys() <= after.keys():
        return Level.MAJOR
    more = new.features.keys() - old.features.keys() or after.keys() - before.keys()
    return Level.MINOR if more or any(after[s].keys() - before[s].keys() for s in before) else Level.PATCH


def _groups(split: Any, features: list[str]) -> dict[bytes, list[dict[str, Any]]]:
    return {group.id: [{f: e[f] for f in features} for e in group.examples()] for group in split}


numbers = st.one_of(st.none(), st.integers(-300, 300))
examples = st.fixed_dictionaries({"text": st.text("ab", max_size=2), "number": numbers})
groups = st.dictionaries(st.binary(min_size=1, max_size=2), st.lists(examples, min_size=1, max_size=3), max_size=5)
versions = st.dictionaries(st.sampled_from(["train", "test"]), groups, min_size=1)


def edited(draw: st.DrawFn, splits: Splits) -> None:
    """Changes one thing, or nothing where there is nothing to change."""
    name = draw(st.sampled_from(sorted(splits)))
    found = splits[name]
    what = draw(st.sampled_from(["examples", "remove", "add", "split", "no split"]))
    if what == "split":
        splits.setdefault("more", draw(groups))
    elif what == "no split" and len(splits) > 1:
        del splits[name]
    elif what == "add":
        found.setdefault(b"a new one", [draw(examples)])
    elif what == "remove" and found:
        del found[draw(st.sampled_from(sorted(found)))]
    elif found:
        edit_examples(draw, found)


def edit_examples(draw: st.DrawFn, found: dict[bytes, list[dict[str, Any]]]) -> None:
    group, other = (found[draw(st.sampled_from(sorted(found)))] for _ in range(2))
    what = draw(st.sampled_from(["edit", "edit", "order", "grow", "shrink"]))
    if what == "edit":
        group[draw(st.integers(0, len(group) - 1))]["text"] = draw(st.text("ab", max_size=2))
    elif what == "order":
        group.reverse()
    elif what == "grow":
        group.append(draw(examples))
    elif len(group) > 1:
        moved = group.pop(draw(st.integers(0, len(group) - 1)))
        other.extend([moved] if draw(st.booleans()) else [])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Splits, dict[str, Any], Splits, dict[str, Any]]:
    """Two versions that are alike but for what is drawn, with how each is made."""
    old = draw(versions)
    new = copy.deepcopy(old)
    for _ in range(draw(st.integers(0, 2))):
        edited(draw, new)
    features = dict(FEATURES)
    for change in draw(st.lists(st.sampled_from(["added", "removed", "changed"]), max_size=1)):
        if change == "added":
            features["more"] = NUMBER
            for each in (e for split in new.values() for group in split.values() for e in group):
                each["more"] = draw(numbers)
        elif change == "removed":
            del features["number"]
        else:
            features["number"] = Feature(dtype="int32", optional=True)
    made = {"seed": draw(st.sampled_from([0, 7])), "num_shards": draw(st.integers(1, 3))}
    made["encode"] = draw(st.sampled_from([encode_examples, backwards]))
    return old, {}, new, {**made, "features": features}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs())
@example(({"train": {}}, {}, {"train": {}, "test": {}}, {"features": FEATURES}))
def test_the_level_is_that_of_the_definition(make_draft: Make, pair: Any) -> None:
    old, how_old, new, how_new = pair
    before, after = make_draft(old, FEATURES, **how_old).dataset, make_draft(new, **how_new).dataset
    found = changes_between(before, after)
    assert found.level == level_by_definition(before, after), found


SPLITS: Splits = {"train": {f"g{i}".encode(): [{"text": f"{i} {j}", "number": j} for j in range(3)] for i in range(40)}}


@pytest.fixture
def compared(make_draft: Make) -> Callable[..., Changes]:
    """What differs from `SPLITS`."""

    def compare(splits: Splits, features: Mapping[str, Feature] = FEATURES, **how: Any) -> Changes:
        return changes_between(make_draft(SPLITS, FEATURES).dataset, make_draft(splits, features, **how).dataset)

    return compare


@pytest.mark.parametrize("how", [{}, {"seed": 5}, {"num_shards": 7}, {"encode": backwards}, {"description": "better"}])
def test_the_same_examples_in_other_bytes_are_a_patch(compared: Callable[..., Changes], how: dict[str, Any]) -> None:
    assert str(compared(SPLITS, **how)) == "patch: the same examples in the same groups"


def test_the_words_say_what_changed_and_where(compared: Callable[..., Changes]) -> None:
    new = copy.deepcopy(SPLITS)
    del new["train"][b"g1"], new["train"][b"g2"]
    new["train"][b"g3"].pop()
    new["train"] |= {b"new": new["train"][b"g4"]}
    assert str(compared(new)) == "major: 2 groups removed, 1 shrunk, 1 added"
    more = {**SPLITS, "test": {b"x": SPLITS["train"][b"g0"]}}
    features = {**FEATURES, "z": NUMBER}
    assert str(compared(more, features)) == "minor: 1 feature added: z; 1 split added: test"
    assert str(compared({"test": {}}, {"text": TEXT})) == (
        "major: 1 feature removed: number; 1 split removed: train; 1 split added: test"
    )


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("text", ["9 9", "a longer one"])
def test_one_edited_value_is_found_wherever_the_groups_lie(
    compared: Callable[..., Changes], seed: int, text: str
) -> None:
    new = copy.deepcopy(SPLITS)
    new["train"][b"g17"][1]["text"] = text
    assert str(compared(new, seed=seed)) == "major: 1 group with other examples, such as g17"


def test_examples_that_change_places_are_a_change_also_between_examples(compared: Callable[..., Changes]) -> None:
    new = copy.deepcopy(SPLITS)
    for group in new["train"].values():
        group[0]["text"], group[1]["text"] = group[0]["text"] + group[1]["text"], ""
    assert compared(new).level == Level.MAJOR


def test_old_features_must_be_unchanged_where_new_ones_are_added(compared: Callable[..., Changes]) -> None:
    new = copy.deepcopy(SPLITS)
    features = {**FEATURES, "more": NUMBER}
    assert compared(new, features).level == Level.MINOR
    new["train"][b"g9"][2]["text"] = "9 3"
    assert str(compared(new, features)) == "major: 1 feature added: more; 1 group with other examples, such as g9"


def test_groups_that_change_names_and_splits_that_go_are_a_change(compared: Callable[..., Changes]) -> None:
    train = SPLITS["train"]
    swapped = {"train": {**train, b"g1": train[b"g2"], b"g2": train[b"g1"]}}
    for features in (FEATURES, {**FEATURES, "more": NUMBER}):
        assert "2 groups with other examples" in compared(swapped, features).why
    assert compared({"test": train}).level == Level.MAJOR


def test_what_is_not_a_number_is_what_it_was(make_draft: Make) -> None:
    floats = {"x": Feature(dtype="float32")}
    old = make_draft({"train": {b"g": [{"x": float("nan")}, {"x": 0.0}]}}, floats).dataset
    assert changes_between(
        old, make_draft({"train": {b"g": [{"x": float("nan")}, {"x": 0.0}]}}, floats, seed=2).dataset
    )
    new = make_draft({"train": {b"g": [{"x": float("nan")}, {"x": -0.0}]}}, floats).dataset
    assert changes_between(old, new).level == Level.MAJOR


@pytest.mark.parametrize("how", [{}, {"encode": backwards}])
def test_groups_larger_than_memory_should_hold_are_read_in_blocks(
    make_draft: Make, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr("pipelines.contents.CHUNK_BYTES", 64)
    monkeypatch.setattr("groupstream.chunk.CHUNK_BYTES", 64)
    large: list[dict[str, Any]] = [{"text": f"text {i}", "number": i} for i in range(50)]
    old = make_draft({"train": {b"g": large, b"h": large[:1]}}, FEATURES).dataset
    same = make_draft({"train": {b"g": large, b"h": large[:1]}}, FEATURES, seed=3, **how).dataset
    assert changes_between(old, same).level == Level.PATCH
    for last in (large[0], {"text": "text 49", "number": 48}):  # the second one is as long
        other = make_draft({"train": {b"g": [*large[:-1], last], b"h": large[:1]}}, FEATURES, seed=3, **how).dataset
        assert changes_between(old, other).level == Level.MAJOR


def test_nothing_is_read_where_the_tables_tell(make_draft: Make) -> None:
    read: list[int] = []
    old = make_draft(SPLITS, FEATURES).dataset
    new = copy.deepcopy(SPLITS)
    del new["train"][b"g1"]
    changes_between(old, make_draft(new, FEATURES).dataset, read.append)
    changes_between(old, make_draft(SPLITS, FEATURES, description="other").dataset, read.append)
    assert not read
    changes_between(old, make_draft(SPLITS, FEATURES, seed=1).dataset, read.append)
    assert sum(read) == 80, "each group of both, once"
    read.clear()
    new = copy.deepcopy(SPLITS)
    new["train"][b"g1"][0]["text"] = "a longer one"
    assert changes_between(old, make_draft(new, FEATURES, seed=1).dataset, read.append).level == Level.MAJOR
    assert sum(read) == 2, "the one in other bytes first, and no other"


def test_what_cannot_be_read_may_have_changed(make_draft: Make, tmp_path: Any) -> None:
    old, new = make_draft(SPLITS, FEATURES), make_draft(SPLITS, FEATURES, seed=1)
    files = dict(old.files)
    shard = next(name for name in files if name.endswith(".tfrecord"))
    files[shard] = files[shard][:-1] + b"?"  # type: ignore[index, operator]
    broken = Draft(old.manifest, files, old.tally, old.store)
    found = changes_between(broken.dataset, new.dataset)
    assert found.level == Level.MAJOR and found.why.startswith("they cannot be compared: ") and "CRC" in found.why
    del files[shard]
    assert "is missing" in changes_between(broken.dataset, new.dataset).why


def test_hashes_that_are_missing_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_BLOCK_GROUPS", 3)
    values = np.array([bytes([i, 0] * 8) for i in range(10)], "S16")
    assert contents._not_among(values, values[::-1][:7]).tolist() == [True] * 3 + [False] * 7
    assert contents._not_among(values[:0], values).tolist() == []
    assert contents._not_among(values, values[:0]).all()
