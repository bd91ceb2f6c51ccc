"""A cron schedule makes runs by itself: with wrong versions of FastAPI or SQLAlchemy nothing fails and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

DEPLOYMENT = "maintain/maintain"


@pytest.fixture
def every_minute(platform) -> Iterator[str]:
    """Gives the deployment a schedule that people switch on; its id."""
    path = f"/deployments/{platform.deployment(DEPLOYMENT)['id']}/schedules"
    schedule = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "active": True, "slug": "every-minute"}
    made = platform.request("POST", path, [schedule])[0]
    yield made["id"]
    platform.request("DELETE", f"{path}/{made['id']}")


def test_cron_makes_runs_by_itself_and_keeps_parameters_when_it_is_switched_off_and_on(platform, every_minute):
    parameters = platform.deployment(DEPLOYMENT)["parameters"]
    assert parameters, "without any the test would show nothing"
    first = wait_until(lambda: _runs(platform), "scheduled")
    types = {run["state"]["type"] for run in first}  # the first may be due, and with a worker, by now
    assert "SCHEDULED" in types and types <= {"SCHEDULED", "PENDING", "RUNNING"}, types
    assert all(run["auto_scheduled"] for run in first)

    _switch(platform, every_minute, on=False)
    wait_until(lambda: not _runs(platform, "SCHEDULED"), "gone")
    _switch(platform, every_minute, on=True)
    second = wait_until(lambda: _runs(platform, "SCHEDULED"), "scheduled again")
    assert all(run["parameters"] == parameters for run in second)

    ended = platform.wait_for_run(min(second, key=lambda run: run["expected_start_time"])["id"], ["COMPLETED"])
    assert ended["parameters"] == parameters


def _switch(platform: Any, schedule: str, *, on: bool) -> None:
    """As the UI does."""
    deployment = platform.deployment(DEPLOYMENT)["id"]
    platform.request("PATCH", f"/deployments/{deployment}/schedules/{schedule}", {"active": on})


def _runs(platform: Any, *states: str) -> list[dict[str, Any]]:
    """Those that the schedule made."""
    body: dict[str, Any] = {"deployments": {"id": {"any_": [platform.deployment(DEPLOYMENT)["id"]]}}}
    if states:
        body["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
    found: list[dict[str, Any]] = platform.request("POST", "/flow_runs/filter", body)
    return [run for run in found if run["auto_scheduled"]]
