"""A wrong value is refused under its field, before anything is started or stored."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

GENERIC = "build-dataset/build-dataset"
SECRET = "https://someone:secret@example.org/posts.jsonl"


def _num_runs(platform: Any) -> int:
    generic = {"deployments": {"id": {"any_": [platform.deployment(GENERIC)["id"]]}}}
    return platform.request("POST", "/flow_runs/count", generic)


def _files_with(platform: Any, text: str) -> list[str]:
    """The files of Prefect's home, its database and its logs, that hold a text."""
    files = [path for path in platform.home.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_a_wrong_value_is_refused_under_its_field(platform: Any, open_form: Any, posts: str) -> None:
    num_runs = _num_runs(platform)
    form = open_form(GENERIC)
    form.fill_posts("News", SECRET)
    form.submit()
    assert "'News' does not match" in form.message("Name")
    assert "an address with a user, a password or a query" in form.message_of_item("Source", "Paths")
    form.wait_for_messages(2)

    form.fill("", "Name")
    form.fill(posts, "Source", "Paths")
    form.submit()
    form.wait_for_message("required", "Name")
    form.wait_for_messages(1)

    form.fill("posts", "Name")
    form.fill("-1", "Checks", "Groups", "Max examples")
    form.submit()
    assert "greater than or equal to 1" in form.refusal_of_browser("Checks", "Groups", "Max examples")

    assert _num_runs(platform) == num_runs
    assert _files_with(platform, SECRET) == []
    assert _files_with(platform, GENERIC.partition("/")[0]) != []
