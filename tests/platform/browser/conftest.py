"""The Prefect UI in Chromium: a page that reaches this machine only, and the form of a deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.waiting import wait_until

# Prefect's page asks its maker's analytics how they are set up, even where they are off, and sends nothing then. It is
# refused here, and said in docs/first-build.md. Nothing else may be asked for outside this machine.
ANALYTICS = "sr-client-cfg.amplitude.com"

# What the page logs of its own accord: that, icons of the browser's tab that it looks for in a wrong place, and a form
# that the server refuses.
KNOWN = re.compile(
    rf"{re.escape(ANALYTICS)}|404 .*/[a-z0-9-]+\.(svg|png)\)|status of 409|rror (while )?creating flow run"
)

# The picture of a run's tasks still draws a frame or two after its page was left, of what is gone by then.
DRAWING = re.compile(r"/(vendor-pixi|flow-run-graph)-\w+\.js")


class Form:
    """The form of a deployment, by the labels that a person reads.

    Labels lead from the outside in: ("Source", "Paths"). What is optional has its label without " (Optional)".
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        page.get_by_role("button", name="Submit").wait_for()

    def field(self, *labels: str) -> Any:
        """A field with all that belongs to it: label, description, input, message."""
        found = self.page.locator("form")
        for label in labels:
            words = f"normalize-space(.)='{label}' or normalize-space(.)='{label} (Optional)'"
            found = found.locator(f"xpath=.//div[contains(@class, 'group')][./div[1]//label[{words}]]")
        return found.first

    def fill(self, text: str, *labels: str) -> None:
        """Types into a field."""
        self.field(*labels).locator("textarea, input").first.fill(text)

    def add(self, text: str, *labels: str) -> None:
        """Adds an item to a list."""
        self.field(*labels).get_by_role("button", name="Add item").click()
        self.field(*labels).locator("textarea, input").last.fill(text)

    def tab(self, name: str, *labels: str) -> None:
        """Chooses a kind."""
        self.field(*labels).get_by_role("tab", name=name, exact=True).first.click()

    def fill_posts(self, name: str, path: str) -> None:
        """What builds a dataset of a file of posts by their site."""
        self.fill(name, "Name")
        self.tab("JSON", "Source")
        self.add(path, "Source", "Paths")
        self.tab("URL domain", "Partitioner")
        self.fill("url", "Partitioner", "Feature")

    def submit(self) -> None:
        """Asks for the run."""
        self.page.get_by_role("button", name="Submit").click()

    def start(self) -> str:
        """Submits what is right; the id of the run."""
        with self.page.expect_response("**/create_flow_run") as answer:
            self.submit()
        assert answer.value.status == 201, answer.value.text()
        return answer.value.json()["id"]

    def message(self, *labels: str) -> str:
        """What is said under a field itself: not under one in it, nor around it."""
        said = self.field(*labels).locator("xpath=./*[contains(@class, 'text-destructive')]")
        said.first.wait_for()
        return said.first.inner_text()

    def wait_for_message(self, words: str, *labels: str) -> None:
        """Waits until a field itself says this."""
        said = self.field(*labels).locator("xpath=./*[contains(@class, 'text-destructive')]")
        said.filter(has_text=words).first.wait_for()

    def message_of_item(self, *labels: str) -> str:
        """What is said under an item of a list."""
        below = "xpath=.//textarea/following-sibling::*[contains(@class, 'text-destructive')]"
        said = self.field(*labels).locator(below)
        said.first.wait_for()
        return said.first.inner_text()

    def refusal_of_browser(self, *labels: str) -> str:
        """What the browser says at the field that keeps it from submitting, a number out of its range."""
        field = self.field(*labels).locator("input:invalid:focus")
        field.wait_for()
        return field.evaluate("field => field.validationMessage")

    def wait_for_messages(self, number: int) -> None:
        """Waits until so much is said under any fields, and no more."""
        selector = "form p.text-destructive, form ul.text-destructive"
        self.page.wait_for_function(f"document.querySelectorAll('{selector}').length === {number}")


@pytest.fixture
def page(browser: Any, platform: Any) -> Iterator[Any]:
    """A page at the UI. After the test, nothing was asked for outside this machine, and no error was logged."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    errors: list[str] = []

    def pass_on(route: Any) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(platform.ui_url).netloc:
            return route.continue_()
        asked.append(route.request.url)
        return route.abort()

    def listen(said: Any) -> None:
        if said.type == "error" and not KNOWN.search(line := f"{said.text} ({said.location['url']})"):
            errors.append(line)

    def note(thrown: Any) -> None:
        if not DRAWING.search(thrown.stack or ""):
            errors.append(f"{thrown} ({thrown.stack})")

    context.route(lambda url: urlsplit(url).scheme not in ("data", "blob"), pass_on)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.on("console", listen)
    opened.on("pageerror", note)
    yield opened
    context.close()
    assert [url for url in asked if urlsplit(url).hostname != ANALYTICS] == []
    assert errors == []


@pytest.fixture
def open_form(page: Any, platform: Any) -> Callable[[str], Form]:
    """Opens the form of a deployment as a person does: its page, Run, Custom run."""

    def open_it(deployment: str) -> Form:
        page.goto(f"{platform.ui_url}/v2/deployments/deployment/{platform.deployment(deployment)['id']}")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        return Form(page)

    return open_it


@pytest.fixture
def open_run(page: Any, platform: Any) -> Callable[[str], Any]:
    """Opens the page of a run."""

    def open_it(run_id: str) -> Any:
        page.goto(f"{platform.ui_url}/v2/runs/flow-run/{run_id}")
        page.get_by_role("tab", name="Details").wait_for()
        return page

    return open_it


@pytest.fixture(scope="session")
def posts(platform: Any) -> str:
    """A source: 3,000 posts of 60 sites, some of which have more than others."""
    path = platform.sources / "posts.jsonl"
    sites = [f"https://www.site{min(i % 60, i % 7 * 9)}.example/{i}" for i in range(3000)]
    path.write_text("".join(json.dumps({"url": url, "text": f"post at {url}"}) + "\n" for url in sites))
    return str(path)


@pytest.fixture(scope="session")
def strict_run(platform: Any, posts: str) -> str:
    """A run of a build that asks for more groups than there are."""
    source, partitioner = {"kind": "jsonl", "paths": [posts]}, {"kind": "url_domain", "feature": "url"}
    checks = {"groups": {"min_groups": 1000}}
    spec = {"name": "strict", "source": source, "partitioner": partitioner, "checks": checks}
    return platform.submit("build-dataset/build-dataset", {"spec": spec})


@pytest.fixture(scope="session", autouse=True)
def started(strict_run: str) -> None:
    """What needs no page runs while the pages of other tests are looked at."""


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], Any]:
    """Gives what a look gives, as soon as it is something."""
    return lambda look: wait_until(look, "so")
