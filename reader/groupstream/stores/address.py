"""The addresses of remote stores: gs://bucket/prefix, s3://bucket/prefix, https://host/prefix."""

from __future__ import annotations

import re
from typing import NamedTuple

from groupstream.errors import UsageError

_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)/*([^?#]*)")
# What follows a scheme, up to a sign at: `me:secret`, also where the secret has a slash, as long as it is no port.
_CREDENTIALS = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/'"]*|[^\s/'":@]+:(?!\d*/)[^\s'"@]*)@""")
_QUERY = re.compile(
    r"""((?!gs:|s3:)\b[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'"]*)[?#][^\s'"]*"""
)  # in a bucket ? is a pattern


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


def without_credentials(text: str) -> str:
    """An address, or a text with some in it, without users, passwords, and queries, which may hold a signature.

    Whatever quotes an address that somebody gave, in an error, a log or a file, quotes this.

    >>> without_credentials("cannot read https://me:secret@host/a.csv?sig=1: 403")
    'cannot read https://host/a.csv 403'
    """
    return _QUERY.sub(r"\1", _CREDENTIALS.sub(r"\1", text))


def refuse_credentials(url: str) -> None:
    """Addresses are shown and recorded: in errors, claims and runs. So no secret may be in one.

    Raises:
        UsageError: there is a user, a password or a query in it. The message does not show them.
    """
    shown = without_credentials(url)
    if _CREDENTIALS.match(url):
        raise UsageError(
            f"{shown} is given with a user or a password, and addresses are shown and recorded; write them to "
            "~/.netrc, and for a bucket sign in as its cloud says"
        )
    if shown != url:
        raise UsageError(
            f"{shown} is not the address of a store as it is given: with a query or a fragment, which may hold a "
            "signature, and addresses are shown and recorded; leave it out, and write a user and a password to ~/.netrc"
        )


def parse_address(url: str) -> Address:
    """Takes a URL apart.

    Raises:
        UsageError: it names no bucket or host, or one that cannot be, or has a user, a password or a query.
    """
    refuse_credentials(url)
    match = _URL.fullmatch(url)
    if not match or not match[2]:
        raise UsageError(f"{url} is not the address of a store; write it as gs://bucket/prefix or https://host/prefix")
    address = Address(match[1].lower(), match[2], match[3].strip("/"))
    if address.scheme in ("gs", "s3") and not _BUCKET.fullmatch(address.host):
        raise UsageError(f"{url}: {address.host!r} is not the name of a bucket: letters, digits, dots, _ and -")
    return address
