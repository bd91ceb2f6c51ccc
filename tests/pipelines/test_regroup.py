"""Groups that are too small or too large: what becomes of them, against an obvious model; nothing lost or doubled."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import CorruptError, ExampleError, Feature, SpecError
from groupstream.binary import joined
from groupstream.examples.decoding import decode_examples
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID
from groupstream.group_order import hash_group_ids
from groupstream.stores import LocalStore
from groupstream.tfrecord import unframe
from pipelines.batches import Batch
from pipelines.discard import discard_shard
from pipelines.memory import MemoryBudget
from pipelines.merge import merge_shard
from pipelines.regroup import num_shards_after, regroup_range
from pipelines.regroup_filter import HASH_WORDS, RegroupedRange, SegmentFilter
from pipelines.regroup_rule import RegroupRule, part_id, regroup_rule
from pipelines.run_file import Run
from pipelines.runs import RunWriter, Shape
from pipelines.staging import StagingArea
from pipelines.tally import Tally, total
from sources import Piece
from specs import Spec

SEED = 3
FEATURES = {"text": Feature(dtype="string"), "number": Feature(dtype="int64")}
STORED = {**FEATURES, GROUP_ID: Feature(dtype="bytes")}
SPLITS = {
    "none": None,
    "group": {"by": "group", "fractions": {"train": 0.6, "test": 0.4}},
    "example": {"by": "example", "fractions": {"train": 0.6, "test": 0.4}},
    "both": {"by": "both", "groups": {"train": 0.6, "test": 0.4}, "examples": {"support": 0.5, "query": 0.5}},
}
ROOMY, TIGHT = MemoryBudget(1 << 22, 1 << 20, 1 << 20), MemoryBudget(3, 600, 4)

Groups = dict[tuple[str, bytes], list[int]]  # the numbers of the examples of each group of each split, in their order


class Built(NamedTuple):
    """What a build made, with all that is counted beside it checked."""

    groups: Groups
    files: list[bytes]
    tally: Tally


def spec_with(groups: dict[str, Any], splits: str = "none", **more: Any) -> Spec:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": ["/nowhere.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "splits": SPLITS[splits],
        "seed": SEED,
        "checks": {"groups": groups},
    }
    return Spec.model_validate({**fields, **more}, extra="forbid")


def batches_of(sizes: list[int], spec: Spec, batch_rows: int = 16) -> list[Batch]:
    """Two pieces with groups g0, g1, ... of these sizes, all mixed; `number` is the position of an example."""
    names = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng(5).permutation(len(names))
    half, found = len(names) // 2 + 1, []
    for piece in range(2):
        of_piece = order[piece * half : (piece + 1) * half]
        for start in range(0, len(of_piece), batch_rows):
            rows = np.arange(start, min(start + batch_rows, len(of_piece)))
            numbers = (piece * half + rows).tolist()
            ids = pa.array([b"g%d" % names[number] for number in of_piece[rows]])
            columns = pa.record_batch({"text": ["wörd " * (n % 5) for n in numbers], "number": numbers})
            batch = Batch(Piece(piece, f"p{piece}"), start, rows, columns, None, ids, Tally(len(rows)))
            splits = spec.splits.assign(ids, batch.ids) if spec.splits else None
            found.append(dataclasses.replace(batch, splits=splits))
    return found


def staging_in(folder: Path) -> StagingArea:
    folder.mkdir()
    return StagingArea(LocalStore(folder), folder)


def shape_of(spec: Spec) -> Shape:
    names = spec.splits.names if spec.splits else ("train",)
    return Shape(FEATURES, frozenset(["text"]), names, "number", spec.seed)


def spill(staging: StagingArea, batches: list[Batch], spec: Spec, budget: MemoryBudget) -> list[Run]:
    writer = RunWriter(staging, shape_of(spec), budget.payload_bytes)
    return [run for batch in batches for run in writer.add(batch)] + writer.flush()


def regroup(
    staging: StagingArea, runs: list[Run], spec: Spec, budget: MemoryBudget, num_ranges: int
) -> list[RegroupedRange]:
    rule, shape = regroup_rule(spec), shape_of(spec)
    if rule is None:
        return []
    return [regroup_range(staging, runs, rule, shape, budget, index, num_ranges) for index in range(num_ranges)]


def spill_and_regroup(
    staging: StagingArea, batches: list[Batch], spec: Spec, budget: MemoryBudget, num_ranges: int
) -> tuple[list[Run], list[RegroupedRange]]:
    runs = spill(staging, batches, spec, budget)
    return runs, regroup(staging, runs, spec, budget, num_ranges)


def build(folder: Path, batches: list[Batch], spec: Spec, budget: MemoryBudget = ROOMY, num_ranges: int = 1) -> Built:
    """Spills, regroups and merges, in two shards; what is merged is gone from the runs."""
    staging = staging_in(folder)
    runs, regrouped = spill_and_regroup(staging, batches, spec, budget, num_ranges)
    made = [*runs, *(run for one in regrouped for run in one.runs)]
    groups, files = Groups(), []
    for split in shape_of(spec).splits:
        for index in range(2):
            shard = merge_shard(staging, runs, split, index, 2, budget, regrouped)
            discard_shard(staging, made, split, index, 2)
            paths = [folder / path for path in (shard.path, shard.group_table_path, shard.label_table_path)]
            files += [paths[0].read_bytes(), *(repr(pq.read_table(path).to_pylist()).encode() for path in paths[1:])]
            groups.update({(split, group_id): numbers for group_id, numbers in read_shard(*paths)})
    tally = total([run.tally for run in runs] + [one.tally for one in regrouped])
    assert tally.examples_in == sum(map(len, groups.values())) + tally.num_dropped
    return Built(groups, files, tally)


def read_shard(shard: Path, group_table: Path, label_table: Path) -> Iterator[tuple[bytes, list[int]]]:
    """Each group and the numbers of its examples; what the tables say of them is checked."""
    data, labels = shard.read_bytes(), Counter[tuple[int, bytes]]()
    for row in pq.read_table(label_table).to_pylist():
        labels[row["group_row"], row["label"]] += row["num_examples"]
    for position, row in enumerate(pq.read_table(group_table).to_pylist()):
        records = unframe(data[row["offset_bytes"] :][: row["length_bytes"]], "group")
        decoded = decode_examples(records, STORED)
        suffixes = encode_group_ids(decoded[GROUP_ID].cast(pa.large_binary()))
        assert records.equals(joined(encode_examples(decoded.drop_columns([GROUP_ID]), FEATURES), suffixes))
        examples = decoded.to_pylist()
        numbers = [example["number"] for example in examples]
        assert {example[GROUP_ID] for example in examples} == {row["group_id"]}
        assert row["num_examples"] == len(numbers)
        assert row["num_words"] == sum(len(example["text"].split()) for example in examples)
        found = {label: count for (of_group, label), count in labels.items() if of_group == position}
        assert found == Counter(str(number).encode() for number in numbers)
        yield row["group_id"], numbers


def model(plain: Groups, spec: Spec) -> tuple[Groups, Counter[str], Counter[str]]:
    """What the groups must become, examples dropped, groups regrouped. Of a capped group all examples are given."""
    found, dropped, regrouped = Groups(), Counter[str](), Counter[str]()
    sizes = Counter[bytes]()
    for (_, group_id), numbers in plain.items():
        sizes[group_id] += len(numbers)
    for group_id in sorted(sizes, key=lambda group_id: hash_group_ids([group_id], SEED).tobytes()):
        action, reason, num_dropped = what_to_do(sizes[group_id], spec)
        if action != "fail":
            regrouped[reason] += 1
        if num_dropped:
            dropped[reason_to_drop(action, reason)] += num_dropped
        for (split, other), numbers in plain.items():
            if other == group_id:
                for new_id, some in new_groups(action, split, group_id, numbers, spec):
                    found[split, new_id] = found.get((split, new_id), []) + some
    return found, dropped, regrouped


def what_to_do(size: int, spec: Spec) -> tuple[str, str, int]:
    """The action, how it is counted, and how many examples it drops."""
    checks = spec.checks.groups
    least, most = checks.min_examples, checks.max_examples
    if size < least:
        reasons = {"drop": f"dropped, below min_examples {least}", "merge": "merged into '(small groups)'"}
        return checks.too_small, reasons.get(checks.too_small, ""), size if checks.too_small == "drop" else 0
    if most is not None and size > most:
        reasons = {
            "drop": f"dropped, above max_examples {most}",
            "cap": f"capped at {most}",
            "split": f"split at {most}",
        }
        return (
            checks.too_large,
            reasons.get(checks.too_large, ""),
            {"drop": size, "cap": size - most}.get(checks.too_large, 0),
        )
    return "fail", "", 0


def reason_to_drop(action: str, reason: str) -> str:
    if action == "cap":
        return f"beyond max_examples {reason.removeprefix('capped at ')} of a group"
    return f"group {reason.removeprefix('dropped, ')}"


def new_groups(
    action: str, split: str, group_id: bytes, numbers: list[int], spec: Spec
) -> Iterator[tuple[bytes, list[int]]]:
    checks = spec.checks.groups
    if action in ("fail", "cap"):
        yield group_id, numbers
    elif action == "merge":
        is_one = spec.splits is None or spec.splits.by == "example"
        yield b"(small groups)" if is_one else f"(small groups) of {split.split('_')[0]}".encode(), numbers
    elif action == "split":
        num_parts = -(-len(numbers) // checks.max_examples)
        for part, some in enumerate(np.array_split(numbers, num_parts)):
            assert checks.min_examples <= len(some) <= checks.max_examples
            yield group_id + f"#{part + 1:0{len(str(num_parts))}}".encode(), some.tolist()


def check(built: Built, plain: Groups, spec: Spec) -> None:
    groups, dropped, regrouped = model(plain, spec)
    assert (built.tally.dropped, built.tally.regrouped) == (dropped, regrouped)
    if spec.checks.groups.too_large != "cap":
        assert built.groups == groups
        return
    sizes, before = Counter[bytes](), Counter[bytes]()
    for (split, group_id), numbers in groups.items():
        chosen = built.groups.get((split, group_id), [])
        assert chosen == [number for number in numbers if number in set(chosen)]
        sizes[group_id] += len(chosen)
        before[group_id] += len(numbers)
    merged = spec.checks.groups.merged_group.encode()
    for group_id, size in before.items():
        assert sizes[group_id] == (size if group_id.startswith(merged) else min(size, spec.checks.groups.max_examples))
    assert built.groups.keys() <= groups.keys()


SIZES = [1, 2, 30, 4, 1, 9, 2, 2, 17, 3, 1, 1, 5, 80, 2, 6, 1]
ACTIONS = [
    {"min_examples": 3, "too_small": "drop"},
    {"min_examples": 3, "too_small": "merge"},
    {"max_examples": 8, "too_large": "drop"},
    {"max_examples": 8, "too_large": "cap"},
    {"min_examples": 4, "max_examples": 7, "too_small": "merge", "too_large": "split"},
    {"min_examples": 3, "max_examples": 8, "too_small": "drop", "too_large": "cap"},
    {"min_examples": 3, "max_examples": 8, "too_small": "merge", "too_large": "cap"},
]
MERGE = {"min_examples": 3, "too_small": "merge"}
SPLIT = {"max_examples": 8, "too_large": "split"}


@pytest.mark.parametrize("splits", SPLITS)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: "-".join(map(str, action.values())))
def test_groups_become_what_the_model_says_whatever_the_memory_and_the_ranges(tmp_path, action, splits):
    if action.get("too_large") == "split" and splits in ("example", "both"):
        splits = "none"
    spec = spec_with(action, splits)
    batches = batches_of(SIZES, spec)
    plain = build(tmp_path / "plain", batches, spec_with({}, splits)).groups
    built = build(tmp_path / "built", batches, spec)
    check(built, plain, spec)
    other = build(tmp_path / "other", batches[::-1], spec, TIGHT, num_ranges=5)
    assert (other.groups, other.files, other.tally.dropped) == (built.groups, built.files, built.tally.dropped)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    least=st.integers(2, 6),
    more=st.integers(0, 20),
    too_small=st.sampled_from(["drop", "merge"]),
    too_large=st.sampled_from(["drop", "cap", "split"]),
    num_ranges=st.integers(1, 4),
)
def test_groups_of_any_sizes(tmp_path_factory, sizes, least, more, too_small, too_large, num_ranges):
    most = 2 * least - 1 + more
    spec = spec_with({"min_examples": least, "max_examples": most, "too_small": too_small, "too_large": too_large})
    folder, batches = tmp_path_factory.mktemp("any"), batches_of(sizes, spec)
    plain = build(folder / "plain", batches, spec_with({})).groups
    check(build(folder / "built", batches, spec, TIGHT, num_ranges), plain, spec)


def test_what_is_kept_of_a_capped_group_follows_from_the_seed_and_the_id_alone(tmp_path):
    cap = {"max_examples": 50, "too_large": "cap"}
    built = build(tmp_path / "a", batches_of([200, 200, 7], spec_with(cap)), spec_with(cap)).groups
    alone = build(tmp_path / "b", batches_of([200], spec_with(cap)), spec_with(cap)).groups
    seeded = build(tmp_path / "c", batches_of([200], spec_with(cap)), spec_with(cap, seed=SEED + 1)).groups
    plain = build(tmp_path / "d", batches_of([200, 200, 7], spec_with({})), spec_with({})).groups
    places = [[plain["train", name].index(number) for number in built["train", name]] for name in (b"g0", b"g1", b"g2")]
    assert list(map(len, places)) == [50, 50, 7]
    assert places[0] == alone["train", b"g0"] != places[1]
    assert places[0] != seeded["train", b"g0"]
    assert 60 < np.mean(places[0]) < 140  # not the first, nor the last: 99.5 +- 40 is 5.6 sigma


def test_a_cap_does_not_depend_on_where_runs_end_in_groups_of_two_splits(tmp_path):
    spec = spec_with({"max_examples": 11, "too_large": "cap"}, "example")
    batches = batches_of([100, 60], spec)
    first, *others = (
        build(tmp_path / str(n), batches, spec, MemoryBudget(3 * n, 1 << 20, 1 << 20)).files for n in (1, 2_000, 9_000)
    )
    assert others == [first, first]


def test_parts_are_named_so_that_they_sort(tmp_path):
    spec = spec_with({"max_examples": 3, "too_large": "split"})
    built = build(tmp_path / "a", batches_of([31, 2], spec), spec).groups
    names = sorted(group_id for _, group_id in built)
    assert names == [b"g0#%02d" % n for n in range(1, 12)] + [b"g1"]
    assert [len(built["train", name]) for name in names] == [3] * 9 + [2] * 2 + [2]
    assert part_id(b"\xff\x00", 8, 9) == b"\xff\x00#9"


def renamed(batches: list[Batch], names: dict[bytes, bytes], spec: Spec) -> list[Batch]:
    found = []
    for batch in batches:
        ids = pa.array([names.get(group_id, group_id) for group_id in batch.group_ids.to_pylist()])
        splits = spec.splits.assign(ids, batch.ids) if spec.splits else None
        found.append(dataclasses.replace(batch, group_ids=ids, splits=splits))
    return found


@pytest.mark.parametrize("budget", [ROOMY, TIGHT], ids=["roomy", "tight"])
def test_a_part_is_not_mixed_with_a_group_of_the_source(tmp_path, budget):
    spec = spec_with(SPLIT)
    batches = renamed(batches_of([20, 5, 2], spec), {b"g1": b"g0#2"}, spec)
    with pytest.raises(ExampleError, match=r"group 'g0#2' is in the source, and .*too_large: split.* Choose cap"):
        build(tmp_path / "a", batches, spec, budget)


def test_a_part_may_have_the_id_of_a_group_that_is_split_itself(tmp_path):
    spec = spec_with(SPLIT)
    built = build(tmp_path / "a", renamed(batches_of([20, 9, 2], spec), {b"g1": b"g0#2"}, spec), spec).groups
    assert sorted(group for _, group in built) == [b"g0#1", b"g0#2", b"g0#2#1", b"g0#2#2", b"g0#3", b"g2"]


@pytest.mark.parametrize(
    ("action", "names", "splits"),
    [
        (MERGE, {b"g1": b"(small groups)"}, "none"),
        (MERGE, {b"g1": b"(small groups)"}, "example"),
        (MERGE, {b"g1": b"(small groups) of train"}, "group"),
        ({**MERGE, **SPLIT, "merged_group": "g0#2"}, {}, "none"),
        ({**MERGE, **SPLIT, "too_large": "cap", "merged_group": "g0"}, {}, "none"),
    ],
)
def test_small_groups_are_not_merged_into_another_group(tmp_path, action, names, splits):
    spec = spec_with(action, splits)
    batches = renamed(batches_of([20, 5, 2], spec), names, spec)
    with pytest.raises(ExampleError, match=r"group '.*' is there already, .* Choose another checks.groups.merged"):
        build(tmp_path / "a", batches, spec)


def test_small_groups_may_have_the_id_that_they_are_merged_into(tmp_path):
    spec = spec_with(MERGE)
    built = build(tmp_path / "a", renamed(batches_of([2, 5, 1], spec), {b"g0": b"(small groups)"}, spec), spec).groups
    assert {group: len(numbers) for (_, group), numbers in built.items()} == {b"(small groups)": 3, b"g1": 5}


def test_groups_that_lie_in_several_splits_cannot_be_split():
    for splits in ("example", "both"):
        with pytest.raises(SpecError, match=rf"too_large is 'split' and splits.by '{splits}'.*Choose too_large: cap"):
            regroup_rule(spec_with(SPLIT, splits))
    assert regroup_rule(spec_with({})) is None
    assert isinstance(regroup_rule(spec_with(SPLIT, "group")), RegroupRule)


def test_shards_are_as_many_as_what_is_left_makes(tmp_path):
    spec = spec_with({"max_examples": 8, "too_large": "drop"})
    found = []
    for name, budget, num_ranges in (("a", ROOMY, 1), ("b", TIGHT, 6)):
        staging = staging_in(tmp_path / name)
        runs, regrouped = spill_and_regroup(staging, batches_of([400, 2, 3], spec), spec, budget, num_ranges)
        found.append((num_shards_after(runs, [], "train", 300), num_shards_after(runs, regrouped, "train", 300)))
    assert found[0] == found[1]
    assert found[0][0] > 50 and found[0][1] == 1


def test_text_that_is_no_utf_8_goes_where_its_group_goes(tmp_path):
    spec, (batch,) = spec_with(MERGE), batches_of([2], spec_with(MERGE))
    text = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 3, 4], np.int32)), pa.py_buffer(b"\xff a\xfe"))
    batch = dataclasses.replace(batch, columns=batch.columns.set_column(0, "text", text))
    _, (one,) = spill_and_regroup(staging_in(tmp_path / "a"), [batch], spec, ROOMY, 1)
    assert [run.num_examples for run in one.runs] == [2]


def test_a_run_that_is_damaged_is_refused(tmp_path):
    spec = spec_with(SPLIT)
    for position, message in ((30, "CRC"), (-1, "cut short")):
        staging = staging_in(tmp_path / str(position))
        (run,) = spill(staging, batches_of([20], spec), spec, ROOMY)
        path = tmp_path / str(position) / str(run.path)
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(data if position > 0 else data[:-100])
        with pytest.raises(CorruptError, match=message):
            regroup(staging, [run], spec, ROOMY, 1)


def test_a_group_of_any_size_takes_the_memory_of_a_chunk(tmp_path):
    spec = spec_with({"max_examples": 1_000, "too_large": "split"})
    staging = staging_in(tmp_path / "a")
    text = "word " * 400
    batches = []
    for start in range(0, 20_000, 2_000):
        rows = np.arange(start, start + 2_000)
        columns = pa.record_batch({"text": [text] * 2_000, "number": rows})
        ids = pa.array([b"one"] * 2_000)
        batches.append(Batch(Piece(0, "p"), start, rows, columns, None, ids, Tally(2_000)))
    runs = spill(staging, batches, spec, MemoryBudget(16 << 20, 1, 1))
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        (one,) = regroup(staging, runs, spec, MemoryBudget(3 << 20, 3 << 20, 1 << 12), 1)
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    size = sum(run.size_bytes for run in runs)
    assert (size > 35 << 20, sum(run.num_examples for run in one.runs)) == (True, 20_000)
    assert peak < size / 3


WORDS = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(
    words=st.sets(WORDS, min_size=1),
    excluded=st.sets(WORDS),
    cuts=st.sets(st.integers(1, 15), max_size=4),
    block_hashes=st.integers(1, 5),
    low=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_excluded_groups_are_found_though_hashes_begin_alike(
    tmp_path_factory, words, excluded, cuts, block_hashes, low
):
    staging = staging_in(tmp_path_factory.mktemp("filter") / "staging")
    ranges = []
    for start, end in ((2, None), (0, 2)):
        hashes = sorted(pair for pair in excluded if pair[0] >= start and (end is None or pair[0] < end))
        staging.write(f"hashes-{start}", np.array(hashes, HASH_WORDS).tobytes())
        ranges.append(RegroupedRange(start, end, f"hashes-{start}", len(hashes), {}, (), Tally()))
    of_shard = sorted(pair for pair in words if pair[0] >= low)
    columns = zip(*of_shard, strict=True) if of_shard else ([], [])
    first, last = (pa.array(column, pa.uint64()) for column in columns)
    table = pa.table({"hash_first": first, "hash_last": last, "run": [0] * len(first)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.regroup_filter._BLOCK_HASHES", block_hashes)
        filtering = SegmentFilter(staging, ranges, 1, low, None)
        places = sorted({min(cut, len(table)) for cut in (0, *cuts, 16)})
        found = [filtering.counted(table.slice(start, end - start)).tolist() for start, end in pairwise(places)]
    assert list(chain.from_iterable(found)) == [pair not in excluded for pair in of_shard]
