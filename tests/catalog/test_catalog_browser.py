"""The catalog in a real Chromium: from a file and from a web server, on a desk and on a phone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog import rebuild_catalog
from groupstream import layout
from groupstream.features import Feature
from groupstream.testing import FolderServer

SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
pytestmark = pytest.mark.browser
NAMES = "main > table > .dataset:not([hidden]) > tr .name"


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., object]]:
    """Opens an address; at the end, nothing may have been asked of another host, nor anything be in the console."""
    contexts, troubles = [], []

    def open_page(address: str, size: str = "desktop", **settings: object) -> object:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda asked: troubles.append(asked.url) if _is_elsewhere(asked.url, address) else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


def _is_elsewhere(url: str, address: str) -> bool:
    return not url.startswith(("data:", address.rpartition("/")[0]))


@pytest.fixture
def catalog(store, publish, hostile) -> Path:
    """Four datasets; their order by name, groups and date are three orders."""
    publish("wiki@1.0.0", num_groups=500, day=2)
    publish("books@1.0.0", num_groups=2_000_000, day=4)
    publish("news@2.0.0", num_groups=70, day=3, features={"scores_of_readers": Feature(dtype="int64")})
    publish("evil@1.0.0", num_groups=9, day=None, description=hostile, spec={"license": hostile})
    for version in range(3, 12):
        publish(f"news@{version}.0.0", num_groups=60 + version * 7, day=version, description="Articles of newspapers.")
    store.put_if_absent(f"wiki/2.0.0/{layout.MANIFEST}", b"{}")
    card = "<!doctype html><link rel=icon href=data:,><title>card</title>"
    for folder in ("books/1.0.0", "news/11.0.0"):
        store.put_if_absent(f"{folder}/{layout.CARD}", card.encode())
    rebuild_catalog(store)
    return Path(store.root) / layout.CATALOG_PAGE


def names(page) -> list[str]:
    return [text.split()[0] for text in page.locator(NAMES).evaluate_all("all => all.map(e => e.innerText)")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_opens_cleanly(catalog, opened, size, scheme):
    page = opened(catalog.as_uri(), size, color_scheme=scheme)
    for row in page.locator("summary").all():
        row.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'") is (
        scheme == "light"
    )
    assert page.locator("svg.spark:visible").count() == 1
    assert page.get_by_text('groupstream.open("news@11.0.0")').is_visible()
    assert page.get_by_text("manifest.json is not a manifest").is_visible()
    if folder := os.environ.get("CARD_SHOTS"):
        page.screenshot(path=Path(folder) / f"catalog_{size}_{scheme}.png", full_page=True)


def test_heads_sort_both_ways(catalog, opened):
    page = opened(catalog.as_uri())
    assert names(page) == ["books", "evil", "news", "wiki"]
    orders = {
        "Groups": ["books", "wiki", "news", "evil"],
        "Examples": ["books", "wiki", "news", "evil"],
        "Size": ["books", "wiki", "news", "evil"],
        "Published": ["news", "books", "wiki", "evil"],
    }
    for head, order in orders.items():
        page.get_by_role("button", name=head, exact=True).click()
        assert names(page) == order
        assert page.locator("th[aria-sort]").inner_text().startswith(head)
        page.get_by_role("button", name=head, exact=True).click()
        assert names(page) == order[::-1]
    page.get_by_role("button", name="Dataset").click()
    assert names(page) == ["books", "evil", "news", "wiki"]
    page.get_by_role("button", name="Dataset").press("Enter")
    assert names(page) == ["wiki", "news", "evil", "books"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("NEWS", ["news"]),
        ("newspapers articles", ["news"]),
        ("scores_of", []),  # a feature of an old version only
        ("png", ["books", "evil", "news", "wiki"]),
        ("cannot be read", ["wiki"]),
        ("<img", ["evil"]),
        ("  ", ["books", "evil", "news", "wiki"]),
        ("nowhere", []),
        ("groups", []),  # which is a head, and said of none
    ],
)
def test_typing_searches(catalog, opened, words, found):
    page = opened(catalog.as_uri())
    page.get_by_role("searchbox").press_sequentially(words)
    assert names(page) == found
    assert page.locator("output").inner_text() == (f"{len(found)} of 4" if words.strip() else "")


def test_a_search_outlasts_a_sort(catalog, opened):
    page = opened(catalog.as_uri())
    page.get_by_role("searchbox").fill("s")
    before = names(page)
    page.get_by_role("button", name="Groups").click()
    assert sorted(names(page)) == sorted(before)


@pytest.mark.parametrize("served", [False, True])
def test_links_lead_to_the_cards(catalog, opened, served):
    with FolderServer(catalog.parent) as server:
        page = opened(f"{server.url}/{catalog.name}" if served else catalog.as_uri())
        page.locator(NAMES).get_by_role("link", name="news").click()
        assert page.title() == "card"
        assert page.url.endswith("/news/11.0.0/report/card.html")
        page.go_back()
        page.locator("summary", has_text="10 versions").click()
        assert page.locator("details[open] a").count() == 10


def test_it_reads_without_its_script(catalog, opened):
    page = opened(catalog.as_uri(), java_script_enabled=False)
    assert page.get_by_role("searchbox").count() == 0
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("columnheader", name="Groups", exact=True).first.is_visible()
    page.locator("summary").last.click()
    assert page.get_by_text('groupstream.open("wiki@1.0.0")').is_visible()


def test_it_is_a_table_to_those_who_hear_it(catalog, opened):
    page = opened(catalog.as_uri())
    assert page.get_by_role("rowheader", name="books").count() == 1
    assert page.get_by_role("cell", name="2,000,001", exact=True).count() == 1
    assert page.get_by_role("img", name="Size from 71.0 kB in 2.0.0 to 138 kB in 11.0.0").count() == 1


def test_an_empty_catalog_is_a_page_too(store, opened):
    store.replace(layout.CATALOG_PAGE, b"")
    rebuild_catalog(store)
    page = opened((Path(store.root) / layout.CATALOG_PAGE).as_uri(), "phone")
    assert page.get_by_text("Nothing is published here yet").is_visible()
