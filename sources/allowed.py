"""What a deployment lets a build read, and how much: two environment variables, which no spec and no form can change.

GROUPSTREAM_ALLOWED_SOURCES lists, with commas between, folders of this machine, addresses, and names of datasets:
`/data/news`, `gs://bucket/news`, `https://example.com`, `huggingface:allenai`, `tfds:mnist`, `python_modules:`.
Each allows itself and what lies below it: `/data` not `/database`, `gs://b/x` not `gs://b/xy`. `gs://` alone allows
every bucket, `tfds:` every dataset of TFDS. GROUPSTREAM_MAX_SOURCE_BYTES is a number. Where one is not set, it limits
nothing.

What a spec names is held against the list before anything is read (`specs.policy`); where files are listed, so is what
each of them really is: a link may lead elsewhere. Workers inherit the environment.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from groupstream import SourceError, SpecError
from groupstream.refs import default_root
from groupstream.stores import is_url

ALLOWED_SOURCES = "GROUPSTREAM_ALLOWED_SOURCES"
ALLOWED_ROOTS = "GROUPSTREAM_ALLOWED_ROOTS"
MAX_SOURCE_BYTES = "GROUPSTREAM_MAX_SOURCE_BYTES"

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_PORTS = {"http": ":80", "https": ":443"}
_NAMED = re.compile(r"[a-z_]+:(?!//)")


def allowed(variable: str) -> tuple[str, ...] | None:
    """The entries of a list in the environment; None where it is not set, which allows all."""
    text = os.environ.get(variable)
    return None if text is None else tuple(entry for each in text.split(",") if (entry := each.strip()))


def readable() -> tuple[str, ...] | None:
    """What may be read, of GROUPSTREAM_ALLOWED_SOURCES and of what may be written; None where no list says so.

    What may be written may be read; and the root of the deployment itself needs no entry.
    """
    sources = allowed(ALLOWED_SOURCES)
    return None if sources is None else (*sources, *(allowed(ALLOWED_ROOTS) or ()), default_root())


def is_within(place: str, entries: Iterable[str]) -> bool:
    """Whether a folder, file, address or name is one of the entries, or lies below one.

    A path is taken for what it is: with links followed, from the working directory, `~` and `..` resolved.

    >>> is_within("/data/a/../b", ["/data"]), is_within("/database", ["/data"]), is_within("gs://b/xy", ["gs://b/x"])
    (True, False, False)
    >>> is_within("tfds:c4/en:3.1.0", ["tfds:c4"]), is_within("tfds:c4x", ["tfds:c4"]), is_within("gs://b/x", ["gs://"])
    (True, False, True)
    """
    return any(parts_below(place, entry) is not None for entry in entries)


def parts_below(place: str, entry: str) -> tuple[str, ...] | None:
    """The folders and the name between an entry and what lies below it; None where it does not.

    >>> parts_below("/data/news/a.csv", "/data"), parts_below("/data", "/data"), parts_below("/etc", "/data")
    (('news', 'a.csv'), (), None)
    """
    parts, wanted = _parts(place), _parts(entry)
    if parts is None or wanted is None or parts[: len(wanted)] != wanted:
        return None
    return parts[len(wanted) :]


def refuse_outside(path: str | os.PathLike[str], key: str) -> None:
    """Refuses a file of this machine that lies, with all links followed, outside of what may be read.

    Raises:
        SpecError: it does.
    """
    entries = readable()
    if entries is not None and not is_within(real := _real_path(os.fspath(path)), entries):
        raise SpecError(outside(f"{key} leads to {real!r}", ALLOWED_SOURCES))


def refuse_outside_any(paths: Iterable[str | os.PathLike[str]], key: str) -> None:
    """The same of several: paths of this machine, or addresses.

    Raises:
        SpecError: one is outside.
    """
    entries = readable()
    for path in paths if entries is not None else ():
        if not is_url(text := os.fspath(path)):
            refuse_outside(path, key)
        elif not is_within(text, entries or ()):
            raise SpecError(outside(f"{key} leads to {text!r}", ALLOWED_SOURCES))


def refuse_oversize(num_bytes: int, what: str) -> None:
    """Refuses a source that is larger than a build may read.

    Raises:
        SpecError: it is.
    """
    limit = max_source_bytes()
    if limit is not None and num_bytes > limit:
        raise SpecError(
            f"{what} has {num_bytes:,} bytes, and {MAX_SOURCE_BYTES} allows {limit:,}. Name fewer files, or ask "
            "whoever runs the deployment to raise it"
        )


def refuse_bomb(num_bytes: int, what: str) -> None:
    """Refuses to read on where one file gives more than a whole source may have, as a small one that is decompressed.

    Raises:
        SourceError: it does.
    """
    limit = max_source_bytes()
    if limit is not None and num_bytes > limit:
        raise SourceError(
            f"{what} gives more than {limit:,} bytes when it is read, which is all that {MAX_SOURCE_BYTES} allows. "
            "Leave it out, or ask whoever runs the deployment to raise the limit"
        )


def max_source_bytes() -> int | None:
    """How many bytes a source may have; None where nothing says so."""
    return _number(MAX_SOURCE_BYTES, os.environ.get(MAX_SOURCE_BYTES))


def outside(found: str, variable: str) -> str:
    """The message for what is not allowed."""
    entries = ", ".join(allowed(variable) or ()) or "nothing"
    return (
        f"{found}, and {variable} allows {entries}. Name one below that, or ask whoever runs the deployment to add its "
        f"folder or address to {variable}"
    )


@functools.lru_cache(maxsize=8)
def _number(variable: str, text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9_]+", text) or not (number := int(text)):
        raise SpecError(
            f"{variable} is {text!r}; whoever runs the deployment sets a whole number above 0, or unsets it"
        )
    return number


def _parts(place: str) -> tuple[str, ...] | None:
    """What is compared, from left to right; None for an address that may mean another place than it seems to."""
    if match := _ADDRESS.fullmatch(place):
        return _parts_of_address(*match.groups())
    if _NAMED.match(place):
        kind, _, name = place.partition(":")
        return _unless_it_climbs((f"{kind}:", *filter(None, re.split("[/:]", name))))
    return ("/", *Path(_real_path(place)).parts[1:])


def _parts_of_address(scheme: str, host: str, path: str) -> tuple[str, ...] | None:
    scheme = scheme.lower()
    if scheme in _PORTS:
        host, path = host.lower().removesuffix(_PORTS[scheme]), unquote(path)
    if "\\" in path or "@" in host:
        return None
    return _unless_it_climbs((f"{scheme}://", *([host] if host else []), *filter(None, path.split("/"))))


def _unless_it_climbs(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    return None if {".", ".."} & {*parts} else parts


def _real_path(path: str) -> str:
    if "\0" in path:
        raise SpecError(f"the path {path!r} holds a zero byte, which no file has in its name. Correct it")
    return os.path.realpath(os.path.expanduser(path))  # noqa: PTH111
