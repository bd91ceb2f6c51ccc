"""A schedule that is switched on and off on the page of its deployment keeps what it runs with."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

DEPLOYMENT = "maintain/maintain"


def _kept(deployment: dict[str, Any]) -> dict[str, Any]:
    """What a switch must not change."""
    schedule = deployment["schedules"][0]
    return {
        "of the deployment": deployment["parameters"],
        "of the schedule": schedule["parameters"],
        "slug": schedule["slug"],
        "when": schedule["schedule"],
    }


def _upcoming(platform: Any, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    return platform.request("POST", "/flow_runs/filter", wanted)


def test_a_schedule_switched_off_and_on_keeps_its_parameters(page: Any, platform: Any, until: Any) -> None:
    before = platform.deployment(DEPLOYMENT)
    assert before["parameters"] and before["schedules"][0]["slug"]
    assert not before["schedules"][0]["active"]

    page.goto(f"{platform.ui_url}/v2/deployments/deployment/{before['id']}")
    for is_on in (True, False, True, False):
        with page.expect_response(lambda answer: answer.request.method == "PATCH"):
            page.get_by_role("switch").click()
        page.get_by_role("switch", checked=is_on).wait_for()
        assert platform.deployment(DEPLOYMENT)["schedules"][0]["active"] is is_on
        assert _kept(platform.deployment(DEPLOYMENT)) == _kept(before)
        if is_on:
            run = until(lambda: _upcoming(platform, before))[0]
            assert run["parameters"] == before["parameters"]
