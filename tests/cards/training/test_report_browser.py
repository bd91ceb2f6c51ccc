"""Reports in Chromium: nothing is cut off, nothing is asked for, in both schemes and at every width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cards.training import render_training_report

SIZES = {"desktop": (1280, 900), "phone": (390, 844), "small phone": (360, 740)}
LONG = "</td><script>alert(1)</script>" + "W" * 300
pytestmark = pytest.mark.browser

_OUTSIDE = """width => Array.from(document.querySelectorAll('main *'))
  .filter(e => e.getBoundingClientRect().right > width + 0.5 && !e.closest('.hidden, svg, .scroll'))
  .map(e => e.tagName + '.' + e.className)"""
_OUTSIDE_PICTURE = """() => Array.from(document.querySelectorAll('svg')).flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return Array.from(svg.querySelectorAll('text')).filter(text => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1;
  }).map(text => svg.getAttribute('aria-label').slice(0, 40) + ': ' + text.textContent);
})"""


@pytest.fixture(scope="module")
def kept() -> dict[str, str]:
    return {}


@pytest.fixture
def report(make_facts, make_rounds, make_evaluation, kept, tmp_path):
    """The file of a report of some kind."""

    def write(kind: str) -> Path:
        if kind not in kept:
            names = [LONG, "$x_{$", *"bcdefg"] if kind == "hostile" else ["FedAvg", "FedSGD"]
            rounds = make_rounds(dict.fromkeys(names, 3.0), 60, (0, 1))
            evaluation = make_evaluation(dict.fromkeys(names, (3.0, 2.4)), 40, (0, 1))
            facts = make_facts(protocol="paper")
            if kind == "hostile":
                facts = make_facts(
                    dataset=LONG, model=LONG, device=LONG, counts={LONG: 10**12}, settings=LONG, notes=[LONG],
                    groupstream_version=LONG, num_targets_seen={LONG: 10**15}, num_parameters=10**13,
                )  # fmt: skip
            kept[kind] = render_training_report(facts, rounds, evaluation)
        path = tmp_path / "report.html"
        path.write_text(kept[kind], encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_report_opens_cleanly(kind: str, size: str, scheme: Any, report, browser) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: troubles.extend([asked.url] * (not asked.url.startswith(("file:", "data:")))))
    page.goto(report(kind).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_OUTSIDE, width) == [] and page.evaluate(_OUTSIDE_PICTURE) == []
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(_OUTSIDE, width) == [], "nor are the tables"
    finding = page.locator(".finding").bounding_box()
    assert finding["y"] < height, "the finding is seen without scrolling"
    context.close()
    assert not troubles
