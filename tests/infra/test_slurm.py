"""The script for Slurm passes on what it is given, and says what it lacks. No cluster is here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "infra" / "gpu" / "train.sbatch"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a command in the place of ours, which says what it gets."""
    command = tmp_path / "groupstream"
    command.write_text('#!/bin/sh\necho "$PREFECT_HOME" "$@"\n')
    command.chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": "/scratch", "GROUPSTREAM_ROOT": "data", "SLURM_JOB_ID": "17"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_it_trains_with_what_follows(environment):
    done = run(environment, "a b.yaml", "--set", "rounds=5")
    assert (done.returncode, done.stdout) == (0, "/scratch/prefect-17 train a b.yaml --set rounds=5\n")


@pytest.mark.parametrize("missing", ["GROUPSTREAM_ROOT", "SLURM_JOB_ID"])
def test_what_is_missing_is_named(environment, missing):
    del environment[missing]
    done = run(environment)
    assert done.returncode != 0 and missing in done.stderr


def test_a_preempted_job_is_queued_again():
    options = [line.split()[1] for line in SCRIPT.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"--requeue", "--gres=gpu:1"} <= set(options)
