"""Servers for tests of builds. Nothing here is needed to build."""

from pipelines.testing.dataflow_server import DataflowServer

__all__ = ["DataflowServer"]
