"""The form of Prefect's page: the JSON Schema of what the flow takes, and what the schema refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from pydantic import ValidationError

from forms.arranging import kinds_of
from partitioners import AnyPartitioner
from sources import AnySource
from specs import Spec

GOOD = {
    "name": "news",
    "source": {"kind": "jsonl", "paths": ["news.jsonl"]},
    "partitioner": {"kind": "feature", "feature": "url"},
}


def build(spec: Spec) -> None:
    """As the flow begins."""


@pytest.fixture(scope="module")
def form() -> dict[str, Any]:
    """As Prefect makes it of the flow."""
    return parameter_schema(build).model_dump()


@pytest.fixture(scope="module")
def models(form) -> dict[str, dict[str, Any]]:
    return form["definitions"]


def _fields(models: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model_name, model in models.items():
        for name, field in model.get("properties", {}).items():
            yield model_name, name, field


def _values(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | changes


def _refused(form: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """Where the schema refuses a value, as `source.paths.0`."""
    errors = validate({"spec": values}, form)
    return [".".join(map(str, [*error.absolute_path][1:])) for error in errors]


def test_every_field_has_a_name_and_help(models):
    bare = [f"{model}.{name}" for model, name, field in _fields(models) if not field.get("title")]
    assert bare == []
    helpless = [
        f"{model}.{name}"
        for model, name, field in _fields(models)
        if not field.get("description")
        and not models.get(field.get("$ref", "").rpartition("/")[2], {}).get("description")
    ]
    assert helpless == []


def test_every_model_has_a_name_in_words_and_help(models):
    for name, model in models.items():
        if "properties" in model:
            assert model["description"] and "\n" not in model["description"], name
            assert (
                " " in model["title"]
                or model["title"].isupper()
                or not re.search("[a-z][A-Z]", model["title"])
                or (
                    model["title"] == "WikiExtractor"  # its own name
                )
            ), name


def test_needed_fields_come_first_and_kinds_last(models):
    assert list(models["Spec"]["properties"])[:3] == ["name", "source", "partitioner"] == models["Spec"]["required"]
    for model in models.values():
        names = list(model.get("properties", {}))
        needed = set(model.get("required", []))
        assert set(names[: len(needed)]) == needed
        assert not {"kind", "by"} & set(names[:-1])


def test_a_first_build_takes_three_fields(form):
    assert _refused(form, GOOD) == []
    Spec.model_validate(GOOD)


def test_a_value_that_may_be_left_out_is_one_field(models):
    """No tab for a type and one for None, but where the tabs are kinds of things or None is not the default."""
    for model, name, field in _fields(models):
        tabs = field.get("anyOf", [])
        if len(tabs) == 2 and any(tab.get("type") == "null" for tab in tabs):
            assert any("$ref" in tab for tab in tabs) or field["default"] is not None, f"{model}.{name}"


def test_every_tab_has_a_name(models):
    def named(tab: dict[str, Any]) -> bool:
        return bool(tab.get("title") or models[tab["$ref"].rpartition("/")[2]].get("title"))

    tabs = [(model, name, tab) for model, name, field in _fields(models) for tab in field.get("anyOf", [])]
    assert tabs
    assert [(model, name) for model, name, tab in tabs if not named(tab)] == []
    assert [(model, name) for model, name, field in _fields(models) if "oneOf" in field] == []


@pytest.mark.parametrize(("name", "union"), [("source", AnySource), ("partitioner", AnyPartitioner)])
def test_every_kind_has_one_tab(models, name, union):
    kinds = [model.model_fields["kind"].default for model in get_args(get_args(union)[0])]
    outer = models["Spec"]["properties"][name]
    tabs = [inner for tab in outer["anyOf"] for inner in tab.get("anyOf", [tab])]
    found = [kind for tab in tabs for kind in kinds_of({"anyOf": [tab]}, lambda ref: models[ref["$ref"].split("/")[2]])]
    assert sorted(found) == sorted(kinds)


def test_a_tab_that_would_be_drawn_empty_is_none(models):
    """Prefect draws nothing for an object without properties in a tab; without a type it draws an editor."""
    for _, _, field in _fields(models):
        for tab in field.get("anyOf", []):
            assert tab.get("type") != "object" or tab.get("properties")


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("name", {"name": "News!"}),
        ("name", {"name": ""}),
        ("source.paths", {"source": {"kind": "jsonl", "paths": []}}),
        ("source.paths.0", {"source": {"kind": "jsonl", "paths": ["https://me:secret@h/x"]}}),
        ("source.paths.1", {"source": {"kind": "text", "paths": ["a", "https://h/x?sig=1"]}}),
        ("source.images.0", {"source": {"kind": "idx", "images": ["https://h/x?sig=1"], "labels": ["a"]}}),
        ("source.root", {"source": {"kind": "groupstream", "ref": "a@1.0.0", "root": "gs://me:secret@b/x"}}),
        ("source.folder", {"source": {"kind": "tfds", "folder": "gs://me:secret@b/x"}}),
        ("source.kind", {"source": {"kind": "jsnl", "paths": ["a"]}}),
        ("source.delimiter", {"source": {"kind": "csv", "paths": ["a"], "delimiter": '"'}}),
        ("source.max_row_bytes", {"source": {"kind": "csv", "paths": ["a"], "max_row_bytes": 1}}),
        ("partitioner.feature", {"partitioner": {"kind": "feature", "feature": ""}}),
        ("partitioner", {"partitioner": {"kind": "feature"}}),
        ("partitioner.num_groups", {"partitioner": {"kind": "label_dirichlet", "num_groups": 0, "alpha": 1}}),
        ("partitioner.function", {"partitioner": {"kind": "function", "function": "os.system", "features": ["a"]}}),
        ("partitioner.file", {"partitioner": {"kind": "mapping", "feature": "a", "file": "https://h/x?sig=1"}}),
        ("partitioner.file", {"partitioner": {"kind": "distribution_matrix", "file": "s3://a:b@c/d"}}),
        ("splits.fractions", {"splits": {"by": "group", "fractions": {}}}),
        ("splits.fractions.test", {"splits": {"by": "group", "fractions": {"train": 1, "test": 0}}}),
        ("checks.max_rejected_share", {"checks": {"max_rejected_share": 2}}),
        ("checks.examples.text.min_length", {"checks": {"examples": {"text": {"min_length": -1}}}}),
        ("checks.groups.expected_file", {"checks": {"groups": {"expected_file": "https://h/x?sig=1"}}}),
        ("checks.drift.max_groups_removed", {"checks": {"drift": {"max_groups_removed": 2}}}),
        ("publish.root", {"publish": {"root": "gs://me:secret@b/x"}}),
        ("publish.root", {"publish": {"root": "https://host/x"}}),
        ("publish.root", {"publish": {"root": "gs://-b/x"}}),
        ("publish.version", {"publish": {"version": "9.0"}}),
        ("publish.aliases.0", {"publish": {"aliases": ["latest"]}}),
        ("publish.shard_bytes", {"publish": {"shard_bytes": 1}}),
        ("runner.num_workers", {"runner": {"num_workers": 0}}),
        ("runner.num_workers", {"runner": {"kind": "local", "num_workers": 0}}),
        ("runner.staging", {"runner": {"kind": "local", "staging": "gs://me:secret@b/x"}}),
        ("runner.flink_master", {"runner": {"kind": "flink", "flink_master": "http://me:secret@h"}}),
        ("runner.options.a", {"runner": {"kind": "spark", "spark_master_url": "a", "options": {"a": "http://a:b@c"}}}),
    ],
)
def test_a_wrong_value_is_refused_under_its_field(form, where, changes):
    assert {*_refused(form, _values(**changes))} == {where}


@pytest.mark.parametrize(
    "changes",
    [
        {"publish": {"root": None, "version": None, "shard_bytes": 1 << 20, "aliases": ["candidate"]}},
        {"publish": {"root": "gs://bucket/a b"}},
        {"publish": {"root": "s3://bucket"}},
        {"publish": {"root": "~/here, and there/ä"}},
        {"source": {"kind": "parquet", "paths": ["gs://b/**/x?.parquet", "me@home: a/b", "https://h/a%20b"]}},
        {"source": {"kind": "csv", "paths": ["a"], "delimiter": "\t", "features": {"a": "int64", "b": {"from": "c"}}}},
        {"source": {"kind": "csv", "paths": ["a"], "features": ["a", "b"]}},
        {"source": {"kind": "csv", "paths": ["a"], "features": None, "ref": "kept from another tab"}},
        {"splits": {"by": "both", "groups": {"train": 0.9, "test": 0.1}, "examples": {"a": 1}}},
        {"splits": None, "label_feature": ""},
        {"runner": {"num_workers": 2}},
        {"checks": {"drift": None}},
        {"checks": {"drift": {"max_groups_removed": 0.1}}},
    ],
)
def test_what_the_models_take_the_form_takes(form, changes):
    assert _refused(form, _values(**changes)) == []
    Spec.model_validate(_values(**changes))


@pytest.mark.parametrize("version", ["1.0.0", "01.0.0", "1.0", "1.0.0.0", "10.20.30", "v1.0.0"])
def test_form_and_model_agree_on_versions(form, version):
    values = _values(publish={"version": version})
    assert bool(_refused(form, values)) is _is_refused(values)


@pytest.mark.parametrize("name", ["a", "A", "a" * 100, "a" * 101, "-a", "_a", "0a", "a.b", "ä", "a b"])
def test_form_and_model_agree_on_names(form, name):
    assert bool(_refused(form, _values(name=name))) is _is_refused(_values(name=name))
    aliases = _values(publish={"aliases": [name]})
    assert bool(_refused(form, aliases)) is _is_refused(aliases)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "a@b",
            "gs://b/a@b",
            "https://h/a@b",
            "https://me@h/a",
            "https://me:p/w@h/a",
            "https://h:80/a@b",
            "s3://k:s@b",
        ),
        *(
            "https://h/a?x",
            "https://h/a#x",
            "gs://b/a?.csv",
            "s3://b/a?",
            "http://h/",
            "/a/b?c",
            "ftp://h/x?a",
            "a://b",
        ),
    ],
)
def test_form_and_model_agree_on_secrets_in_addresses(form, address):
    values = _values(source={"kind": "jsonl", "paths": [address]})
    assert bool(_refused(form, values)) is _is_refused(values)


def _is_refused(values: dict[str, Any]) -> bool:
    try:
        Spec.model_validate(values)
    except ValidationError:
        return True
    return False
