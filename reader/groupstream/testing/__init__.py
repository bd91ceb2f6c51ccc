"""Servers for tests: they answer over real HTTP, and fail when told to. Nothing here is needed to read data."""

from groupstream.testing.faults import Faults, FaultyServer, Reply
from groupstream.testing.folder_server import FolderServer
from groupstream.testing.gcs_server import GcsServer
from groupstream.testing.proxy import Proxy

__all__ = ["Faults", "FaultyServer", "FolderServer", "GcsServer", "Proxy", "Reply"]
