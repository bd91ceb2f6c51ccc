"""Tar files of images, read from start to end."""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from groupstream import SourceError
from sources.files import SourceFile, is_compressed, opened, seekable, unreadable

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")

_BLOCK_BYTES = 8 << 20  # of a tar that lies elsewhere, fetched at once


def is_tar(file: SourceFile) -> bool:
    """Whether its ending says so, such as .tar and .tar.gz."""
    name = file.name.removesuffix(file.suffix) if is_compressed(file) else file.name
    return name.endswith(".tar")


def iter_images(file: SourceFile) -> Iterator[tuple[str, bytes]]:
    """Name and content of each image in a tar, by the ending of its name; what else is in there is left out.

    Memory is bounded by one image, and a few blocks of what lies elsewhere.

    Raises:
        SourceError: it is no tar, or it is cut short.
    """
    return _images(file, with_content=True)


def image_names(file: SourceFile) -> tuple[str, ...]:
    """The names of the images in a tar. Reads the headers, or all of it where it is compressed."""
    local = file.local_path
    return _kept_names(file, local.stat().st_mtime_ns if local else 0)


@functools.lru_cache(maxsize=64)
def _kept_names(file: SourceFile, modified_at_ns: int) -> tuple[str, ...]:
    return tuple(name for name, _ in _images(file, with_content=False))


def _images(file: SourceFile, with_content: bool) -> Iterator[tuple[str, bytes]]:
    mode: Any = "r|" if is_compressed(file) else "r:"
    try:
        with _stream(file) as stream, tarfile.open(fileobj=stream, mode=mode) as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it keeps them all, and there may be millions
                if member.isfile() and member.name.lower().endswith(IMAGE_ENDINGS):
                    content = tar.extractfile(member) if with_content else None
                    yield member.name, content.read() if content else b""
            if not is_compressed(file):
                _refuse_cut(stream, tar.offset)
    except tarfile.TarError as error:
        raise SourceError(unreadable(file, error)) from error


def _stream(file: SourceFile) -> AbstractContextManager[Any]:
    return opened(file) if is_compressed(file) else seekable(file, _BLOCK_BYTES)


def _refuse_cut(stream: Any, end: int) -> None:
    """A tar ends with blocks of zeros; Python's reader takes a cut or broken header for the end, too."""
    stream.seek(end)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no header and no end stands at byte {end:,}: it is cut short, or broken")
