"""Which number a version gets, and that no other build gets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from groupstream import ConflictError, Feature, SpecError
from groupstream.catalog import describe_published, update_catalog
from groupstream.catalog.changes import add_version, set_deleted
from groupstream.commit import claim_version, commit_version
from groupstream.dataset import open_dataset
from groupstream.layout import MANIFEST, TOMBSTONE
from groupstream.stores import LocalStore
from pipelines.changes import changes_between
from pipelines.claims import Number, claim_number, find_built
from pipelines.draft import Draft
from pipelines.numbering import Level, level_between
from pipelines.plan import Plan, make_plan
from specs import Spec

RUN = {"run": "first", "created_at": "2026-11-28T20:00:00Z"}
NOW = datetime(2026, 11, 28, tzinfo=UTC)
FEATURES = {"x": Feature(dtype="int64")}
Groups = Mapping[str, list[int]]
SMALL: Groups = {"a": [1, 2], "b": [3]}
LARGE: Groups = {**SMALL, "c": [4, 5]}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "datasets")


class Builds:
    """Builds of the dataset `test`, each with a plan of its own seed, and groups as wanted."""

    def __init__(self, store: LocalStore, source: Path, make_draft: Callable[..., Draft]) -> None:
        self._store = store
        self._source = source
        self._make_draft = make_draft

    def plan(self, seed: int = 0, version: str | None = None, **changes: Any) -> Plan:
        fields = {"name": "test", "source": {"kind": "jsonl", "paths": [f"{self._source}/*"]}, "seed": seed}
        fields |= {"partitioner": {"kind": "feature", "feature": "key"}, "publish": {"version": version}}
        return make_plan(Spec.model_validate({**fields, **changes}, extra="forbid"))

    def draft(self, groups: Groups, plan: Plan) -> Draft:
        splits = {"train": {name.encode(): [{"x": x} for x in values] for name, values in groups.items()}}
        made = {"seed": plan.spec.seed, "digest": plan.digest, "spec": plan.spec.resolved()}
        return self._make_draft(splits, FEATURES, self._store, name="test", **made)

    def claim(self, groups: Groups = SMALL, seed: int = 0, version: str | None = None) -> Number:
        plan = self.plan(seed, version)
        return claim_number(plan, self._store, RUN, self.draft(groups, plan))

    def publish(self, groups: Groups = SMALL, seed: int = 0, version: str | None = None) -> str:
        plan = self.plan(seed, version)
        draft = self.draft(groups, plan)
        number = claim_number(plan, self._store, RUN, draft).version
        manifest = draft.manifest.model_copy(update={"version": number})
        commit_version(self._store, f"test/{number}", manifest, draft.files)
        return number


@pytest.fixture
def builds(store: LocalStore, jsonl_source: Path, make_draft: Callable[..., Draft]) -> Builds:
    return Builds(store, jsonl_source, make_draft)


def test_the_number_follows_from_what_changed(builds: Builds) -> None:
    assert builds.publish() == "1.0.0"
    assert builds.publish(seed=1) == "1.0.1"
    assert builds.publish(LARGE, seed=2) == "1.1.0"
    assert builds.publish(LARGE, seed=3) == "1.1.1"
    assert builds.publish({**LARGE, "a": [1, 7]}, seed=4) == "2.0.0"
    found = builds.claim(SMALL, seed=5)
    assert str(found) == "3.0.0" and found.changes is not None and found.changes.level == Level.MAJOR
    assert found.why == "major: 1 group removed (compared with 2.0.0)"


def test_the_first_version_has_none_to_be_compared_with(builds: Builds) -> None:
    assert builds.claim() == Number("1.0.0", "there is no version before it")


def test_a_plan_finds_what_it_built_and_claims_no_other_number(builds: Builds, store: LocalStore) -> None:
    assert find_built(builds.plan(), store) is None
    assert builds.claim().version == "1.0.0"
    assert find_built(builds.plan(), store) is None, "claimed is not published"
    builds.publish()
    builds.publish(LARGE, seed=1)
    assert find_built(builds.plan(), store) == "1.0.0"
    assert builds.claim() == Number("1.0.0", "another run has published it meanwhile")


def test_a_claimed_number_is_left_to_its_build(builds: Builds) -> None:
    assert builds.claim().version == "1.0.0"
    assert builds.claim(seed=1).version == "2.0.0", "nobody knows yet what 1.0.0 will hold"
    assert builds.claim().version == "1.0.0", "the same build goes on with its claim"


def test_an_addition_beside_an_addition_of_another_build_is_a_major_version(builds: Builds) -> None:
    builds.publish()
    assert builds.claim(LARGE, seed=1).version == "1.1.0"
    found = builds.claim({**SMALL, "d": [9]}, seed=2)
    assert found.version == "2.0.0" and "minor: 1 group added (compared with 1.0.0; the number" in found.why
    assert builds.claim(seed=3).version == "1.0.1", "the same examples are a patch whatever the other one holds"


def test_a_number_of_the_spec_is_claimed_or_refused(builds: Builds) -> None:
    assert builds.claim(version="1.2.3").version == "1.2.3"
    with pytest.raises(
        ConflictError, match=r"test@1.2.3 .*, by run first since 2026-.* Set publish.version to another"
    ):
        builds.claim(seed=1, version="1.2.3")
    assert builds.publish(version="1.2.3") == builds.publish(version="1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("groups", "version", "words"),
    [
        (LARGE, "1.0.1", "promises the same examples as 1.0.0; but: 1 group added. Leave it out, or write 1.1.0"),
        ({"a": [1, 2]}, "1.0.1", "promises the same .* but: 1 group removed. Leave it out, or write 2.0.0"),
        (
            {"a": [2, 1], "b": [3]},
            "1.4.0",
            "promises all that 1.0.0 has, unchanged; but: 1 group with other examples, ",
        ),
        (SMALL, "1.0.1", None),
        (SMALL, "1.1.0", None),
        (LARGE, "1.1.5", None),
        (LARGE, "7.0.0", None),
        ({"z": [1]}, "2.3.1", None),
        ({"z": [1]}, "0.9.1", None),
    ],
)
def test_a_number_of_the_spec_may_not_promise_what_is_not_so(
    builds: Builds, groups: Groups, version: str, words: str | None
) -> None:
    builds.publish(version="1.0.0")
    if words is None:
        assert builds.claim(groups, seed=1, version=version).version == version
        return
    with pytest.raises(SpecError, match=f"publish.version {version}.*{words}"):
        builds.claim(groups, seed=1, version=version)
    assert builds.claim(groups, seed=1).version != version


def test_an_old_line_is_patched_by_what_lies_around_the_number(builds: Builds) -> None:
    builds.publish(SMALL)
    builds.publish({**LARGE, "d": [6]}, seed=1, version="1.2.0")
    builds.publish({"z": [0]}, seed=2)
    assert builds.claim(SMALL, seed=3, version="1.0.1").version == "1.0.1"
    assert builds.claim(LARGE, seed=5, version="1.1.1").version == "1.1.1", "between the two in content, too"
    with pytest.raises(SpecError, match=r"publish.version 1.0.2 promises the same .* Leave it out, or write 3.0.0"):
        builds.claim(LARGE, seed=6, version="1.0.2")
    with pytest.raises(
        SpecError, match=r"1.2.0 is published and promises all that 1.1.7 has.*in 1.2.0: 1 group removed"
    ):
        builds.claim({**SMALL, "e": [1]}, seed=7, version="1.1.7")


def test_a_number_of_the_spec_makes_way_for_what_nobody_knows_yet(builds: Builds) -> None:
    builds.publish()
    builds.claim(LARGE, seed=1)
    with pytest.raises(ConflictError, match=r"1.1.0 was claimed by run first since .*Leave it out, or write 2.0.0"):
        builds.claim({**SMALL, "d": [9]}, seed=2, version="1.2.0")


@pytest.mark.parametrize("how", ["catalog", "tombstone"])
def test_the_number_of_a_deleted_version_is_never_used_again(builds: Builds, store: LocalStore, how: str) -> None:
    builds.publish()
    builds.publish(seed=1)
    dataset = open_dataset("test@1.0.1", store.root)
    content = store.read(f"test/1.0.1/{MANIFEST}")
    published = describe_published(dataset.manifest, content, NOW, None)
    if how == "catalog":
        update_catalog(store, "test", lambda catalog: add_version(catalog, published))
        update_catalog(store, "test", lambda catalog: set_deleted(catalog, "1.0.1", "wrong", NOW))
    else:
        store.put_if_absent(f"test/1.0.1/{TOMBSTONE}", b"{}")
    assert find_built(builds.plan(seed=1), store) is None
    assert builds.claim(seed=1).version == "1.0.2", "not even by the build that had it"
    with pytest.raises(ConflictError, match=r"test@1.0.1 .* was deleted, and its number is never used again"):
        builds.claim(seed=2, version="1.0.1")


def test_after_a_version_that_cannot_be_read_comes_a_major_one(builds: Builds, store: LocalStore) -> None:
    claim_version(store, "test/1.3.0", "other", {})
    store.put_if_absent(f"test/1.3.0/{MANIFEST}", b"{}")
    found = builds.claim()
    assert found.version == "2.0.0" and "cannot be compared: " in found.why


def at_once(work: list[Callable[[], Any]]) -> list[Any]:
    """What each gives, all begun at the same time."""
    start, found = threading.Barrier(len(work)), [None] * len(work)

    def one(place: int) -> None:
        start.wait()
        found[place] = work[place]()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_builds_of_one_plan_at_once_get_one_number(builds: Builds) -> None:
    builds.publish()
    assert {n.version for n in at_once([lambda: builds.claim(LARGE, seed=1)] * 4)} == {"1.1.0"}


def test_builds_of_several_plans_at_once_get_numbers_that_are_true(builds: Builds, store: LocalStore) -> None:
    builds.publish()
    contents = [SMALL, LARGE, {**SMALL, "d": [1]}, {"a": [1]}, SMALL, {**LARGE, "d": [1]}]
    numbers = at_once([lambda i=i, c=c: builds.publish(c, seed=i + 1) for i, c in enumerate(contents)])
    assert len(set(numbers)) == len(contents)
    versions = {n: open_dataset(f"test@{n}", store.root) for n in numbers}
    for older, newer in ((a, b) for a in versions for b in versions if level_order(a) < level_order(b)):
        assert changes_between(versions[older], versions[newer]).level <= level_between(older, newer), numbers


def level_order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
