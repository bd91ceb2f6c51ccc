"""The addresses of remote stores: gs://bucket/prefix, s3://bucket/prefix, https://host/prefix."""

from __future__ import annotations

import re
from typing import NamedTuple

from groupstream.errors import UsageError

_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)/*([^?#]*)")


class Address(NamedTuple):
    """The parts of a URL; `str()` puts them together again, without a slash at the end."""

    scheme: str  # gs, s3, http or https
    host: str  # of gs and s3: the bucket
    prefix: str  # with no slash at either end; empty at the top of a bucket

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.prefix}".rstrip("/")

    def key(self, path: str) -> str:
        """The name of an object, or the start of names, in the bucket."""
        return "/".join(part for part in (self.prefix, path) if part)


def is_url(text: str) -> bool:
    """Whether `text` names something that is not on a local disk."""
    return "://" in text


def parse_address(url: str) -> Address:
    """Takes a URL apart.

    Raises:
        UsageError: it names no bucket or host, or one that cannot be, or has a query.
    """
    match = _URL.fullmatch(url)
    if not match or not match[2]:
        raise UsageError(f"{url} is not the address of a store; write it as gs://bucket/prefix or https://host/prefix")
    address = Address(match[1].lower(), match[2], match[3].strip("/"))
    if address.scheme in ("gs", "s3") and not _BUCKET.fullmatch(address.host):
        raise UsageError(f"{url}: {address.host!r} is not the name of a bucket: letters, digits, dots, _ and -")
    return address
