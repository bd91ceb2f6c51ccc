"""The image of Beam's workers. No Docker engine is needed: its file is held against what it must agree with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import apache_beam
import pytest

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "infra/dataflow/Dockerfile").read_text()


def pins(name: str) -> dict[str, str]:
    text = (REPOSITORY / "requirements" / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", text, re.MULTILINE))


def copied() -> list[str]:
    return [source for line in re.findall(r"^COPY (.+)", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]


def test_its_beam_and_python_are_those_that_submit_jobs():
    base = re.search(r"^FROM apache/beam_python([\d.]+)_sdk:([\d.]+)$", DOCKERFILE, re.MULTILINE)
    assert base
    python, beam = base.groups()
    assert beam == apache_beam.__version__ == pins("beam.txt")["apache-beam"]
    assert python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_it_has_what_builds_need_in_the_versions_that_are_tested():
    beam, tested = pins("beam.txt"), pins("dev.txt")
    assert {name: version for name, version in beam.items() if tested[name] != version} == {}
    assert {"google-cloud-dataflow-client", "tensorflow-datasets", "datasets", "pillow", "boto3"} <= beam.keys()


def test_it_copies_each_package_of_the_platform():
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    wanted = {pattern.rstrip("*") for pattern in packages["include"]}
    assert wanted | {"reader"} == {source for source in copied() if (REPOSITORY / source).is_dir()}


@pytest.mark.integration
def test_what_it_copies_can_be_installed(tmp_path):
    for source in copied():
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(REPOSITORY / source), str(tmp_path / source)], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", "installed", "./reader", "."], cwd=tmp_path, check=True)
    code = "import sys; sys.path = [p for p in sys.path if p]; import pipelines.transforms as t; print(t.__file__)"
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(tmp_path / "installed/pipelines/transforms.py")
