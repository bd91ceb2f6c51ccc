"""Drift checks, against plain computations; a version made to break each limit, and one that just keeps it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groupstream import Dataset, Feature, SpecError
from groupstream.commit import claim_version, commit_version
from groupstream.manifest import CheckResult
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.version_differences import version_differences
from pipelines.checks import in_words
from pipelines.draft import Draft, draft_version
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_for
from specs import load_spec
from validation import Checks, DriftChecks
from validation.drift import check_drift, refuse_impossible_drift, way_out
from validation.size_distance import size_distance

Sizes = Mapping[bytes, int]  # examples by group
MakeVersion = Callable[..., Dataset]

ROOT = Path(__file__).parents[2]
TEXT, NUMBER = Feature(dtype="string"), Feature(dtype="int64")
BEFORE = {b"g%d" % i: i for i in range(1, 11)}  # 10 groups, 55 examples
AFTER = {b"g%d" % i: i for i in range(1, 8)} | {b"g8": 21, b"new": 7}  # 9 groups, 56 examples
NO_LIMITS: dict[str, Any] = dict.fromkeys(
    ("max_groups_change", "max_examples_change", "max_groups_removed", "max_groups_added", "max_size_distance"), 0.0
)


def drift(before: Dataset | None, after: Dataset, **limits: Any) -> dict[str, CheckResult]:
    """What the checks found, by name; any features are right unless the test says otherwise."""
    found = check_drift(DriftChecks(**{"features": "any", **limits}), before, after)
    assert all(result.kind == "drift" for result in found)
    return {result.name: result for result in found}


CASES = [  # limit, name, exact value, figures, offenders
    (
        "max_groups_change",
        "change in the number of groups",
        Fraction(1, 10),
        "0.1 (10 in made@1.0.0, 9 now)",
        ("'g10' is gone with 10 examples", "'g9' is gone with 9 examples", "'new' is new with 7 examples"),
    ),
    (
        "max_examples_change",
        "change in the number of examples",
        Fraction(1, 55),
        "0.0182 (55 in made@1.0.0, 56 now)",
        (
            "'g8' had 8 examples, now 21",
            "'g10' is gone with 10 examples",
            "'g9' is gone with 9 examples",
            "'new' is new with 7 examples",
        ),
    ),
    (
        "max_groups_removed",
        "groups gone, as a share of the earlier ones",
        Fraction(2, 10),
        "0.2 (2 of 10 in made@1.0.0)",
        ("'g10' is gone with 10 examples", "'g9' is gone with 9 examples"),
    ),
    (
        "max_groups_added",
        "new groups, as a share of the earlier ones",
        Fraction(1, 10),
        "0.1 (1 new, 10 in made@1.0.0)",
        ("'new' is new with 7 examples",),
    ),
    (
        "max_size_distance",
        "distance between the sizes of groups",
        Fraction(8, 9) - Fraction(7, 10),
        "0.189 (groups of at most 7 examples are 70 % in made@1.0.0, 88.9 % now)",
        (
            "'g8' had 8 examples, now 21",
            "'g10' is gone with 10 examples",
            "'g9' is gone with 9 examples",
            "'new' is new with 7 examples",
        ),
    ),
    (
        "max_label_distance",
        "distance between the labels of all examples",
        Fraction(3, 10),
        "0.3 (10 examples with a label in made@1.0.0, 20 now)",
        (
            "'x' had 60 % of the labels, now 30 %",
            "'z' had 0 % of the labels, now 30 %",
        ),
    ),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("limit", "name", "value", "observed", "offenders"), CASES, ids=[case[0] for case in CASES])
def test_each_limit_is_kept_at_its_value_and_broken_just_below_it(
    made: MakeVersion,
    seed: int,
    limit: str,
    name: str,
    value: Fraction,
    observed: str,
    offenders: tuple[str, ...],
) -> None:
    before = made(BEFORE, {b"x": 6, b"y": 4})
    after = made(AFTER, {b"x": 6, b"y": 8, b"z": 6}, seed=seed)
    figures = observed[observed.index("(") :]
    kept = drift(before, after, **{limit: float(value)})
    assert list(kept) == [name, "features"]
    assert (kept[name].passed, kept[name].offenders) == (True, ())
    assert kept[name].observed.endswith(figures)
    broken = drift(before, after, **{limit: math.nextafter(float(value), 0)})[name]
    assert (broken.passed, broken.offenders) == (False, offenders)
    assert broken.observed.endswith(figures)
    assert float(broken.observed.split()[0]) > float(broken.limit.removeprefix("at most ")), (
        "in as many digits as it takes"
    )
    far = drift(before, after, **{limit: float(value) / 2})[name]
    assert (far.limit, far.observed) == (f"at most {float(value) / 2}", observed)


def test_a_version_has_not_drifted_from_itself(made: MakeVersion) -> None:
    version = made({"train": BEFORE, "test": {b"g1": 4}}, {b"x": 6})
    found = check_drift(DriftChecks(**NO_LIMITS, max_label_distance=0.0), version, version)
    assert len(found) == 7
    assert all(result.passed and not result.offenders for result in found)
    assert [result.observed.split()[0] for result in found[:-1]] == ["0"] * 6
    assert found[-1].observed == "the same 1 since made@1.0.0"


def test_the_first_version_has_nothing_to_be_compared_with(made: MakeVersion) -> None:
    [result] = check_drift(DriftChecks(**NO_LIMITS), None, made(AFTER))
    assert (result.passed, result.observed, result.limit) == (True, "none is published yet", "compared with latest")


@pytest.mark.parametrize("limit", [*NO_LIMITS, "max_label_distance"])
def test_what_was_accepted_keeps_its_figures_and_says_so(made: MakeVersion, limit: str) -> None:
    pair = made(BEFORE, {b"x": 6}), made(AFTER, {b"x": 3, b"y": 3})
    [stopped, _] = check_drift(DriftChecks(features="any", **{limit: 0.0}), *pair)
    [accepted, _] = check_drift(DriftChecks(features="any", accept=True, **{limit: 0.0}), *pair)
    assert (stopped.passed, accepted.passed) == (False, True)
    assert accepted.observed == f"accepted although beyond the limit: {stopped.observed}"
    assert (accepted.offenders, accepted.limit) == (stopped.offenders, stopped.limit)
    assert stopped.offenders


def test_what_kept_its_limit_needs_no_acceptance(made: MakeVersion) -> None:
    found = drift(made(BEFORE), made(BEFORE), accept=True, **NO_LIMITS)
    assert not any("accepted" in result.observed for result in found.values())


def test_all_splits_are_counted_together_and_other_splits_are_said(made: MakeVersion) -> None:
    halves = {
        "train": {i: n for i, n in BEFORE.items() if n % 2},
        "test": {i: n for i, n in BEFORE.items() if not n % 2},
    }
    found = drift(made(BEFORE), made(halves), **NO_LIMITS)
    assert all(result.passed for result in found.values())
    assert found["splits"].observed == "train in made@1.0.0, train, test now; all are counted together"
    assert "splits" not in drift(made(halves), made(halves), **NO_LIMITS)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_group_in_two_splits_is_one_group_with_all_its_examples(made: MakeVersion, seed: int) -> None:
    shared = {"train": {b"a": 3, b"b": 2}, "test": {b"a": 1, b"c": 5}}
    found = drift(made(shared), made({b"a": 4, b"b": 2, b"c": 5}, seed=seed), **NO_LIMITS)
    assert all(result.passed for result in found.values())
    moved = made({"train": {b"a": 5}, "test": {b"d": 7}}, seed=seed)
    [broken, *_] = drift(made(shared), moved, **NO_LIMITS).values()
    assert broken.observed == "0.333 (3 in made@4.0.0, 2 now)"
    assert broken.offenders == (
        "'d' is new with 7 examples",
        "'c' is gone with 5 examples",
        "'b' is gone with 2 examples",
    )


@pytest.mark.parametrize(
    ("before", "after", "figures"),
    [(None, {b"x": 3}, "1 (0 examples with a label in made@1.0.0, 3 now)"), ({b"x": 3}, {}, "1 (3 examples with")],
)
def test_labels_that_appear_or_disappear_are_as_far_as_can_be(
    made: MakeVersion, before: dict[bytes, int] | None, after: dict[bytes, int], figures: str
) -> None:
    found = drift(made(BEFORE, before), made(AFTER, after), max_label_distance=0.99)
    broken = found["distance between the labels of all examples"]
    assert not broken.passed
    assert broken.observed.startswith(figures)


def test_groups_that_come_after_none_are_beyond_every_limit(made: MakeVersion) -> None:
    found = list(
        drift(made({}), made(AFTER), **NO_LIMITS | {"max_groups_change": 1e300, "max_groups_added": 1e300}).values()
    )
    assert [result.passed for result in found] == [False, False, True, False, False, True]
    assert found[0].observed == "none before (0 in made@1.0.0, 9 now)"
    assert all(result.passed for result in drift(made({}), made({}), **NO_LIMITS).values())


OLD = {"text": TEXT, "number": NUMBER}
GROWN = OLD | {"more": TEXT}
CHANGED = {"text": TEXT, "number": Feature(dtype="int64", optional=True)}


@pytest.mark.parametrize(
    ("allowed", "new", "passed", "observed", "offenders"),
    [
        ("same", OLD, True, "the same 2", ()),
        ("same", GROWN, False, "1 added", ("added: 'more'",)),
        ("same", {"text": TEXT}, False, "1 removed", ("removed: 'number'",)),
        ("same", CHANGED, False, "1 changed", ("changed: 'number' had optional False, now True",)),
        ("may_grow", OLD, True, "the same 2", ()),
        ("may_grow", GROWN, True, "1 added", ()),
        ("may_grow", {"more": TEXT, "text": TEXT}, False, "1 added, 1 removed", ("removed: 'number'",)),
        ("may_grow", CHANGED, False, "1 changed", ("changed: 'number' had optional False, now True",)),
        ("any", {"other": NUMBER}, True, "1 added, 2 removed", ()),
    ],
)
def test_features_may_change_as_far_as_the_spec_says(
    made: MakeVersion,
    allowed: str,
    new: dict[str, Feature],
    passed: bool,
    observed: str,
    offenders: tuple[str, ...],
) -> None:
    result = drift(made(BEFORE, features=OLD), made(BEFORE, features=new), features=allowed)["features"]
    assert (result.passed, result.observed, result.offenders) == (passed, f"{observed} since made@1.0.0", offenders)


def test_ids_and_labels_and_names_of_any_bytes_are_shown_on_one_short_line(made: MakeVersion) -> None:
    hostile = b"\x1b[31m\n\xff<b>" + b"\xf0\x9f\x98\x80" * 1_000_000
    before = made({hostile: 5}, {hostile: 1}, {"\x1b\ud800" * 50_000: TEXT})
    found = drift(before, made({b"": 1}, {b"": 1}), features="same", max_label_distance=0.5, **NO_LIMITS)
    offenders = [offender for result in found.values() for offender in result.offenders]
    assert r"'\x1b[31m\n\xff<b>" in offenders[0]
    assert len(offenders) > 7
    assert all(len(text.encode()) < 500 and text.isprintable() for text in offenders)


def test_a_distance_of_labels_without_labels_is_refused() -> None:
    with pytest.raises(SpecError, match=r"max_label_distance is 0.1, but no feature is the label; name it with"):
        refuse_impossible_drift(DriftChecks(max_label_distance=0.1), has_labels=False)
    refuse_impossible_drift(DriftChecks(max_label_distance=0.1), has_labels=True)
    refuse_impossible_drift(DriftChecks(), has_labels=False)
    refuse_impossible_drift(None, has_labels=False)


@pytest.mark.parametrize("compare_to", ["@latest", "news@", "../news@latest", "News@1.0.0"])
def test_what_is_no_ref_is_refused(compare_to: str) -> None:
    with pytest.raises(ValueError, match=r"is no ref; write latest, 1.2.0 or name@latest"):
        DriftChecks(compare_to=compare_to)


def test_the_way_out_is_told_where_drift_stopped_the_build(made: MakeVersion) -> None:
    checks = {"features": "any", "max_groups_change": 0.0}
    stopped, accepted = (
        check_drift(DriftChecks(**checks, accept=accept), made(BEFORE), made(AFTER)) for accept in (False, True)
    )
    assert "--set checks.drift.accept=true" in way_out(stopped)
    assert way_out(accepted) == ""
    assert way_out([CheckResult(kind="groups", name="", limit="", observed="", passed=False)]) == ""


def test_the_spec_of_the_page_is_one() -> None:
    page = (ROOT / "docs/checks/drift.md").read_text()
    [block] = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = Checks.model_validate(yaml.safe_load(block)["checks"], extra="forbid").drift
    assert shown is not None
    assert shown.model_fields_set == DriftChecks.model_fields.keys() - {"accept"}


counts = st.dictionaries(st.integers(1, 12), st.integers(1, 10**13), max_size=8)


@given(counts, counts)
def test_the_distance_of_sizes_is_the_float_nearest_to_its_definition(
    before: dict[int, int], after: dict[int, int]
) -> None:
    found = size_distance(before, after)

    def share_up_to(side: dict[int, int], size: int) -> Fraction:
        return Fraction(sum(n for s, n in side.items() if s <= size), sum(side.values()))

    if not before or not after:
        assert found.distance == (bool(before) != bool(after))
        return
    apart = {size: abs(share_up_to(before, size) - share_up_to(after, size)) for size in range(14)}
    assert found.distance == float(max(apart.values()))
    assert apart[found.size] == max(apart.values())
    assert found.share_before == float(share_up_to(before, found.size))
    assert found.share_after == float(share_up_to(after, found.size))


some_groups = st.dictionaries(st.integers(0, 15).map(b"%d".__mod__), st.integers(1, 6), max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some_groups, some_groups, some_groups, some_groups, st.integers(0, 1))
def test_figures_are_those_of_plain_dictionaries(
    made: MakeVersion, train: Sizes, test: Sizes, new_train: Sizes, new_test: Sizes, seed: int
) -> None:
    before, after = Counter(train) + Counter(test), Counter(new_train) + Counter(new_test)
    sides = made({"train": train, "test": test}), made({"train": new_train, "test": new_test}, seed=seed)
    observed = [result.observed for result in drift(*sides, **NO_LIMITS).values()]
    ref, gone, new = sides[0].manifest.ref, len(before.keys() - after.keys()), len(after.keys() - before.keys())
    assert f"({len(before)} in {ref}, {len(after)} now)" in observed[0]
    assert f"({before.total()} in {ref}, {after.total()} now)" in observed[1]
    assert f"({gone} of {len(before)} in {ref})" in observed[2]
    assert f"({new} new, {len(before)} in {ref})" in observed[3]
    distance = size_distance(Counter(before.values()), Counter(after.values())).distance
    assert float(observed[4].split()[0]) == pytest.approx(distance, rel=0.01)


@contextmanager
def built(store: LocalStore, source: Path, *changes: str) -> Iterator[Draft]:
    spec = load_spec(
        ROOT / "tests/shared_specs/tinyshakespeare.yaml",
        [f"source.paths=[{source}]", "label_feature=text", "checks={}", *changes],
    )
    with staging_for(store, None, is_distributed=False) as staging:
        plan = make_plan(spec)
        yield draft_version(plan, partition(plan, staging), store)


@pytest.fixture
def speeches(shared_data: Callable[[str], Path], tmp_path: Path) -> tuple[Dataset, list[str], LocalStore]:
    """A published version of real speeches by speaker, the speeches, and where it is."""
    store = LocalStore(tmp_path / "datasets")
    [source] = (shared_data("tinyshakespeare")).glob("*.txt")
    with built(store, source) as draft:
        manifest = draft.manifest.model_copy(update={"version": "1.0.0"})
        assert claim_version(store, "tinyshakespeare/1.0.0", manifest.digest, {})
        commit_version(store, "tinyshakespeare/1.0.0", manifest, draft.files)
    return Dataset(Location(store, "tinyshakespeare/1.0.0"), manifest), source.read_text().split("\n\n"), store


@contextmanager
def rebuilt(store: LocalStore, kept: list[str]) -> Iterator[Dataset]:
    changed = Path(store.root).with_name("changed.txt")
    changed.write_text("\n\n".join(kept))
    with built(store, changed) as draft:
        yield draft.dataset


@pytest.mark.shared_data
def test_real_speeches_without_a_speaker(speeches: tuple[Dataset, list[str], LocalStore]) -> None:
    before, old, store = speeches
    new = [speech for speech in old if not speech.startswith("GLOUCESTER:")]
    num_gone, num_speakers = len(old) - len(new), before["train"].num_groups
    assert num_gone > 200
    with rebuilt(store, new) as after:
        found = list(drift(before, after, max_label_distance=0.0, features="same", **NO_LIMITS).values())
        differences = version_differences(before, after)
    assert (differences["after"], differences["differ"]) == ("tinyshakespeare@unpublished", True)
    train = differences["splits"]["train"]
    assert (train["groups"]["removed"], train["groups"]["kept"]) == (1, num_speakers - 1)
    groups, examples, removed, added, sizes, labels, features = found
    assert groups.observed.endswith(f"({num_speakers} in tinyshakespeare@1.0.0, {num_speakers - 1} now)")
    assert removed.offenders == (f"'GLOUCESTER' is gone with {num_gone} examples",)
    assert float(examples.observed.split()[0]) == pytest.approx(num_gone / len(old), abs=1e-3)
    assert (added.passed, features.passed, sizes.passed) == (True, True, False)
    count, new_count = Counter(old), Counter(new)
    distance = sum(abs(count[speech] / len(old) - new_count[speech] / len(new)) for speech in count) / 2
    assert float(labels.observed.split()[0]) == pytest.approx(distance, abs=1e-3)
    assert train["labels"]["distance"] == pytest.approx(distance)


@pytest.mark.shared_data
def test_an_export_that_lost_half_of_its_rows_is_stopped(speeches: tuple[Dataset, list[str], LocalStore]) -> None:
    before, old, store = speeches
    with rebuilt(store, old[: len(old) // 2]) as after:
        found = drift(before, after, max_examples_change=0.2, max_groups_change=0.1, max_groups_added=0.0)
    assert [result.passed for result in found.values()] == [False, False, True, True]
    shown = in_words(found["change in the number of groups"])
    page = (ROOT / "docs/checks/drift.md").read_text()
    [block] = re.findall(r"^```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    assert shown.startswith(" ".join(block.split()).removesuffix(", ...)")), "the page shows what is printed"
