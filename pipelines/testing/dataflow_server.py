"""A fake of Google Cloud Dataflow over real HTTP, for tests.

It takes the job that Beam submits, fetches its pipeline from a fake bucket and runs it in a thread, as Dataflow would
with workers; or it goes through states that a test gives. Faults come on request, as in `groupstream.testing`.

Known of the REST API: submitting a job (the same request twice makes one job), its description, jobs by name, asking
for another state, messages in pages, counters. All else is 501.

    with GcsServer("bucket") as bucket, DataflowServer(bucket) as dataflow:
        os.environ["STORAGE_EMULATOR_HOST"] = bucket.url
        runner = Dataflow(..., options={"dataflow_endpoint": dataflow.endpoint, "no_auth": True})

Source: https://docs.cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.locations.jobs
"""

from __future__ import annotations

import itertools
import re
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from groupstream.testing import FaultyServer, GcsServer, Reply

_JOBS = re.compile(r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs(?:/([^/]+)(/messages|/metrics)?)?")
_PAGE_SIZE = 2  # messages, so that even short tests see several pages
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class SubmittedJob:
    """A job of the fake.

    Attributes:
        description: what was submitted, a `google.cloud.dataflow.Job`.
        pipeline: its steps, a `Pipeline` of Beam's model.
        states: those to come; the last one stays.
        is_cancelled: whether somebody asked for that.
        counts: of Beam's counters, by (namespace, name, step).
    """

    id: str
    description: Any
    pipeline: Any
    states: list[str]
    messages: list[tuple[str, str]] = field(default_factory=list)  # importance, text
    is_cancelled: bool = False
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Beam's pipeline options, as the workers get them."""
        return dict(self.description.environment.sdk_pipeline_options["options"])

    def look(self) -> str:
        """The state of this moment; the next look sees the next one."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class DataflowServer(FaultyServer):
    """See the module. `requests` records what was asked, `faults` takes what shall go wrong.

    Args:
        bucket: where jobs are staged.
        script: the states that each job goes through, such as RUNNING and FAILED; without, it is run.
        messages: what each job says, as (importance, text); what it fails of when it is run comes after.
    """

    def __init__(self, bucket: GcsServer, script: Sequence[str] = (), messages: Sequence[tuple[str, str]] = ()) -> None:
        self.jobs: dict[str, SubmittedJob] = {}
        self._bucket, self._script, self._said = bucket, list(script), list(messages)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        super().__init__()

    @property
    def endpoint(self) -> str:
        """What the option `dataflow_endpoint` is set to. Beam speaks HTTP to a localhost only."""
        return self.url.replace("127.0.0.1", "localhost")

    @property
    def job(self) -> SubmittedJob:
        """The only job there is."""
        (job,) = self.jobs.values()
        return job

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer to a request."""
        parts = urlsplit(path)
        match = _JOBS.fullmatch(parts.path)
        if not match:
            return Reply(501, f"not known here: {method} {path}".encode())
        _, _, job_id, part = match.groups()
        query = dict(parse_qsl(parts.query))
        if job_id is None:
            return self._submit(body) if method == "POST" else self._list(query.get("name"))
        if job_id not in self.jobs:
            return Reply(404, b'{"error": {"code": 404, "message": "no such job"}}')
        job = self.jobs[job_id]
        if part:
            return _messages_of(job, query) if part == "/messages" else _metrics_of(job)
        return _change(job, body) if method == "PUT" else _described(job)

    def _submit(self, body: bytes) -> Reply:
        from google.cloud import dataflow

        description = dataflow.Job.from_json(body)
        with self._lock:
            for job in self.jobs.values():
                if job.description.client_request_id == description.client_request_id:
                    return _described(job)
            job = SubmittedJob(
                f"2026-01-01_00_00_00-{next(self._ids)}",
                description,
                self._pipeline_of(description),
                list(self._script) or ["PENDING"],
                list(self._said),
            )
            self.jobs[job.id] = job
        if not self._script:
            threading.Thread(target=run_job, args=(job,), daemon=True).start()
        return _described(job)

    def _pipeline_of(self, description: Any) -> Any:
        from apache_beam.portability.api import beam_runner_api_pb2

        url = str(description.environment.sdk_pipeline_options["options"]["pipelineUrl"])
        bucket, _, name = url.removeprefix("gs://").partition("/")
        return beam_runner_api_pb2.Pipeline.FromString(self._bucket.buckets.get(bucket, name, None).content)

    def _list(self, name: str | None) -> Reply:
        from google.cloud import dataflow

        found = [_job_of(job, job.states[0]) for job in self.jobs.values() if name in (None, job.description.name)]
        return _json(dataflow.ListJobsResponse, dataflow.ListJobsResponse(jobs=found))


def run_job(job: SubmittedJob) -> None:
    """Runs the steps of a job in this process; its states and messages say how that went."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.portability import python_urns
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    job.states = ["RUNNING"]
    for environment in job.pipeline.components.environments.values():
        environment.urn, environment.payload = python_urns.EMBEDDED_PYTHON, b""
    try:
        result = FnApiRunner().run_via_runner_api(job.pipeline, PipelineOptions([]))
        result.wait_until_finish()
    except Exception:
        job.messages.append(("ERROR", traceback.format_exc()))
        job.states.append("FAILED")
    else:
        for counter in result.metrics().query()["counters"]:
            key = counter.key
            job.counts[key.metric.namespace, key.metric.name, key.step] = counter.committed
        job.states.append("CANCELLED" if job.is_cancelled else "DONE")


def _described(job: SubmittedJob) -> Reply:
    from google.cloud import dataflow

    return _json(dataflow.Job, _job_of(job, job.look()))


def _job_of(job: SubmittedJob, state: str) -> Any:
    from google.cloud import dataflow

    return dataflow.Job(
        id=job.id,
        name=job.description.name,
        current_state=f"JOB_STATE_{state.removeprefix('JOB_STATE_')}",
        client_request_id=job.description.client_request_id,
    )


def _change(job: SubmittedJob, body: bytes) -> Reply:
    from google.cloud import dataflow

    wanted = dataflow.Job.from_json(body).requested_state
    if wanted == dataflow.JobState.JOB_STATE_CANCELLED:
        job.is_cancelled = True
        job.states = ["CANCELLING", "CANCELLED"]
    return _described(job)


def _messages_of(job: SubmittedJob, query: dict[str, str]) -> Reply:
    from google.cloud import dataflow

    since = datetime.fromisoformat(query["startTime"]) if "startTime" in query else _BEGAN
    all_of_them: list[Any] = [
        dataflow.JobMessage(
            id=f"message-{i}",
            time=_BEGAN + timedelta(seconds=i // 2),  # some are of the same moment
            message_importance=f"JOB_MESSAGE_{importance}",
            message_text=text,
        )
        for i, (importance, text) in enumerate(job.messages)
    ]
    found = [message for message in all_of_them if message.time >= since]
    start = int(query.get("pageToken") or 0)
    end = start + _PAGE_SIZE
    page = dataflow.ListJobMessagesResponse(
        job_messages=found[start:end], next_page_token=str(end) if end < len(found) else ""
    )
    return _json(dataflow.ListJobMessagesResponse, page)


def _metrics_of(job: SubmittedJob) -> Reply:
    """Each count twice, as Dataflow gives it: of finished work, and of all."""
    from google.cloud import dataflow

    metrics = [
        dataflow.MetricUpdate(
            name={"origin": "user", "name": name, "context": {"namespace": namespace, "step": step, **tentative}},
            scalar=float(count),
        )
        for (namespace, name, step), count in job.counts.items()
        for tentative in ({}, {"tentative": "true"})
    ]
    return _json(dataflow.JobMetrics, dataflow.JobMetrics(metrics=metrics))


def _json(kind: Any, message: Any) -> Reply:
    return Reply(200, kind.to_json(message).encode(), {"Content-Type": "application/json"})
