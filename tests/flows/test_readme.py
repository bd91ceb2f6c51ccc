"""The README, pasted: its commands and its Python run on the dataset of the demo, its spec is one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import groupstream
from specs import Spec, load_spec

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
ENVIRONMENT_BIN = Path(sys.executable).parent
FRAMEWORKS = re.findall(r"^\|[^|]*\| `(stream\.to_[^`]*)` \| (?:`(\w+)` )?\|", README, re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def demo(with_server, root, monkeypatch) -> Path:
    from flows.build_dataset import build_dataset

    build_dataset(load_spec(REPOSITORY / "specs/demo.yaml", [f"publish.root={root}"]))
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(root / "cache"))
    return root


def test_commands_and_python_run_as_they_stand(demo, tmp_path):
    reading = "".join(b for b in blocks("bash") if "groupstream ls" in b or "groupstream tag" in b)
    (tmp_path / "block.py").write_text("\n".join(blocks("python")))
    script = f"set -e\nexport PATH={ENVIRONMENT_BIN}:$PATH\n{reading}\npython {tmp_path}/block.py"
    run = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "stdlib@1.0.0 is as it was written" in run.stdout
    assert "\njson " in run.stdout or "json  (" in run.stdout
    assert (tmp_path / "copies/stdlib/1.0.0/manifest.json").is_file()
    assert list((tmp_path / "tables").glob("*.parquet"))
    assert "stdlib@stable: none -> 1.0.0" in run.stdout
    assert groupstream.open("stdlib@latest", str(tmp_path / "copies/prod")).manifest.version == "1.0.0"
    assert f"{demo} is as it should be" in run.stdout


@pytest.mark.parametrize(("line", "extra"), FRAMEWORKS)
def test_every_framework_has_its_line(monkeypatch, tmp_path, line, extra):
    if extra:
        pytest.importorskip({"tf": "tensorflow", "hf": "datasets"}.get(extra, extra))
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path))
    digits = groupstream.open("digits", str(REPOSITORY / "tests/golden/v1"))["train"]
    assert next(iter(eval(line, {"stream": digits.stream()}))) is not None


def test_every_framework_is_named():
    from groupstream.framework_methods import FrameworkMethods

    methods = {name for name in dir(FrameworkMethods) if name.startswith("to_")}
    assert {re.findall(r"\.(to_\w+)", line)[0] for line, _ in FRAMEWORKS} == methods


def test_the_spec_is_one():
    (block,) = blocks("yaml")
    Spec.model_validate(yaml.safe_load(block), extra="forbid")


def test_make_targets_are_there():
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)`", README, re.MULTILINE))
    assert {name for pair in named for name in pair if name} - targets == set()


def test_the_kinds_are_all_named():
    from partitioners import AnyPartitioner
    from sources import AnySource

    for union in (AnySource, AnyPartitioner):
        for model in union.__args__[0].__args__:
            assert f"`{model.model_fields['kind'].default}`" in README


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test " in blocks("bash")[0]
    assert "make test" in (REPOSITORY / ".ci/run").read_text().splitlines()
