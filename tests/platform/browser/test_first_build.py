"""The whole loop, as someone goes through it who has never seen the platform: form, run, card, checks, picture."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

NAME = "first-build"


def _open_artifact(page: Any, key: str) -> None:
    """From the page of a run: its artifacts, all with this key, the one."""
    page.get_by_role("tab", name="Artifacts").click()
    page.locator(f"a[href$='/artifacts/key/{key}']").click()
    page.locator("main a[href*='/artifacts/artifact/']").first.click()
    page.get_by_role("tab", name="Artifact", exact=True).wait_for()


def test_a_dataset_is_built_from_the_form(page: Any, platform: Any, open_form: Any, open_run: Any, posts: str) -> None:
    form = open_form("build-dataset/build-dataset")
    form.fill_posts(NAME, posts)
    run_id = form.start()
    page.get_by_text("View run").click()
    page.wait_for_url(f"**/runs/flow-run/{run_id}**")

    page.get_by_text("Running", exact=True).first.wait_for()
    page.get_by_text(f"Beginning flow run 'build {NAME}'").wait_for()
    platform.wait_for_run(run_id, ["COMPLETED"])
    page.get_by_text("Completed", exact=True).first.wait_for()
    lines = platform.run_log(run_id).splitlines()
    assert lines.count(f"{NAME}@1.0.0 is published. It lies in {platform.root}/{NAME}/1.0.0") == 1
    assert (platform.root / NAME / "1.0.0" / "manifest.json").exists()

    _open_artifact(open_run(run_id), NAME)
    page.get_by_role("heading", name=NAME, exact=True).wait_for()
    assert "3,000" in page.get_by_role("row").filter(has_text="train").first.inner_text()
    assert f"{platform.root}/{NAME}/1.0.0" in page.locator("main").inner_text()

    _open_artifact(open_run(run_id), f"{NAME}-checks")
    assert "passed" in page.get_by_role("row").filter(has_text="number of groups").inner_text()

    _open_artifact(open_run(run_id), f"{NAME}-sizes")
    page.wait_for_function("[...document.querySelectorAll('main img')].some(image => image.naturalWidth > 100)")
