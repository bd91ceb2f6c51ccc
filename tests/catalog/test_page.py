from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from catalog import read_entries, render_page
from catalog.entries import BrokenVersion, Place, SplitEntry, VersionEntry
from catalog.page import web_address
from catalog.sparkline import sparkline


class Text(HTMLParser):
    """Takes a page apart: its elements, their attributes, the text outside script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def entry(version: str = "1.0.0", **changes: object) -> VersionEntry:
    fields = {
        "version": version, "created_at": None, "description": "", "license": "", "has_card": True,
        "splits": (SplitEntry("train", 3, 40, 5_000),), "features": (("text", "string"),),
    }  # fmt: skip
    return VersionEntry(**(fields | changes))


def test_a_row_shows_the_newest_version(store, publish):
    publish("news@1.0.0", num_groups=5, day=2)
    publish("news@10.0.0", num_groups=1_999, day=9)
    text = Text(render_page(read_entries(store), store.root)).text
    assert "news 10.0.0 What news is. 2,000 40,000 2.0 MB 2026-01-09" in text
    assert "2 versions · 2 splits · 2 features · CC-BY-4.0" in text
    assert text.index("10.0.0 2,000") < text.index("1.0.0 6 120 6.0 kB 2026-01-02")
    assert 'dataset = groupstream.open("news@10.0.0")' in text
    assert "picture png image, text string" in text


def test_a_version_without_a_card_has_no_link():
    page = render_page({Place("a", "1.0.0"): entry(has_card=False), Place("b", "1.0.0"): entry()}, "/root")
    assert [attrs["href"] for tag, attrs in Text(page).tags if tag == "a"] == ["b/1.0.0/report/card.html"]


def test_links_may_begin_elsewhere():
    page = render_page({Place("b", "1.0.0"): entry()}, "/root", "file:///root/")
    assert 'href="file:///root/b/1.0.0/report/card.html"' in page
    assert web_address("s3://bucket/a b") == "https://bucket.s3.amazonaws.com/a%20b"


def test_code_names_the_root_where_it_is_an_address():
    entries = {Place("b", "1.0.0"): entry()}
    assert "/home/somebody" not in render_page(entries, "/home/somebody")
    assert 'open("b@1.0.0", root="s3://bucket/x")' in Text(render_page(entries, "s3://bucket/x")).text


def test_what_cannot_be_read_is_shown_with_its_reason():
    entries = {
        Place("a", ""): BrokenVersion("", "permission denied"),
        Place("b", "1.0.0"): entry(),
        Place("b", "2.0.0"): BrokenVersion("2.0.0", "b/2.0.0/manifest.json was changed"),
    }
    text = Text(render_page(entries, "/root")).text
    assert "a cannot be read 1 version · 1 cannot be read" in text
    assert "versions cannot be read permission denied" in text
    assert "2 versions · 1 cannot be read · 1 split" in text
    assert "2.0.0 cannot be read b/2.0.0/manifest.json was changed" in text


def test_aliases_and_deprecation_are_shown():
    entries = {
        Place("a", "1.0.0"): entry(is_deprecated=True, message="half of it"),
        Place("a", "2.0.0"): entry("2.0.0", aliases=("latest", "stable")),
        Place("a", "3.0.0"): entry("3.0.0"),
        Place("b", "1.0.0"): entry(is_deprecated=True),
    }
    text = Text(render_page(entries, "/root")).text
    assert "a 2.0.0 latest stable 3 40" in text, "the row shows what latest leads to"
    assert "3 versions · 1 deprecated · 1 split" in text
    assert "1.0.0 3 40 5.0 kB deprecated: half of it" in text
    assert 'groupstream.open("a@2.0.0")' in text
    assert "b 1.0.0 deprecated: no reason given 3 40" in text


def test_without_a_latest_the_newest_is_not_a_deprecated_one_if_there_is_another():
    entries = {
        Place("a", "1.0.0"): entry(),
        Place("a", "2.0.0"): entry("2.0.0", is_deprecated=True),
    }
    assert 'groupstream.open("a@1.0.0")' in Text(render_page(entries, "/root")).text


def test_no_text_of_users_is_markup(hostile):
    hostile += "\ud800"
    plain, page = (
        render_page(
            {
                Place("a", "1.0.0"): entry(
                    description=text, license=text, splits=(SplitEntry(text, 1, 1, 1), SplitEntry("b", 1, 1, 1)),
                    features=((text, text),), is_deprecated=True, message=text,
                ),
                Place("a", "2.0.0"): BrokenVersion("2.0.0", text),
                Place("b", "1.0.0"): entry(splits=(SplitEntry(text, 1, 1, 1),)),
            },
            "gs://x/" + text,
        )
        for text in ("x", hostile)
    )  # fmt: skip
    assert [(tag, sorted(attrs)) for tag, attrs in Text(page).tags] == [
        (tag, sorted(attrs)) for tag, attrs in Text(plain).tags
    ]
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "{{ 7*7 }}" in page
    page.encode()


def test_the_policy_allows_the_style_and_the_script_of_the_page_alone():
    page = render_page({Place("b", "1.0.0"): entry()}, "/root")
    [policy] = [a["content"] for t, a in Text(page).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert not any(name == "style" or name.startswith("on") for _, attrs in Text(page).tags for name in attrs)


def test_long_texts_are_cut():
    entries = {
        Place("a", "1.0.0"): entry(description="d" * 10_000, features=tuple((f"f{n}", "string") for n in range(500)))
    }
    page = render_page(entries, "/root")
    assert "d" * 300 + "…" in page
    assert "f39 string</span> and 460 more" in page


@pytest.mark.parametrize("num_versions", [2, 3, 48, 49, 5_000])
def test_a_sparkline_begins_and_ends_with_the_versions(num_versions):
    sizes = [0, *range(1, num_versions - 1), 1_000_000]
    found = ElementTree.fromstring(sparkline(sizes, '1 & 2 "x"'))
    points = [tuple(map(float, point.split(","))) for point in found.find("polyline").get("points").split()]
    assert len(points) == min(num_versions, 48)
    assert (points[0], points[-1]) == ((3, 21), (93, 3))
    assert [x for x, _ in points] == sorted({x for x, _ in points})
    assert found.get("aria-label") == '1 & 2 "x"'


def test_a_sparkline_of_one_version_or_of_nothing():
    assert sparkline([5], "") == ""
    assert "21" in sparkline([0, 0], "")
