"""Whether the files of a version are there, and hold the bytes that were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from groupstream import layout
from groupstream.commands.printing import counted, format_bytes
from groupstream.commit import checksums
from groupstream.dataset import Dataset
from groupstream.errors import CorruptError, StoreError, UsageError
from groupstream.manifest import Shard, StoredFile
from groupstream.permutation import permute
from groupstream.refs import Location
from groupstream.stored import missing_file
from groupstream.verify_finding import Finding, name_of

_BLOCK_BYTES = 8 << 20
_STATS_AT_ONCE = 16
_FILES_AT_ONCE = 4
_OTHERS_SHOWN = 3


def check_sizes(dataset: Dataset) -> Finding:
    """Asks the store for the size of each file. Reads none.

    Files that the manifest does not name are told, and no fault: other tools may leave theirs in the folder.
    """
    finding = Finding("files", "each there, and as long as the manifest says")
    store, folder = dataset.stored_at
    files = dataset.manifest.all_files()
    listed = _listed(dataset)
    sizes = _sizes(dataset, files, listed)
    others = sorted(set(listed) - set(sizes) - {layout.MANIFEST, layout.CLAIM})
    finding.seen = _in_words(files) + _others_in_words(others)
    for file in files:
        if (size := sizes[file.path]) is None:
            finding.add(name_of(file.path), "is missing", str(missing_file(store, f"{folder}/{file.path}")))
        elif size != file.size_bytes:
            add_difference(finding, dataset, file, "size_bytes", size)
    return finding


def _listed(dataset: Dataset) -> dict[str, int]:
    """The sizes of what lies in the folder; nothing where that cannot be listed, as on a web server."""
    store, folder = dataset.stored_at
    try:
        return {each.path.removeprefix(f"{folder}/"): each.size_bytes for each in store.objects(folder)}
    except (StoreError, UsageError, FileNotFoundError):  # the last: of a draft, a file is gone
        return {}


def _sizes(dataset: Dataset, files: Sequence[StoredFile], listed: Mapping[str, int]) -> dict[str, int | None]:
    """The size of each file, None where it is missing. What is not in the listing is asked for by itself."""
    asked = [file.path for file in files if file.path not in listed]
    with ThreadPoolExecutor(_STATS_AT_ONCE, "groupstream-stat") as pool:
        found = dict(zip(asked, pool.map(lambda path: _size(dataset.stored_at, path), asked), strict=True))
    return {file.path: listed.get(file.path, found.get(file.path)) for file in files}


def _size(location: Location, path: str) -> int | None:
    try:
        return location.store.size_bytes(f"{location.folder}/{path}")
    except FileNotFoundError:
        return None


def _in_words(files: Sequence[StoredFile]) -> str:
    return f"{counted(len(files), 'file')}, {format_bytes(sum(file.size_bytes for file in files))}"


def _others_in_words(others: Sequence[str]) -> str:
    if not others:
        return ""
    more = ", ..." if len(others) > _OTHERS_SHOWN else ""
    names = ", ".join(map(name_of, others[:_OTHERS_SHOWN]))
    return f" (and {len(others):,} more in the folder that the manifest does not name: {names}{more})"


def check_checksums(dataset: Dataset, shard_bytes: int | None, seed: int, on_bytes: Callable[[int], None]) -> Finding:
    """Reads files whole: all that are no shards, and shards.

    Args:
        shard_bytes: at most so many bytes of shards, which are drawn by the seed; None for all.
        on_bytes: called with the number of bytes just read, in threads.
    """
    finding = Finding("checksums", "CRC32C and SHA-256 as in the manifest")
    files = dataset.manifest.all_files()
    read = files if shard_bytes is None else _drawn(files, shard_bytes, seed)
    finding.seen = _in_words(files)
    if len(read) < len(files):
        size, of_all = (format_bytes(sum(file.size_bytes for file in some)) for some in (read, files))
        finding.seen = f"{len(read):,} of {counted(len(files), 'file')}, {size} of {of_all}, sampled"

    def sums(file: StoredFile) -> dict[str, int | str] | CorruptError:
        try:
            return checksums(_blocks(dataset, file, on_bytes))
        except CorruptError as error:
            return error

    with ThreadPoolExecutor(_FILES_AT_ONCE, "groupstream-verify") as pool:
        for file, found in zip(read, pool.map(sums, read), strict=True):
            _compare(finding, dataset, file, found)
    return finding


def _drawn(files: Sequence[StoredFile], shard_bytes: int, seed: int) -> list[StoredFile]:
    """The small files, and the shards that fit, in the order of the manifest."""
    shards = [file for file in files if isinstance(file, Shard)]
    chosen, left = set(), shard_bytes
    for i in permute(np.arange(len(shards)), len(shards), seed, "shards that are read whole").tolist():
        if shards[i].size_bytes <= left:
            left -= shards[i].size_bytes
            chosen.add(shards[i].path)
    return [file for file in files if not isinstance(file, Shard) or file.path in chosen]


def _blocks(dataset: Dataset, file: StoredFile, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """All of a file; of one that is longer than it should be, a block more."""
    position = 0
    while position <= file.size_bytes and (block := dataset.read_file(file.path, position, _BLOCK_BYTES)):
        position += len(block)
        on_bytes(len(block))
        yield block


def _compare(
    finding: Finding, dataset: Dataset, file: StoredFile, found: Mapping[str, int | str] | CorruptError
) -> None:
    if isinstance(found, CorruptError):
        finding.add(name_of(file.path), "cannot be read", str(found))
        return
    what = next((what for what in found if getattr(file, what) != found[what]), None)
    if what is not None:
        add_difference(finding, dataset, file, what, found[what])


def add_difference(finding: Finding, dataset: Dataset, file: StoredFile, what: str, found: int | str) -> None:
    """Notes a file that is not as the manifest says."""
    expected = getattr(file, what)
    finding.add(
        name_of(file.path),
        f"{what} {found}, not {expected}",
        f"{dataset.location}/{file.path} has {what} {found}, its manifest says {expected}. Pull the version again",
    )
