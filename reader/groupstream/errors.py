"""Every error that groupstream raises on purpose.

    GroupstreamError            exit code 1: the data, the version or the run is bad
    ├── UsageError              exit code 2: what was asked for is wrong
    │   ├── SpecError           a spec that cannot be built as it is written
    │   ├── RefNotFoundError    a ref or path that names no published version
    │   └── UnknownKeyError     a split or group that the version does not have; a KeyError too
    ├── StoreError              what lies elsewhere cannot be reached, or may not be read
    ├── SourceError             the base dataset cannot be read
    ├── ExampleError            an example that breaks what the spec or the format says of it
    ├── WorkerError             a process of a build ended before its work was done
    ├── CheckError              a check of the spec failed; nothing is published
    ├── PublishError            a version cannot be written
    │   └── ConflictError       another run has written, or is writing, this version
    └── CorruptError            what is stored is not what was written

Each message gives the value, the limit and the way out, in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groupstream.manifest import CheckResult


class GroupstreamError(Exception):
    """Base of all errors here. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(GroupstreamError):
    """What was asked for is wrong."""

    exit_code = 2


class SpecError(UsageError):
    """A spec that cannot be built as it is written."""


class RefNotFoundError(UsageError):
    """A ref or path that names no published version."""


class UnknownKeyError(UsageError, KeyError):
    """A split or group that the version does not have."""

    __str__ = Exception.__str__  # that of KeyError puts the message in quotes


class StoreError(GroupstreamError):
    """What lies elsewhere cannot be reached, or may not be read."""


class SourceError(GroupstreamError):
    """The base dataset cannot be read."""


class ExampleError(GroupstreamError):
    """An example that breaks what the spec or the format says of it."""


class WorkerError(GroupstreamError):
    """A process of a build ended before its work was done."""


class CheckError(GroupstreamError):
    """A check of the spec failed; nothing is published.

    Attributes:
        results: of all checks, where they were run.
        report: the folder of the report, if there is one.
    """

    def __init__(self, message: str, results: tuple[CheckResult, ...] = (), report: str | None = None) -> None:
        super().__init__(message)
        self.results = results
        self.report = report


class PublishError(GroupstreamError):
    """A version cannot be written."""


class ConflictError(PublishError):
    """Another run has written, or is writing, this version."""


class CorruptError(GroupstreamError):
    """What is stored is not what was written."""
