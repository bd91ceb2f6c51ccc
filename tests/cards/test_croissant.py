"""croissant.json, judged by mlcroissant."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cards.croissant import croissant
from groupstream import layout
from groupstream.commit import describe_file
from groupstream.features import Feature
from groupstream.group_table import LABEL_SCHEMA, write_group_table
from groupstream.manifest import Manifest, Shard, SplitInfo

mlcroissant = pytest.importorskip("mlcroissant", reason="no mlcroissant; get it with: pip install mlcroissant")

pytestmark = pytest.mark.filterwarnings(
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning", "ignore:The inplace keyword:Warning"
)

HOSTILE = 'a "b" </script>\n@id http://x.org/#é%20 ' + "W" * 300
IDS = [b"plain", b"", b"\xff\x00</script>", "ä€".encode()]
LABELS = {"group_row": [0, 1, 1], "label": [b"0", b"0", b"1"], "num_examples": [5, 1, 1]}
CITED = {"license": "cc-by-sa-4.0", "homepage": "https://example.org/news", "citation": "@misc{news}"}


def _described(path):
    """Also under a name that a manifest would refuse."""
    return describe_file("file", path).model_copy(update={"path": path.name})


@pytest.fixture
def version(tmp_path, make_table, make_manifest):
    """Writes the tables of a version and its croissant.json, and gives the path of that."""

    def write(splits: dict[str, pa.Table], spec: dict[str, str] | None = None, **changes: object) -> Path:
        manifest = make_manifest(splits)
        infos, files = {}, []
        for name, table in splits.items():
            path = tmp_path / layout.group_table_file(name)
            write_group_table(path, [table])
            labels = tmp_path / layout.label_table_file(name)
            write_group_table(labels, [pa.table(LABELS, schema=LABEL_SCHEMA)], LABEL_SCHEMA)
            files.append(_described(labels))
            infos[name] = manifest.splits[name].model_copy(
                update={"group_table": _described(path), "shards": _shards(name)}
            )
        update = {"splits": infos, "files": tuple(files), "spec": manifest.spec | (spec or {}), **changes}
        (tmp_path / layout.CROISSANT).write_text(json.dumps(croissant(manifest.model_copy(update=update))))
        return tmp_path / layout.CROISSANT

    return write


def _shards(split: str, number: int = 2) -> tuple[Shard, ...]:
    fields = {"size_bytes": 1, "crc32c": "0" * 8, "sha256": "0" * 64, "num_groups": 1, "num_examples": 1}
    one = Shard(path="shard", **fields)
    return tuple(one.model_copy(update={"path": layout.shard_file(split, index, number)}) for index in range(number))


def opened(path: Path, caplog: pytest.LogCaptureFixture) -> tuple[object, list[str]]:
    """What mlcroissant makes of it, and the warnings it has. Errors it raises."""
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=path)
    return dataset, [line for line in caplog.text.splitlines() if line.strip().startswith("-") or "WARNING:" in line]


def records(dataset: object, record_set: str) -> list[dict[str, object]]:
    return [{key.split("/")[1]: value for key, value in each.items()} for each in dataset.records(record_set)]


def test_mlcroissant_finds_no_error_and_misses_only_what_is_not_known(version, make_table, caplog):
    dataset, warnings = opened(version({"train": make_table([4, 2])}, CITED), caplog)
    assert [line for line in warnings if "datePublished" not in line] == []
    assert dataset.metadata.name == "fedccnews-sample"
    assert str(dataset.metadata.version) == "1.2.0"
    assert dataset.metadata.license == ["https://spdx.org/licenses/CC-BY-SA-4.0.html"]
    assert dataset.metadata.url == "https://example.org/news"
    assert dataset.metadata.cite_as == "@misc{news}"


def test_a_version_with_nothing_said_of_it_is_valid(version, make_table, caplog):
    silent = {"license": "", "citation": "", "homepage": "javascript:alert(1)"}
    dataset, warnings = opened(version({"train": make_table([4])}, silent), caplog)
    assert {word for word in ("license", "datePublished", "citeAs") if word in "".join(warnings)} == {
        "license", "datePublished", "citeAs",
    }  # fmt: skip
    assert len(warnings) == 3
    assert dataset.metadata.url is None


@pytest.mark.parametrize("split", ["train", HOSTILE.replace("/", "|")[:100]])
def test_mlcroissant_loads_the_tables_of_groups_and_labels(version, make_table, split, caplog):
    path = version({split: make_table([5, 2, 1, 7], IDS), "validation": make_table([3])})
    dataset, _ = opened(path, caplog)
    names = ["train" if split == "train" else "-0", "validation"]
    for name, stored in zip(names, (split, "validation"), strict=True):
        table = pq.read_table(path.parent / layout.group_table_file(stored))
        assert records(dataset, f"groups_{name}") == table.to_pylist()
        assert records(dataset, f"labels_{name}") == pa.table(LABELS).to_pylist()


def test_the_features_are_fields_of_the_examples(version, make_table, caplog):
    features = {
        "text": Feature(dtype="string"),
        "yes": Feature(dtype="bool"),
        "raw": Feature(dtype="bytes", optional=True),
        "picture": Feature(dtype="bytes", image_format="png"),
        "pixels": Feature(dtype="uint8", shape=(28, 28, 1)),
        "scores": Feature(dtype="float32", shape=(None,)),
        "label": Feature(dtype="int64", labels=("cat", HOSTILE)),
        HOSTILE: Feature(dtype="int8"),
    }
    path = version({"train": make_table([4])}, features=features)
    dataset, _ = opened(path, caplog)
    [found] = [each for each in dataset.metadata.record_sets if each.id == "examples"]
    fields = {field.name: field for field in found.fields}
    types = {name: str(field.data_types[0]).rpartition("/")[2] for name, field in fields.items()}
    assert types == {
        "group_id": "Text", "text": "Text", "yes": "Boolean", "raw": "Text", "picture": "ImageObject",
        "pixels": "Integer", "scores": "Float", "label": "Integer", HOSTILE: "Integer",
    }  # fmt: skip
    assert {name for name, field in fields.items() if field.repeated} == {"pixels", "scores"}
    assert (fields["pixels"].array_shape_tuple, fields["scores"].array_shape_tuple) == ((28, 28, 1), (-1,))
    assert all(field.source.extract.column == name for name, field in fields.items())
    assert fields["raw"].description == "bytes; bytes, for which Croissant has no type; missing in some examples"
    classes = records(dataset, "classes_label")
    assert classes == [{"index": 0, "name": "cat"}, {"index": 1, "name": HOSTILE}]


def test_thousands_of_shards_take_one_line_that_matches_them_alone(version, make_table, make_manifest, caplog):
    path = version({"train[a]": make_table([4]), "a-train[a]": make_table([4])})
    for folder in (path.parent, path.parent / "report"):
        folder.mkdir(exist_ok=True)
        for shard in (*_shards("train[a]"), *_shards("b-train[a]"), *_shards("train[a]", 3)):
            (folder / shard.path).write_bytes(b"")
    dataset, _ = opened(path, caplog)
    operations = [each for each in dataset.operations.operations.nodes if type(each).__name__ == "FilterFiles"]
    [listed] = [each.call(_whole_folder(path.parent)) for each in operations if each.node.id == "shards"]
    assert [file.filepath.name for file in listed] == [shard.path for shard in _shards("train[a]")]

    one = make_manifest({"train": make_table([4])})
    many = {n: one.model_copy(update={"splits": {"train": _with_shards(one, n)}}) for n in (1, 3000)}
    assert len(json.dumps(croissant(many[1]))) == len(json.dumps(croissant(many[3000]))) < 20_000


def _whole_folder(folder: Path) -> object:
    from etils import epath
    from mlcroissant._src.core.path import Path as FoundPath

    return FoundPath(filepath=epath.Path(folder), fullpath=folder)


def _with_shards(manifest: Manifest, number: int) -> SplitInfo:
    return manifest.splits["train"].model_copy(update={"shards": _shards("train", number)})


def test_it_is_the_same_before_and_after_the_manifest_was_written(make_table, make_manifest, tmp_path):
    manifest = make_manifest({"b": make_table([4]), "a": make_table([3])})
    page = tmp_path / "README.md"
    page.write_bytes(b"content")
    written = Manifest.from_json(
        manifest.model_copy(update={"files": (describe_file(page.name, page),)}).to_json(), "here"
    )
    assert json.dumps(croissant(manifest)) == json.dumps(croissant(written))


def test_a_version_without_examples_has_no_record_set_of_them(make_table, make_manifest):
    manifest = make_manifest({"train": make_table([])})
    dataset = mlcroissant.Dataset(jsonld=croissant(manifest))
    assert [each.id for each in dataset.metadata.record_sets] == ["classes_label", "groups_train"]
