"""Servers and stores for tests: they count, and fail when told to. Nothing here is needed to read data."""

from groupstream.stores.wrapped import WrappedStore
from groupstream.testing.faults import KINDS, Fault, Faults
from groupstream.testing.faulty_server import FaultyServer, Reply
from groupstream.testing.folder_server import FolderServer
from groupstream.testing.gcs_server import GcsServer
from groupstream.testing.proxy import Proxy
from groupstream.testing.read_log import ReadLog

__all__ = [
    "KINDS",
    "Fault",
    "Faults",
    "FaultyServer",
    "FolderServer",
    "GcsServer",
    "Proxy",
    "ReadLog",
    "Reply",
    "WrappedStore",
]
