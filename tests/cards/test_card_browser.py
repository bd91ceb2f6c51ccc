from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cards
from groupstream.manifest import CheckResult, Counts

SIZES = {"desktop": (1280, 900), "phone": (390, 844), "small phone": (360, 740)}
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["large", "hostile", "empty", "failed"])
def test_card_opens_cleanly(kind, size, scheme, browser, page_of):
    with opened(browser, page_of(kind), size, scheme) as (page, troubles):
        width = SIZES[size][0]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_OUTSIDE, width) == [], "nothing is cut off"
        assert (_brightness(page, "body", "backgroundColor") < 128) is (scheme == "dark")
        assert page.locator("nav.toc").is_visible() is (size == "desktop")
        if kind == "large":
            pixels = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
            assert pixels == [28, 28]
            assert page.locator("svg:visible").count() == 7  # sizes, Lorenz curve and words of two splits, one's labels
            contrast = _brightness(page, "svg:visible text", "fill") - _brightness(page, "body", "backgroundColor")
            assert abs(contrast) > 80
        if kind == "failed":
            first = page.locator(".notice .checks .failed").first.bounding_box()
            assert first is not None and first["y"] < SIZES[size][1], "what failed is seen without scrolling"
        _keep_picture(page, f"{kind}_{size}_{scheme}")
    assert not troubles


def test_text_has_contrast_in_both_schemes(browser, page_of):
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    for scheme in ("light", "dark"):
        with opened(browser, page_of("failed"), "desktop", scheme) as (page, _):
            for selector in ("h1", ".tags .failed", ".mark.passed", ".mark.failed", "figcaption", ".toc a", "summary",
                             "pre", "article dt", ".tabs label", ".sign", ".notice .headline"):  # fmt: skip
                if page.locator(selector).count():
                    assert _contrast(page, selector) >= 4.5, (scheme, selector)


def test_tabs_show_one_library_at_a_time_without_script(browser, page_of):
    with opened(browser, page_of("large"), "phone", "light") as (page, troubles):
        panels = page.locator(".tabs .panel")
        assert panels.count() == 6
        assert [panels.nth(i).is_visible() for i in range(6)] == [True] + [False] * 5
        page.get_by_text("PyTorch", exact=True).click()
        assert [panels.nth(i).is_visible() for i in range(6)] == [False, True, *[False] * 4]
        page.keyboard.press("ArrowRight")
        assert panels.nth(2).is_visible() and "to_tf" in panels.nth(2).inner_text()
    assert not troubles


def test_print_is_light_and_whole(browser, page_of):
    with opened(browser, page_of("large"), "desktop", "dark") as (page, troubles):
        page.emulate_media(media="print", color_scheme="dark")
        assert _brightness(page, "body", "backgroundColor") > 250
        assert not page.locator("nav.toc").is_visible()
        assert all(panel.is_visible() for panel in page.locator(".tabs .panel").all()), "code for every library"
        assert all(spec.is_visible() for spec in page.locator("details > pre").all()), "what is folded on a screen"
        broken = page.evaluate(
            "Array.from(document.querySelectorAll('figure, article, tr'), e => getComputedStyle(e).breakInside)"
        )
        assert set(broken) == {"avoid"}
        after = page.evaluate("Array.from(document.querySelectorAll('h2, h3'), e => getComputedStyle(e).breakAfter)")
        assert set(after) == {"avoid"}
        pdf = page.pdf(format="A4")
        assert pdf.startswith(b"%PDF")
        assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
    assert not troubles


@pytest.fixture
def page_of(large_version, make_table, make_content, tmp_path):
    """The file of a card of some kind."""

    def write(kind: str) -> Path:
        path = tmp_path / f"{kind}.html"
        path.write_text(_card(kind, large_version, make_table, make_content), encoding="utf-8")
        return path

    return write


def _card(kind, large_version, make_table, make_content) -> str:
    if kind == "large":
        return cards.render_card(large_version)
    if kind == "failed":
        return cards.render_card(dataclasses.replace(large_version, notice="Not published: 1 of 2 checks failed"))
    if kind == "empty":
        return cards.render_card(make_content({"train": make_table([])}))
    long = "</td><script>alert(1)</script>" + "W" * 400
    tables = {long: make_table([40_000_000, 1], [long.encode(), b"\xff" * 90]), long + "2": make_table([1])}
    checks = [CheckResult(name=long, limit=long, observed=long, passed=False, offenders=[long] * 5)]
    counts = Counts(examples_in=10**12, examples_out=1, dropped={long: 10**12 - 1}, regrouped={long: 10**9})
    spec = {"license": long, "homepage": "https://" + "w" * 400, "citation": long, "partitioner": {"kind": long}}
    manifest = {
        "name": long, "description": long, "source": {"path": long}, "digest": long, "spec": spec, "checks": checks,
        "counts": counts,
    }  # fmt: skip
    change = {"examples_before": 10**12, "examples_after": 0}
    sizes = large_version.differences["splits"]["train"]
    differences = {
        **large_version.differences,
        "before": long,
        "features": {"added": {long: long}, "removed": {}, "changed": {}},
        "splits": {long: {**sizes, "largest_changes": [{"group_id": long.encode(), **change}]}},
    }
    samples = [{"group_id": long.encode(), "text": long, long: [long]}] * 2
    words = {"partitioner": f"`{long}`", "splitting": f"`{long}`"}
    content = make_content(tables, manifest=manifest, samples=samples, differences=differences, **words)
    return cards.render_card(content)


@contextmanager
def opened(browser, path: Path, size: str, scheme: str) -> Iterator[tuple]:
    """The page, and what went wrong: messages on the console, errors, requests to elsewhere."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if _is_remote(request.url) else None)
    page.goto(path.as_uri())
    yield page, troubles
    context.close()


_OUTSIDE = """width => Array.from(document.querySelectorAll('main *'))
  .filter(e => e.getBoundingClientRect().right > width + 0.5 && !e.closest('.hidden') && !e.closest('svg'))
  .map(e => e.tagName + '.' + e.className)"""


def _is_remote(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def _brightness(page, selector: str, color: str) -> float:
    script = "(element, name) => getComputedStyle(element)[name].match(/\\d+/g).slice(0, 3).map(Number)"
    return sum(page.locator(selector).first.evaluate(script, color)) / 3


def _contrast(page, selector: str) -> float:
    """Of a text with what is behind it."""
    script = """element => {
      let behind = element;
      while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
      return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
        .map(color => color.match(/[\\d.]+/g).slice(0, 3).map(Number));
    }"""
    light, dark = sorted((_luminance(c) for c in page.locator(selector).first.evaluate(script)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: list[float]) -> float:
    parts = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _keep_picture(page, name: str) -> None:
    """Where $CARD_SHOTS names a folder, the page is kept there for people to look at."""
    if folder := os.environ.get("CARD_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
