"""A store in a bucket of Amazon S3, or of a server that speaks like it (MinIO, Ceph, R2)."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from groupstream.errors import PublishError
from groupstream.stores.address import parse_address
from groupstream.stores.body import BLOCK_BYTES, Answer, Body, byte_range, read_body
from groupstream.stores.content_type import content_type
from groupstream.stores.crc32c import as_base64, crc32c_of, from_base64
from groupstream.stores.failures import (
    ATTEMPTS,
    NUM_CONNECTIONS,
    Failure,
    missing,
    missing_extra,
    other_bytes,
    unreachable,
)
from groupstream.stores.limited_pools import limited_pools
from groupstream.stores.per_process import PerProcess
from groupstream.stores.s3_parts import PART_BYTES, PartsUpload
from groupstream.stores.store import StoredObject, Tagged, is_visible

_THREADS = 8  # that send parts, for all uploads of a store together; each holds 16 MiB

_NO_OBJECT = {"NoSuchKey", "404"}
_EXISTS = {"PreconditionFailed", "412"}
_BUSY = {"ConditionalRequestConflict", "409"}
_OTHER_BYTES = {"BadDigest", "XAmzContentChecksumMismatch"}
_DENIED = {"AccessDenied", "403", "401", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}


class S3Store:
    """Objects under `s3://bucket/prefix`. Threads may share it; it can be pickled, and used after a fork.

    It signs in and finds its region and its server as the AWS command line does: from the environment (also
    $AWS_ENDPOINT_URL, $AWS_PROFILE), ~/.aws or the machine. Where there are no credentials it reads as anybody, so
    public buckets need none.

    The client is boto3 because it works after a fork, which obstore (whose threads do not come along) does not,
    knows the profiles of ~/.aws, and sends large files in parts that still do not replace an object.

    Args:
        attempts: how often a request that fails for a passing reason is made.
    """

    def __init__(self, root: str, attempts: int = ATTEMPTS) -> None:
        self._address = parse_address(root)
        self._attempts = attempts
        self._client = PerProcess(functools.partial(_client, str(self._address), attempts), _close)
        self._part_threads = PerProcess(functools.partial(ThreadPoolExecutor, _THREADS, "groupstream-part"), _end)

    @property
    def root(self) -> str:
        """`s3://bucket/prefix`."""
        return str(self._address)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        if length == 0:
            return b""
        self._client()
        try:
            return self._body(path, offset, length).content
        except _failures() as error:
            if _code(error) in ("InvalidRange", "416"):  # it begins at the end of the object, or after it
                return b""
            raise self._on_reading(path, error) from error

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`. In a bucket that does not exist there is no object either."""
        found = self.stat(path)
        return None if found is None else found.size_bytes

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`. In a bucket that does not exist there is no object either."""
        client = self._client()
        try:
            found = client.head_object(**self._place(path))
        except _failures() as error:
            if _code(error) in _NO_OBJECT:
                return None
            raise self._on_reading(path, error) from error
        return _described(path, found["ContentLength"], found)

    def crc32c(self, path: str) -> str | None:
        """See `known_crc32c.KnowsCrc32c`. One request; what others wrote may have another checksum."""
        try:
            found = self._client().head_object(**self._place(path), ChecksumMode="ENABLED")
        except _failures() as error:
            raise self._on_reading(path, error) from error
        crc32c, kind = found.get("ChecksumCRC32C", ""), found.get("ChecksumType")
        is_of_parts = kind == "COMPOSITE" or "-" in crc32c  # of their checksums, and how many there are
        return from_base64(crc32c) if crc32c and not is_of_parts else None

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`. One request for each 1,000 objects and folders that lie directly there."""
        prefix = self._address.key(path)
        prefix += "/" if prefix else ""
        pages = self._client().get_paginator("list_objects_v2")
        try:
            found = [
                each["Prefix"][len(prefix) : -1]
                for page in pages.paginate(Bucket=self._address.host, Prefix=prefix, Delimiter="/")
                for each in page.get("CommonPrefixes", ())
            ]
        except _failures() as error:
            raise self._on_reading(path, error) from error
        return sorted(name for name in found if not name.startswith("."))

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`."""
        prefix = self._address.key(path)
        prefix += "/" if prefix else ""
        start = len(f"{self._address.prefix}/") if self._address.prefix else 0
        pages = self._client().get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._address.host, Prefix=prefix):
                for each in page.get("Contents", ()):
                    if is_visible(each["Key"][len(prefix) :]):
                        yield _described(each["Key"][start:], each["Size"], each)
        except _failures() as error:
            raise self._on_reading(path, error) from error

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """See `Store.put_if_absent`. A file of more than 16 MiB is sent in parts, if none is there yet.

        The CRC32C is compared here, and given to S3, which makes no object of bytes that changed on the way. An upload
        whose answer was lost is sent again, and then answers False although it was this one that wrote.
        """
        return self._write(path, lambda: self._put(path, source, crc32c))

    def replace(self, path: str, content: bytes) -> None:
        """See `Store.replace`. Browsers ask each time whether they have the newest."""
        client = self._client()
        try:
            client.put_object(
                **self._place(path), Body=content, ContentType=content_type(path), CacheControl="no-cache"
            )
        except _failures() as error:
            raise self._explain(error).on_writing(f"{self.root}/{path}") from error

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. The tag is the ETag of the object."""
        self._client()
        try:
            return Tagged(*self._body(path))
        except _failures() as error:
            if _code(error) in _NO_OBJECT:
                return None
            raise self._on_reading(path, error) from error

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """See `Store.swap`."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        described = {"ContentType": content_type(path), "CacheControl": "no-cache"}

        def put() -> bool:
            self._client().put_object(**self._place(path), Body=content, **described, **condition)
            return True

        try:
            return self._write(path, put)
        except PublishError as error:
            if _code(error.__cause__) in _NO_OBJECT:  # it was removed meanwhile
                return False
            raise

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """See `Store.copy_if_absent`. Five requests, and one more for each GiB after the first.

        It is made as an upload in parts, which every server ends only if the object is absent; not all know that
        condition for CopyObject.
        """
        source = self.stat(source_path)
        if source is None:
            raise missing(f"{self.root}/{source_path}")
        if not source.size_bytes:
            return self.put_if_absent(path, b"")
        return self._write(path, lambda: self._copy(source, path))

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        client = self._client()
        try:
            client.delete_object(**self._place(path))
        except _failures() as error:
            if _code(error) not in _NO_OBJECT:
                raise self._explain(error).on_deleting(f"{self.root}/{path}") from error

    def _write(self, path: str, write: Callable[[], bool]) -> bool:
        """Calls `write` until it ends; False where the object is there already."""
        self._client()
        for attempt in itertools.count(1):
            try:
                return write()
            except _failures() as error:
                if _code(error) in _EXISTS or (_code(error) == "NoSuchUpload" and self.size_bytes(path) is not None):
                    return False  # NoSuchUpload: the answer to the end of an upload was lost, and it was ended again
                if _code(error) not in _BUSY or attempt == self._attempts:
                    raise self._explain(error).on_writing(f"{self.root}/{path}") from error
                time.sleep(0.1 * 2**attempt)
        raise AssertionError  # the loop has no end of its own

    def _put(self, path: str, source: bytes | Path, crc32c: str | None) -> bool:
        if isinstance(source, Path) and (size := source.stat().st_size) > PART_BYTES:
            if self.size_bytes(path) is not None:  # before so much is sent in vain
                return False
            self._in_parts(path).put(source, size, crc32c)
            return True
        content = source if isinstance(source, bytes) else source.read_bytes()
        found = crc32c_of(content)
        if crc32c not in (None, found):
            raise other_bytes(found, str(crc32c)).on_writing(f"{self.root}/{path}")
        checked = {"ChecksumAlgorithm": "CRC32C", "ChecksumCRC32C": as_base64(found)}
        self._client().put_object(
            **self._place(path), **checked, Body=content, ContentType=content_type(path), IfNoneMatch="*"
        )
        return True

    def _copy(self, source: StoredObject, path: str) -> bool:
        if self.stat(path) is not None:
            return False
        self._in_parts(path).copy(self._place(source.path), source.size_bytes)
        return True

    def _in_parts(self, path: str) -> PartsUpload:
        return PartsUpload(self._client(), self._place(path), self._part_threads(), ContentType=content_type(path))

    def _body(self, path: str, offset: int = 0, length: int | None = None) -> Body:
        """An object, or a range of it; its tag is the ETag."""

        def ask(have: int) -> Answer:
            is_part, rest = bool(offset + have or length is not None), None if length is None else length - have
            wanted = {"Range": byte_range(offset + have, rest)} if is_part else {}
            answer = self._client().get_object(**self._place(path), **wanted)
            return Answer(answer["Body"].iter_chunks(BLOCK_BYTES), answer["ETag"], have)

        return read_body(ask, _cuts(), self._attempts)

    def _place(self, path: str) -> dict[str, str]:
        return {"Bucket": self._address.host, "Key": self._address.key(path)}

    def _on_reading(self, path: str, error: Exception) -> Exception:
        where = f"{self.root}/{path}"
        return missing(where) if _code(error) in _NO_OBJECT else self._explain(error).on_reading(where)

    def _explain(self, error: Exception) -> Failure:
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError

        if _code(error) == "NoSuchBucket":
            return Failure(f"there is no bucket {self._address.host}", "List yours with: aws s3 ls")
        if _code(error) in _OTHER_BYTES:
            return Failure("its bytes changed on the way", "Try again")
        if _code(error) in _DENIED:
            return Failure(
                f"permission denied ({_code(error)})",
                "Sign in with: aws configure, or ask the owner of the bucket for access",
            )
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return Failure("the credentials are not complete", "Sign in with: aws configure")
        if isinstance(error, OSError) and error.filename:  # the source of an upload
            return Failure(f"{error.filename}: {error.strerror}", "Give a file that can be read")
        return unreachable(error)


def _described(path: str, size: int, answer: dict[str, Any]) -> StoredObject:
    etag = answer.get("ETag", "").strip('"')
    modified = answer.get("LastModified")
    return StoredObject(path, int(size), f"etag:{etag}" if etag else None, modified and modified.replace(microsecond=0))


def _client(root: str, attempts: int) -> Any:
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError as error:
        raise missing_extra(root, "s3") from error
    session = boto3.session.Session()  # of its own: making clients of one session is not safe in threads
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=NUM_CONNECTIONS,
        connect_timeout=10,
        read_timeout=60,
        tcp_keepalive=True,
        signature_version=None if session.get_credentials() else UNSIGNED,
    )
    client = session.client("s3", config=config)
    pools = client._endpoint.http_session._pool_classes_by_scheme  # that it makes all its connections with
    pools.update(limited_pools(pools))
    return client


def _close(client: Any) -> None:
    client.close()


def _end(threads: ThreadPoolExecutor) -> None:
    threads.shutdown(wait=False)


def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, OSError


def _cuts() -> tuple[type[Exception], ...]:
    """What reading the rest of an answer raises where the connection ends before it."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

    return HTTPClientError, IncompleteReadError, ResponseStreamingError


def _code(error: BaseException | None) -> str | None:
    answer = getattr(error, "response", None)
    return str(answer["Error"]["Code"]) if isinstance(answer, dict) else None
