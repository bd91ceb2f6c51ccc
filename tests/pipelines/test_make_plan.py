"""What a plan refuses of a spec, once the features of the source are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from groupstream import SpecError
from pipelines.plan import make_plan
from specs import Spec


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("row", "text_features names 'row', which is int64; only text has words. Leave it out"),
        ("words", "text_features names feature 'words', which the source does not give"),
    ],
)
def test_words_are_counted_of_text_only(jsonl_source, feature, said):
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "text_features": ["text", feature],
    }
    with pytest.raises(SpecError, match=said):
        make_plan(Spec.model_validate(fields, extra="forbid"))


def test_the_ids_that_are_expected_belong_to_the_digest_and_their_place_does_not(jsonl_source, tmp_path):
    def digest(file: Path, content: str) -> str:
        file.write_text(content)
        fields = {
            "name": "test",
            "source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"]},
            "partitioner": {"kind": "feature", "feature": "key"},
            "checks": {"groups": {"expected": ["x"], "expected_file": str(file)}},
        }
        return make_plan(Spec.model_validate(fields, extra="forbid")).digest

    first = digest(tmp_path / "ids.txt", "a\nb\n")
    assert digest(tmp_path / "others.txt", "a\r\nb") == first
    assert digest(tmp_path / "ids.txt", "a\nc\n") != first


def test_the_digest_follows_the_content_not_the_place(jsonl_source, tmp_path):
    def digest(**changes) -> str:
        source = {"kind": "jsonl", "paths": [f"{jsonl_source}/*"]}
        fields = {"name": "test", "source": source, "partitioner": {"kind": "feature", "feature": "key"}}
        return make_plan(Spec.model_validate({**fields, **changes}, extra="forbid")).digest

    plain = digest()
    assert digest(runner={"num_workers": 2}, publish={"root": "/elsewhere"}) == plain
    jsonl_source.rename(tmp_path / "moved")
    moved = {"kind": "jsonl", "paths": [f"{tmp_path}/moved/*"]}
    assert digest(source=moved) == plain
    changed = tmp_path / "moved" / "part-0.jsonl"
    changed.write_text(changed.read_text() + '{"key": "k", "text": "t", "file": 0, "row": 0}\n')
    assert digest(source=moved) != plain
    assert len({digest(source=moved, seed=s) for s in range(3)}) == 3
