"""One file of a version, brought here: its missing blocks at once from several threads, then every byte checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from groupstream.commit import checksums
from groupstream.errors import CorruptError, StoreError
from groupstream.manifest import StoredFile
from groupstream.pulling.part_file import PartFile
from groupstream.stores import Store


def download_file(
    store: Store,
    path: str,
    file: StoredFile,
    part: PartFile,
    target: Path,
    connections: ThreadPoolExecutor,
    on_bytes: Callable[[int], None],
) -> None:
    """Brings what the part misses, compares all of it with the manifest, and gives it its final name.

    A part that is wrong is thrown away and downloaded once more.

    Args:
        path: of the file in the store.
        connections: reads the blocks; each of its threads holds one.
        on_bytes: called from these threads with the size of each block that has come.

    Raises:
        CorruptError: the source lacks the file, or has other bytes than its manifest says.
        StoreError: the source cannot be read.
        OSError: the disk refuses a write.
    """

    def bring(index: int) -> None:
        offset, length = part.block(index)
        part.write_block(index, read_range(store, path, offset, length))
        on_bytes(length)

    try:
        if not (_differences(file, part, bring, connections)):
            return part.finish(target)
        part.forget_blocks()
        if differences := _differences(file, part, bring, connections):
            raise CorruptError(
                f"what was read from {store.root}/{path} has {differences}; it was downloaded twice. "
                "Check it where it lies with: groupstream verify REF"
            )
        return part.finish(target)
    except CorruptError:
        part.discard()
        raise


def read_range(store: Store, path: str, offset: int, length: int) -> bytes:
    """These bytes of a file of a version, all of them.

    Raises:
        CorruptError: the file is missing, or ends before.
        StoreError: the source cannot be read.
    """
    try:
        data = store.read(path, offset, length)
    except FileNotFoundError as error:
        raise CorruptError(
            f"{store.root}/{path} is missing where it was published. Choose another version with: groupstream ls"
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot read {store.root}/{path}: {error}. What was pulled so far is kept: pull again to go on"
        ) from error
    if len(data) != length:
        raise CorruptError(
            f"{store.root}/{path} ends at byte {offset + len(data):,}, its manifest says that it goes on to byte "
            f"{offset + length:,} at least. Check it where it lies with: groupstream verify REF"
        )
    return data


def _differences(
    file: StoredFile, part: PartFile, bring: Callable[[int], None], connections: ThreadPoolExecutor
) -> str:
    found = checksums(_blocks_in_order(part, bring, connections))
    return ", ".join(
        f"{what} {value} where its manifest says {getattr(file, what)}"
        for what, value in found.items()
        if getattr(file, what) != value
    )


def _blocks_in_order(part: PartFile, bring: Callable[[int], None], connections: ThreadPoolExecutor) -> Iterator[bytes]:
    """All blocks as they stand in the part. The missing ones come meanwhile, ahead of what is checked."""
    under_way: dict[int, Future[None]] = {i: connections.submit(bring, i) for i in part.missing_blocks()}
    try:
        for index in range(part.num_blocks):
            if index in under_way:
                under_way[index].result()
            yield part.read_block(index)
    finally:
        for future in under_way.values():
            future.cancel()
        for future in under_way.values():
            if not future.cancelled():
                future.exception()  # waits: no thread may write to the part once it is closed
