"""What a deployment allows: an attacker with nothing but the form reads, writes and runs no more."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
from pydantic import BaseModel

from groupstream import SourceError, SpecError
from partitioners import AnyPartitioner
from sources import AnySource
from sources.allowed import is_within
from specs import AnyRunner, Spec
from specs.policy import refuse_forbidden, refuse_forbidden_root, refuse_forbidden_version, refuse_large_source
from specs.policy_places import RUNNER_PLACES, places_of
from specs.policy_runners import GUARDED

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
FEATURE = {"kind": "feature", "feature": "key"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """data/ may be read, sets/ may be written; secret.jsonl beside them may not be touched."""
    for name in ("data", "database", "sets", "own"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "a.jsonl").write_text('{"key": "a", "text": "b"}\n')
    for place in (tmp_path / "secret.jsonl", tmp_path / "database" / "a.jsonl"):
        place.write_text('{"key": "root", "text": "hunter2"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(tmp_path / "own"))
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", f"{tmp_path}/data, gs://bucket/news,https://example.com/files")
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_ROOTS", f"{tmp_path}/sets,s3://sets/team")
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_RUNNERS", "local")
    return tmp_path


def _spec(**fields: Any) -> Spec:
    usual = {"name": "a", "source": {"kind": "jsonl", "paths": ["data/a.jsonl"]}, "partitioner": FEATURE}
    return Spec.model_validate(usual | fields)


def _jsonl(path: str) -> dict[str, Any]:
    return {"kind": "jsonl", "paths": [path]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": _jsonl("data/*.jsonl")},
        {"source": _jsonl("./data/../data/**/*.jsonl")},
        {"source": _jsonl("gs://bucket/news/2026/*.jsonl")},
        {"source": _jsonl("GS://bucket/news/a.jsonl")},
        {"source": _jsonl("https://EXAMPLE.com:443/files/a%20b.jsonl")},
        {"source": _jsonl("own/a.jsonl")},
        {"source": {"kind": "groupstream", "ref": "news@1.0.0"}},
        {"source": {"kind": "groupstream", "ref": "news@1.0.0", "root": "sets"}},
        {"publish": {"root": "sets"}},
        {"publish": {"root": "sets/deeper/still"}},
        {"publish": {"root": "own"}},
        {"publish": {"root": "s3://sets/team/a"}},
        {"runner": {"kind": "local", "num_workers": 4, "staging": "sets/staging"}},
        {"partitioner": {"kind": "mapping", "feature": "key", "file": "data/groups.csv"}},
        {"checks": {"groups": {"expected_file": "data/ids.txt"}}},
    ],
)
def test_what_is_allowed_is_admitted(tree, fields):
    refuse_forbidden(_spec(**fields))


@pytest.mark.parametrize(
    ("key", "variable", "fields"),
    [
        ("source.paths", "SOURCES", {"source": _jsonl("secret.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("/etc/passwd")}),
        ("source.paths", "SOURCES", {"source": _jsonl("data/../secret.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("database/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("d*/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("**")}),
        ("source.paths", "SOURCES", {"source": _jsonl("~/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("~root/.bashrc")}),
        ("source.paths", "SOURCES", {"source": _jsonl("/proc/self/environ")}),
        ("source.paths", "SOURCES", {"source": {"kind": "text", "paths": ["data/a.jsonl", "/etc/passwd"]}}),
        ("source.paths", "SOURCES", {"source": _jsonl("gs://bucket/newspaper/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("gs://bucket/new*/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("gs://bucket/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("s3://bucket/news/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("http://169.254.169.254/computeMetadata/v1/")}),
        ("source.paths", "SOURCES", {"source": _jsonl("http://localhost:4200/api/admin/settings")}),
        ("source.paths", "SOURCES", {"source": _jsonl("http://example.com/files/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("https://example.com:8443/files/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("https://example.com.evil.org/files/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("https://example.com/files/../private/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("https://example.com/files/%2e%2E/private/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("https://example.com/files/a\\..\\..\\private")}),
        ("source.paths", "SOURCES", {"source": _jsonl("gs://bucket/news*/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("data*/a.jsonl")}),
        ("source.paths", "SOURCES", {"source": _jsonl("file:///etc/passwd")}),
        ("source.images", "SOURCES", {"source": {"kind": "idx", "images": ["/x"], "labels": ["data/a"]}}),
        ("source.labels", "SOURCES", {"source": {"kind": "idx", "images": ["data/a"], "labels": ["/x"]}}),
        ("source.ref", "SOURCES", {"source": {"kind": "groupstream", "ref": "/elsewhere/news/1.0.0"}}),
        ("source.ref", "SOURCES", {"source": {"kind": "groupstream", "ref": "gs://other/news/1.0.0"}}),
        ("source.ref", "SOURCES", {"source": {"kind": "groupstream", "ref": "database"}}),
        ("source.root", "SOURCES", {"source": {"kind": "groupstream", "ref": "news", "root": "/elsewhere"}}),
        ("source.dataset", "SOURCES", {"source": {"kind": "huggingface", "dataset": "evil/leaks"}}),
        ("source.dataset", "SOURCES", {"source": {"kind": "huggingface", "dataset": "/etc"}}),
        ("source.dataset", "SOURCES", {"source": {"kind": "huggingface", "dataset": "database"}}),
        ("source.folder", "SOURCES", {"source": {"kind": "huggingface", "folder": "/etc"}}),
        ("source.dataset", "SOURCES", {"source": {"kind": "tfds", "dataset": "mnist"}}),
        ("source.folder", "SOURCES", {"source": {"kind": "tfds", "folder": "/etc"}}),
        ("source.kind", "SOURCES", {"source": {"kind": "python_modules"}}),
        ("source.folder", "SOURCES", {"source": {"kind": "python_modules", "folder": "/srv/code"}}),
        ("partitioner.file", "SOURCES", {"partitioner": {"kind": "mapping", "feature": "k", "file": "/etc/passwd"}}),
        ("partitioner.file", "SOURCES", {"partitioner": {"kind": "distribution_matrix", "file": "http://localhost/a"}}),
        ("checks.groups.expected_file", "SOURCES", {"checks": {"groups": {"expected_file": "/etc/passwd"}}}),
        ("publish.root", "ROOTS", {"publish": {"root": "/srv/www"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "data"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "sets/../other"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "sets/.staging/x"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "own/.reports"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "s3://sets/teams"}}),
        ("publish.root", "ROOTS", {"publish": {"root": "gs://exfiltrate/x"}}),
        ("runner.staging", "ROOTS", {"runner": {"kind": "local", "staging": "/dev/shm"}}),
        ("runner.kind", "RUNNERS", {"runner": {"kind": "flink", "job_endpoint": "evil:1", "environment_config": "x"}}),
    ],
)
def test_what_is_not_allowed_is_refused_before_it_is_touched(tree, key, variable, fields):
    with pytest.raises(SpecError) as refused:
        refuse_forbidden(_spec(**fields))
    message = str(refused.value)
    assert message.startswith(f"{key} is ") and f"GROUPSTREAM_ALLOWED_{variable} allows " in message
    assert "whoever runs the deployment" in message and "\n" not in message
    assert "hunter2" not in message


def test_a_home_is_what_the_user_of_the_worker_has(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree / "data"))
    refuse_forbidden(_spec(source=_jsonl("~/a.jsonl")))
    refuse_forbidden(_spec(source=_jsonl("~/*.jsonl")))
    monkeypatch.setenv("HOME", str(tree / "database"))
    with pytest.raises(SpecError, match=r"source\.paths is '~/a\.jsonl'"):
        refuse_forbidden(_spec(source=_jsonl("~/a.jsonl")))


def test_data_dir_of_tfds_is_written(tree, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", "tfds:")
    refuse_forbidden(_spec(source={"kind": "tfds", "dataset": "mnist"}))
    with pytest.raises(SpecError, match=r"source\.data_dir is '/srv/x', and GROUPSTREAM_ALLOWED_ROOTS"):
        refuse_forbidden(_spec(source={"kind": "tfds", "dataset": "mnist", "data_dir": "/srv/x"}))


@pytest.mark.parametrize("pattern", ["data/link.jsonl", "data/*.jsonl", "data/**/*.jsonl", "data/*/../secret.jsonl"])
def test_a_link_that_leads_out_is_refused_where_files_are_listed(tree, pattern):
    (tree / "data" / "link.jsonl").symlink_to(tree / "secret.jsonl")
    (tree / "data" / "into").symlink_to(tree / "database")
    spec = _spec(source=_jsonl(pattern))
    with pytest.raises(SpecError, match=r"GROUPSTREAM_ALLOWED_SOURCES allows"):
        spec.source.pieces()
    with pytest.raises(SpecError, match=r"GROUPSTREAM_ALLOWED_SOURCES allows"):
        spec.source.identity()


@pytest.mark.parametrize("root", ["own", "sets"])
def test_what_is_admitted_below_a_root_is_read(tree, root):
    (tree / root / "a.jsonl").write_text('{"key": "a", "text": "b"}\n')
    (tree / root / "groups.csv").write_text("key,group\na,b\n")
    (tree / root / "out.jsonl").symlink_to(tree / "secret.jsonl")
    mapping = {"kind": "mapping", "feature": "key", "file": f"{root}/groups.csv"}
    spec = _spec(source=_jsonl(f"{root}/a.jsonl"), partitioner=mapping)
    refuse_forbidden(spec)
    assert len(spec.source.pieces()) == 1
    assert spec.partitioner.identity()
    with pytest.raises(SpecError, match=r"source\.paths leads to .*GROUPSTREAM_ALLOWED_SOURCES allows"):
        _spec(source=_jsonl(f"{root}/*.jsonl")).source.pieces()


def test_a_version_in_a_root_is_a_source(tree):
    version = next(GOLDEN.glob("*/*/manifest.json")).parent
    name, number = version.parts[-2:]
    shutil.copytree(version, tree / "sets" / name / number)
    spec = _spec(source={"kind": "groupstream", "ref": f"{name}@{number}", "root": "sets"})
    refuse_forbidden(spec)
    assert spec.source.pieces()


def test_a_link_within_is_read(tree):
    (tree / "data" / "link.jsonl").symlink_to(tree / "data" / "a.jsonl")
    spec = _spec(source=_jsonl("data/*.jsonl"))
    refuse_forbidden(spec)
    assert len(spec.source.pieces()) == 2


def test_a_root_that_is_a_link_is_what_it_leads_to(tree):
    (tree / "sets" / "out").symlink_to(tree / "database")
    with pytest.raises(SpecError, match=r"publish\.root"):
        refuse_forbidden(_spec(publish={"root": "sets/out/x"}))


def test_a_folder_of_modules_with_a_link_is_refused(tree):
    (tree / "data" / "evil.py").symlink_to("/etc/hostname")
    with pytest.raises(SpecError, match=r"source\.folder leads to"):
        _spec(source={"kind": "python_modules", "folder": "data"}).source.pieces()


def test_without_variables_all_is_allowed(tree, monkeypatch):
    for name in ("SOURCES", "ROOTS", "RUNNERS"):
        monkeypatch.delenv(f"GROUPSTREAM_ALLOWED_{name}")
    refuse_forbidden(_spec(source=_jsonl("/etc/passwd"), publish={"root": "/srv"}))


@pytest.mark.parametrize("name", ["SOURCES", "ROOTS", "RUNNERS"])
def test_an_empty_list_allows_nothing(tree, monkeypatch, name):
    monkeypatch.setenv(f"GROUPSTREAM_ALLOWED_{name}", " ,")
    with pytest.raises(SpecError, match=f"{name} allows nothing"):
        refuse_forbidden(_spec(publish={"root": "sets"}) if name == "ROOTS" else _spec())


def test_names_of_datasets_are_allowed_by_their_beginnings(tree, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", "huggingface:allenai,tfds:c4,python_modules:")
    refuse_forbidden(_spec(source={"kind": "huggingface", "dataset": "allenai/c4"}))
    refuse_forbidden(_spec(source={"kind": "tfds", "dataset": "c4/en:3.1.0"}))
    refuse_forbidden(_spec(source={"kind": "python_modules"}))
    for source in (
        {"kind": "huggingface", "dataset": "allenai2/c4"},
        {"kind": "huggingface", "dataset": "allenai/../evil/c4"},
        {"kind": "tfds", "dataset": "c4_other"},
    ):
        with pytest.raises(SpecError, match=r"source\.dataset"):
            refuse_forbidden(_spec(source=source))


def test_a_folder_is_no_name_of_a_dataset_on_the_hub(tree, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", "huggingface:")
    refuse_forbidden(_spec(source={"kind": "huggingface", "dataset": "allenai/c4"}))
    for folder in ("database", "./database", str(tree / "database")):
        with pytest.raises(SpecError, match=r"source\.dataset"):
            refuse_forbidden(_spec(source={"kind": "huggingface", "dataset": folder}))


def test_maintenance_is_of_allowed_roots(tree):
    refuse_forbidden_root(None)
    refuse_forbidden_root("sets")
    refuse_forbidden_root(str(tree / "own"))
    for root in ("data", "/", "sets/.staging"):
        with pytest.raises(SpecError, match=r"root is .* GROUPSTREAM_ALLOWED_ROOTS allows"):
            refuse_forbidden_root(root)


@pytest.mark.parametrize(
    ("key", "ref", "root"),
    [
        ("root", "news@1.0.0", "http://169.254.169.254/computeMetadata/v1"),
        ("root", "news@1.0.0", "gs://bucket/other"),
        ("root", "news@1.0.0", "database"),
        ("ref", "http://169.254.169.254/computeMetadata/v1/instance", None),
        ("ref", "gs://other/news/1.0.0", "sets"),
        ("ref", "/etc", None),
        ("ref", "database", None),
    ],
)
def test_versions_are_read_again_only_where_reading_is_allowed(tree, key, ref, root):
    with pytest.raises(SpecError, match=rf"^{key} is .* GROUPSTREAM_ALLOWED_SOURCES allows"):
        refuse_forbidden_version(ref, root)


def test_versions_of_allowed_places_are_read_again(tree):
    for ref, root in (
        ("news", None),
        ("news@1.0.0", "sets"),
        ("own/news/1.0.0", None),
        ("gs://bucket/news/1.0.0", "own"),
    ):
        refuse_forbidden_version(ref, root)


@pytest.mark.parametrize(
    ("place", "entry", "expected"),
    [
        ("/data", "/", True),
        ("/data", "/data/", True),
        ("/data/x", "/data/.", True),
        ("gs://any/x", "gs://", True),
        ("gs://any/x", "/", False),
        ("/gs://any", "gs://", False),
        ("https://h/x", "http://h", False),
        ("https://h:443/x", "https://h/", True),
        ("gs://b/x/./y", "gs://b/x", False),
        ("gs://b@c/x", "gs://", False),
        ("gs://B/x", "gs://b", False),
        ("huggingface:a", "tfds:", False),
    ],
)
def test_places_are_compared_part_by_part(place, entry, expected):
    assert is_within(place, [entry]) is expected


# Runners.

DATAFLOW = {"kind": "dataflow", "project": "p", "region": "r", "sdk_container_image": "eu.pkg.dev/p/images/worker:1"}
FLINK = {"kind": "flink", "job_endpoint": "flink:8099", "environment_config": "worker:1"}


def _allow(monkeypatch: pytest.MonkeyPatch, *entries: str) -> None:
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_RUNNERS", ",".join(entries))


_USUAL = ("dataflow", "dataflow:project=p", "dataflow:region", "dataflow:sdk_container_image=eu.pkg.dev/p/images")


@pytest.mark.parametrize(
    ("entries", "change", "key"),
    [
        (_USUAL, {}, ""),
        (_USUAL[:1], {}, "project"),
        (_USUAL[:2], {}, "region"),
        (_USUAL, {"project": "p2"}, "project"),
        (_USUAL, {"project": "p:x"}, "project"),
        (_USUAL, {"sdk_container_image": "eu.pkg.dev/p/images2/worker"}, "sdk_container_image"),
        (_USUAL, {"sdk_container_image": "eu.pkg.dev/p/images/../evil"}, "sdk_container_image"),
        (_USUAL, {"sdk_container_image": "evil.io/eu.pkg.dev/p/images/worker"}, "sdk_container_image"),
        (_USUAL, {"service_account": "owner@p.iam"}, "service_account"),
        ((*_USUAL, "dataflow:service_account=a@p.iam"), {"service_account": "a@p.iam"}, ""),
        ((*_USUAL, "dataflow:service_account=a"), {"service_account": "a@evil.iam"}, "service_account"),
        (_USUAL, {"options": {"sdk_location": "gs://evil/sdk.tar"}}, "options"),
        ((*_USUAL, "dataflow:options=dataflow_kms_key"), {"options": {"dataflow_kms_key": "k"}}, ""),
        ((*_USUAL, "dataflow:options=dataflow_kms_key"), {"options": {"extra_packages": ["x"]}}, "options"),
        ((*_USUAL, "dataflow:options"), {"options": {"extra_packages": ["x"]}}, ""),
        (_USUAL, {"network": "other"}, "network"),
        (_USUAL, {"max_num_workers": 3, "labels": {"a": "b"}, "machine_type": "n2-standard-4"}, ""),
    ],
)
def test_dataflow_is_allowed_key_by_key(tree, monkeypatch, entries, change, key):
    _allow(monkeypatch, *entries)
    _expect(DATAFLOW | change, key)


_CLUSTER = ("flink", "flink:job_endpoint=flink:8099", "flink:environment_config=worker")


@pytest.mark.parametrize(
    ("entries", "change", "key"),
    [
        (_CLUSTER, {}, ""),
        (_CLUSTER, {"job_endpoint": "evil:8099"}, "job_endpoint"),
        (_CLUSTER, {"environment_config": "evil:1"}, "environment_config"),
        (_CLUSTER, {"environment_type": "PROCESS", "environment_config": '{"command": "sh"}'}, "environment_type"),
        (_CLUSTER, {"environment_type": "LOOPBACK", "environment_config": None}, "environment_type"),
        (_CLUSTER, {"environment_type": "EXTERNAL", "environment_config": "evil:1"}, "environment_type"),
        (_CLUSTER, {"options": {"flink_submit_uber_jar": True}}, "options"),
        (
            (*_CLUSTER, "flink:environment_type=LOOPBACK"),
            {"environment_type": "LOOPBACK", "environment_config": None},
            "",
        ),
    ],
)
def test_a_cluster_is_allowed_key_by_key(tree, monkeypatch, entries, change, key):
    _allow(monkeypatch, *entries)
    _expect(FLINK | change, key)


def _expect(runner: dict[str, Any], key: str) -> None:
    spec = _spec(runner=runner)
    if not key:
        refuse_forbidden(spec)
        return
    with pytest.raises(SpecError, match=rf"^runner\.{key} is .*GROUPSTREAM_ALLOWED_RUNNERS"):
        refuse_forbidden(spec)


# All places, and all that chooses code or an account, are known.


def _models(annotation: Any) -> list[type[BaseModel]]:
    return list(get_args(get_args(annotation)[0]))


_NO_PLACES = {  # texts that choose nothing outside: names of features, ids, words, patterns of RE2
    *("split", "config", "revision", "delimiter", "features", "path_feature", "group_feature", "labels"),
    *("feature", "example_key", "missing_group", "pattern", "shares", "zone"),
}


@pytest.mark.parametrize("model", [*_models(AnySource), *_models(AnyPartitioner)], ids=lambda model: model.__name__)
def test_every_text_of_a_kind_is_a_place_or_none(model):
    """A new field that holds a path fails here, until it is among the places of its model."""
    annotations = {name: str(field.annotation) for name, field in model.model_fields.items()}
    texts = {name for name, kind in annotations.items() if "str" in kind and not kind.startswith("typing.Literal")}
    looked_at = {*model.places, *({"dataset"} if "dataset" in model.model_fields else ()), "function"}
    assert texts - looked_at - _NO_PLACES == set()


def test_every_place_of_a_model_is_looked_at():
    checked = 0
    for union, key in ((AnySource, "source"), (AnyPartitioner, "partitioner")):
        for model in _models(union):
            for name in model.places:
                text = "/secret/file"
                is_list = "list" in str(model.model_fields[name].annotation)
                others = {**dict.fromkeys(("dataset", *model.places)), "ref": "a@1.0.0"}
                part = model.model_construct(**others | {name: [text] if is_list else text})
                spec = _spec().model_copy(update={key: part})
                assert (f"{key}.{name}", text) in [(place.key, place.text) for place in places_of(spec)], model
                checked += 1
    assert checked >= 12


@pytest.mark.parametrize("model", [*get_args(get_args(AnyRunner)[0])], ids=lambda model: model.__name__)
def test_every_text_of_a_runner_is_guarded_or_a_place(model):
    harmless = {"kind", "machine_type", "labels"}
    texts = {
        name for name, field in model.model_fields.items() if any(t in str(field.annotation) for t in ("str", "Any"))
    }
    texts |= {"environment_type"} & set(model.model_fields)
    assert texts - harmless - {*RUNNER_PLACES} <= {*GUARDED[model.model_fields["kind"].default]}


def test_other_texts_of_a_spec_are_no_places():
    others = {"name", "description", "homepage", "license", "citation", "label_feature", "text_features"}
    nested = {"source", "partitioner", "splits", "checks", "publish", "runner", "seed"}
    assert set(Spec.model_fields) == others | nested


# Code.


@pytest.mark.parametrize("function", ["os:system", "subprocess:run", "allowed2.x:f", "builtins:eval"])
def test_code_of_other_packages_is_not_imported(tree, monkeypatch, function):
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_PACKAGES", "allowed")
    with pytest.raises(SpecError, match="GROUPSTREAM_ALLOWED_PACKAGES allows allowed"):
        refuse_forbidden(_spec(partitioner={"kind": "function", "function": function, "features": ["key"]}))


@pytest.mark.parametrize("name", ["huggingface:c4", "someone:dataset/x:1.0.0", "kaggle:x"])
def test_tfds_fetches_no_code_of_others(name):
    with pytest.raises(ValueError, match="would fetch the code and run it"):
        _spec(source={"kind": "tfds", "dataset": name})
    _spec(source={"kind": "tfds", "dataset": "c4/en:3.1.0"})


@pytest.mark.parametrize("key", ["pythonClassName", "python_class_name", "type"])
def test_tfds_imports_no_class_that_a_folder_names(tree, key):
    (tree / "evil_of_test.py").write_text("raise SystemExit('imported')")
    (tree / "data" / "features.json").write_text(json.dumps({"featuresDict": {"x": {key: "evil_of_test.Feature"}}}))
    (tree / "data" / "dataset_info.json").write_text("{}")
    with pytest.raises(SpecError, match=r"evil_of_test\.Feature.*GROUPSTREAM_ALLOWED_PACKAGES allows no package"):
        _spec(source={"kind": "tfds", "folder": "data"}).source.available_features()


# Size.


def test_a_large_source_is_refused_before_it_is_read(tree, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_SOURCE_BYTES", "40")
    refuse_forbidden(_spec())
    (tree / "data" / "b.jsonl").write_text("{}" * 20)
    with pytest.raises(SpecError, match="the source has 66 bytes, and GROUPSTREAM_MAX_SOURCE_BYTES allows 40"):
        refuse_forbidden(_spec(source=_jsonl("data/*.jsonl")))
    refuse_large_source(40)
    refuse_large_source(None)
    with pytest.raises(SpecError, match="MAX_SOURCE_BYTES"):
        refuse_large_source(41)


def test_a_file_that_grows_when_decompressed_is_not_read_to_its_end(tree, monkeypatch):
    line = b'{"key": "a", "text": "' + b"x" * 1000 + b'"}\n'
    (tree / "data" / "bomb.jsonl.gz").write_bytes(gzip.compress(line * 20_000))
    source = _spec(source=_jsonl("data/bomb.jsonl.gz")).source
    assert _num_examples(source) == 20_000
    monkeypatch.setenv("GROUPSTREAM_MAX_SOURCE_BYTES", "10_000_000")
    refuse_forbidden(_spec(source=_jsonl("data/bomb.jsonl.gz")))
    with pytest.raises(SourceError, match="gives more than 10,000,000 bytes"):
        _num_examples(source)
    monkeypatch.setenv("GROUPSTREAM_MAX_SOURCE_BYTES", "100_000_000")
    assert _num_examples(source) == 20_000


def _num_examples(source: Any) -> int:
    features = source.available_features()
    return sum(batch.num_examples for piece in source.pieces() for batch in source.read(piece, features, frozenset()))


@pytest.mark.parametrize("text", ["1GB", "-1", "0", "1e9"])
def test_a_limit_that_is_no_number_stops_builds(tree, monkeypatch, text):
    monkeypatch.setenv("GROUPSTREAM_MAX_SOURCE_BYTES", text)
    with pytest.raises(SpecError, match=r"GROUPSTREAM_MAX_SOURCE_BYTES is .* whole number above 0"):
        refuse_forbidden(_spec())


# Hugging Face: cards and data that name files elsewhere.


@pytest.fixture
def saved(tree: Path) -> Callable[..., Path]:
    datasets = pytest.importorskip("datasets")

    def save(name: str, columns: dict[str, Any], **features: Any) -> Path:
        kinds = datasets.Features(features) if features else None
        datasets.Dataset.from_dict(columns, features=kinds).save_to_disk(str(tree / "data" / name))
        return tree / "data" / name

    return save


def test_a_saved_dataset_that_names_files_outside_is_refused(saved, tree):
    folder = saved("good", {"key": ["a"]})
    outside = saved("../database/bad", {"key": ["hunter2"]})
    state = json.loads((folder / "state.json").read_text())
    file = next(outside.glob("*.arrow"))
    state["_data_files"][0]["filename"] = os.path.relpath(file, folder)
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(SpecError, match=r"source\.folder leads to"):
        _spec(source={"kind": "huggingface", "folder": str(folder)}).source.available_features()


def test_a_card_that_names_files_outside_is_refused(tree):
    pytest.importorskip("datasets")
    folder = tree / "data" / "carded"
    folder.mkdir()
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {tree}/secret.jsonl\n---\n"
    )
    with pytest.raises(SpecError, match=r"source\.dataset leads to .*secret\.jsonl"):
        _spec(source={"kind": "huggingface", "dataset": str(folder)}).source.available_features()


def test_an_image_that_is_a_path_outside_is_refused(saved, tree):
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("PIL")
    (tree / "secret.png").write_bytes(b"\x89PNG hunter2")
    folder = saved("images", {"image": [{"bytes": b"x", "path": None}]}, image=datasets.Image())
    file = next(folder.glob("*.arrow"))
    with pa.ipc.open_stream(file.read_bytes()) as stream:  # by itself the library copies the bytes when it saves
        schema = stream.schema
    column = pa.array([{"bytes": None, "path": str(tree / "secret.png")}], schema.field("image").type)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write(pa.record_batch([column], schema=schema))
    with pytest.raises(SpecError, match=r"the path of an image leads to .*secret\.png"):
        _spec(source={"kind": "huggingface", "folder": str(folder)}).source.available_features()
