"""`groupstream diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from groupstream import Feature, Manifest
from groupstream.commit import describe_file
from groupstream.group_table import LABEL_SCHEMA, write_group_table

TEXT, NUMBER = Feature(dtype="string"), Feature(dtype="int64")


@pytest.fixture
def pair(make_version: Any) -> Any:
    """Publishes two versions, given by the sizes of their groups: 1.0.0 and 2.0.0 of `made`."""

    def make(before: dict[str, int], after: dict[str, int], **fields: Any) -> str:
        for version, sizes in (("1.0.0", before), ("2.0.0", after)):
            ids = [name.encode() for name, size in sizes.items() for _ in range(size)]
            features = {"x": TEXT} if version == "1.0.0" else fields.pop("features", {"x": TEXT})
            example = {name: "a" if feature.dtype == "string" else 300 for name, feature in features.items()}
            own = fields if version == "2.0.0" else {}
            root = make_version([example] * len(ids), ids, features, version=version, **own)
        return str(root)

    return make


SIZES = {"kept": 2, "grown": 3, "shrunk": 9, "removed": 1}
LATER = {"kept": 2, "grown": 8, "shrunk": 2, "added": 1, "added too": 4}


@pytest.mark.parametrize("seed", [0, 1])
def test_groups_are_compared_also_where_the_seeds_differ(pair: Any, shown: Any, seed: int) -> None:
    root = pair(SIZES, LATER, seed=seed)
    found = json.loads(shown("diff", "made@1.0.0", "made", "--root", root, "--largest", "3", "--json"))
    train = found["splits"]["train"]
    assert train["groups"] == {"added": 2, "removed": 1, "grown": 1, "shrunk": 1, "rewritten": 0, "kept": 1}
    assert train["largest_changes"] == [
        {"group_id": "shrunk", "examples_before": 9, "examples_after": 2},
        {"group_id": "grown", "examples_before": 3, "examples_after": 8},
        {"group_id": "added too", "examples_before": 0, "examples_after": 4},
    ]
    assert (train["before"]["num_examples"], train["after"]["num_examples"]) == (15, 17)
    assert found["settings"]["changed"] == ({"seed": [0, 1]} if seed else {})


def test_features_and_settings_are_compared(pair: Any, shown: Any) -> None:
    root = pair(
        SIZES, SIZES, features={"y": NUMBER, "x": Feature(dtype="string", optional=True)}, source={"kind": "csv"}
    )
    found = json.loads(shown("diff", "made@1.0.0", "made@2.0.0", "--root", root, "--json"))
    assert list(found["features"]["added"]) == ["y"]
    assert [side["optional"] for side in found["features"]["changed"]["x"]] == [False, True]
    assert found["settings"]["added"] == {"source.kind": "csv"}
    text = shown("diff", "made@1.0.0", "made@2.0.0", "--root", root)
    assert "+  y  dtype=int64" in text
    assert "optional=True" in text
    backwards = json.loads(shown("diff", "made@2.0.0", "made@1.0.0", "--root", root, "--json"))
    assert backwards["features"]["removed"] == found["features"]["added"]


def test_what_was_done_with_small_and_large_groups_is_a_setting_and_other_checks_are_none(
    pair: Any, shown: Any
) -> None:
    groups = {"too_small": "merge", "min_examples": 3, "merged_group": "rest", "too_large": "fail", "max_examples": 9}
    root = pair(SIZES, SIZES, spec={"checks": {"groups": {**groups, "min_groups": 2}}, "license": ""})
    found = json.loads(shown("diff", "made@1.0.0", "made@2.0.0", "--root", root, "--json"))
    assert found["settings"]["added"] == {
        "checks.groups.too_small": "merge",
        "checks.groups.min_examples": 3,
        "checks.groups.merged_group": "rest",
    }


def test_groups_of_as_many_examples_in_other_bytes_are_seen(pair: Any, shown: Any) -> None:
    root = pair({"a": 1}, {"a": 1}, features={"x": NUMBER})
    groups = json.loads(shown("diff", "made@1.0.0", "made", "--root", root, "--json"))["splits"]["train"]["groups"]
    assert (groups["rewritten"], groups["kept"]) == (1, 0)


def test_the_exit_code_tells_only_where_it_is_asked_to(pair: Any, shown: Any) -> None:
    root = pair(SIZES, LATER)
    shown("diff", "made@1.0.0", "made@2.0.0", "--root", root)
    shown("diff", "made@1.0.0", "made@2.0.0", "--root", root, "--exit-code", exit_code=1)
    same = shown("diff", "made@2.0.0", "made@latest", "--root", root, "--exit-code")
    assert "no difference" in same


def test_two_builds_of_the_same_do_not_differ(pair: Any, shown: Any) -> None:
    root = pair(SIZES, SIZES)
    found = json.loads(shown("diff", "made@1.0.0", "made@2.0.0", "--root", root, "--json", "--exit-code"))
    assert (found["differ"], found["splits"]["train"]["same_bytes"]) == (False, True)


def test_a_table_says_it_for_people(pair: Any, shown: Any) -> None:
    text = shown("diff", "made@1.0.0", "made@2.0.0", "--root", pair(SIZES, LATER))
    lines = [line.split() for line in text.splitlines()]
    assert text.startswith("made@1.0.0 -> made@2.0.0")
    assert ["examples", "15", "17", "+2"] in lines
    assert ["2", "added", "only", "after"] in lines
    assert ["9", "2", "-7", "shrunk"] in lines


def test_versions_of_other_datasets_can_be_compared(shown: Any, golden: Path) -> None:
    found = json.loads(shown("diff", "tags", str(golden / "text" / "1.0.0"), "--json"))
    assert (found["before"], found["after"]) == ("tags@1.0.0", "text@1.0.0")
    assert found["splits"]["train"]["groups"]["removed"] > 0


def with_other_splits(root: Path, name: str, splits: dict[str, str]) -> None:
    """Gives a version these splits, each under the name of one that it has."""
    path = root / name / "1.0.0" / "manifest.json"
    manifest = Manifest.from_json(path.read_bytes(), str(path))
    changed = manifest.model_copy(update={"splits": {new: manifest.splits[old] for new, old in splits.items()}})
    path.write_bytes(changed.to_json())


def test_splits_that_only_one_version_has_are_named(golden_copy: Path, shown: Any) -> None:
    with_other_splits(golden_copy, "text", {"train": "train", "test": "train"})
    root = ["--root", str(golden_copy)]
    found = json.loads(shown("diff", "tags", "text", *root, "--json"))
    assert (found["splits"]["test"]["before"], found["differ"]) == (None, True)
    assert "split test only after: 8 groups" in shown("diff", "tags", "text", *root)
    assert "split test only before: 8 groups" in shown("diff", "text", "tags", *root)
    assert [s["split"] for s in json.loads(shown("stats", "text", *root, "--json"))] == ["test", "train"]
    assert [s["split"] for s in json.loads(shown("stats", "text", "--split", "test", *root, "--json"))] == ["test"]
    assert "test       8 groups" in shown("info", "text", *root)


def with_labels(folder: Path, labels: list[tuple[int, bytes, int]]) -> None:
    """Gives a version a label table: row of the group, label, examples."""
    table = folder / "train.labels.parquet"
    rows = [dict(zip(LABEL_SCHEMA.names, row, strict=True)) for row in labels]
    write_group_table(table, [pa.Table.from_pylist(rows, LABEL_SCHEMA)], LABEL_SCHEMA)
    path = folder / "manifest.json"
    manifest = Manifest.from_json(path.read_bytes(), str(path))
    files = (*manifest.files, describe_file(table.name, table))
    path.write_bytes(manifest.model_copy(update={"files": files}).to_json())


def test_labels_of_all_examples_are_compared_where_both_have_them(pair: Any, shown: Any) -> None:
    root = pair({"a": 6, "b": 4}, {"a": 9, "b": 1})
    with_labels(Path(root) / "made" / "1.0.0", [(0, b"\xff\x1b", 6), (1, b"x", 4)])
    arguments = ["diff", "made@1.0.0", "made@2.0.0", "--root", root]
    assert "labels" not in json.loads(shown(*arguments, "--json"))["splits"]["train"]
    with_labels(Path(root) / "made" / "2.0.0", [(0, b"\xff\x1b", 3), (0, b"x", 4), (0, b"y", 2), (1, b"y", 1)])
    assert json.loads(shown(*arguments, "--largest", "2", "--json"))["splits"]["train"]["labels"] == {
        "distance": 0.3,
        "examples_before": 10,
        "examples_after": 10,
        "largest_changes": [
            {"label": "y", "examples_before": 0, "examples_after": 3, "share_before": 0.0, "share_after": 0.3},
            {
                "label": "\\xff\x1b",
                "examples_before": 6,
                "examples_after": 3,
                "share_before": 0.6,
                "share_after": 0.3,
            },
        ],
    }
    text = shown(*arguments)
    assert "labels of all examples: a total variation distance of 0.3" in text
    assert ["60.00%", "30.00%", "-30.00%", r"\xff\x1b"] in [line.split() for line in text.splitlines()]
    same = shown("diff", "made@1.0.0", "made@1.0.0", "--root", root, "--json")
    assert json.loads(same)["splits"]["train"]["labels"]["distance"] == 0
