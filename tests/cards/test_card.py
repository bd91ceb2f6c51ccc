from __future__ import annotations

import inspect
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

import cards
from cards.images import encode_png
from cards.plots import bin_edges
from cards.samples import MAX_IMAGE_BYTES, show_value
from cards.split_part import percentiles
from groupstream.features import Feature
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
def hostile_page(make_table, make_manifest) -> str:
    tables = {HOSTILE: make_table([3, 1, 1], [HOSTILE_BYTES, b"", "\u202e\n".encode()])}
    manifest = make_manifest(
        {"train": tables[HOSTILE]},
        name=HOSTILE,
        description=HOSTILE,
        digest=HOSTILE,
        spec={"partitioner": {"kind": HOSTILE, HOSTILE: [HOSTILE]}, HOSTILE: HOSTILE},
        source={HOSTILE: {"a": HOSTILE}},
        code={HOSTILE: HOSTILE},
        group_feature=HOSTILE,
        features={HOSTILE: Feature(dtype="string", labels=(HOSTILE,)), "i": Feature(dtype="bytes", image_format="png")},
        counts=Counts(examples_in=9, examples_out=5, dropped={HOSTILE: 4}),
        checks=(CheckResult(name=HOSTILE, limit=HOSTILE, observed=HOSTILE, passed=False, offenders=(HOSTILE,)),),
    )
    example = {"group_id": HOSTILE_BYTES, HOSTILE: HOSTILE, "i": HOSTILE_BYTES, HOSTILE + "2": [HOSTILE, HOSTILE_BYTES]}
    return cards.render_card(manifest, tables, [example])


def test_card_escapes_hostile_input(hostile_page):
    page = Page(hostile_page)
    assert "script" not in page.tags
    assert {name for _, name, _ in page.attributes if name.startswith("on")} == set()
    assert page.tags.count("img") == 1
    assert page.text.count("<script>alert(1)</script>") >= 15  # all of it is there, as text
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
    for html in (hostile_page, cards.render_card(*large_version)):
        links = [value for tag, name, value in Page(html).attributes if name in ("src", "href", "data", "srcset")]
        assert links
        assert all(link.startswith(("data:", "#")) for link in links)
        style = html[html.index("<style>") : html.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style


def test_card_is_the_same_bytes_whatever_the_order_of_keys(large_version):
    manifest, tables, examples = large_version
    first = cards.render_card(manifest, tables, examples)
    read_again = Manifest.from_json(manifest.to_json(), "manifest.json")
    turned = dict(reversed(tables.items()))
    assert cards.render_card(read_again, turned, examples) == first


def test_card_ids_are_unique(large_version):
    ids = [value for _, name, value in Page(cards.render_card(*large_version)).attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0


def test_card_says_what_the_manifest_says(large_version):
    text = Page(cards.render_card(*large_version)).text
    for wanted in (
        "fedccnews-sample@1.2.0", "9,400", "News articles of the Common Crawl", "kind: url_domain, feature: url",
        "4f1c4f1c", "dropped: too_short", "121", "✗ failed", "✓ passed", "reuters.com", "politics", "28 × 28 × 1",
        'groupstream.open("fedccnews-sample@1.2.0")', "tfds.builder_from_directory(", "more characters", "0 · politics",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_card_counts_a_group_of_two_splits_once(make_table, make_manifest):
    tables = {"train": make_table([5, 5, 5]), "test": make_table([1, 1])}
    html = cards.render_card(make_manifest(tables), tables, [])
    assert '<dd class="value">3</dd><dd class="note">in 2 splits</dd>' in html


@pytest.mark.parametrize("sizes", [[], [1], [1000], [1, 1, 1], [5, 5_000_000], [2, 3, 4]])
def test_card_of_few_groups_is_whole(sizes, make_table, make_manifest):
    tables = {"train": make_table(sizes)}
    page = Page(cards.render_card(make_manifest(tables), tables, []))
    assert page.tags.count("svg") == (2 if sizes else 0)
    assert ("This split has no groups." in page.text) is (not sizes)


def test_card_without_splits_is_whole(make_manifest):
    manifest = make_manifest({}, counts=Counts(examples_in=0, examples_out=0), checks=(), features={}, spec={})
    assert "This version has no splits." in Page(cards.render_card(manifest, {}, [])).text


def test_percentiles_are_those_of_numpy():
    sizes = np.random.default_rng(5).integers(1, 10**9, 9_998)  # hardly a tie, so the method shows
    expected = np.quantile(sizes, [0.1, 0.5, 0.9, 1], method="lower")
    assert list(percentiles(sizes).values()) == expected.tolist() == [*np.sort(sizes)[[999, 4998, 8997, 9997]]]


def test_percentiles_are_those_of_the_manifest(large_version):
    manifest, tables, _ = large_version
    sizes = tables["train"]["num_examples"].to_numpy()
    found = percentiles(sizes)
    assert list(found.values()) == [size for _, size in manifest.splits["train"].statistics.group_sizes]
    html = cards.render_card(*large_version)
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


def test_large_encoded_image_is_named_not_shown():
    shown = show_value("photo", bytes(MAX_IMAGE_BYTES + 1), Feature(dtype="bytes", image_format="jpeg"))
    assert (shown.image_url, shown.text) == ("", "jpeg image of 1.0 MB, too large to show here")


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
    assert public == set(cards.__all__) == {"format_bytes", "format_count", "render_card"}
