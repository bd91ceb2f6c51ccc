"""Versions of format 1 open and hold what their source holds. These tests stay when there is a format 2."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import Feature

ReadLines = Callable[[str], list[dict[str, Any]]]


def grouped(examples: list[dict[str, Any]], key: str) -> dict[bytes, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for example in examples:
        groups[str(example[key]).encode()].append(example)
    return dict(groups)


def test_text_holds_what_its_source_holds(golden: Path, source_lines: ReadLines) -> None:
    train = groupstream.open("text@1.0.0", str(golden))["train"]
    lines = [
        line | {"score": float(np.float32(line["score"])), "note": line.get("note")} for line in source_lines("text")
    ]
    assert len(lines) == train.num_examples == 40
    assert {group.id: list(group.examples()) for group in train} == grouped(lines, "author")


def test_tags_holds_what_its_source_holds(golden: Path, source_lines: ReadLines) -> None:
    train = groupstream.open("tags@1.0.0", str(golden))["train"]
    lines = [line | {"counts": line.get("counts")} for line in source_lines("tags")]
    assert len(lines) == train.num_examples == 24
    assert {group.id: list(group.examples()) for group in train} == grouped(lines, "site")


def test_digits_holds_what_its_source_holds(golden: Path) -> None:
    train = groupstream.open("digits@1.0.0", str(golden))["train"]
    sources = golden.parent / "sources"
    images, labels = ((sources / f"digits-{name}-ubyte").read_bytes() for name in ("images-idx3", "labels-idx1"))
    count, height, width = struct.unpack(">III", images[4:16])
    pixels = np.frombuffer(images[16:], np.uint8).reshape(count, height, width, 1).tolist()
    source = [{"image": pixels[i], "label": labels[8 + i]} for i in range(count)]
    found = {g.id: [e | {"image": e["image"].tolist()} for e in g.examples()] for g in train}
    assert count == 20
    assert found == grouped(source, "label")


def test_the_features_are_those_that_were_written(golden: Path) -> None:
    assert groupstream.open("text", str(golden)).features == {
        "author": Feature(dtype="string"),
        "note": Feature(dtype="string", optional=True),
        "score": Feature(dtype="float32"),
        "text": Feature(dtype="string"),
        "year": Feature(dtype="int64"),
    }
    assert groupstream.open("tags", str(golden)).features == {
        "counts": Feature(dtype="int64", shape=(None,), optional=True),
        "seen": Feature(dtype="bool"),
        "site": Feature(dtype="string"),
        "tags": Feature(dtype="string", shape=(None,)),
    }
    assert groupstream.open("digits", str(golden)).features == {
        "image": Feature(dtype="uint8", shape=(4, 4, 1)),
        "label": Feature(dtype="int64"),
    }


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_a_golden_version_is_as_it_was_written(golden: Path, name: str) -> None:
    from groupstream.verify import verify

    dataset = groupstream.open(name, str(golden))
    assert dataset.manifest.format_version == 1
    assert verify(dataset) == dataset["train"].num_examples
