"""One file of a version, brought here: its missing blocks at once from several threads, every byte checked.

The CRC32C of a block is computed when it comes, while it is in memory, and that of the file follows from those of its
blocks. So no byte is read twice; only blocks that an earlier run left are read back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import google_crc32c

from groupstream.errors import CorruptError, StoreError
from groupstream.manifest import StoredFile
from groupstream.pulling.part_file import PartFile
from groupstream.stores import Store
from groupstream.stores.crc32c import crc32c_of_parts

SMALL_BYTES = 1 << 20  # of a file that its own thread reads; handing it to another one takes longer


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

    def bring(index: int) -> int:
        offset, length = part.block(index)
        data = read_range(store, path, offset, length)
        part.write_block(index, data)
        on_bytes(length)
        return int(google_crc32c.value(data))

    try:
        if _crc32c(part, bring, connections) == file.crc32c:
            return part.finish(target)
        part.forget_blocks()
        if (found := _crc32c(part, bring, connections)) != file.crc32c:
            raise CorruptError(
                f"what was read from {store.root}/{path} has crc32c {found} where its manifest says {file.crc32c}; it "
                "was downloaded twice. Check it where it lies with: groupstream verify REF"
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


def _crc32c(part: PartFile, bring: Callable[[int], int], connections: ThreadPoolExecutor) -> str:
    """Of the whole part, once its missing blocks have come. `bring` brings one, and gives its CRC32C."""
    missing = set(part.missing_blocks())

    def one(index: int) -> int:
        return bring(index) if index in missing else int(google_crc32c.value(part.read_block(index)))

    if part.num_blocks == 1 and part.block(0)[1] <= SMALL_BYTES:
        return f"{one(0):08x}"
    under_way: list[Future[int]] = [connections.submit(one, index) for index in range(part.num_blocks)]
    try:
        sums = [future.result() for future in under_way]
    finally:
        for future in under_way:
            if not future.cancel():
                future.exception()  # waits: no thread may write to the part once it is closed
    return crc32c_of_parts((crc, part.block(index)[1]) for index, crc in enumerate(sums))
