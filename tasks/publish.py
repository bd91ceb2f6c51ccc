"""Writes a version into its store."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream.commit import commit_version
from groupstream.manifest import StoredFile
from groupstream.stores import Store
from pipelines.versions import Version
from tasks.reporting import reporter
from tasks.retrying import is_transient


@task(name="publish", retries=3, retry_delay_seconds=10, retry_condition_fn=is_transient, cache_policy=NO_CACHE)
def publish(version: Version, store: Store, folder: str) -> None:
    """Writes the files, several at once, then the manifest. Doing it again uploads only what is missing."""
    files = version.manifest.all_files()
    total = sum(file.size_bytes for file in files)
    written: list[int] = []

    def on_file(file: StoredFile) -> None:
        written.append(file.size_bytes)
        sizes = f"{sum(written) / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        reporter.get().stage_progressed("Publish", len(written), len(files), sizes)

    commit_version(store, folder, version.manifest, version.files, on_file)
