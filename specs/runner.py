"""Where a build runs. It changes nothing in the result. To add a kind, write its model and name it in AnyRunner.

What Beam makes of each is in `pipelines.runners`; nothing here imports Beam.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_LEAST_MEMORY_BYTES = 64 << 20
_OPTIONS_HELP = "More of Beam's pipeline options, by their names, such as {dataflow_kms_key: ...}."
_MEMORY_HELP = "How much memory each worker process may use; there is one for each core of a worker."
_THREADS_LOSE_DATA = (
    "the mode multi_threading of Beam's local runner loses data in GroupByKey and still ends well; leave it out: "
    "several workers are processes"
)
_MODE_KEYS = ("mode", "direct_running_mode")


def _local_by_default(fields: Any) -> Any:
    """A spec that names no kind means this machine, as those do that were written before there were kinds."""
    return {"kind": "local", **fields} if isinstance(fields, dict) else fields


def _refuse_threads(fields: Any) -> Any:
    if isinstance(fields, dict) and "multi_threading" in [fields.get(key) for key in _MODE_KEYS]:
        raise ValueError(_THREADS_LOSE_DATA)
    return fields


Options = Annotated[dict[str, Any], BeforeValidator(_refuse_threads)]


class Local(BaseModel):
    """This machine. Its workers are processes.

    Attributes:
        is_distributed: whether workers are on other machines, which share nothing but the store.
        num_sharing_memory: how many processes use `memory_bytes` together.
    """

    model_config = ConfigDict(frozen=True, title="This machine")

    is_distributed: ClassVar[bool] = False

    kind: Literal["local"] = "local"
    num_workers: int = Field(1, ge=1, le=256, description="How many processes.")
    memory_bytes: int = Field(
        2 << 30,
        ge=_LEAST_MEMORY_BYTES,
        description="How much memory the worker processes may use together. Less makes more, smaller runs.",
    )
    staging: str | None = Field(
        None,
        description="A folder for what is written before it is published. Default: beside the datasets, or a "
        "temporary folder where those lie elsewhere than on this machine.",
    )

    @property
    def num_sharing_memory(self) -> int:
        """See the class."""
        return self.num_workers

    @model_validator(mode="before")
    @classmethod
    def _refuse_threads(cls, fields: Any) -> Any:
        return _refuse_threads(fields)


class Dataflow(BaseModel):
    """Google Cloud Dataflow. The datasets and the source must lie in a bucket. Attributes as of `Local`."""

    model_config = ConfigDict(frozen=True, title="Dataflow")

    is_distributed: ClassVar[bool] = True
    num_sharing_memory: ClassVar[int] = 1
    staging: ClassVar[None] = None

    kind: Literal["dataflow"] = "dataflow"
    project: str = Field(min_length=1, description="The Google Cloud project that runs and pays for the job.")
    region: str = Field(min_length=1, description="Where the job runs, such as europe-west4: that of the bucket.")
    sdk_container_image: str = Field(
        min_length=1,
        description="The image of a worker, made by infra/dataflow/Dockerfile: Beam's own image lacks groupstream.",
    )
    temp_location: str | None = Field(
        None,
        pattern="^gs://",
        description="A gs:// folder for the files of the job. Default: in the staging area, beside the datasets.",
    )
    num_workers: int | None = Field(None, ge=1, description="Machines to begin with. Default: as Dataflow sees fit.")
    max_num_workers: int | None = Field(None, ge=1, description="Machines at most, which bounds what the job costs.")
    machine_type: str | None = Field(
        None, description="Such as n2-standard-4. Default: n1-standard-1, one core and 3.75 GB."
    )
    disk_size_gb: int | None = Field(
        None, ge=10, description="Disk of a machine in GB. A worker spills one run, or writes one shard, at a time."
    )
    memory_bytes: int = Field(2 << 30, ge=_LEAST_MEMORY_BYTES, description=_MEMORY_HELP)
    service_account: str | None = Field(None, description="Whom the workers act as. Default: that of the project.")
    network: str | None = Field(None, description="The network of the workers.")
    subnetwork: str | None = Field(None, description="Such as regions/europe-west4/subnetworks/data.")
    use_public_ips: bool | None = Field(None, description="No keeps the workers off the internet. Default: yes.")
    labels: dict[str, str] = Field({}, description="Labels of the job, which the bill shows too.")
    template_location: str | None = Field(
        None, description="A folder, here or at gs://, that also gets the description of each job, for review."
    )
    poll_seconds: float = Field(10, gt=0, le=600, description="How often to ask how far the job is.")
    options: Options = Field({}, description=_OPTIONS_HELP)

    @model_validator(mode="after")
    def _refuse_too_many(self) -> Dataflow:
        if self.num_workers and self.max_num_workers and self.num_workers > self.max_num_workers:
            raise ValueError(f"num_workers {self.num_workers} is above max_num_workers {self.max_num_workers}")
        return self


class _Cluster(BaseModel):
    """What Flink and Spark have in common: a job server takes the job from here to the cluster."""

    model_config = ConfigDict(frozen=True)

    num_sharing_memory: ClassVar[int] = 1
    staging: ClassVar[None] = None

    job_endpoint: str | None = Field(
        None, pattern=r"^[^/\s]+:\d+$", description="A job server of Beam that runs, such as localhost:8099."
    )
    environment_type: Literal["DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK"] = Field(
        "DOCKER",
        description="How a worker starts Python: in a container, as a process, as a service that runs beside it, or "
        "(LOOPBACK) in the process of the build, which is for trying a cluster on this machine.",
    )
    environment_config: str | None = Field(
        None,
        description="The image for DOCKER, JSON with the command for PROCESS, an address for EXTERNAL; none for "
        "LOOPBACK.",
    )
    parallelism: int | None = Field(None, ge=1, description="Workers at once. Default: as the cluster is set.")
    memory_bytes: int = Field(2 << 30, ge=_LEAST_MEMORY_BYTES, description=_MEMORY_HELP)
    options: Options = Field({}, description=_OPTIONS_HELP)

    @property
    def is_distributed(self) -> bool:
        """See `Local`."""
        return self.environment_type != "LOOPBACK"

    @model_validator(mode="after")
    def _refuse_missing_config(self) -> _Cluster:
        if (self.environment_type == "LOOPBACK") is (self.environment_config is not None):
            needs = "takes no" if self.environment_config else "needs an"
            raise ValueError(f"environment_type {self.environment_type} {needs} environment_config")
        return self


def _refuse_two_ways(job_endpoint: str | None, master: str | None, name: str) -> None:
    if (job_endpoint is None) is (master is None):
        raise ValueError(f"give job_endpoint (a job server that runs) or {name} (Beam starts one), one of the two")


class Flink(_Cluster):
    """An Apache Flink cluster. Attributes as of `Local`."""

    model_config = ConfigDict(title="Flink")

    kind: Literal["flink"] = "flink"
    flink_master: str | None = Field(
        None, description="The cluster, such as http://flink:8081; Beam then starts a job server, which needs Java."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Flink:
        _refuse_two_ways(self.job_endpoint, self.flink_master, "flink_master")
        return self


class Spark(_Cluster):
    """An Apache Spark cluster. Attributes as of `Local`."""

    model_config = ConfigDict(title="Spark")

    kind: Literal["spark"] = "spark"
    spark_master_url: str | None = Field(
        None, description="The cluster, such as spark://spark:7077; Beam then starts a job server, which needs Java."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Spark:
        _refuse_two_ways(self.job_endpoint, self.spark_master_url, "spark_master_url")
        return self


AnyRunner = Annotated[Local | Dataflow | Flink | Spark, Field(discriminator="kind"), BeforeValidator(_local_by_default)]
