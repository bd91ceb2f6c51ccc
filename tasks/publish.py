"""Writes a version into its store."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream.commit import commit_version
from groupstream.manifest import StoredFile
from groupstream.stores import Store
from pipelines.versions import Version
from tasks.reporting import report
from tasks.retrying import is_transient
from tasks.steps import Step


@task(
    name="publish",
    task_run_name="publish {folder}",
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def publish(version: Version, store: Store, folder: str) -> None:
    """Writes the files, several at once, then the manifest. Doing it again uploads only what is missing."""
    files = version.manifest.all_files()
    total_bytes = sum(file.size_bytes for file in files)
    num_done, num_bytes = 0, 0

    def report_published() -> None:
        report("Publish", Step("publish", num_done, len(files), num_bytes, total_bytes=total_bytes))

    def on_file(file: StoredFile) -> None:
        nonlocal num_done, num_bytes
        num_done, num_bytes = num_done + 1, num_bytes + file.size_bytes
        report_published()

    report_published()
    commit_version(store, folder, version.manifest, version.files, on_file)
