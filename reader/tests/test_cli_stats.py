"""`groupstream stats` and `groupstream groups`: what they say is what the data holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import Feature

STATS_KEYS = ["total", "mean", "percentiles", "max", "gini", "share_of_largest", "share_of_singletons"]


def without_data(root: Path) -> None:
    """Removes the shards: what still works has not read them."""
    for shard in root.rglob("*.tfrecord"):
        shard.unlink()


def test_stats_are_those_of_the_groups(shown: Any, golden: Path) -> None:
    [found] = json.loads(shown("stats", "text", "--json"))
    groups = list(groupstream.open("text", str(golden))["train"])
    assert (found["ref"], found["split"], found["num_groups"]) == ("text@1.0.0", "train", len(groups))
    for unit in ("examples", "bytes", "words"):
        sizes = [getattr(group, f"num_{unit}") for group in groups]
        assert list(found["sizes"][unit]) == STATS_KEYS
        assert (found["sizes"][unit]["total"], found["sizes"][unit]["max"]) == (sum(sizes), max(sizes))
    bins = found["histogram"]["bins"]
    assert sum(b["num_groups"] for b in bins) == len(groups)
    assert sum(b["total"] for b in bins) == found["sizes"]["examples"]["total"]


def test_the_histogram_is_of_what_was_asked_for(shown: Any) -> None:
    [found] = json.loads(shown("stats", "text", "--by", "words", "--json"))
    assert found["histogram"]["by"] == "words"
    assert sum(b["total"] for b in found["histogram"]["bins"]) == found["sizes"]["words"]["total"] == 186


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_stats_keep_to_the_width(shown: Any, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = shown("stats", "text").splitlines()
    assert max(map(len, lines)) <= columns
    longest = max(line.count("█") for line in lines)
    assert longest == 60 or max(map(len, lines)) == columns, "the largest bin fills what room there is"
    assert longest >= 20
    assert "\x1b" not in shown("stats", "text")


def test_stats_and_groups_need_the_index_only(shown: Any, golden_copy: Path) -> None:
    without_data(golden_copy)
    for command in ("stats", "groups"):
        assert "3" in shown(command, "text", "--root", str(golden_copy))
    assert "text" in shown("diff", "text", "tags", "--root", str(golden_copy))


def test_groups_are_listed_as_they_are_stored(shown: Any, golden: Path) -> None:
    split = groupstream.open("text", str(golden))["train"]
    found = json.loads(shown("groups", "text", "--json"))
    assert [(g["group_id"], g["position"], g["num_examples"], g["num_bytes"], g["num_words"]) for g in found] == [
        (g.name, i, g.num_examples, g.num_bytes, g.num_words) for i, g in enumerate(split)
    ]
    assert [(g["shard_index"], g["offset_bytes"], g["length_bytes"]) for g in found] == [
        (row["shard_index"], row["offset_bytes"], row["length_bytes"]) for row in split.group_table().to_pylist()
    ]
    assert {g["shard"] for g in found} <= {shard.path for shard in split.info.shards}


def test_groups_are_chosen_and_ordered(shown: Any) -> None:
    def names(*arguments: str) -> list[str]:
        return [g["group_id"] for g in json.loads(shown("groups", "text", "--json", *arguments))]

    everything = names()
    assert len(everything) == 8
    assert names("--sort", "id") == sorted(everything, key=str.encode)
    assert names("--limit", "3") == everything[:3]
    assert names("--limit", "0") == everything
    assert names("--like", "Lovelace") == names("--sort", "size", "--limit", "1") == ["Ada Lovelace"]
    assert names("--like", "Łuk") == ["Łukasz Żółw"]
    assert names("--min-examples", "9", "--sort", "size") == ["Ada Lovelace", "Łukasz Żółw"]
    assert len(names("--max-examples", "1")) == 8 - len(names("--min-examples", "2"))
    assert names("--like", "nobody") == []


def test_the_table_of_groups_has_the_id_last_and_says_how_many_there_are(shown: Any) -> None:
    lines = shown("groups", "text", "--like", "Ada").splitlines()
    assert lines[0].split() == ["examples", "bytes", "words", "shard", "offset", "group"]
    assert lines[1].split()[0] == "11"
    assert lines[1].endswith("Ada Lovelace")


def test_json_of_groups_has_one_group_a_line(shown: Any) -> None:
    lines = shown("groups", "text", "--json").splitlines()
    assert [json.loads(line.rstrip(","))["position"] for line in lines[1:-1]] == list(range(8))


def test_a_long_id_is_cut_for_a_terminal_and_not_for_a_pipe(
    make_version: Any, shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_id = b"x" * 3_000
    root = str(make_version([{"y": 1}] * 2, [long_id, b"\xffshort"], {"y": Feature(dtype="int64")}))
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown("groups", "made", "--root", root).splitlines()
    assert max(map(len, lines)) == 80
    assert any(line.rstrip().endswith("x…") for line in lines)
    assert any(line.rstrip().endswith(r"\xffshort") for line in lines)
    monkeypatch.delenv("COLUMNS")
    assert long_id.decode() in shown("groups", "made", "--root", root)
