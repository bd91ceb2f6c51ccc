"""Servers and stores for tests: they count, and fail when told to. Nothing here is needed to read data."""

from groupstream.testing.faults import Faults, FaultyServer, Reply
from groupstream.testing.folder_server import FolderServer
from groupstream.testing.gcs_server import GcsServer
from groupstream.testing.proxy import Proxy
from groupstream.testing.wrapped_stores import ReadLog, WrappedStore

__all__ = ["Faults", "FaultyServer", "FolderServer", "GcsServer", "Proxy", "ReadLog", "Reply", "WrappedStore"]
