"""The spec: what to build. The YAML files beside this one are the specs of real datasets."""

from specs.loading import load_spec
from specs.model import Publish, Runner, Spec

__all__ = ["Publish", "Runner", "Spec", "load_spec"]
