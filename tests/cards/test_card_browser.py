from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cards
from groupstream.group_table import LABEL_SCHEMA

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; get it with: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; get it with: pip install playwright")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["large", "hostile", "empty"])
def test_card_opens_cleanly(kind, size, scheme, browser, large_version, make_table, make_manifest, tmp_path):
    path = tmp_path / "card.html"
    path.write_text(_card(kind, large_version, make_table, make_manifest), encoding="utf-8")
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if _is_remote(request.url) else None)
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (_brightness(page, "body", "backgroundColor") < 128) is (scheme == "dark")
    if kind == "large":
        pixels = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
        assert pixels == [28, 28]
        assert page.locator("svg:visible").count() == 3
        assert abs(_brightness(page, "svg:visible text", "fill") - _brightness(page, "body", "backgroundColor")) > 80
        _keep_picture(page, f"{size}_{scheme}")
    context.close()
    assert not troubles


def _card(kind, large_version, make_table, make_manifest) -> str:
    if kind == "large":
        manifest, tables, examples = large_version
        return cards.render_card(manifest, tables, examples, {"train": _labels(tables["train"])})
    if kind == "empty":
        return cards.render_card(make_manifest({"train": make_table([])}), {"train": make_table([])}, [])
    long = "</td><script>alert(1)</script>" + "W" * 400
    tables = {long: make_table([40, 1], [long.encode(), b"\xff" * 90])}
    manifest = make_manifest(tables, name=long, description=long, source={"path": long}, digest=long)
    return cards.render_card(manifest, tables, [{"group_id": long.encode(), "text": long, long: [long]}])


def _labels(table: pa.Table) -> pa.Table:
    """Three labels in uneven shares for each group."""
    sizes = table["num_examples"].to_numpy()
    shares = np.random.default_rng(4).dirichlet([0.4] * 3, len(sizes))
    counts = np.maximum(1, (sizes[:, None] * shares).astype(np.int64))
    labels = pa.array([b"0", b"1", b"2"] * len(sizes), pa.binary())
    columns = [np.repeat(np.arange(len(sizes)), 3), labels, counts.ravel()]
    return pa.table(columns, schema=LABEL_SCHEMA)


def _is_remote(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def _brightness(page, selector: str, color: str) -> float:
    script = "(element, name) => getComputedStyle(element)[name].match(/\\d+/g).slice(0, 3).map(Number)"
    return sum(page.locator(selector).first.evaluate(script, color)) / 3


def _keep_picture(page, name: str) -> None:
    """Where $CARD_SHOTS names a folder, the page is kept there for people to look at."""
    if folder := os.environ.get("CARD_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
