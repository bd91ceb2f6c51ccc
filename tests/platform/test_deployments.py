"""The deployments of prefect.yaml, on a platform that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.definitions import read_definitions

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]


def test_all_are_there_as_the_file_says(platform):
    found = {each["name"]: each for each in platform.request("POST", "/deployments/filter", {})}
    for definition in read_definitions(REPOSITORY / "prefect.yaml"):
        deployed = found[definition.name]
        for field in ("description", "tags", "parameters", "entrypoint"):
            assert deployed[field] == getattr(definition, field), (definition.name, field)
        assert deployed["global_concurrency_limit"]["limit"] == definition.concurrency_limit.limit
        strategy = deployed["concurrency_options"]["collision_strategy"]
        assert strategy == definition.concurrency_limit.collision_strategy
        assert deployed["job_variables"] == definition.work_pool.job_variables
        slugs = [(each["slug"], each["schedule"]["cron"], each["active"]) for each in deployed["schedules"]]
        assert slugs == [(each.slug, each.cron, False) for each in definition.schedules]


def test_the_work_pool_has_a_limit_and_its_runs_start_where_the_platform_was_started(platform):
    pool = platform.request("GET", "/work_pools/groupstream")
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 4)
    assert pool["base_job_template"]["variables"]["properties"]["working_dir"]["default"] == str(platform.sources)


def test_a_run_of_the_generic_deployment_builds_what_the_form_says(platform, write_source):
    spec = write_source(platform.sources, "formed")
    spec["source"]["paths"] = ["formed.jsonl"]  # seen from the folder that the platform was started in
    platform.wait_for_run(platform.submit("build-dataset/build-dataset", {"spec": spec}), ["COMPLETED"])
    assert (platform.root / "formed" / "1.0.0" / "manifest.json").exists()


def test_the_deployment_of_the_demo_builds_it_as_it_is(platform):
    platform.wait_for_run(platform.submit("build-dataset/stdlib"), ["COMPLETED"])
    assert (platform.root / "stdlib" / "1.0.0" / "manifest.json").exists()
