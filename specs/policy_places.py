"""Every place of a spec: what is read, and where is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from groupstream.layout import is_name
from groupstream.stores import is_url
from sources import AnySource, GroupstreamVersion, HuggingFace, PythonModules, Tfds
from sources.globs import folder_of
from specs.model import Spec

RUNNER_PLACES = ("staging", "temp_location", "template_location")


@dataclass(frozen=True)
class Place:
    """A path, an address, or the name of a dataset elsewhere.

    Attributes:
        key: where in the spec it stands.
        use: whether it is only read.
        is_pattern: whether it names files, which can be listed.
    """

    key: str
    text: str
    use: Literal["read", "write"]
    is_pattern: bool = False

    @property
    def checked(self) -> str:
        """What must be allowed: of a pattern the folder that all it finds is in, as far as the pattern says."""
        if not self.is_pattern or (not is_url(self.text) and os.path.exists(os.path.expanduser(self.text))):  # noqa: PTH110, PTH111
            return self.text
        folder = folder_of(self.text)
        if folder is None or self.text.startswith(("http://", "https://")):
            return self.text
        return folder or ("/" if self.text.startswith("/") else ".")


def places_of(spec: Spec) -> Iterator[Place]:
    """All of them."""
    yield from _source_places(spec.source)
    for key in sorted(spec.partitioner.places):
        yield from _named(f"partitioner.{key}", getattr(spec.partitioner, key), "read")
    yield from _named("checks.groups.expected_file", spec.checks.groups.expected_file, "read")
    yield from _named("publish.root", spec.publish.root, "write")
    for key in RUNNER_PLACES:
        yield from _named(f"runner.{key}", getattr(spec.runner, key, None), "write")


def _source_places(source: AnySource) -> Iterator[Place]:
    match source:
        case GroupstreamVersion():
            yield from version_places(source.ref, source.root, "source.")
        case HuggingFace(dataset=str(name)):
            is_here = is_url(name) or os.path.exists(name) or name.startswith(("/", ".", "~"))  # noqa: PTH110
            yield Place("source.dataset", name if is_here else f"huggingface:{name}", "read")
        case Tfds():
            if source.dataset is not None:
                yield Place("source.dataset", f"tfds:{source.dataset}", "read")
            yield from _named("source.folder", source.folder, "read")
            yield from _named("source.data_dir", source.data_dir, "write")  # where it prepares what is not there
        case PythonModules(folder=None):
            yield Place("source.kind", "python_modules:", "read")
        case _:
            for key in sorted(source.places):
                yield from _named(f"source.{key}", getattr(source, key), "read")


def version_places(ref: str, root: str | None, prefix: str = "") -> Iterator[Place]:
    """What reading a version reads: a ref is a name in a root, or a path or address of its own.

    Args:
        prefix: what stands before the names of the two in errors.
    """
    name = ref.partition("@")[0]
    if is_url(ref) or not is_name(name) or os.path.exists(ref):  # noqa: PTH110
        yield Place(f"{prefix}ref", ref, "read")
    yield from _named(f"{prefix}root", root, "read")


def _named(key: str, value: Any, use: Literal["read", "write"]) -> Iterator[Place]:
    if isinstance(value, str):
        yield Place(key, value, use)
    elif isinstance(value, list):
        for text in value:
            yield Place(key, text, use, is_pattern=True)
