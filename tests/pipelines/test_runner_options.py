"""Beam's options, as specs give them."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam.runners.portability.flink_runner import FlinkRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.spark_runner import SparkRunner

from groupstream import SpecError
from pipelines.runners.options import pipeline_options
from pipelines.runners.portable import beam_runner, cluster_options
from specs import Flink, Spark


def test_options_that_beam_knows_are_passed_on():
    more = {
        "dataflow_kms_key": "projects/p/key",
        "experiments": ["a", "b"],
        "dataflow_service_options": ["enable_prime"],
        "disk_provisioned_iops": 3000,
        "enable_hot_key_logging": True,
        "autoscaling_algorithm": "NONE",
        "environment_options": ["docker_container_image=i"],
    }
    options = pipeline_options({"project": "p", "network": None}, more).get_all_options()
    assert {name: options[name] for name in more} == more
    assert (options["project"], options["network"]) == ("p", None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"experiment": ["a"]}, r"runner.options.experiment is not an option of Beam .*; did you mean 'experiments'"),
        ({"zzzzzz": 1}, r"runner.options.zzzzzz is not an option of Beam .*; leave it out"),
        ({"experiments": "a"}, "runner.options.experiments is 'a': Beam wants a list of texts"),
        ({"environment_options": [1]}, r"runner.options.environment_options is \[1\]: Beam wants a list of texts"),
        (
            {"disk_provisioned_iops": "many"},
            "options.disk_provisioned_iops is 'many': Beam wants a whole number",
        ),
        ({"disk_provisioned_iops": True}, "is True: Beam wants a whole number"),
        ({"dataflow_kms_key": 3}, "runner.options.dataflow_kms_key is 3: Beam wants a text"),
        ({"no_auth": "yes"}, "runner.options.no_auth is 'yes': Beam wants yes or no"),
        ({"autoscaling_algorithm": "ALL"}, "is 'ALL': Beam wants one of NONE, THROUGHPUT_BASED"),
        ({"project": "q"}, "runner.options.project is set already, by a key of the runner"),
        ({"runner": "DirectRunner"}, r"runner.options.runner is what runner.kind says\. Leave it out"),
        ({"number_of_worker_harness_threads": 8}, "runner.options.number_of_worker_harness_threads is 1: each further"),
        ({"dry_run": True}, "runner.options.dry_run would publish what never ran"),
        ({"template_location": "gs://b/t"}, "runner.options.template_location would submit nothing"),
    ],
)
def test_other_options_are_refused_with_a_way_out(more, said):
    with pytest.raises(SpecError, match=said):
        pipeline_options({"project": "p"}, more)


_FLINK = {"environment_config": "image", "parallelism": 4, "options": {"max_parallelism": 64}}
_OF_FLINK = {"environment_type": "DOCKER", "environment_config": "image", "parallelism": 4, "max_parallelism": 64}


@pytest.mark.parametrize(
    ("runner", "beams", "wanted"),
    [
        (Flink(job_endpoint="h:1", **_FLINK), PortableRunner, {"job_endpoint": "h:1", **_OF_FLINK}),
        (Flink(flink_master="http://f:8081", **_FLINK), FlinkRunner, {"flink_master": "http://f:8081", **_OF_FLINK}),
        (
            Spark(spark_master_url="spark://s:7077", environment_type="PROCESS", environment_config='{"command": "c"}'),
            SparkRunner,
            {"spark_master_url": "spark://s:7077", "environment_type": "PROCESS", "job_endpoint": None},
        ),
        (Spark(job_endpoint="h:1", environment_type="LOOPBACK"), PortableRunner, {"environment_type": "LOOPBACK"}),
    ],
)
def test_clusters_get_the_options_of_the_spec(runner: Any, beams: type, wanted: dict[str, Any]):
    options = cluster_options(runner, "name").get_all_options()
    assert {name: options[name] for name in wanted} == wanted
    assert options["number_of_worker_harness_threads"] == 1
    assert type(beam_runner(runner)) is beams


def test_the_time_that_a_job_server_has_may_be_set():
    runner = Flink(job_endpoint="h:1", environment_type="LOOPBACK", options={"job_server_timeout": 5})
    assert cluster_options(runner, "name").get_all_options()["job_server_timeout"] == 5
    assert (
        cluster_options(Flink(job_endpoint="h:1", environment_type="LOOPBACK"), "n").get_all_options()[
            "job_server_timeout"
        ]
        == 30 * 24 * 3600
    )
