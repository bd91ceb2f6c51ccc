"""What a run may do on the machine it runs on: whoever deploys says so in the environment, never a form or a spec.

| variable | limits |
|---|---|
| GROUPSTREAM_ALLOWED_SOURCES | what is read: `sources.allowed` has the rules |
| GROUPSTREAM_ALLOWED_ROOTS | where is written: roots, staging areas, files of jobs; by the same rules |
| GROUPSTREAM_ALLOWED_RUNNERS | where a build runs, and as whom: `specs.policy_runners` |
| GROUPSTREAM_ALLOWED_PACKAGES | what code is imported: `partitioners.function`. Not set: none |
| GROUPSTREAM_MAX_SOURCE_BYTES | how large a source may be |
| GROUPSTREAM_MAX_RUN_SECONDS | how long a run may take |

A variable that is not set limits nothing; one that is set to nothing allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from groupstream import SpecError
from groupstream.refs import default_root
from partitioners import ByFunction
from sources.allowed import (
    ALLOWED_ROOTS,
    ALLOWED_SOURCES,
    allowed,
    max_source_bytes,
    outside,
    parts_below,
    readable,
    refuse_oversize,
)
from sources.globs import find_files
from specs.model import Spec
from specs.policy_places import Place, places_of, version_places
from specs.policy_runners import refuse_forbidden_runner


def refuse_forbidden(spec: Spec) -> None:
    """Refuses a spec that reads, writes or runs what this deployment does not allow.

    Nothing is read for that but the names and sizes of files, and of these only what lies where reading is allowed.

    Raises:
        SpecError: it does. The message names the key, what is allowed, and the variable that says so.
        SourceError: the source names no file.
        StoreError: it lies where it cannot be listed.
    """
    if isinstance(spec.partitioner, ByFunction):
        spec.partitioner.refuse_foreign()
    refuse_forbidden_runner(spec.runner)
    places = list(places_of(spec))
    for place in places:
        _refuse_forbidden_place(place)
    _refuse_large_source(places)


def refuse_forbidden_root(root: str | None) -> None:
    """Refuses to look after datasets where this deployment may not write.

    Args:
        root: None for that of the deployment itself.

    Raises:
        SpecError: it is another.
    """
    if root is not None:
        _refuse_forbidden_place(Place("root", root, "write"))


def refuse_forbidden_version(ref: str, root: str | None) -> None:
    """Refuses to read a published version that lies where this deployment may not read.

    Args:
        ref: a name is looked up in the root; a path or an address is a place of its own.
        root: None for that of the deployment itself.

    Raises:
        SpecError: it does.
    """
    for place in version_places(ref, root):
        _refuse_forbidden_place(place)


def refuse_large_source(num_bytes: int | None) -> None:
    """The size of a source that was found out only now.

    Raises:
        SpecError: it is larger than a build may read.
    """
    if num_bytes is not None:
        refuse_oversize(num_bytes, "the source")


def _refuse_forbidden_place(place: Place) -> None:
    if place.use == "read":
        variable, entries = ALLOWED_SOURCES, readable()
    else:
        variable, roots = ALLOWED_ROOTS, allowed(ALLOWED_ROOTS)
        entries = None if roots is None else (*roots, default_root())
    if entries is None:
        return
    below = [parts_below(place.checked, entry) for entry in entries]
    if not any(parts is not None and (place.use == "read" or not _is_hidden(parts)) for parts in below):
        raise SpecError(outside(f"{place.key} is {place.text!r}", variable))


def _is_hidden(parts: Iterable[str]) -> bool:
    """Whether it is in a folder such as .staging, which belongs to the builds of a root."""
    return any(part.startswith(".") for part in parts)


def _refuse_large_source(places: Iterable[Place]) -> None:
    """Of files that can be listed; of others it shows when they are found, or read."""
    named = [place for place in places if place.is_pattern]
    if named and max_source_bytes() is not None:
        files = find_files([place.text for place in named], named[0].key)
        refuse_oversize(sum(file.size_bytes for file in files), "the source")
