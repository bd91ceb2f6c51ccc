"""The images, without an engine: what goes into them, from which pins, and that it installs."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

import apache_beam
import pytest
import yaml

from groupstream import SpecError
from orchestration.environment import HEARTBEAT_SECONDS
from specs import load_spec
from specs.policy import refuse_forbidden

REPOSITORY = Path(__file__).parents[2]
DOCKERFILES = sorted((REPOSITORY / "infra").glob("*/Dockerfile"))
WORKER = REPOSITORY / "infra/worker/Dockerfile"
BEAM = REPOSITORY / "infra/dataflow/Dockerfile"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PACKAGES = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}


def instructions(path: Path) -> list[tuple[str, str]]:
    """The lines of a Dockerfile, such as ("USER", "10001:10001")."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]  # type: ignore[misc]


def environment(path: Path) -> dict[str, str]:
    settings = [text for name, text in instructions(path) if name == "ENV"]
    return dict(pair.split("=", 1) for text in settings for pair in text.split())


def is_in_the_context(path: str) -> bool:
    """Whether .dockerignore lets a file in: the last line that names it, or a folder it is in, decides."""
    allowed = True
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        if pattern and not line.startswith("#") and _matches(path, pattern):
            allowed = line.startswith("!")
    return allowed


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = PurePosixPath(path).parts, pattern.split("/")
    if wanted[0] == "**":
        return any(fnmatch.fnmatch(part, wanted[1]) for part in parts)
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatch, parts, wanted))


@pytest.fixture(scope="module")
def context() -> list[str]:
    """What a build gets of the files that git has, or will have."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    return [file for file in files if is_in_the_context(file) and (REPOSITORY / file).exists()]


def pins(name: str) -> dict[tuple[str, str], str]:
    text = (REPOSITORY / "requirements" / name).read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; (.*?))? \\$", text, re.MULTILINE)
    return {(package, marker): version for package, version, marker in found}


def test_a_build_gets_the_platform_and_nothing_else(context):
    files = {"pyproject.toml", "README.md", "prefect.yaml", "automations.yaml"}
    assert {file.split("/")[0] for file in context} == PACKAGES | files | {"reader", "requirements"}
    assert {file.split("/")[1] for file in context if file.startswith("reader/")} == {
        "README.md",
        "groupstream",
        "pyproject.toml",
    }


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "infra/.env",
        "infra/worker.env",
        ".git/config",
        "key.json",
        "reader/tests/a.py",
        "flows/__pycache__/a.pyc",
    ],
)
def test_no_secret_history_or_rubbish_goes_into_an_image(path):
    assert not is_in_the_context(path)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_a_dockerfile_copies_is_there(path, context):
    for name, text in instructions(path):
        if name == "COPY" and not text.startswith("--from"):
            for source in text.split()[:-1]:
                assert source == "." or any(fnmatch.fnmatch(file, source) for file in context), source


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint in this environment")
    judged = subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stdout) == (0, "")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_everything_installed_is_pinned_with_hashes_or_ours(path):
    runs = [text for name, text in instructions(path) if name == "RUN"]
    installs = [each for text in runs for each in re.findall(r"pip \w+ .*?(?:&&|$)", text)]
    assert installs
    for each in installs:
        assert "--no-deps" in each
        assert re.search(r"--require-hashes -r requirements/\w+\.txt|\./reader \.|--no-index /wheels", each), each


@pytest.mark.parametrize("name", ["worker.txt", "beam.txt", "gpu.txt"])
def test_versions_are_those_that_are_tested(name):
    tested = pins("dev.txt")
    other = {key: version for key, version in pins(name).items() if tested.get(key, version) != version}
    assert other == {}


def test_a_worker_has_what_each_extra_brings():
    names = {package for package, _ in pins("worker.txt")}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = {re.split(r"[\[<>=]", each)[0].lower().replace("_", "-") for extra in extras for each in extra}
    assert wanted <= names


def test_the_graphics_card_is_reached_by_the_jax_that_is_tested():
    gpu, tested = (
        {package: version for (package, marker), version in pins(name).items() if ">= '3.12'" not in marker}
        for name in ("gpu.txt", "dev.txt")
    )
    assert gpu["jax"] == gpu["jax-cuda12-plugin"] == gpu["jax-cuda12-pjrt"] == tested["jax"]
    assert ("FROM", "${WORKER_IMAGE}") in instructions(REPOSITORY / "infra/gpu/Dockerfile")


def test_python_is_the_one_that_is_tested_everywhere():
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert ("FROM", f"python:{python}-slim-bookworm AS dependencies") in instructions(WORKER)
    assert ("FROM", f"apache/beam_python{python}_sdk:{apache_beam.__version__}") in instructions(BEAM)


def test_a_beam_worker_has_what_sources_and_dataflow_need():
    beam = {package for package, _ in pins("beam.txt")}
    assert {"google-cloud-dataflow-client", "tensorflow-datasets", "datasets", "pillow", "boto3"} <= beam


@pytest.mark.parametrize("name", ["worker", "gpu"])
def test_a_container_is_not_root_and_runs_any_command(name):
    told = instructions(REPOSITORY / "infra" / name / "Dockerfile")
    assert [text for each, text in told if each == "USER"][-1] == "10001:10001"  # a number: Kubernetes asks for one
    assert "ENTRYPOINT" not in dict(told)  # Prefect's worker for Kubernetes gives the command as arguments


def test_a_container_says_what_the_automations_and_the_server_expect():
    given = environment(WORKER)
    assert given["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_SECONDS)
    automations = yaml.safe_load((REPOSITORY / "automations.yaml").read_text())["automations"]
    (within,) = [each["trigger"]["within"] for each in automations if "silent-runs" in each["name"]]
    assert within >= 3 * HEARTBEAT_SECONDS


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ([], None),
        (["source={kind: jsonl, paths: [/sources/news.jsonl]}"], None),
        (["source={kind: jsonl, paths: [/opt/groupstream/prefect.yaml]}"], "ALLOWED_SOURCES"),
        (["publish.root=/home/worker"], "ALLOWED_ROOTS"),
        (["runner={kind: flink, job_endpoint: flink:8099, environment_type: LOOPBACK}"], "ALLOWED_RUNNERS"),
    ],
)
def test_a_container_that_nobody_has_configured_allows_its_own_folders(changes, refused, monkeypatch):
    for key, value in environment(WORKER).items():
        if key.startswith("GROUPSTREAM_"):
            monkeypatch.setenv(key, value)
    expected = pytest.raises(SpecError, match=refused) if refused else nullcontext()
    with expected:
        refuse_forbidden(load_spec(REPOSITORY / "specs/demo.yaml", changes))


def test_a_worker_takes_runs_of_the_pool_of_the_deployments():
    command = json.loads(dict(instructions(WORKER))["CMD"])
    pool = command[command.index("--pool") + 1]
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
    assert {each["work_pool"]["name"] for each in deployments} == {pool}


@pytest.mark.integration
def test_what_a_build_gets_installs_all_of_the_platform(context, tmp_path):
    for file in context:
        (tmp_path / "source" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, tmp_path / "source" / file)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    install = ["install", *offline, "--target", str(tmp_path / "installed"), "./reader", "."]
    subprocess.run([*pip, *install], cwd=tmp_path / "source", check=True)
    installed = {path.relative_to(tmp_path / "installed").as_posix() for path in tmp_path.glob("installed/**/*")}
    code = [file for file in context if file.split("/")[0] in PACKAGES or file.startswith("reader/groupstream/")]
    assert {file.removeprefix("reader/") for file in code if not file.endswith(".md")} <= installed
