"""README.md, judged by huggingface_hub, datasets and a CommonMark parser."""

from __future__ import annotations

import json

import pytest
import yaml
from markdown_it import MarkdownIt

from cards.hub_card import hub_card
from cards.hub_metadata import hub_features
from cards.licenses import find_license
from cards.text import visible_line
from groupstream.commit import describe_file
from groupstream.features import Feature
from groupstream.manifest import CheckResult, Counts, Manifest

hub = pytest.importorskip("huggingface_hub", reason="no huggingface_hub; get it with: pip install huggingface_hub")

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](https://evil.example/a.png) [y](javascript:alert(1))",
    "a | b\n---\n# c\n```\nd\n~~~",
    "*b* __c__ ~~d~~ `e` $f$ &lt; \\* &amp;",
    "1. x\n2) y\n- z\n+ q\n=====",
    "\x00\x1b[31m\u202egpj.\u2028",
    "---",
    "<!-- <![CDATA[ <?php",
    "    indented\n\ttab\n> quote\n| a | b |\n|---|---|",
]


def data_of(card: str) -> dict[str, object]:
    return hub.DatasetCard(card).data.to_dict()


def tokens_of(card: str) -> list:
    """What a CommonMark parser with tables makes of the text below the YAML."""
    body = hub.DatasetCard(card).text
    found = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(body)
    return [inner for token in found for inner in (token, *(token.children or ()))]


def texts_of(tokens: list) -> str:
    return "".join(token.content for token in tokens if token.type in ("text", "text_special"))


def test_the_hub_reads_what_the_version_is(make_table, make_manifest):
    tables = {"train": make_table([4, 2, 1]), "validation": make_table([3])}
    manifest = make_manifest(tables)
    spec = manifest.spec | {"license": "ODC-By-1.0", "homepage": "https://example.org", "citation": "@misc{news}"}
    data = data_of(hub_card(manifest.model_copy(update={"spec": spec})))
    assert data["license"] == "odc-by"
    assert data["pretty_name"] == "fedccnews-sample"
    assert data["size_categories"] == ["n<1K"]
    assert data["dataset_info"]["splits"] == [
        {"name": "train", "num_bytes": 7 * 400, "num_examples": 7},
        {"name": "validation", "num_bytes": 3 * 400, "num_examples": 3},
    ]
    assert data["dataset_info"]["dataset_size"] == 10 * 400
    assert [feature["name"] for feature in data["dataset_info"]["features"]] == ["group_id", *sorted(manifest.features)]
    assert data["configs"] == [
        {
            "config_name": "groups",
            "data_files": [{"split": n, "path": f"{n}.groups.parquet"} for n in ("train", "validation")],
        }
    ]


@pytest.mark.parametrize(
    ("num_examples", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")],
)
def test_the_size_category_is_that_of_the_hub(make_table, make_manifest, num_examples, category):
    manifest = make_manifest({"train": make_table([num_examples])})
    assert data_of(hub_card(manifest))["size_categories"] == [category]


@pytest.mark.parametrize(
    ("name", "homepage", "expected"),
    [
        ("cc-by-SA-4.0", "", {"license": "cc-by-sa-4.0"}),
        ("GPL-3.0-or-later", "", {"license": "gpl-3.0"}),
        ("", "https://example.org", {}),
        ("Our licence, v2!", "", {"license": "other", "license_name": "our-licence-v2"}),
        ("MIT OR x", "https://a.org/", {
            "license": "other", "license_name": "mit-or-x", "license_link": "https://a.org/"}),
        ("\x00|\n---", "javascript:x", {"license": "other", "license_name": "other"}),
    ],
)  # fmt: skip
def test_a_licence_that_the_hub_does_not_know_is_another(make_table, make_manifest, name, homepage, expected):
    manifest = make_manifest({"train": make_table([1])})
    spec = manifest.spec | {"license": name, "homepage": homepage}
    data = data_of(hub_card(manifest.model_copy(update={"spec": spec})))
    assert {key: value for key, value in data.items() if key.startswith("license")} == expected


def test_known_licences_are_those_of_the_hub():
    assert find_license(" mit ").hub_id == "mit"
    assert find_license("AGPL-3.0-only").hub_id == "agpl-3.0"
    assert find_license("agpl") is None
    assert find_license("etalab-2.0").url == "https://spdx.org/licenses/etalab-2.0.html"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_users_is_markup(make_table, make_manifest, hostile):
    plain, found = (_card_of(text, make_table, make_manifest) for text in ("plain", hostile))
    allowed = {_kind(token) for token in tokens_of(plain)} | {("softbreak", "br")}
    tokens = tokens_of(found)
    assert {_kind(token) for token in tokens} <= allowed
    blocks = [token.content for token in tokens if token.type == "html_block"]
    assert blocks == ["<details>\n<summary>The spec, without what it leaves open</summary>\n", "</details>\n"]
    links = {token.attrs["href"] for token in tokens if token.type == "link_open"}
    assert links == {"report/card.html"}
    assert not any(token.type == "image" for token in tokens)
    shown = visible_line(hostile, 40)
    for place in ("name", "feature", "label", "reason", "check", "limit", "offender"):
        assert f"{place} {shown}"[:40] in texts_of(tokens), place
    [data] = [data_of(found)]
    assert data["pretty_name"] == visible_line(f"name {hostile}")
    assert f"feature {hostile}" in [feature["name"] for feature in data["dataset_info"]["features"]]


def _kind(token) -> tuple[str, str]:
    return token.type, token.tag


def _card_of(text: str, make_table, make_manifest) -> str:
    feature = Feature(dtype="int64", labels=(f"label {text}",))
    check = CheckResult(
        name=f"check {text}", limit=f"limit {text}", observed="1", passed=False, offenders=(f"offender {text}",)
    )
    manifest = make_manifest(
        {"train": make_table([2])},
        name=f"name {text}",
        description=f"description {text}\n\n{text}",
        features={f"feature {text}": feature},
        checks=(check,),
        counts=Counts(examples_in=3, examples_out=2, dropped={f"reason {text}": 1}, regrouped={text: 1}),
        source={"kind": text},
        code={text: text},
        spec={"partitioner": {"kind": text, "x": [text]}, "license": f"licence {text}", "citation": text, "a": text},
    )
    return hub_card(manifest, f"Words of `{text}` and {text}.", f"Splits by `{text}`.")


def test_a_description_keeps_its_paragraphs(make_table, make_manifest):
    manifest = make_manifest({"train": make_table([2])}, description="One.\r\n\r\nTwo,\nthree.")
    paragraphs = [t.content for t in tokens_of(hub_card(manifest)) if t.type == "inline"]
    assert paragraphs[1:3] == ["One.", "Two,\nthree."]


def test_how_it_was_built_is_told_in_words(make_table, make_manifest):
    card = hub_card(make_manifest({"train": make_table([2])}), "By the host of `url_of_it`.", "All are in train.")
    tokens = tokens_of(card)
    assert "By the host of `url_of_it`. All are in train." in card
    assert "url_of_it" in [token.content for token in tokens if token.type == "code_inline"]


def test_code_runs_as_it_stands(make_table, make_manifest):
    card = hub_card(make_manifest({"train": make_table([2]), "big_one": make_table([7])}))
    blocks = [token.content for token in tokens_of(card) if token.type == "fence" and token.info == "python"]
    assert 'groupstream.open("fedccnews-sample@1.2.0")' in blocks[0]
    assert 'dataset["big_one"]' in blocks[0]
    for block in blocks:
        compile(block, "README.md", "exec")


def test_figures_of_several_splits_are_added_up(make_table, make_manifest):
    card = hub_card(make_manifest({"train": make_table([4, 2]), "test": make_table([1])}))
    assert "| train | 2 | 6 | 2.4 kB | 366 | 0 |\n| test | 1 | 1 | 400 B | 61 | 0 |" in card
    assert "| **together** | **3** | **7** | **2.8 kB** | **427** | **0** |" in card
    assert "| train | 2 | 2 | 2 | 4 |" in card


def test_it_is_the_same_before_and_after_the_manifest_was_written(make_table, make_manifest, tmp_path):
    manifest = make_manifest({"b": make_table([4]), "a": make_table([3])})
    page = tmp_path / "report.html"
    page.write_bytes(b"content")
    stored = manifest.model_copy(update={"files": (describe_file(page.name, page),)})
    assert hub_card(manifest) == hub_card(Manifest.from_json(stored.to_json(), "here"))


def test_a_spec_that_lists_very_much_is_cut(make_table, make_manifest):
    manifest = make_manifest({"train": make_table([1])}, spec={"expected": [f"group {n}" for n in range(10_000)]})
    card = hub_card(manifest)
    assert len(card) < 30_000
    assert "more characters" in card


FEATURES = {
    "text": Feature(dtype="string"),
    "raw": Feature(dtype="bytes", optional=True),
    "picture": Feature(dtype="bytes", image_format="png"),
    "pixels": Feature(dtype="uint8", shape=(28, 28, 1)),
    "vector": Feature(dtype="float32", shape=(7,)),
    "six": Feature(dtype="int8", shape=(1, 2, 1, 2, 1, 2)),
    "scores": Feature(dtype="float32", shape=(None,)),
    "boxes": Feature(dtype="int32", shape=(None, 2, 4)),
    "label": Feature(dtype="int64", labels=("a: b", "'", "- x\n---\n")),
}


def test_the_features_are_those_of_the_library_datasets():
    datasets = pytest.importorskip("datasets", reason="no datasets; get it with: pip install datasets")
    from groupstream.adapters.hf_columns import HfColumns

    ours = yaml.safe_load(yaml.safe_dump(hub_features(FEATURES), sort_keys=False))
    expected = dict(HfColumns(datasets, FEATURES, binary_ids=False).mapped)
    expected.pop("group_id")
    assert datasets.Features._from_yaml_list(ours) == datasets.Features(expected)
    assert json.dumps(ours) == json.dumps(datasets.Features(expected)._to_yaml_list())
