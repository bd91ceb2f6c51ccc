"""A folder in the cache that is made once, from what lies elsewhere, and used by any number of processes.

<name>                 the files, and checksums.json: their sizes and CRC32Cs. It has this name only when it is whole
.<name>.making         what is under way, or was when a process was killed; who makes the folder next removes it
.<name>.part           who holds its lock makes the folder, the others wait; the lock goes with the process
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import google_crc32c

from groupstream.pulling.part_file import awaited_part, sweep_part

CHECKSUMS = "checksums.json"
_BLOCK_BYTES = 8 << 20


def make_cached_folder(folder: Path, make: Callable[[Path], None]) -> None:
    """Sees to it that the folder is there and whole. Reads all of one that is there; makes it anew if a byte is wrong.

    Args:
        folder: its final name.
        make: writes the files to an empty folder.

    Raises:
        OSError: the folder cannot be written.
    """
    if is_whole(folder):
        return
    lock = folder.with_name(f".{folder.name}")
    with awaited_part(lock):
        try:
            if not is_whole(folder):  # another process may have made it since
                _make(folder, make)
        finally:
            sweep_part(lock)


def has_sizes(folder: Path) -> bool:
    """Whether the folder is there and its files have their sizes. Reads checksums.json only."""
    try:
        files = read_checksums(folder)
        return bool(files) and all((folder / n).stat().st_size == file["size_bytes"] for n, file in files.items())
    except (OSError, ValueError, TypeError, KeyError):
        return False


def is_whole(folder: Path) -> bool:
    """Whether the folder is there and every byte of it is as it was written. Reads all of it."""
    try:
        return has_sizes(folder) and all(_described(folder / n) == file for n, file in read_checksums(folder).items())
    except OSError:
        return False


def read_checksums(folder: Path) -> dict[str, dict[str, int]]:
    """`size_bytes` and `crc32c` of each file, by its name."""
    sums: dict[str, dict[str, int]] = dict(json.loads((folder / CHECKSUMS).read_text()))
    return sums


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    aside = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        make(aside)
        sums = {path.name: _described(path) for path in sorted(aside.iterdir())}
        (aside / CHECKSUMS).write_text(json.dumps(sums, indent=1))
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would be used
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _described(path: Path) -> dict[str, int]:
    crc, size = google_crc32c.Checksum(), 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc.update(block)
            size += len(block)
    return {"size_bytes": size, "crc32c": int.from_bytes(crc.digest(), "big")}
