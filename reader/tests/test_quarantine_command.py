"""`groupstream quarantine`: what was rejected, shown safely."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import CorruptError, Feature, RefNotFoundError, UsageError, layout
from groupstream.commit import read_claim
from groupstream.examples.encoding import encode_examples
from groupstream.features import arrow_schema
from groupstream.manifest import Counts
from groupstream.quarantine import find_quarantine
from groupstream.stores import LocalStore
from groupstream.testing import FolderServer

REASONS = ["text: min_length 1", "year: null", "text: min_length 1", "author: pattern ^a\x1b[31m"]
PLACES = ["text.jsonl row 2", "text.jsonl row 7", "text.jsonl row 1,012", "\x1b]0;x\x07.jsonl row 3"]
Invoke = Callable[..., str]


def records_of(features: dict[str, Feature]) -> pa.Array:
    """Of four examples as a version has them: one without a year, one with an empty text."""
    optional = {name: feature.model_copy(update={"optional": True}) for name, feature in features.items()}
    rows: list[dict[str, Any]] = [
        {"author": "ann", "text": "", "year": 2001, "score": 0.5},
        {"author": "bob", "text": "without\na year"},
        {"author": "b\x1b[31m", "text": "", "year": 1999, "score": 1.5},
        {"author": "zoe", "text": "x" * 900, "year": 2000, "score": 2.5, "note": "n"},
    ]
    return encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(optional)), optional)


def write_quarantine(file: Path, records: pa.Array, row_group_size: int = 2) -> None:
    columns = {"reason": REASONS, "place": PLACES, "piece_index": [0, 0, 0, 1], "row": [1, 6, 1011, 2]}
    table = pa.table({**columns, "example": records.cast(pa.large_binary())})
    file.parent.mkdir(parents=True)
    pq.write_table(table, file, compression="zstd", row_group_size=row_group_size)


@pytest.fixture
def rejected(golden_copy: Path) -> Path:
    """A root with text@1.0.0, whose build rejected four examples; their quarantine."""
    folder = golden_copy / "text" / "1.0.0"
    manifest = groupstream.open(folder).manifest
    counts = Counts(examples_in=44, examples_out=40, dropped={f"check {r}": REASONS.count(r) for r in REASONS})
    (folder / layout.MANIFEST).write_bytes(manifest.model_copy(update={"counts": counts}).to_json())
    run = read_claim(LocalStore(golden_copy), "text/1.0.0")["run"]
    file = golden_copy / layout.REPORTS / "text" / run / layout.QUARANTINE
    write_quarantine(file, records_of(dict(manifest.features)))
    return file


@pytest.fixture
def shown_here(shown: Invoke, golden_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(golden_copy))
    return shown


def test_reasons_are_counted_and_examples_shown_safely(shown_here: Invoke, rejected: Path) -> None:
    lines = shown_here("quarantine", "text").splitlines()
    assert lines[0] == "text@1.0.0: 4 examples broke a check"
    assert [line.strip().split(maxsplit=1) for line in lines[1:5]] == [
        ["examples", "reason"],
        ["2", "text: min_length 1"],
        ["1", r"author: pattern ^a\x1b[31m"],
        ["1", "year: null"],
    ]
    titles = [line for line in lines[5:] if line and not line.startswith(" ")]
    assert titles == [
        "text.jsonl row 2  (text: min_length 1)",
        "text.jsonl row 7  (year: null)",
        "text.jsonl row 1,012  (text: min_length 1)",
        r"\x1b]0;x\x07.jsonl row 3  (author: pattern ^a\x1b[31m)",
    ]
    everything = "\n".join(lines)
    assert "\x1b" not in everything and "(missing)" in everything and "without a year" in everything
    assert "x" * 200 in everything.replace("\n", "").replace(" ", "") and "x" * 250 not in everything


def test_json_has_the_values_whole(shown_here: Invoke, rejected: Path) -> None:
    found = json.loads(shown_here("quarantine", "text@1.0.0", "--json"))
    assert (found["of"], found["num_rejected"]) == ("text@1.0.0", 4)
    assert found["reasons"] == {REASONS[0]: 2, REASONS[3]: 1, REASONS[1]: 1}
    assert [(one["place"], one["reason"]) for one in found["examples"]] == list(zip(PLACES, REASONS, strict=True))
    assert found["examples"][1]["example"]["year"] is None
    assert found["examples"][3]["example"]["text"] == "x" * 900


def test_reason_and_limit_choose(shown_here: Invoke, rejected: Path) -> None:
    found = json.loads(shown_here("quarantine", "text", "--json", "--reason", "min_length", "--limit", "1"))
    assert (found["num_rejected"], found["reasons"]) == (2, {REASONS[0]: 2})
    assert [one["place"] for one in found["examples"]] == PLACES[:1]
    lengths = [
        len(json.loads(shown_here("quarantine", "text", "--json", "--limit", str(n)))["examples"]) for n in range(6)
    ]
    assert lengths == [0, 1, 2, 3, 4, 4]
    assert shown_here("quarantine", "text", "--reason", "nothing") == "text@1.0.0: no example broke such a check\n"


def test_a_run_and_the_folder_of_a_report_are_found(shown_here: Invoke, rejected: Path) -> None:
    run = rejected.parent.name
    by_ref = json.loads(shown_here("quarantine", "text", "--json"))
    for named, arguments in (
        (f"run {run} of text", ("text", "--run", run)),
        (str(rejected.parent), (str(rejected.parent),)),
        (str(rejected), (str(rejected),)),
    ):
        found = json.loads(shown_here("quarantine", *arguments, "--json"))
        assert found["of"] == named
        assert found["reasons"] == by_ref["reasons"]
        without_nulls = [{k: v for k, v in one["example"].items() if v is not None} for one in found["examples"]]
        assert without_nulls == [{k: v for k, v in e["example"].items() if v is not None} for e in by_ref["examples"]]


def test_a_version_is_found_by_its_folder_and_its_address(golden_copy: Path, rejected: Path, cache: Path) -> None:
    expected = {REASONS[0]: 2, REASONS[3]: 1, REASONS[1]: 1}
    assert find_quarantine(str(golden_copy / "text" / "1.0.0")).file.reasons() == expected
    pytest.importorskip("requests")
    with FolderServer(golden_copy) as server:
        for ref in (f"{server.url}/text/1.0.0", f"{server.url}/.reports/text/{rejected.parent.name}"):
            found = find_quarantine(ref)
            assert found.file.reasons() == expected
            assert [len(batch) for batch in found.file.batches("min_length")] == [2]


def test_a_version_that_rejected_nothing_says_so(shown: Invoke) -> None:
    assert shown("quarantine", "text") == "text@1.0.0: no example broke a check\n"
    assert json.loads(shown("quarantine", "text", "--json")) == {
        "of": "text@1.0.0",
        "num_rejected": 0,
        "reasons": {},
        "examples": [],
    }


def test_a_quarantine_that_is_gone_or_broken_is_named(golden_copy: Path, rejected: Path) -> None:
    rejected.write_bytes(rejected.read_bytes()[:-20])
    with pytest.raises(CorruptError, match=r"quarantine\.parquet is no quarantine: "):
        find_quarantine("text", str(golden_copy))
    rejected.unlink()
    with pytest.raises(
        RefNotFoundError, match=r"4 examples broke a check when text@1\.0\.0 .* quarantine is gone: .*\.reports"
    ):
        find_quarantine("text", str(golden_copy))
    with pytest.raises(RefNotFoundError, match=r"in run 123 of text no example broke a check, or there is no such run"):
        find_quarantine("text", str(golden_copy), "123")
    for name, run in (("text", "../../x"), ("..", "123"), ("text", ".")):
        with pytest.raises(UsageError, match="give the name of a dataset and the id of one of its runs"):
            find_quarantine(name, str(golden_copy), run)
