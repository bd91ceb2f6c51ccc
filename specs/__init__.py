"""The spec: what to build. The YAML files beside this one are the specs of real datasets."""

from specs.loading import load_spec
from specs.model import Publish, Spec
from specs.runner import AnyRunner, Dataflow, Flink, Local, Spark

__all__ = ["AnyRunner", "Dataflow", "Flink", "Local", "Publish", "Spark", "Spec", "load_spec"]
