"""Jobs of Dataflow over its REST API: what they are doing, what they say, and how to end them.

Beam's own client waits up to ten minutes for an answer, in a thread that nobody can end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from groupstream import UsageError
from pipelines.progress import NAMESPACE

_TIMEOUT_SECONDS = 30.0
_ENDPOINT = "https://dataflow.googleapis.com"


@dataclass(frozen=True)
class JobMessage:
    """Something that a job said.

    Attributes:
        importance: DEBUG, DETAILED, BASIC, WARNING or ERROR.
    """

    id: str
    time: datetime
    importance: str
    text: str


def is_of_google(error: Exception) -> bool:
    """Whether it is what a request to Google, or its connection, ends with."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    return isinstance(error, GoogleAPIError | GoogleAuthError | OSError)


class DataflowJobs:
    """The jobs of one project in one region. Each method is one request or, where it lists, one for each page.

    Each raises what Google's client raises: GoogleAPIError, GoogleAuthError, or an OSError of the connection.

    Raises:
        UsageError: Google's client is not installed.
    """

    def __init__(self, options: PipelineOptions) -> None:
        try:
            from google.cloud import dataflow
        except ImportError as error:
            raise UsageError(
                "runner.kind dataflow needs Beam's part for Google Cloud. Install it with: "
                "pip install 'groupstream-platform[dataflow]'"
            ) from error
        google = options.view_as(GoogleCloudOptions)
        self.project, self.region = str(google.project), str(google.region)
        settings: dict[str, Any] = {
            "credentials": _credentials(options),
            "client_options": {"api_endpoint": (google.dataflow_endpoint or _ENDPOINT).rstrip("/")},
            "transport": "rest",
        }
        self._place = {"project_id": self.project, "location": self.region}
        self._jobs = dataflow.JobsV1Beta3Client(**settings)
        self._messages = dataflow.MessagesV1Beta3Client(**settings)
        self._metrics = dataflow.MetricsV1Beta3Client(**settings)

    def state(self, job_id: str) -> str:
        """Such as RUNNING, DONE, FAILED or CANCELLED; UNKNOWN where the job is too new to have one."""
        job = self._jobs.get_job({**self._place, "job_id": job_id}, timeout=_TIMEOUT_SECONDS)
        return str(job.current_state.name).removeprefix("JOB_STATE_")

    def messages(self, job_id: str, since: datetime | None) -> list[JobMessage]:
        """What the job said, from a time on, in the order of time."""
        asked = {**self._place, "job_id": job_id, **({"start_time": since} if since else {})}
        pages = self._messages.list_job_messages(asked, timeout=_TIMEOUT_SECONDS).pages
        found = [_message(message) for page in pages for message in page.job_messages]
        return sorted(found, key=lambda message: message.time)

    def counts(self, job_id: str) -> dict[str, int]:
        """What the workers have counted so far under our namespace, by name. Work in progress is in it."""
        found: dict[tuple[str, str], int] = {}
        for metric in self._metrics.get_job_metrics(
            {**self._place, "job_id": job_id}, timeout=_TIMEOUT_SECONDS
        ).metrics:
            context = dict(metric.name.context)
            if context.get("namespace") == NAMESPACE:  # a count comes twice: tentative, and of finished work
                place = (str(metric.name.name), context.get("step", ""))
                scalar: Any = metric.scalar
                found[place] = max(found.get(place, 0), int(scalar))
        counts: Counter[str] = Counter()
        for (name, _), count in found.items():
            counts[name] += count
        return dict(counts)

    def cancel(self, job_id: str) -> None:
        """Asks the job to end; that takes it some minutes."""
        from google.cloud.dataflow import Job, JobState

        wanted = Job(requested_state=JobState.JOB_STATE_CANCELLED)
        self._jobs.update_job({**self._place, "job_id": job_id, "job": wanted}, timeout=_TIMEOUT_SECONDS)

    def find(self, name: str) -> str | None:
        """The id of the job that has this name, if there is one."""
        listed = self._jobs.list_jobs({**self._place, "name": name}, timeout=_TIMEOUT_SECONDS)
        return next((str(job.id) for job in listed if job.name == name), None)

    def console_url(self, job_id: str) -> str:
        """The page of a job for people."""
        return f"https://console.cloud.google.com/dataflow/jobs/{self.region}/{job_id}?project={self.project}"


def _credentials(options: PipelineOptions) -> Any:
    from apache_beam.internal.gcp.auth import get_service_credentials
    from google.auth.credentials import AnonymousCredentials

    no_auth = options.view_as(GoogleCloudOptions).no_auth
    return (None if no_auth else get_service_credentials(options)) or AnonymousCredentials()  # type: ignore[no-untyped-call]


def _message(message: Any) -> JobMessage:
    importance = str(message.message_importance.name).removeprefix("JOB_MESSAGE_")
    return JobMessage(str(message.id), message.time, importance, str(message.message_text))
