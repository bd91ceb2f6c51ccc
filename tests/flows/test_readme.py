"""The README, pasted: its commands and its Python run on the dataset of the demo, its spec is one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from specs import Spec, load_spec

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
ENVIRONMENT_BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def demo(with_server, root, monkeypatch) -> Path:
    from flows.build_dataset import build_dataset

    build_dataset(load_spec(REPOSITORY / "specs/demo.yaml", [f"publish.root={root}"]))
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
    return root


def test_commands_and_python_run_as_they_stand(demo, tmp_path):
    reading = next(b for b in blocks("bash") if "groupstream ls" in b)
    (tmp_path / "block.py").write_text("\n".join(blocks("python")))
    script = f"set -e\nexport PATH={ENVIRONMENT_BIN}:$PATH\n{reading}\npython {tmp_path}/block.py"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "stdlib@1.0.0 is as it was written" in run.stdout
    assert "\njson " in run.stdout or "json  (" in run.stdout


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
