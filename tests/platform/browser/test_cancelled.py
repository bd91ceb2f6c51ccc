"""A run that is cancelled on its page ends Cancelled, and nothing of it is left where datasets lie."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

NAME = "cancelled"


@pytest.fixture
def endless(platform: Any) -> dict[str, Any]:
    """A spec of minutes of work, in a file of a few megabytes: ten million posts."""
    posts = ({"url": f"https://site{i % 40}.example", "text": "of few words"} for i in range(10_000))
    lines = "".join(json.dumps(post) + "\n" for post in posts)
    path = platform.sources / "endless.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode()) * 1000)
    return {
        "name": NAME,
        "source": {"kind": "jsonl", "paths": [str(path)]},
        "partitioner": {"kind": "url_domain", "feature": "url"},
    }


def test_a_run_is_cancelled_on_its_page(platform: Any, open_run: Any, endless: dict[str, Any], until: Any) -> None:
    run_id = platform.submit("build-dataset/build-dataset", {"spec": endless})
    until(lambda: any(platform.root.glob(".staging/*/*")))

    page = open_run(run_id)
    page.get_by_text("Running", exact=True).first.wait_for()
    page.locator("main").get_by_role("button", name="Open menu").or_(page.locator("main header button")).first.click()
    page.get_by_role("menuitem", name="Cancel").click()
    with page.expect_response("**/set_state"):
        page.get_by_role("button", name="Cancel Flow Run").click()
    platform.wait_for_run(run_id, ["CANCELLED"])

    page.reload()
    page.get_by_text("Cancelled", exact=True).first.wait_for()
    assert not (platform.root / NAME).exists()
    until(lambda: not any(platform.root.glob(".staging/*")))
