"""What a build ends with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from groupstream.manifest import Manifest


class BuildResult(BaseModel):
    """A version, and how it came to be there.

    Attributes:
        built: False where the version was there already and nothing was done.
        why: how it came to its number, in a line; empty where it was there already.
        stage_seconds: how long each stage took.
    """

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    location: str
    built: bool
    why: str = ""
    stage_seconds: dict[str, float]
