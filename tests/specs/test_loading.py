"""Reading specs, and what is said of wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groupstream import SpecError
from sources import JsonLines
from specs import Spec, load_spec

_GOOD = 'name: a\nsource: {kind: csv, paths: ["x.csv"]}\npartitioner: {kind: feature, feature: t}\n'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def write_and_load(content: str, *settings: str) -> Spec:
        Path("spec.yaml").write_text(content, encoding="utf-8")
        return load_spec("spec.yaml", settings)

    return write_and_load


@pytest.fixture
def refusal(load: Any) -> Any:
    """What is said of a spec that is refused: one line of bounded length."""

    def load_and_catch(content: str, *settings: str) -> str:
        with pytest.raises(SpecError) as caught:
            load(content, *settings)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 900
        return str(caught.value)

    return load_and_catch


def test_good_spec_is_read_with_defaults(load: Any) -> None:
    spec = load(_GOOD + "description: Größe\n")
    assert (spec.name, spec.description, spec.seed, spec.runner.num_workers) == ("a", "Größe", 0, 1)
    assert spec.source.paths == ["x.csv"]


_CHANGES = {
    "no name": ("name: a\n", "", "name is missing: Name of the dataset"),
    "bad name": ("name: a", "name: A b", "name is 'A b': use lower-case letters"),
    "number as name": ("name: a", "name: 1.5", "name is 1.5: input should be a valid string. Put it in quotes"),
    "no source": ("source:", "soruce:", "source is missing: The base dataset.; soruce is not a key of a spec; did you"),
    "empty source": ('{kind: csv, paths: ["x.csv"]}', "", "source is None: input should be a valid dictionary"),
    "text as source": ('{kind: csv, paths: ["x.csv"]}', "csv", "source is 'csv': input should be a valid dictionary"),
    "no kind": ("kind: csv, ", "", "source.kind is missing; it is one of csv, dataset_grouper, groupstream,"),
    "wrong kind": ("kind: csv", "kind: cvs", "source.kind is 'cvs'; did you mean 'csv'? it has csv, dataset_grouper,"),
    "strange kind": ("kind: csv", "kind: [1]", "source.kind is '[1]'; it has csv,"),
    "wrong key": ("paths", "path", "source.path is not a key of a spec; did you mean 'paths'? it has delimiter,"),
    "missing key": ("paths", "path", 'source.paths is missing: Files or patterns, such as "news/*.jsonl.gz" or'),
    "no paths": ('["x.csv"]', "[]", "source.paths is []: list should have at least 1 item"),
    "one path": ('["x.csv"]', "x.csv", "source.paths is 'x.csv': input should be a valid list"),
    "number as path": ('["x.csv"]', "[x, 1]", "source.paths.1 is 1: input should be a valid string"),
    "wrong dtype": ("kind: csv", "kind: csv, features: {a: strng}", "source.features.a is 'strng': input should be 's"),
    "wrong features": ("kind: csv", "kind: csv, features: 3", "source.features is 3: input should be a valid dict"),
    "wrong name in list": ("kind: csv", "kind: csv, features: [a, 1]", "source.features.1 is 1: input should be a val"),
    "no feature": (", feature: t", "", "partitioner.feature is missing: The feature whose value is the group id"),
    "key of another kind": ("kind: feature,", "kind: feature, min_x: 1,", "partitioner.min_x is not a key of a spec;"),
    "two of a kind": (
        'csv, paths: ["x.csv"]',
        "tfds, dataset: a, folder: b",
        "source: give dataset (a name) or folder (of a prepared version), one of the two",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), _CHANGES.values(), ids=_CHANGES)
def test_wrong_source_or_partitioner_is_named(old: str, new: str, said: str, refusal: Any) -> None:
    assert old in _GOOD
    message = refusal(_GOOD.replace(old, new))
    assert message.startswith("spec.yaml: ")
    assert said in message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "nmae: b",
            "nmae is not a key of a spec; did you mean 'name'? it has checks, citation,",
        ),
        ("xyz: 1", "xyz is not a key of a spec; it has checks,"),
        ("1: 2", "1 is 1: keys should be strings"),
        ("seed: 1.5", "seed is 1.5: input should be a valid integer"),
        (f"seed: {2**63}", f"seed is {2**63}: input should be less than {2**63}"),
        ("seed: x", "seed is 'x': input should be a valid integer"),
        ("runner: 3", "runner is 3: input should be a valid dictionary"),
        ("runner: {num_worker: 2}", "runner.num_worker is not a key of a spec; did you mean 'num_workers'? it has"),
        ("runner: {num_workers: 0}", "runner.num_workers is 0: input should be greater than or equal to 1"),
        ("runner: {memory_bytes: 10}", "runner.memory_bytes is 10: input should be greater than or equal to 67108864"),
        ("publish: {version: 1.0}", "publish.version is 1.0: input should be a valid string. Put it in quotes"),
        ('publish: {version: "1"}', "publish.version is '1': write three numbers, such as 1.0.0"),
        ("publish: {aliases: [1.0.0]}", "publish.aliases.0 is '1.0.0': use lower-case letters"),
        ("publish: {aliases: [latest]}", "publish.aliases.0 is 'latest': latest moves by itself"),
        ("publish: {shard_bytes: 1}", "publish.shard_bytes is 1: input should be greater than or equal to 1024"),
        ("checks: {example: {}}", "checks.example is not a key of a spec; did you mean 'examples'?"),
        ("checks: {examples: {t: 1}}", "checks.examples.t is 1: input should be a valid dictionary"),
        (
            "checks: {examples: {t: {min_lenght: 1}}}",
            "checks.examples.t.min_lenght is not a key of a spec; did you mean 'min_length'? it has allowed,",
        ),
        (
            "checks: {examples: {t: {min_length: 3, max_length: 1}}}",
            "checks.examples.t: min_length 3 is above max_length 1, so nothing could pass",
        ),
        ("checks: {examples: {t: {allowed: []}}}", "checks.examples.t.allowed is []: tuple should have at least 1"),
        ("checks: {examples: {t: {min_value: .nan}}}", "checks.examples.t.min_value is nan: input should be a finite"),
        ("checks: {groups: {min_groups: -1}}", "checks.groups.min_groups is -1: input should be greater than or equal"),
        ("checks: {groups: {min_groups: 3, max_groups: 2}}", "checks.groups: min_groups 3 is above max_groups 2"),
        (
            "checks: {groups: {max_share_of_largest: 2}}",
            "checks.groups.max_share_of_largest is 2: input should be less",
        ),
        ("text_features: text", "text_features is 'text': input should be a valid list"),
    ],
)
def test_wrong_key_or_value_is_named(line: str, said: str, refusal: Any) -> None:
    assert said in refusal(f"{_GOOD}{line}\n")


def test_value_in_one_of_two_forms_is_held_against_that_form(refusal: Any) -> None:
    assert "valid list" not in refusal(_GOOD.replace("kind: csv", "kind: csv, features: {a: strng}"))


def test_several_problems_are_named_together_and_five_at_most(refusal: Any) -> None:
    message = refusal(_GOOD + "".join(f"wrong{i}: 1\n" for i in range(9)))
    assert [f"wrong{i}" in message for i in range(9)] == [True] * 5 + [False] * 4


def test_partitioner_key_named_as_its_kind_is_told_apart(refusal: Any) -> None:
    message = refusal(_GOOD.replace("feature: t}", "feature: [1]}"))  # kind: feature, feature: [1]
    assert message == "spec.yaml: partitioner.feature is [1]: input should be a valid string"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "spec.yaml holds NoneType, not keys and values; begin with: name: my-dataset"),
        ("- a\n", "spec.yaml holds list, not keys and values"),
        ("just text", "spec.yaml holds str, not keys and values"),
        ("a: [", "spec.yaml is not readable YAML: while parsing a flow node"),
        ("a: b: c", "spec.yaml is not readable YAML: mapping values are not allowed here"),
        ("\tname: a", "spec.yaml is not readable YAML: "),
        ("a: !!python/object:os.system x", "spec.yaml is not readable YAML: could not determine a constructor"),
        (_GOOD + "name: b\n", "spec.yaml is not readable YAML: name stands twice"),
        (_GOOD + "checks: {groups: {min_groups: 1, min_groups: 2}}\n", "min_groups stands twice"),
    ],
)
def test_file_that_is_no_spec_is_refused(content: str, said: str, refusal: Any) -> None:
    assert said in refusal(content)


def test_missing_file_folder_and_other_encoding_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=rf"no spec at none\.yaml, seen from {tmp_path}\. Give the path of a YAML file"):
        load_spec("none.yaml")
    with pytest.raises(SpecError, match=r"is not readable YAML: .*Is a directory"):
        load_spec(tmp_path)
    (tmp_path / "latin1.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(SpecError, match=r"latin1\.yaml is not readable YAML: 'utf-8' codec"):
        load_spec("latin1.yaml")


def test_settings_win_over_the_file(load: Any) -> None:
    settings = ["runner.num_workers=2", "source.paths=[y, z]", "publish.root=gs://b/a=b", "description="]
    with pytest.raises(SpecError, match="description is None"):
        load(_GOOD, *settings)
    spec = load(_GOOD, *settings[:3], "name=b", "name=c")
    assert (spec.runner.num_workers, spec.source.paths, spec.publish.root, spec.name) == (
        2,
        ["y", "z"],
        "gs://b/a=b",
        "c",
    )
    assert isinstance(load(_GOOD, "source={kind: jsonl, paths: [y]}").source, JsonLines)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("runner", "--set 'runner' is no key=value; write it such as runner.num_workers=2"),
        ("=1", "--set '=1' is no key=value"),
        ("runner..x=1", "--set 'runner..x=1' is no key=value"),
        ("name.x=1", "--set 'name.x=1': name is a value, not a group of keys"),
        ("source.paths.0=x", "--set 'source.paths.0=x': paths is a value, not a group of keys"),
        ("name=[", "--set 'name=[': the value is no YAML; quote it: "),
        ("runner.num_worker=2", "runner.num_worker is not a key of a spec; did you mean 'num_workers'?"),
        ("runner.num_workers=two", "runner.num_workers is 'two': input should be a valid integer"),
    ],
)
def test_wrong_setting_is_named(setting: str, said: str, refusal: Any) -> None:
    assert said in refusal(_GOOD, setting)


def test_resolved_holds_what_determines_the_result_and_only_that(load: Any) -> None:
    spec = load(_GOOD)
    elsewhere = ("publish.root=/elsewhere", "publish.aliases=[candidate]", "source.paths=[elsewhere.csv]")
    same = load(_GOOD, "runner.num_workers=7", "runner.memory_bytes=99999999", *elsewhere)
    assert same.resolved() == spec.resolved()
    assert "runner" not in spec.resolved()
    assert "root" not in spec.resolved()["publish"]
    for setting in ("seed=1", "publish.version=1.2.3", "publish.shard_bytes=4096", "partitioner.missing=drop"):
        assert load(_GOOD, setting).resolved() != spec.resolved()
    assert spec.resolved()["source"]["delimiter"] == ","  # defaults are in it
    json.dumps(spec.resolved())


def test_json_schema_tells_kinds_apart_and_describes_every_field() -> None:
    schema = Spec.model_json_schema()
    json.dumps(schema)
    models = [schema, *schema["$defs"].values()]
    undescribed = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model.get("properties", {}).items()
        if name not in ("kind", "by") and not (field.keys() & {"description", "$ref"})  # a model has its own
    ]
    assert undescribed == []


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ("{by: user, fractions: {a: 1}}", "splits.by is 'user'; it has both, example, group"),
        ("{fractions: {a: 1}}", "splits.by is missing; it is one of group, example, both"),
        ("{by: group, fractions: {train: 0.9}}", "splits.fractions: the fractions sum to 0.9, not to 1"),
        ("{by: group, fractions: {Train: 1}}", "splits.fractions: 'Train' names no split; use lower-case"),
        ("{by: group, fractions: {a: 1.5, b: -0.5}}", "splits.fractions: b has the fraction -0.5; give one above 0"),
        (
            "{by: both, groups: {a: 0.5, a_b: 0.5}, examples: {b_c: 0.5, c: 0.5}}",
            "two of the splits would be called a_b_c; choose other names for groups or examples",
        ),
        ("{by: group, fractoins: {a: 1}}", "splits.fractoins is not a key of a spec; did you mean 'fractions'?"),
    ],
)
def test_wrong_splits_are_named(refusal: Any, splits: str, words: str) -> None:
    assert words in refusal(_GOOD, f"splits={splits}")


def test_splits_of_both_are_named_by_pairs(load: Any) -> None:
    both = "{by: both, groups: {train: 0.9, test: 0.1}, examples: {support: 0.8, query: 0.2}}"
    assert load(_GOOD, f"splits={both}").splits.names == ("train_support", "train_query", "test_support", "test_query")


def test_where_a_mapping_lies_is_no_part_of_what_is_built(load: Any) -> None:
    mapping = "partitioner={{kind: mapping, feature: t, file: {}}}"
    here, there = (load(_GOOD, mapping.format(file)) for file in ("a.csv", "/data/a.csv"))
    assert here != there
    assert here.resolved() == there.resolved()
