"""What a build wrote is looked at before it is published, and what is wrong with it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream.commit import describe_file
from groupstream.group_table import write_group_table
from groupstream.manifest import CheckResult, Manifest
from groupstream.stores import LocalStore
from pipelines.draft import Draft, draft_version
from pipelines.integrity import check_draft
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_for
from specs import Spec

SHARD = "train-00001-of-00003.tfrecord"
INDEX = "train.groups.parquet"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """300 examples of 40 groups; some labels are empty, and some are missing."""
    path = tmp_path / "source.jsonl"
    labels = ["a", "b", "", None]
    rows = [{"key": f"k{n % 40}", "text": "word " * (n % 50), "label": labels[n % 7 % 4]} for n in range(300)]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return path


@pytest.fixture
def make_draft(source: Path, tmp_path: Path) -> Iterator[Callable[..., Draft]]:
    """Drafts of three shards, or of whatever is asked for."""
    store = LocalStore(tmp_path / "datasets")
    with staging_for(store, None, is_distributed=False) as staging:

        def make(**changes: Any) -> Draft:
            fields = {
                "name": "test",
                "source": {"kind": "jsonl", "paths": [str(source)]},
                "partitioner": {"kind": "feature", "feature": "key"},
                "publish": {"shard_bytes": 20_000},
            }
            plan = make_plan(Spec.model_validate({**fields, **changes}, extra="forbid"))
            return draft_version(plan, partition(plan, staging), store)

        yield make


@pytest.fixture
def draft(make_draft: Callable[..., Draft]) -> Draft:
    made = make_draft()
    assert SHARD in made.files, list(made.files)
    return made


def failed_in(draft: Draft, sample_bytes: int = 1) -> dict[str, CheckResult]:
    """The checks that failed: where a sample is read, and just as well where all is."""
    return {result.name: result for result in check_draft(draft.dataset, sample_bytes) if not result.passed}


def local(draft: Draft, name: str) -> Path:
    path = draft.files[name]
    assert isinstance(path, Path)
    return path


def described(draft: Draft, name: str, content: bytes) -> Draft:
    """The draft of a build that wrote this instead, and noted its checksums."""
    local(draft, name).write_bytes(content)
    fields = draft.manifest.model_dump(mode="json")
    for file in (*fields["splits"]["train"]["shards"], fields["splits"]["train"]["group_table"]):
        if file["path"] == name:
            file.update(describe_file(name, content).model_dump())
    return replace(draft, manifest=Manifest.model_validate(fields))


def with_index(draft: Draft, name: str, change: Callable[[list[Any]], list[Any]]) -> Draft:
    """The draft of a build that wrote another column of the index."""
    table = pq.read_table(local(draft, INDEX))
    place = table.schema.get_field_index(name)
    field = table.schema.field(place)
    table = table.set_column(place, field, pa.array(change(table[name].to_pylist()), field.type))
    target = local(draft, INDEX).with_name("changed")
    write_group_table(target, [table])
    return described(draft, INDEX, target.read_bytes())


def rows_in(draft: Draft, shard_index: int) -> list[int]:
    shards = pq.read_table(local(draft, INDEX))["shard_index"].to_pylist()
    return [row for row, index in enumerate(shards) if index == shard_index]


@pytest.mark.parametrize("sample_bytes", [1, 10_000, 16 << 20])
def test_a_draft_as_it_should_be_passes(draft: Draft, sample_bytes: int) -> None:
    results = check_draft(draft.dataset, sample_bytes)
    assert len(results) == 7
    assert [result for result in results if not result.passed] == []
    is_sample = sample_bytes < 16 << 20
    assert results[-1].observed.startswith("40 groups") != is_sample
    assert results[-1].observed.endswith(", sampled") == is_sample


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": {"by": "group", "fractions": {"train": 0.5, "test": 0.5}}},
        {"splits": {"by": "example", "fractions": {"train": 0.5, "test": 0.5}}},
        {"label_feature": ""},
        {"label_feature": "text"},
        {"publish": {}},
        {"checks": {"examples": {"text": {"min_length": 40}}, "max_rejected": 300}},
        {"checks": {"groups": {"min_examples": 8, "too_small": "merge", "max_examples": 20, "too_large": "split"}}},
        {"checks": {"groups": {"max_examples": 7, "too_large": "cap"}}},
    ],
)
def test_drafts_of_every_kind_pass(make_draft: Callable[..., Draft], changes: dict[str, Any]) -> None:
    assert failed_in(make_draft(**changes), 16 << 20) == {}


def test_the_same_spec_gives_the_same_results_wherever_it_is_built(make_draft: Callable[..., Draft]) -> None:
    first, second = (check_draft(make_draft().dataset, 10_000) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("sample_bytes", [1, 16 << 20])
def test_a_changed_byte_is_found(draft: Draft, sample_bytes: int) -> None:
    path = local(draft, SHARD)
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    failed = failed_in(draft, sample_bytes)
    assert set(failed) == {"groups"} | ({"checksums"} if sample_bytes > 1 else set())
    assert SHARD in failed["groups"].offenders[0]


def test_a_shard_that_is_cut_is_found(draft: Draft) -> None:
    path = local(draft, SHARD)
    path.write_bytes(path.read_bytes()[:-1])
    failed = failed_in(draft)
    assert failed["files"].offenders[0].startswith(f"{SHARD}: size_bytes ")


def test_a_shard_that_is_gone_is_found_and_the_others_are_checked(draft: Draft) -> None:
    local(draft, SHARD).unlink()
    failed = failed_in(draft)
    assert set(failed) == {"files", "groups"}
    assert failed["files"].offenders == (f"{SHARD}: is missing",)


def test_a_shard_that_lacks_its_last_record_is_found(draft: Draft) -> None:
    path = local(draft, SHARD)
    last = pq.read_table(local(draft, INDEX)).slice(rows_in(draft, 1)[-1], 1).to_pylist()[0]
    failed = failed_in(described(draft, SHARD, path.read_bytes()[: last["offset_bytes"]]))
    assert failed["order of the index"].offenders[0].startswith(f"{SHARD}: its groups end at byte ")


def test_a_group_table_that_disagrees_is_found(draft: Draft) -> None:
    failed = failed_in(with_index(draft, "num_words", lambda v: [v[0] + 1, *v[1:]]))
    assert set(failed) == {"sums of the index"}
    assert failed["sums of the index"].offenders[0].startswith(f"{INDEX}: num_words ")


def test_a_wrong_count_is_found(draft: Draft) -> None:
    counts = draft.manifest.counts.model_copy(update={"examples_out": 299})
    failed = failed_in(replace(draft, manifest=draft.manifest.model_copy(update={"counts": counts})))
    assert set(failed) == {"sums of the index"}
    assert failed["sums of the index"].offenders == (
        "manifest.json: examples_out make 299 examples, the splits have 300",
    )


def test_two_groups_that_are_swapped_are_found(draft: Draft) -> None:
    first, second = rows_in(draft, 1)[:2]
    table = pq.read_table(local(draft, INDEX)).take([first, second]).to_pylist()
    content, middle, end = local(draft, SHARD).read_bytes(), table[0]["length_bytes"], table[1]["offset_bytes"]
    end += table[1]["length_bytes"]
    failed = failed_in(described(draft, SHARD, content[middle:end] + content[:middle] + content[end:]))
    assert set(failed) == {"groups"}
    assert failed["groups"].offenders[0].startswith(f"group '{table[0]['group_id'].decode()}' of train: ")


def test_a_group_that_is_divided_between_shards_is_found(draft: Draft) -> None:
    last, first = rows_in(draft, 0)[-1], rows_in(draft, 1)[0]
    divided = with_index(draft, "group_id", lambda v: [*v[:first], v[last], *v[first + 1 :]])
    divided = with_index(divided, "group_hash", lambda v: [*v[:first], v[last], *v[first + 1 :]])
    failed = failed_in(divided)
    name = pq.read_table(local(draft, INDEX))["group_id"][last].as_py().decode()
    assert failed["order of the index"].offenders[0] == f"group '{name}' of train: out of order"
    assert "groups" in failed


def test_labels_that_are_not_those_of_the_groups_are_found(draft: Draft) -> None:
    path = local(draft, "train.labels.parquet")
    table = pq.read_table(path)
    write_group_table(path.with_name("changed"), [table.take([0, *range(len(table))])], table.schema)
    content = path.with_name("changed").read_bytes()
    path.write_bytes(content)
    files = (describe_file("train.labels.parquet", content),)
    failed = failed_in(replace(draft, manifest=draft.manifest.model_copy(update={"files": files})))
    assert set(failed) == {"label tables"}
