"""The buckets of a fake of Google Cloud Storage: objects with generations, in memory."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import google_crc32c

from groupstream.testing.faulty_server import Reply


class Refused(Exception):  # noqa: N818
    """What is not done, and the answer that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, message.encode(), {"Content-Type": "text/plain"})


A_MOMENT = "2020-01-01T00:00:00.000Z"
METAGENERATION = 1  # of every object: nothing here changes what an object is described by


class Conditions(NamedTuple):
    """The preconditions of a request.

    Source: https://docs.cloud.google.com/storage/docs/request-preconditions. 412 where a match is asked for and there
    is none, 304 where none is asked for and there is one. An object that is not there has the generation 0.
    """

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, str], prefix: str = "if") -> Conditions:
        """Those among the parameters of a request; with `ifSource`, those of what is copied."""
        names = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")
        return cls(*(int(query[prefix + name]) if prefix + name in query else None for name in names))

    def check(self, generation: int) -> None:
        """Whether a request may go on.

        Raises:
            Refused: it may not.
        """
        metageneration = METAGENERATION if generation else 0
        if self.generation_match not in (None, generation) or self.metageneration_match not in (None, metageneration):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        if self.generation_not_match == generation or self.metageneration_not_match == metageneration:
            raise Refused(304, "")


ALWAYS = Conditions()


@dataclass(frozen=True)
class StoredObject:
    """One generation of an object. A new content is a new object."""

    bucket: str
    name: str
    content: bytes = field(repr=False)
    generation: int
    content_type: str = "application/octet-stream"
    cache_control: str = ""
    written_at: str = A_MOMENT
    metadata: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def crc32c(self) -> str:
        """Base64 of the big-endian CRC32C."""
        return base64.b64encode(google_crc32c.value(self.content).to_bytes(4, "big")).decode()

    @functools.cached_property
    def md5(self) -> str:
        """Base64 of the MD5."""
        return base64.b64encode(hashlib.md5(self.content, usedforsecurity=False).digest()).decode()

    def described(self) -> dict[str, Any]:
        """What a copy of it takes over besides the content."""
        return {"content_type": self.content_type, "cache_control": self.cache_control, "metadata": self.metadata}

    def resource(self) -> dict[str, Any]:
        """What the JSON API says of it."""
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "bucket": self.bucket,
            "name": self.name,
            "generation": str(self.generation),
            "metageneration": str(METAGENERATION),
            "size": str(len(self.content)),
            "contentType": self.content_type,
            "cacheControl": self.cache_control,
            "crc32c": self.crc32c,
            "md5Hash": self.md5,
            "etag": f"etag-{self.generation}",
            "storageClass": "STANDARD",
            "timeCreated": self.written_at,
            "updated": self.written_at,
            "metadata": self.metadata,
        }


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    objects: list[StoredObject]
    prefixes: list[str]
    next_token: str | None


class Buckets:
    """Buckets and their objects. All methods may be called in many threads.

    Attributes:
        clock: when objects are written, as JSON has it. Default: always the same moment.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], str] = lambda: A_MOMENT
        self._objects: dict[str, dict[str, StoredObject]] = {}
        self._generations = itertools.count(1_700_000_000_000_000)
        self._lock = threading.Lock()

    def add(self, bucket: str) -> None:
        """Makes an empty bucket, if there is none of that name."""
        self._objects.setdefault(bucket, {})

    def of(self, bucket: str) -> dict[str, StoredObject]:
        """The objects of a bucket, by name.

        Raises:
            Refused: no such bucket.
        """
        if bucket not in self._objects:
            raise Refused(404, "The specified bucket does not exist.")
        return self._objects[bucket]

    def get(
        self, bucket: str, name: str, generation: int | None = None, conditions: Conditions = ALWAYS
    ) -> StoredObject:
        """An object.

        Raises:
            Refused: no such object, it has another generation, or the conditions do not hold.
        """
        found = self.of(bucket).get(name)
        if found is None or generation not in (None, found.generation):
            raise Refused(404, f"No such object: {bucket}/{name}")
        conditions.check(found.generation)
        return found

    def check(self, bucket: str, name: str, conditions: Conditions) -> None:
        """Whether a write may go on.

        Raises:
            Refused: the conditions do not hold.
        """
        found = self.of(bucket).get(name)
        conditions.check(found.generation if found else 0)

    def put(
        self, bucket: str, name: str, content: bytes, conditions: Conditions = ALWAYS, **described: Any
    ) -> StoredObject:
        """Writes an object, whole and at once."""
        with self._lock:
            self.check(bucket, name, conditions)
            stored = StoredObject(bucket, name, content, next(self._generations), written_at=self.clock(), **described)
            self.of(bucket)[name] = stored
        return stored

    def remove(self, bucket: str, name: str, generation: int | None = None, conditions: Conditions = ALWAYS) -> None:
        """Removes an object."""
        with self._lock:
            self.get(bucket, name, generation, conditions)
            del self.of(bucket)[name]

    def list(self, bucket: str, prefix: str, delimiter: str, token: str, page_size: int) -> Page:
        """Objects and, with a delimiter, the names up to it; in order, a page at a time."""
        entries: dict[str, StoredObject | None] = {}  # by name; None: a prefix
        with self._lock:
            stored = sorted(self.of(bucket).items())
        for name, each in stored:
            if name.startswith(prefix):
                rest = name[len(prefix) :]
                cut = rest.find(delimiter) if delimiter else -1
                entries.setdefault(
                    name if cut < 0 else prefix + rest[: cut + len(delimiter)], each if cut < 0 else None
                )
        names = [name for name in entries if name > token]
        page = names[:page_size]
        objects = [found for name in page if (found := entries[name])]
        prefixes = [name for name in page if entries[name] is None]
        return Page(objects, prefixes, page[-1] if len(names) > page_size else None)
