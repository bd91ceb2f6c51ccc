"""Where a build may run, and as whom: GROUPSTREAM_ALLOWED_RUNNERS.

Its entries, with commas between, are

- `dataflow`: this kind, with the keys that can do no more than cost time.
- `dataflow:service_account`: this key, with any value.
- `dataflow:project=my-project`: this key, with this value; of an image also all in a repository, and all tags.
- `dataflow:options=dataflow_kms_key`: of a key that holds names and values, this name.

The keys that need an entry of their own choose who pays, as whom workers act, what code they run, and whom the examples
and our code are sent to. So `local,dataflow,dataflow:project=p,dataflow:sdk_container_image=europe-docker.pkg.dev/p/r`
is Dataflow for one project, with the images of one repository.
"""

from __future__ import annotations

from collections.abc import Iterable

from groupstream import SpecError
from sources.allowed import allowed
from specs.runner import AnyRunner

ALLOWED_RUNNERS = "GROUPSTREAM_ALLOWED_RUNNERS"

GUARDED: dict[str, tuple[str, ...]] = {
    "local": (),
    "dataflow": (
        *("project", "region", "sdk_container_image", "service_account"),
        *("network", "subnetwork", "use_public_ips", "options"),
    ),
    "flink": ("job_endpoint", "flink_master", "environment_type", "environment_config", "options"),
    "spark": ("job_endpoint", "spark_master_url", "environment_type", "environment_config", "options"),
}


def refuse_forbidden_runner(runner: AnyRunner) -> None:
    """Refuses a runner that this deployment does not allow.

    Raises:
        SpecError: its kind, or a key of it, is not allowed.
    """
    entries = allowed(ALLOWED_RUNNERS)
    if entries is None:
        return
    if runner.kind not in entries:
        raise SpecError(_not_allowed("runner.kind", runner.kind, runner.kind, entries))
    for key in GUARDED[runner.kind]:
        value = getattr(runner, key)
        if value == type(runner).model_fields[key].get_default(call_default_factory=True):
            continue
        granted = [entry.partition("=") for entry in entries if entry.partition("=")[0] == f"{runner.kind}:{key}"]
        for each in value if isinstance(value, dict) else [value]:
            if not any(not equals or _fits(key, str(each), wanted) for _, equals, wanted in granted):
                raise SpecError(_not_allowed(f"runner.{key}", each, f"{runner.kind}:{key}={each}", entries))


def _fits(key: str, value: str, wanted: str) -> bool:
    is_image = key in ("sdk_container_image", "environment_config") and ".." not in value
    return value == wanted or (is_image and value.startswith((f"{wanted.rstrip('/')}/", f"{wanted}@", f"{wanted}:")))


def _not_allowed(key: str, value: object, entry: str, entries: Iterable[str]) -> str:
    return (
        f"{key} is {value!r}, and {ALLOWED_RUNNERS} allows {', '.join(entries) or 'nothing'}. Leave it out, or ask "
        f"whoever runs the deployment to add {entry} to {ALLOWED_RUNNERS}"
    )
