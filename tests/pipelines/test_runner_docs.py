"""The specs that the page on runners shows can be read."""

from __future__ import annotations

import re
from pathlib import Path

import apache_beam
import pytest
import yaml

from specs import Spec

PAGE = (Path(__file__).parents[2] / "docs/runners.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_each_kind_is_shown():
    kinds = [yaml.safe_load(block)["runner"].get("kind", "local") for block in BLOCKS]
    assert kinds == ["local", "dataflow", "flink", "spark"]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_runner_that_is_shown_can_be_read(block):
    source, partitioner = {"kind": "csv", "paths": ["x"]}, {"kind": "feature", "feature": "t"}
    fields = {"name": "a", "source": source, "partitioner": partitioner, **yaml.safe_load(block)}
    runner = Spec.model_validate(fields, extra="forbid").runner
    if runner.kind == "dataflow":
        from pipelines.runners.options import pipeline_options

        pipeline_options({}, runner.options)


def test_the_version_of_the_job_server_is_that_of_beam():
    assert set(re.findall(r"_job_server:([\d.]+)", PAGE)) == {apache_beam.__version__}
    assert f"must be Beam's, {apache_beam.__version__}." in PAGE
