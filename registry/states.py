"""How far versions and runs are. A new state needs no migration."""

from __future__ import annotations

from enum import StrEnum


class VersionState(StrEnum):
    """How far a version is. See docs/registry.md for what leads from one to another."""

    PENDING = "pending"  # a run builds it
    PUBLISHED = "published"  # its manifest is in the store
    DEPRECATED = "deprecated"  # can be read, and readers are told why they should not
    FAILED = "failed"  # never came to be, or the store lost it; its number may be used
    DELETED = "deleted"  # was published, and cannot be read any more; its number stays taken

    @property
    def is_settled(self) -> bool:
        """Whether its number belongs to one build for ever."""
        return self in (VersionState.PUBLISHED, VersionState.DEPRECATED, VersionState.DELETED)


class RunState(StrEnum):
    """How far a run is, or how it ended."""

    RUNNING = "running"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"  # the same build was published before
    COMPLETED = "completed"  # a run that publishes nothing, such as a training
    FAILED = "failed"
    CRASHED = "crashed"  # its process or its machine ended before it could say how the run ended
    CANCELLED = "cancelled"  # somebody did not want it any more
