"""A file that belongs to a spec, such as a mapping of examples to groups."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict

from groupstream import SpecError
from groupstream.stores import is_url, open_store


class SpecFile(BaseModel):
    """What a partitioner with a file shares. Its content is part of what the partition is; its place is not.

    Attributes:
        places: the keys that say where it lies.
    """

    places: ClassVar[frozenset[str]] = frozenset(["file"])

    model_config = ConfigDict(frozen=True)

    file: str | None = None

    def identity(self) -> dict[str, Any]:
        """See `Partitioner.identity`."""
        return {"sha256": self.fingerprint} if self.file is not None else {}

    @cached_property
    def fingerprint(self) -> str:
        """Of the content of the file. Reads it; a worker that gets the partitioner gets the fingerprint with it.

        Raises:
            SpecError: there is no such file.
            StoreError: it cannot be reached.
        """
        return _fingerprint(read_content(self.file or ""))


def read_content(address: str, fingerprint: str | None = None) -> bytes:
    """The bytes of a file of this machine or at gs://, s3:// or https://.

    Args:
        address: where it lies.
        fingerprint: of what it must hold, if that is known.

    Raises:
        SpecError: there is no such file, or it was changed since.
        StoreError: it cannot be reached.
    """
    folder, _, name = address.rpartition("/") if is_url(address) else ("", "", address)
    if address.startswith(("http://", "https://")):
        name = unquote(name)  # a store takes names as they are, and a web address is written with %20
    try:
        content = open_store(folder).read(name) if folder else Path(address).expanduser().read_bytes()
    except FileNotFoundError as error:
        seen_from = "" if folder else f", seen from {Path.cwd()}"
        raise SpecError(f"partitioner.file {address!r} names no file{seen_from}. Correct the path") from error
    except OSError as error:
        raise SpecError(f"partitioner.file {address!r} cannot be read: {error.strerror}. Correct the path") from error
    if fingerprint is not None and _fingerprint(content) != fingerprint:
        raise SpecError(f"partitioner.file {address!r} was changed while the build ran. Build again")
    return content


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
