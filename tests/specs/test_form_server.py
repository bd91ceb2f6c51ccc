"""The form and the policy on a real Prefect server: what is refused is not stored, what is stored is checked."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from groupstream import SpecError, WorkerError
from specs import Spec
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

SECRET = "s3cr3tInAddress"


class Server:
    """A Prefect server, and the deployment of the generic build on it."""

    def __init__(self, url: str) -> None:
        from flows.build_dataset import build_dataset

        self._client = httpx.Client(base_url=url, timeout=120)
        flow_id = self.post("/flows/", {"name": "build-dataset"}).json()["id"]
        schema = build_dataset.parameters.model_dump()
        deployment = {"name": "form", "flow_id": flow_id, "parameter_openapi_schema": schema}
        self._deployment = self.post("/deployments/", deployment | {"enforce_parameter_schema": True}).json()["id"]
        self.schema = schema

    def post(self, path: str, content: dict[str, Any]) -> httpx.Response:
        """What a database that is busy refuses is asked again."""
        for _ in range(20):
            answer = self._client.post(path, json=content)
            if answer.status_code != 503:
                return answer
            time.sleep(1)
        return answer

    def submit(self, spec: dict[str, Any]) -> httpx.Response:
        """As the page does."""
        return self.post(f"/deployments/{self._deployment}/create_flow_run", {"parameters": {"spec": spec}})

    def under_fields(self, spec: dict[str, Any]) -> Any:
        """What the page shows under which field."""
        return self.post("/ui/schemas/validate", {"schema": self.schema, "values": {"spec": spec}}).json()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=240):
        yield Server(PREFECT_API_URL.value())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    lines = "".join(f'{{"key": "k{i % 7}", "text": "text {i}"}}\n' for i in range(50))
    (tmp_path / "data" / "a.jsonl").write_text(lines)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(tmp_path / "sets"))
    return tmp_path


def _values(**changes: Any) -> dict[str, Any]:
    source = {"kind": "jsonl", "paths": ["data/a.jsonl"]}
    return {"name": "news", "source": source, "partitioner": {"kind": "feature", "feature": "key"}} | changes


def test_a_first_build_of_three_fields_is_taken(server):
    answer = server.submit(_values())
    assert answer.status_code == 201, answer.text
    assert answer.json()["parameters"] == {"spec": _values()}


def test_a_wrong_value_is_shown_under_its_field(server):
    values = _values(source={"kind": "csv", "paths": ["a", f"https://me:{SECRET}@host/b"], "delimiter": ";;"})
    (spec,) = server.under_fields(values)["errors"]
    (source,) = spec["errors"]
    assert source["property"] == "source"
    assert {each["property"] for each in source["errors"]} == {"paths", "delimiter"}
    (paths,) = [each for each in source["errors"] if each["property"] == "paths"]
    assert [each["index"] for each in paths["errors"]] == [1]
    answer = server.submit(_values(partitioner={"kind": "label_dirichlet", "num_groups": 0, "alpha": 1}))
    assert answer.status_code == 409
    assert "field 'spec.partitioner.num_groups'" in answer.json()["detail"]


def test_an_address_with_a_secret_is_not_stored(server):
    places: list[dict[str, Any]] = [
        {"source": {"kind": "jsonl", "paths": [f"https://me:{SECRET}@host/a"]}},
        {"source": {"kind": "jsonl", "paths": [f"https://host/a?X-Goog-Signature={SECRET}"]}},
        {"source": {"kind": "groupstream", "ref": "a@1.0.0", "root": f"s3://key:{SECRET}@bucket/a"}},
        {"partitioner": {"kind": "mapping", "feature": "a", "file": f"https://host/a?sig={SECRET}"}},
        {"publish": {"root": f"gs://me:{SECRET}@bucket/a"}},
        {"runner": {"kind": "flink", "flink_master": f"http://me:{SECRET}@flink:8081"}},
        {"runner": {"kind": "spark", "spark_master_url": "s", "options": {"a": f"http://me:{SECRET}@flink:8081"}}},
    ]
    for changes in places:
        assert server.submit(_values(**changes)).status_code == 409, changes
    found = [file for file in Path(os.environ["PREFECT_HOME"]).rglob("*") if _holds_secret(file)]
    assert found == []


def _holds_secret(file: Path) -> bool:
    if not file.is_file():
        return False
    if file.suffix == ".db":
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return any(SECRET in line for line in database.iterdump())
    return SECRET.encode() in file.read_bytes()


def test_templates_and_variables_are_filled_in_before_the_run_sees_them(server, folder, monkeypatch):
    """What a template hides is held against the schema, and against the policy, as what it becomes."""
    hidden = {"__prefect_kind": "jinja", "template": "https://me:{{ 'x' }}@host/a"}
    assert server.submit(_values(source={"kind": "jsonl", "paths": [hidden]})).status_code == 409
    text = {"__prefect_kind": "json", "value": '["/etc/pass" , "/etc/hosts"]'}
    path = {"__prefect_kind": "jinja", "template": "/etc/{{ 'pass' + 'wd' }}"}
    for paths in (text, [path]):
        stored = server.submit(_values(source={"kind": "jsonl", "paths": paths})).json()["parameters"]["spec"]
        assert "__prefect_kind" not in str(stored)
        monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", str(folder / "data"))
        _refused_run(Spec.model_validate(stored), "source.paths is '/etc/pass")


@pytest.mark.parametrize("template", ["{{ ''.__class__.__mro__ }}", "{% for a in range(99999999) %}x{% endfor %}"])
def test_a_template_runs_no_code(server, template):
    answer = server.submit(_values(description={"__prefect_kind": "jinja", "template": template}))
    assert answer.status_code in (400, 409) or answer.json()["parameters"]["spec"]["description"] == "", answer.text


def _refused_run(spec: Spec, message: str) -> None:
    from flows.build_dataset import build_dataset

    state = build_dataset(spec, return_state=True)
    assert state.is_failed()
    with pytest.raises(SpecError) as refused:
        state.result()
    assert str(refused.value).startswith(message)
    assert message in str(state.message)
    assert not Path("sets").exists()


def test_a_run_that_is_not_allowed_touches_nothing(server, folder, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_ROOTS", str(folder / "sets"))
    _refused_run(Spec.model_validate(_values(publish={"root": str(folder / "elsewhere")})), "publish.root is ")
    assert sorted(path.name for path in folder.iterdir()) == ["data"]


def test_a_name_that_looks_like_a_template_is_a_name(server):
    assert server.submit(_values(name="{0.__class__}")).status_code == 409
    assert server.submit(_values(description="{spec.__class__} {{ 7 * 7 }}")).status_code == 201


# Where the time strikes in a callback of the interpreter, it tells of it and goes on; it strikes again a little later.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_run_beyond_its_time_ends_and_says_which_limit(server, folder, monkeypatch):
    from flows.build_dataset import build_dataset

    # All is imported and mapped before the time strikes: what is half done then stays so in this process.
    assert build_dataset(Spec.model_validate(_values(name="before"))).built
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    lines = "".join(f'{{"key": "k{i % 999}", "text": "{"word " * 30}"}}\n' for i in range(100_000))
    for name in "abcdefgh":
        (folder / "data" / f"{name}.jsonl").write_text(lines)
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "1")
    runner = {"kind": "local", "num_workers": 2}
    state = build_dataset(
        Spec.model_validate(_values(source={"kind": "jsonl", "paths": ["data/*.jsonl"]}, runner=runner)),
        return_state=True,
    )
    assert state.is_failed()
    with pytest.raises(WorkerError, match=r"took longer than 1 s, .*GROUPSTREAM_MAX_RUN_SECONDS.*ask whoever runs"):
        state.result()
    assert "GROUPSTREAM_MAX_RUN_SECONDS" in str(state.message)
    assert not (folder / "sets" / "news").exists()

    def have_ended() -> bool:
        return not [c for c in psutil.Process().children(recursive=True) if c.pid not in before and _is_worker(c)]

    wait_until(have_ended, "the ends of the worker processes")
    monkeypatch.delenv("GROUPSTREAM_MAX_RUN_SECONDS")
    assert build_dataset(Spec.model_validate(_values())).built


def _is_worker(process: psutil.Process) -> bool:
    """Not the process that forks them, which waits for the next build."""
    try:
        parent = process.parent()
        return parent is not None and "pipelines.runners.worker_processes" in " ".join(parent.cmdline())
    except psutil.NoSuchProcess:
        return False
