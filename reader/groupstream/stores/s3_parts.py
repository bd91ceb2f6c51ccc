"""Objects of S3 that are written in parts: large files, and copies.

An upload in parts ends only if no object of its name exists, at every server that speaks like S3. S3 gets the CRC32C of
each part and of the whole, keeps the latter, and makes no object of other bytes. Servers that know no checksums get
none; for them the parts are summed here, and the upload is ended only if the whole is what was described.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import Any

import google_crc32c

from groupstream.stores.body import byte_range
from groupstream.stores.crc32c import as_base64, crc32c_of_parts
from groupstream.stores.failures import other_bytes

PART_BYTES = 16 << 20  # of a larger file
COPY_PART_BYTES = 1 << 30  # of an object that is copied; S3 takes 5 GiB at most
_MAX_PARTS = 10_000  # that S3 takes
_NO_CHECKSUMS = {"NotImplemented", "InvalidArgument", "InvalidRequest"}  # of servers that are not S3

Send = Callable[[dict[str, Any], int, int], dict[str, Any]]


class PartsUpload:
    """One object that is being written in parts.

    Args:
        client: of boto3.
        place: the bucket and the key.
        threads: send the parts; each holds one in memory.
        **options: of the object, such as its content type.
    """

    def __init__(self, client: Any, place: dict[str, str], threads: Executor, **options: str) -> None:
        self._client = client
        self._place = place
        self._threads = threads
        self._options = options

    def put(self, source: Path, size_bytes: int, crc32c: str | None) -> None:
        """Sends a file.

        Raises:
            PublishError: its CRC32C is another one. There is no object then.
        """
        part_bytes = max(PART_BYTES, -(-size_bytes // _MAX_PARTS))
        sums: dict[int, tuple[int, int]] = {}

        def send(part: dict[str, Any], offset: int, length: int) -> dict[str, Any]:
            block = _block(source, offset, length)
            sums[offset] = (google_crc32c.value(block), len(block))
            checked = {"ChecksumCRC32C": as_base64(f"{sums[offset][0]:08x}")} if self._sums else {}
            sent = self._client.upload_part(**part, **checked, Body=block)
            return {"ETag": sent["ETag"], **checked}

        with self._begun():
            parts = self._send(send, size_bytes, part_bytes)
            found = crc32c_of_parts(sums[offset] for offset in sorted(sums))
            if crc32c not in (None, found):
                raise other_bytes(found, str(crc32c)).on_writing(f"s3://{self._place['Bucket']}/{self._place['Key']}")
            whole = {"ChecksumCRC32C": as_base64(found), "ChecksumType": "FULL_OBJECT"} if self._sums else {}
            self._end(parts, whole)

    def copy(self, source: dict[str, str], size_bytes: int) -> None:
        """Has the server copy another object."""
        part_bytes = max(COPY_PART_BYTES, -(-size_bytes // _MAX_PARTS))

        def send(part: dict[str, Any], offset: int, length: int) -> dict[str, Any]:
            wanted = byte_range(offset, length)
            sent = self._client.upload_part_copy(**part, CopySource=source, CopySourceRange=wanted)["CopyPartResult"]
            return {key: sent[key] for key in ("ETag", "ChecksumCRC32C") if key in sent}

        with self._begun():
            self._end(self._send(send, size_bytes, part_bytes), {})

    @contextlib.contextmanager
    def _begun(self) -> Iterator[None]:
        """An upload that is given up where the block fails."""
        self._sums = True
        try:
            begun = self._begin(ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT")
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _NO_CHECKSUMS:
                raise
            self._sums = False
            begun = self._begin()
        self._upload = {**self._place, "UploadId": begun["UploadId"]}
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                self._client.abort_multipart_upload(**self._upload)
            raise

    def _begin(self, **checksum: str) -> dict[str, Any]:
        return dict(self._client.create_multipart_upload(**self._place, **self._options, **checksum))

    def _send(self, send: Send, size_bytes: int, part_bytes: int) -> list[dict[str, Any]]:
        """All parts, several at once. `send` sends one, and gives what the server must be told of it at the end."""

        def one(number: int, offset: int) -> dict[str, Any]:
            part = {**self._upload, "PartNumber": number}
            return {"PartNumber": number, **send(part, offset, min(part_bytes, size_bytes - offset))}

        offsets = range(0, size_bytes, part_bytes)
        futures = [self._threads.submit(one, number, offset) for number, offset in enumerate(offsets, 1)]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def _end(self, parts: list[dict[str, Any]], whole: dict[str, str]) -> None:
        self._client.complete_multipart_upload(
            **self._upload, **whole, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )


def _block(source: Path, offset: int, length: int) -> bytes:
    with open(source, "rb") as file:
        file.seek(offset)
        return file.read(length)
