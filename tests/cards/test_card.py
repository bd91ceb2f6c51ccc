from __future__ import annotations

import dataclasses
import inspect
import io
import itertools
import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

import cards
from cards.images import encode_png, small_png, thumbnail
from cards.plots import bin_edges
from cards.samples import show_value
from cards.split_part import percentiles
from groupstream.features import Feature
from groupstream.group_table import LABEL_SCHEMA
from groupstream.manifest import CheckResult, Counts, Manifest

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'\u202ecod.exe\x00\x1b[31m\ud800</style></title>"
HOSTILE_BYTES = b"\xff\xfe</td><script>alert(1)</script>\xe2\x80\xae\x00"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects the tags, their attributes and the text, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def hostile_page(make_table, make_content, differences) -> str:
    table = make_table([3, 1, 1], [HOSTILE_BYTES, b"", "\u202e\n".encode()])
    manifest = {
        "name": HOSTILE,
        "description": HOSTILE,
        "digest": HOSTILE,
        "spec": {
            "partitioner": {"kind": HOSTILE, HOSTILE: [HOSTILE]}, HOSTILE: HOSTILE,
            "license": HOSTILE, "homepage": "javascript:alert(1)//https://x.y", "citation": HOSTILE,
        },
        "source": {HOSTILE: {"a": HOSTILE}},
        "code": {HOSTILE: HOSTILE},
        "group_feature": HOSTILE,
        "features": {
            HOSTILE: Feature(dtype="string", labels=(HOSTILE,)), "i": Feature(dtype="bytes", image_format="png"),
        },
        "counts": Counts(examples_in=9, examples_out=5, dropped={HOSTILE: 4}, regrouped={HOSTILE: 1}),
        "checks": (CheckResult(name=HOSTILE, limit=HOSTILE, observed=HOSTILE, passed=False, offenders=(HOSTILE,)),),
    }  # fmt: skip
    example = {"group_id": HOSTILE_BYTES, HOSTILE: HOSTILE, "i": HOSTILE_BYTES, HOSTILE + "2": [HOSTILE, HOSTILE_BYTES]}
    changes = {
        "added": {HOSTILE: HOSTILE},
        "removed": {},
        "changed": {"x": [{"dtype": HOSTILE}, {"dtype": HOSTILE_BYTES}]},
    }
    label = {"label": HOSTILE_BYTES, "examples_before": 1, "examples_after": 0, "share_before": 0.5, "share_after": 0.0}
    changed = differences["splits"]["train"] | {
        "largest_changes": [{"group_id": HOSTILE_BYTES, "examples_before": 1, "examples_after": 0}],
        "labels": {"distance": 0.5, "largest_changes": [label]},
    }
    found = {
        "before": HOSTILE, "after": HOSTILE, "differ": True, "features": changes, "settings": changes,
        "splits": {HOSTILE: changed, HOSTILE + "2": differences["splits"]["validation"]},
    }  # fmt: skip
    words = {
        "partitioner": f"By `{HOSTILE}`.",
        "splitting": HOSTILE,
        "notice": HOSTILE,
        "rejected": frozenset({HOSTILE}),
    }
    content = make_content({HOSTILE: table}, manifest=manifest, samples=[example], differences=found, **words)
    return cards.render_card(content)


def test_card_escapes_hostile_input(hostile_page):
    page = Page(hostile_page)
    assert "script" not in page.tags
    assert {name for _, name, _ in page.attributes if name.startswith("on")} == set()
    assert page.tags.count("img") == 1
    assert page.text.count("<script>alert(1)</script>") >= 25  # all of it is there, as text
    assert page.tags.count("style") == page.tags.count("title") == 1


def test_card_shows_hidden_characters_as_escapes(hostile_page):
    hostile_page.encode()  # no lone surrogates
    hidden = set("\u202e\x00\x1b\ud800") & set(hostile_page)
    assert not hidden
    assert "\\u202e" in hostile_page
    assert "\\xff\\xfe&lt;/td&gt;" in hostile_page
    assert "\\u202e\\n" in hostile_page  # a group id stays on one line
    assert "(empty)" in hostile_page


def test_card_asks_nothing_of_other_hosts(large_version, hostile_page):
    for html in (hostile_page, cards.render_card(large_version)):
        page = Page(html)
        loaded = [
            value for tag, name, value in page.attributes if name in ("src", "href", "data", "srcset") if tag != "a"
        ]
        assert loaded
        assert all(link.startswith(("data:", "#")) for link in loaded)
        style = html[html.index("<style>") : html.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style


def test_card_links_to_the_homepage_only(large_version, hostile_page):
    def followed(html: str) -> set[str]:
        return {v for tag, name, v in Page(html).attributes if tag == "a" and name == "href" and not v.startswith("#")}

    assert followed(cards.render_card(large_version)) == {"https://example.org/news"}
    assert followed(hostile_page) == set(), "javascript: is no address"


def test_card_is_the_same_bytes_whatever_the_order_of_keys(large_version):
    first = cards.render_card(large_version)
    read_again = Manifest.from_json(large_version.manifest.to_json(), "manifest.json")
    turned = dict(reversed(large_version.splits.items()))
    assert cards.render_card(dataclasses.replace(large_version, manifest=read_again, splits=turned)) == first


def test_card_ids_are_unique_and_links_lead_somewhere(large_version):
    attributes = Page(cards.render_card(large_version)).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0
    targets = {value[1:] for _, name, value in attributes if name == "href" and value.startswith("#")}
    assert {"about", "load", "checks", "changes", "split0"} <= targets <= set(ids)


def test_card_headings_descend_one_step_at_a_time(large_version, hostile_page):
    for html in (cards.render_card(large_version), hostile_page):
        levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_card_says_what_the_manifest_says(large_version):
    text = Page(cards.render_card(large_version)).text
    for wanted in (
        "fedccnews-sample@1.2.0", "9,400", "News articles of the Common Crawl", "kind: url_domain, feature: url",
        "4f1c4f1c", "left out: no group", "121", "✗ failed", "✓ passed", "reuters.com", "politics", "28 × 28 × 1",
        'groupstream.open("fedccnews-sample@1.2.0")', "tfds.builder_from_directory(", "more characters", "0 · politics",
        "CC-BY-4.0", "@misc{news", "One group for each registrable domain of url.", "1 of 2 checks failed",
        "in quarantine: check text: min_length 1", "groupstream quarantine fedccnews-sample@1.2.0",
        "too small, and merged into one", "Each group is in one split",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_card_says_what_changed(large_version):
    text = " ".join(Page(cards.render_card(large_version)).text.split())
    for wanted in (
        "since fedccnews-sample@1.1.0", "290,000 examples before, 590,000 now", "scores", "is new: dtype float32",
        "source.num_files", "has changed: 20 → 24",
        "Split train 120 added, 20 removed, 300 grown, 8,080 kept", "0900+900",
        "8,4008,500+100", "validation new: 8,400 groups", "distance of 0.0213", "sport30.00 %40.00 %+10.00 %",
        "groupstream diff fedccnews-sample@1.1.0 fedccnews-sample@1.2.0",
    ):  # fmt: skip
        assert wanted in text, wanted
    first = cards.render_card(dataclasses.replace(large_version, differences=None))
    assert "No earlier version was there to compare it with." in first


def test_what_is_not_published_says_so_first_with_the_checks_that_failed(large_version):
    page = cards.render_card(dataclasses.replace(large_version, notice="Not published: 1 of 2 checks failed"))
    start = page[page.index("<main") : page.index("<h1>")]
    for wanted in ("Not published: 1 of 2 checks failed", "groups.max_share_of_largest", "0.9 %", "reuters.com"):
        assert wanted in start, wanted
    assert "groups.min_groups" not in start, "it passed"
    assert "groupstream.open(" not in page and "groupstream diff" not in page, "nothing is there to load"
    assert "immutable" not in page
    assert "Not published" not in cards.render_card(large_version)


def test_card_counts_each_group_once_as_it_is_told(make_table, make_content):
    html = cards.render_card(make_content({"train": make_table([5, 5, 5]), "test": make_table([1, 1])}, num_groups=3))
    assert '<dt>groups</dt><dd class="value">3</dd><dd class="note">in 2 splits</dd>' in html


@pytest.mark.parametrize("sizes", [[], [1], [1000], [1, 1, 1], [5, 5_000_000], [2, 3, 4]])
def test_card_of_few_groups_is_whole(sizes, make_table, make_content):
    page = Page(cards.render_card(make_content({"train": make_table(sizes)})))
    assert page.tags.count("svg") == (4 if sizes else 0)
    assert ("This split has no groups." in page.text) is (not sizes)


def test_card_of_images_has_no_picture_of_words(make_table, make_content):
    table = make_table([3, 2, 1])
    table = table.set_column(table.schema.names.index("num_words"), "num_words", [[0, 0, 0]])
    page = Page(cards.render_card(make_content({"train": table})))
    assert page.tags.count("svg") == 3 and "words per group" not in page.text


def test_card_without_splits_is_whole(make_content):
    manifest = {"counts": Counts(examples_in=0, examples_out=0), "checks": (), "features": {}, "spec": {}}
    text = Page(cards.render_card(make_content({}, manifest=manifest))).text
    assert "This version has no splits." in text and "no licence stated" in text


def test_checks_stand_by_kind_and_the_failed_first(make_table, make_content):
    checks = tuple(
        CheckResult(kind=kind, name=f"{kind} {n}", limit="1", observed="2", passed=(kind, n) != ("drift", 1))
        for n in range(2)
        for kind in ("files", "examples", "drift")
    )
    text = Page(cards.render_card(make_content({"train": make_table([1])}, manifest={"checks": checks}))).text
    wanted = ["1 of 6 checks failed", "Checks against an earlier version", "drift 1", "drift 0", "Checks of examples",
              "2 checks passed", "examples 0", "examples 1", "Checks of files", "files 0"]  # fmt: skip
    places = [text.rindex(words) if words.startswith("1 of") else text.index(words, 200) for words in wanted]
    assert "1 of 6 checks failed" in text
    assert places[1:5] == sorted(places[1:5]) and places[6:] == sorted(places[6:])


LIMIT_BYTES = 2_000_000
WORST = '\U000e0041"<\u202e' * 300  # each character takes five to ten bytes in the page


def test_card_stays_below_two_megabytes_whatever_it_holds(make_table, make_content, differences):
    many = range(10_000)
    noise = np.random.default_rng(0)
    pictures = {f"picture {i}": noise.integers(0, 256, (300, 300, 3), np.uint8) for i in range(12)}
    feature = Feature(dtype="int64", labels=tuple(f"{WORST}{n}" for n in range(10_000)))
    features = {f"{i} {WORST}": feature for i in many}
    manifest = {
        "description": WORST * 200,
        "spec": {"license": WORST, "homepage": WORST, "citation": WORST * 200, "partitioner": {WORST: list(many)}},
        "features": features,
        "counts": Counts(examples_in=10**6, examples_out=0, dropped={f"check {i} {WORST}": 100 for i in many}),
        "checks": tuple(
            CheckResult(name=WORST, limit=WORST, observed=WORST, passed=bool(i % 2), offenders=(WORST,) * 5)
            for i in many
        ),
        "source": {str(i): WORST for i in many},
    }
    example = {"group_id": WORST.encode(), **pictures, **dict.fromkeys(features, WORST)}
    tables = {f"{i} {WORST}": make_table([3, 1], [WORST.encode(), b"x"]) for i in range(40)}
    labels = {name: _labels_of([WORST + str(i) for i in range(200)]) for name in tables}
    changed = {f"{i} {WORST}": [WORST, WORST] for i in many}
    changes = {"added": changed, "removed": changed, "changed": changed}
    found = differences | {
        "before": WORST, "features": changes, "settings": changes,
        "splits": dict.fromkeys(tables, differences["splits"]["train"]),
    }  # fmt: skip
    words = {"partitioner": WORST * 100, "splitting": WORST * 100, "notice": WORST}
    content = make_content(tables, labels, manifest, samples=[example] * 9, differences=found, **words)
    page = cards.render_card(content)
    assert len(page.encode()) < LIMIT_BYTES
    text = Page(page).text
    assert "more features" in text and "more checks" in text and "more failed checks" in text and "more reasons" in text


def _labels_of(names: list[str]) -> pa.Table:
    rows = [{"group_row": 0, "label": name.encode(), "num_examples": 1} for name in sorted(names)]
    return pa.Table.from_pylist(rows, LABEL_SCHEMA)


def test_percentiles_are_those_of_numpy():
    sizes = np.random.default_rng(5).integers(1, 10**9, 9_998)  # hardly a tie, so the method shows
    expected = np.quantile(sizes, [0.1, 0.5, 0.9, 1], method="lower")
    assert list(percentiles(sizes).values()) == expected.tolist() == [*np.sort(sizes)[[999, 4998, 8997, 9997]]]


def test_percentiles_are_those_of_the_manifest(large_version):
    sizes = large_version.splits["train"].column("num_examples")
    found = percentiles(sizes)
    assert list(found.values()) == [size for _, size in large_version.manifest.splits["train"].statistics.group_sizes]
    html = cards.render_card(large_version)
    assert all(f'<td class="number">{cards.format_count(value)}</td>' in html for value in found.values())


@pytest.mark.parametrize(
    ("low", "top"), [(1, 1), (1, 7), (1, 10), (1, 11), (3, 60), (99, 999), (1, 100_000), (5, 10**9)]
)
def test_histogram_bars_hold_every_group_once(low, top):
    sizes = np.unique(np.geomspace(low, top, 500).astype(np.int64))
    edges = bin_edges(sizes)
    assert np.histogram(sizes, edges)[0].sum() == len(sizes)
    assert (edges[1:] % 1 == 0.5).all()
    assert (np.diff(edges) > 0).all()


def test_long_text_is_cut_at_600_characters():
    shown = show_value("text", "é" * 700, None).text
    assert shown == "é" * 600 + " … 100 more characters"


def test_image_that_cannot_be_made_smaller_is_named():
    shown = show_value("photo", bytes(1_000_001), Feature(dtype="bytes", image_format="jpeg"), 1000)
    assert (shown.image_url, shown.text) == ("", "jpeg image of 1.0 MB, too large to show here")


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_large_image_is_made_smaller(image_format):
    image = pytest.importorskip("PIL.Image")
    noise = image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8))
    noise.save(buffer := io.BytesIO(), image_format)
    data = buffer.getvalue()
    assert thumbnail(data, image_format, len(data)) == data, "it is small enough"
    small = thumbnail(data, image_format, 20_000)
    assert small is not None and len(small) <= 20_000 < len(data)
    found = image.open(io.BytesIO(small))
    assert found.format == image_format.upper() and abs(found.height / found.width - 9 / 7) < 0.05
    assert thumbnail(data, image_format, 10) is None
    assert thumbnail(data, "jpeg" if image_format == "png" else "png", 20_000) is None, "it is no such image"


def test_large_tensor_is_thinned_until_it_fits():
    noise = np.random.default_rng(0).integers(0, 256, (600, 400, 3), np.uint8)
    assert len(small_png(noise, 30_000)) <= 30_000 < len(encode_png(noise))


@pytest.mark.parametrize("shape", [(5, 7, 1), (5, 7, 3), (1030, 3, 3)])
def test_png_holds_the_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = encode_png(pixels)
    step = -(-max(shape) // 512)
    thinned = pixels[::step, ::step]
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    lines = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(height, -1)
    assert (height, width) == thinned.shape[:2]
    assert (lines[:, 1:].reshape(thinned.shape) == thinned).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(missing)"), (True, "true"), (np.float32(0.1), "0.1"), (0.1 + 1e-9, "0.1"), (7, "7"), ("", "(empty)"),
        (b"\xff\x00", "\\xff\\x00"), ([], "[]"), (["a", b"b", 1], "[a, b, 1]"), ((), "[]"),
        (list(range(14)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 2 more]"),
        (np.zeros((0, 3, 3), np.uint8), "uint8, 0 × 3 × 3: []"), (np.float32([[0.5]]), "float32, 1 × 1: [0.5]"),
        (np.array(5), "int64, one value: [5]"),
    ],
)  # fmt: skip
def test_value_is_shown_as_text(value, text):
    assert show_value("x", value, None).text == text


@pytest.mark.parametrize("label", [-1, 3])
def test_class_index_outside_the_labels_is_shown_bare(label):
    assert show_value("label", label, Feature(dtype="int64", labels=("a", "b", "c"))).text == str(label)


def test_public_surface_is_the_list():
    public = {n for n, v in vars(cards).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert public == set(cards.__all__) == {
        "CardContent", "SplitSource", "format_bytes", "format_count", "render_card",
    }  # fmt: skip
