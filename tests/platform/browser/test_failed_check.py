"""A build that breaks a check ends Failed, and whoever opens its page sees why with two clicks."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_the_reason_is_two_clicks_away(platform: Any, strict_run: str, open_run: Any) -> None:
    platform.wait_for_run(strict_run, ["FAILED"])
    page = open_run(strict_run)
    page.get_by_text("Failed", exact=True).first.wait_for()
    page.evaluate("() => { window.clicks = 0; addEventListener('click', () => window.clicks++, true) }")

    page.get_by_role("tab", name="Details").click()
    page.get_by_text("number of groups: 55, the limit is at least 1,000").first.wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    page.locator("a[href$='/artifacts/key/strict-checks']").get_by_text("1 of ").wait_for()
    page.locator("a[href$='/artifacts/key/strict-report']").wait_for()

    assert page.evaluate("window.clicks") == 2
    assert not list((platform.root / "strict").glob("*/manifest.json"))
