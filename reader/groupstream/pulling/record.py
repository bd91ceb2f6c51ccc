"""Who pulled what: after a pull, a small object in the store, so that its owners know which versions are in use.

    <root>/.pulls/<name>/<version>/<uuid>.json    {at, by, splits, bytes, groups?, library}

It says when, who (see `actor`), which splits, how many bytes came, how many groups if only some were asked for, and
which library brought them; never which groups. Nobody waits for it, and nobody is told where it is refused: who may
only read leaves none. $GROUPSTREAM_RECORD_PULLS=0 turns it off.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import groupstream
from groupstream.actor import current_actor
from groupstream.cache import source_root
from groupstream.layout import PULLS, is_name, is_version
from groupstream.refs import Location
from groupstream.stores import GcsStore, HttpStore, LocalStore, S3Store, Store, open_store

RECORD_VARIABLE = "GROUPSTREAM_RECORD_PULLS"

_PATIENCE_SECONDS = 5.0
_OFF = {"0", "false", "no", "off"}


def record_pull(location: Location, splits: Sequence[str], num_bytes: int, num_groups: int | None = None) -> None:
    """Leaves a record in the store that a version was pulled from. One request, which is made once; never an error.

    Args:
        location: of the version.
        num_bytes: that came.
        num_groups: that were asked for; None where it was all of them.
    """
    name, version = str(location).rsplit("/", 2)[-2:]
    if is_off() or isinstance(location.store, HttpStore) or not (is_name(name) and is_version(version)):
        return
    path = f"{PULLS}/{name}/{version}/{uuid.uuid4().hex}.json"
    content = _content(splits, num_bytes, num_groups)
    writing = threading.Thread(target=_write, args=(source_root(location), path, content), daemon=True)
    writing.start()
    writing.join(_PATIENCE_SECONDS)


def is_off() -> bool:
    """Whether whoever runs this wants no records."""
    return os.environ.get(RECORD_VARIABLE, "").strip().lower() in _OFF


def _content(splits: Sequence[str], num_bytes: int, num_groups: int | None) -> bytes:
    fields = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": current_actor(),
        "splits": list(splits),
        "bytes": num_bytes,
        "library": f"groupstream {groupstream.__version__}",
    }
    groups = {} if num_groups is None else {"groups": num_groups}
    return json.dumps(fields | groups, sort_keys=True).encode() + b"\n"


def _write(root: str, path: str, content: bytes) -> None:
    with contextlib.suppress(Exception):
        _impatient(root).put_if_absent(path, content)


def _impatient(root: str) -> Store:
    """The store at `root`, which makes each request once."""
    store = open_store(root)
    if isinstance(store, GcsStore):
        return GcsStore(root, retry_seconds=0.0)
    return S3Store(root, attempts=1) if isinstance(store, S3Store) else LocalStore(root)
