"""A store in a bucket of Google Cloud Storage."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Iterator
from http.client import (
    BAD_REQUEST,
    FORBIDDEN,
    NOT_FOUND,
    PERMANENT_REDIRECT,
    PRECONDITION_FAILED,
    UNAUTHORIZED,
)
from pathlib import Path
from typing import Any

from groupstream.errors import StoreError
from groupstream.stores.address import parse_address
from groupstream.stores.content_type import content_type
from groupstream.stores.crc32c import as_base64, from_base64
from groupstream.stores.failures import (
    ATTEMPTS,
    NUM_CONNECTIONS,
    Failure,
    missing,
    missing_extra,
    other_bytes,
    unreachable,
)
from groupstream.stores.gcs_download import download
from groupstream.stores.limited_pools import limited_adapter
from groupstream.stores.per_process import PerProcess
from groupstream.stores.store import StoredObject, Tagged, is_visible

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"

_BLOCK_BYTES = 16 << 20  # of a file that is held in memory while it is uploaded
_OTHER_SUM = re.compile(r"CRC32C \W?([\w+/]{6}==)\W? doesn't match calculated CRC32C \W?([\w+/]{6}==)")
_TIMEOUT_SECONDS = (10, 60)  # to connect, and between two answers


class GcsStore:
    """Objects under `gs://bucket/prefix`. Threads may share it; it can be pickled, and used after a fork.

    It signs in as all of Google's libraries do (Application Default Credentials); where there are no credentials
    it reads as anybody, so public buckets need none. With $STORAGE_EMULATOR_HOST it talks to that server.

    Args:
        retry_seconds: for how long a request that fails for a passing reason is tried again.
    """

    def __init__(self, root: str, retry_seconds: float = 120.0) -> None:
        self._address = parse_address(root)
        self._retry_seconds = retry_seconds
        self._bucket = PerProcess(functools.partial(_bucket, str(self._address), self._address.host), _close)

    @property
    def root(self) -> str:
        """`gs://bucket/prefix`."""
        return str(self._address)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`. A whole object is compared with the CRC32C that the bucket has of it."""
        if length == 0:
            return b""
        try:
            return download(self._blob(path), offset, length, **self._patience()).content
        except _failures() as error:
            raise self._on_reading(path, error) from error

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        found = self.stat(path)
        return None if found is None else found.size_bytes

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`."""
        try:
            blob = self._blob(path)
            blob.reload(**self._patience())
        except _failures() as error:
            if _code(error) == NOT_FOUND and not _is_of_bucket(error):
                return None
            raise self._on_reading(path, error) from error
        return _described(path, blob)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`. One request for each 1,000 objects and folders that lie directly there."""
        prefix = self._address.key(path)
        prefix += "/" if prefix else ""
        fields = "prefixes,nextPageToken"
        try:
            listed = self._bucket().list_blobs(prefix=prefix, delimiter="/", fields=fields, **self._patience())
            found = {name for page in listed.pages for name in page.prefixes}
        except _failures() as error:
            raise self._on_reading(path, error) from error
        names = (name[len(prefix) : -1] for name in found)
        return sorted(name for name in names if not name.startswith("."))

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`."""
        prefix = self._address.key(path)
        prefix += "/" if prefix else ""
        start = len(self._address.key("")) + (1 if self._address.prefix else 0)
        fields = "items(name,size,crc32c,updated),nextPageToken"
        try:
            for blob in self._bucket().list_blobs(prefix=prefix, fields=fields, **self._patience()):
                if is_visible(blob.name[len(prefix) :]):
                    yield _described(blob.name[start:], blob)
        except _failures() as error:
            raise self._on_reading(path, error) from error

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """See `Store.put_if_absent`. A file is sent in blocks of 16 MiB, in one upload that ends whole or not at all.

        Google gets the CRC32C before the bytes, and makes no object of others. An upload whose answer was lost is sent
        again, and then answers False although it was this one that wrote.
        """
        options = {"content_type": content_type(path), "if_generation_match": 0}
        try:
            blob = self._blob(path)
            blob.chunk_size = _BLOCK_BYTES
            if crc32c is not None:
                blob.crc32c = as_base64(crc32c)
            options["checksum"] = "crc32c" if crc32c is None else None  # not summed a second time
            _upload(blob, source, {**options, **self._patience()})
            if crc32c is not None and (found := from_base64(blob.crc32c)) != crc32c:  # a server that does not compare
                blob.delete(if_generation_match=blob.generation, **self._patience())
                raise other_bytes(found, crc32c).on_writing(f"{self.root}/{path}")
        except _failures() as error:
            if self._is_taken(path, error):
                return False
            raise self._explain(error).on_writing(f"{self.root}/{path}") from error
        return True

    def replace(self, path: str, content: bytes) -> None:
        """See `Store.replace`. Browsers ask each time; without that, Google lets them keep a public object an hour."""
        try:
            blob = self._blob(path)
            blob.cache_control = "no-cache"
            _upload(blob, content, {"content_type": content_type(path), "checksum": "crc32c", **self._patience()})
        except _failures() as error:
            raise self._explain(error).on_writing(f"{self.root}/{path}") from error

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. The tag is the generation of the object."""
        try:
            return Tagged(*download(self._blob(path), 0, None, **self._patience()))
        except _failures() as error:
            if _code(error) == NOT_FOUND and not _is_of_bucket(error):
                return None
            raise self._on_reading(path, error) from error

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """See `Store.swap`."""
        options = {"content_type": content_type(path), "checksum": "crc32c", "if_generation_match": int(tag or 0)}
        try:
            blob = self._blob(path)
            blob.cache_control = "no-cache"
            _upload(blob, content, {**options, **self._patience()})
        except _failures() as error:
            if _code(error) == PRECONDITION_FAILED:
                return False
            raise self._explain(error).on_writing(f"{self.root}/{path}") from error
        return True

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """See `Store.copy_if_absent`. Large objects take several requests.

        A copy whose answer was lost is made again, and then answers False although it was this one that wrote.
        """
        source, token = self._blob(source_path), None
        try:
            while True:
                token, *_ = self._blob(path).rewrite(source, token=token, if_generation_match=0, **self._patience())
                if token is None:
                    return True
        except _failures() as error:
            if self._is_taken(path, error):
                return False
            if _code(error) == NOT_FOUND and not _is_of_bucket(error):
                raise missing(f"{self.root}/{source_path}") from error
            raise self._explain(error).on_writing(f"{self.root}/{path}") from error

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        try:
            self._blob(path).delete(**self._patience())
        except _failures() as error:
            if _code(error) != NOT_FOUND or _is_of_bucket(error):
                raise self._explain(error).on_deleting(f"{self.root}/{path}") from error

    def _is_taken(self, path: str, error: Exception) -> bool:
        """Whether a write failed because the object is there. Who may create but not delete may be told 403 then."""
        if _code(error) != FORBIDDEN:
            return _code(error) == PRECONDITION_FAILED
        try:
            return self.stat(path) is not None
        except StoreError:
            return False

    def _blob(self, path: str) -> Any:
        return self._bucket().blob(self._address.key(path))

    def _patience(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return {"timeout": _TIMEOUT_SECONDS, "retry": DEFAULT_RETRY.with_timeout(self._retry_seconds)}

    def _on_reading(self, path: str, error: Exception) -> Exception:
        where = f"{self.root}/{path}"
        if _code(error) == NOT_FOUND and not _is_of_bucket(error):
            return missing(where)
        return self._explain(error).on_reading(where)

    def _explain(self, error: Exception) -> Failure:
        from google.auth.exceptions import DefaultCredentialsError, RefreshError

        if _code(error) == BAD_REQUEST and (sums := _OTHER_SUM.search(str(error))):
            return other_bytes(from_base64(sums[2]), from_base64(sums[1]))
        if _code(error) == NOT_FOUND:
            return Failure(f"there is no bucket {self._address.host}", "List yours with: gcloud storage ls")
        if _code(error) in (UNAUTHORIZED, FORBIDDEN):
            return Failure(
                f"permission denied ({_code(error)})",
                "Sign in with: gcloud auth application-default login, or ask the owner of the bucket for access",
            )
        if isinstance(error, DefaultCredentialsError | RefreshError):
            return Failure("the credentials do not work", "Sign in with: gcloud auth application-default login")
        if isinstance(error, FileNotFoundError | PermissionError):  # the source of an upload
            return Failure(f"{error.filename}: {error.strerror}", "Give a file that can be read")
        return unreachable(error)


def _bucket(root: str, name: str) -> Any:
    try:
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import storage  # type: ignore[attr-defined]
    except ImportError as error:
        raise missing_extra(root, "gcs") from error
    try:
        client = storage.Client(project=None)
    except DefaultCredentialsError:
        if CREDENTIALS in os.environ:  # which names a file that is not there, or not right
            raise
        client = storage.Client.create_anonymous_client()
    client._bucket_metadata_cache = None  # it asks for the bucket in a thread of its own, only to label traces
    for scheme in ("http://", "https://"):
        client._http.mount(scheme, limited_adapter()(pool_connections=1, pool_maxsize=NUM_CONNECTIONS))
    _settle(client._http, client.api_endpoint)
    return client.bucket(name)


def _settle(session: Any, url: str) -> None:
    """Takes proxies and certificates from the environment once: for each request, that is a sixth of a small one."""
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False


def _upload(blob: Any, source: bytes | Path, options: dict[str, Any]) -> None:
    """Uploads a content, from its beginning again where Google kept a part of a block only.

    It may do so, and says how far it came; its client then does not go on there, and raises ValueError, or takes that
    answer for a failure where nothing was kept.
    """
    for attempt in itertools.count(1):
        try:
            if isinstance(source, bytes):
                blob.upload_from_string(source, **options)
            else:
                blob.upload_from_filename(str(source), **options)
            return
        except (ValueError, *_failures()) as error:
            is_of_part = not isinstance(error, _failures()) or _code(error) == PERMANENT_REDIRECT
            if not is_of_part or attempt == ATTEMPTS:  # errors of signing in are ValueErrors too
                raise


def _close(bucket: Any) -> None:
    bucket.client.close()


def _failures() -> tuple[type[Exception], ...]:
    """All that the client raises where the object, the bucket or the network is at fault. None without the library."""
    try:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    except ImportError:
        return ()
    from urllib3.exceptions import HTTPError

    # OSError: also those of requests
    return GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, HTTPError, OSError


def _code(error: Exception) -> int | None:
    code = getattr(error, "code", None)
    return None if code is None else int(code)


def _is_of_bucket(error: Exception) -> bool:
    return "bucket does not exist" in str(error)


def _described(path: str, blob: Any) -> StoredObject:
    checksum = f"crc32c:{from_base64(blob.crc32c)}" if blob.crc32c else None
    return StoredObject(path, int(blob.size), checksum, blob.updated and blob.updated.replace(microsecond=0))
