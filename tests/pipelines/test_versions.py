"""Which number a version gets."""

from __future__ import annotations

import pytest

from groupstream import ConflictError
from groupstream.stores import LocalStore
from pipelines.plan import Plan, make_plan
from pipelines.versions import claim_number, find_built
from specs import Spec

RUN = {"run": "test"}


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "datasets")


@pytest.fixture
def make(jsonl_source):
    def plan(**changes) -> Plan:
        source = {"kind": "jsonl", "paths": [f"{jsonl_source}/*"]}
        fields = {"name": "test", "source": source, "partitioner": {"kind": "feature", "feature": "key"}}
        return make_plan(Spec.model_validate({**fields, **changes}, extra="forbid"))

    return plan


def publish(store: LocalStore, version: str) -> None:
    store.put_if_absent(f"test/{version}/manifest.json", b"{}")


def test_numbers_count_up_by_major(store, make):
    for seed, version in enumerate(["1.0.0", "2.0.0", "3.0.0"]):
        assert claim_number(make(seed=seed), store, RUN) == version
        publish(store, version)


def test_a_plan_finds_what_it_built_and_claims_no_other_number(store, make):
    assert find_built(make(), store) is None
    assert claim_number(make(), store, RUN) == "1.0.0"
    assert find_built(make(), store) is None, "claimed is not published"
    publish(store, "1.0.0")
    claim_number(make(seed=1), store, RUN)
    publish(store, "2.0.0")
    assert find_built(make(), store) == "1.0.0"
    assert claim_number(make(), store, RUN) == "1.0.0", "another run published it meanwhile"


def test_a_claimed_number_is_left_to_its_build(store, make):
    assert claim_number(make(), store, RUN) == "1.0.0"
    assert claim_number(make(seed=1), store, RUN) == "2.0.0"
    assert claim_number(make(), store, RUN) == "1.0.0", "the same build goes on with its claim"


def test_a_number_of_the_spec_is_claimed_or_refused(store, make):
    publish_as = {"publish": {"version": "1.2.3"}}
    assert claim_number(make(**publish_as), store, RUN) == "1.2.3"
    with pytest.raises(ConflictError, match=r"test@1.2.3 .* Set publish.version to another number"):
        claim_number(make(seed=1, **publish_as), store, RUN)


def test_digest_follows_content_not_place(make, jsonl_source, tmp_path):
    plain = make().digest
    assert make(runner={"num_workers": 2}, publish={"root": "/elsewhere"}).digest == plain
    jsonl_source.rename(tmp_path / "moved")
    moved = {"kind": "jsonl", "paths": [f"{tmp_path}/moved/*"]}
    assert make(source=moved).digest == plain
    changed = tmp_path / "moved" / "part-0.jsonl"
    changed.write_text(changed.read_text() + '{"key": "k", "text": "t", "file": 0, "row": 0}\n')
    assert make(source=moved).digest != plain
    assert len({make(source=moved, seed=s).digest for s in range(3)}) == 3
