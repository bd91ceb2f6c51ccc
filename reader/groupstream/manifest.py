"""The manifest: what a version is, how it was built, and what every one of its files holds.

It is wholly determined by the spec, the source and the code: no times, no host names. Two builds of the
same version have the same manifest, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from groupstream import layout
from groupstream.canonical import canonical_json as canonical_json
from groupstream.errors import CorruptError
from groupstream.features import Feature

FORMAT_VERSION = 1

_SHOWN_CHARACTERS = 100
_NOT_OF_A_VERSION = (layout.MANIFEST, layout.CLAIM, layout.TOMBSTONE)

# The one line of manifest.json that its checksum leaves out. Keys within objects are indented further.
_CHECKSUM_LINE = re.compile(rb'^ "checksum": "([0-9a-f]{64})",\n', re.MULTILINE)


class _Part(BaseModel):
    """A later library may add fields; an older one reads past them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _inner_path(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or not path.isprintable():
        raise ValueError(f"{path[:_SHOWN_CHARACTERS]!r} does not lie in the folder of the version")
    if path in _NOT_OF_A_VERSION:
        raise ValueError(f"{path!r} is no file that a manifest describes")
    return path


def _name(text: str) -> str:
    if not layout.is_name(text):
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is no name of a dataset")
    return text


def _version(text: str) -> str:
    if not layout.is_version(text) and not layout.is_alias(text):  # a draft has a word instead
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is no number of a version")
    return text


def _split(text: str) -> str:
    if not layout.is_split(text):
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is no name of a split")
    return text


class StoredFile(_Part):
    """A file of the version. `path` is relative to the version's folder, with forward slashes."""

    path: Annotated[str, AfterValidator(_inner_path)]
    size_bytes: int
    crc32c: str = Field(description="8 hexadecimal digits")
    sha256: str = Field(description="64 hexadecimal digits")


class Shard(StoredFile):
    """A TFRecord file. Shards stand in the order of their groups' hashes."""

    num_groups: int
    num_examples: int


class GroupSizes(_Part):
    """Examples per group at 10, 50 and 90 % of the groups, and of the largest."""

    p10: int
    p50: int
    p90: int
    max: int


class Statistics(_Part):
    """What a person asks first.

    Attributes:
        num_bytes: of the serialised examples, without the framing of the file.
        num_words: runs of characters between ASCII white space in the text features.
    """

    num_groups: int
    num_examples: int
    num_bytes: int
    num_words: int
    group_sizes: GroupSizes


class SplitInfo(_Part):
    """The files and figures of one split."""

    shards: tuple[Shard, ...]
    group_table: StoredFile
    statistics: Statistics


class Counts(_Part):
    """Where every example went: `examples_in == examples_out + sum(dropped.values())`.

    Attributes:
        dropped: examples left out, by reason.
        regrouped: groups that are not as the partitioner made them, by what was done: dropped, merged, capped, split.
    """

    examples_in: int
    examples_out: int
    dropped: dict[str, int] = {}
    regrouped: dict[str, int] = {}


class CheckResult(_Part):
    """One check: what was asked, what was found, and up to five offenders.

    Attributes:
        kind: of what: examples, groups, drift from an earlier version, or the files themselves.
    """

    kind: Literal["examples", "groups", "drift", "files"] = "groups"
    name: str
    limit: str
    observed: str
    passed: bool
    offenders: tuple[str, ...] = ()


class Manifest(_Part):
    """A version of a dataset. Its name, its number, and the names of its splits and files become parts of paths.

    Attributes:
        digest: identifies the build: SHA-256 of the spec, the source's identity and the format.
        spec: the resolved spec, without where its source lies, where it goes and how it runs.
        source: the identity of the base dataset.
        code: the versions of our distributions that built it.
        seed: the key of the group hash.
        group_feature: the name of the feature that holds the group id in each record.
        files: the files that belong to no split.
    """

    format_version: int = FORMAT_VERSION
    name: Annotated[str, AfterValidator(_name)]
    version: Annotated[str, AfterValidator(_version)]
    description: str = ""
    digest: str
    spec: dict[str, Any]
    source: dict[str, Any]
    code: dict[str, str]
    seed: int
    features: dict[str, Feature]
    group_feature: str
    splits: dict[Annotated[str, AfterValidator(_split)], SplitInfo]
    counts: Counts
    checks: tuple[CheckResult, ...] = ()
    files: tuple[StoredFile, ...] = ()

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def all_files(self) -> list[StoredFile]:
        """Every file of the version but the manifest itself and the claim."""
        of_splits = [f for s in self.splits.values() for f in (*s.shards, s.group_table)]
        return [*of_splits, *self.files]

    def to_json(self) -> bytes:
        """The bytes of manifest.json. They carry a checksum of their own."""
        fields = self.model_dump(mode="json")
        return canonical_json({**fields, "checksum": hashlib.sha256(canonical_json(fields)).hexdigest()})

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Manifest:
        """Reads manifest.json.

        Raises:
            CorruptError: not a manifest, changed since it was written, or of a newer format.
        """
        fields = _fields_of(data, where)
        _refuse_changed(data, where)
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))[:_SHOWN_CHARACTERS]
            raise CorruptError(
                f"{where} is not a manifest of format {FORMAT_VERSION}: {field}: {first['msg']}"
            ) from error


def _fields_of(data: bytes, where: str) -> dict[str, Any]:
    try:
        fields = json.loads(data)
    except ValueError:
        fields = None
    found = fields.get("format_version") if isinstance(fields, dict) else None
    if not isinstance(found, int):
        raise CorruptError(f"{where} is not a manifest: it is no JSON with a format_version. Pull the version again")
    if found > FORMAT_VERSION:
        raise CorruptError(
            f"{where} has format {found}, this library reads up to {FORMAT_VERSION}; "
            "upgrade with: pip install -U groupstream"
        )
    return dict(fields)


def _refuse_changed(data: bytes, where: str) -> None:
    parts = _CHECKSUM_LINE.split(data)  # before, the checksum, after
    if len(parts) != 3 or parts[1].decode() != hashlib.sha256(parts[0] + parts[2]).hexdigest():
        raise CorruptError(
            f"{where} was changed after it was written: its checksum does not match. Pull the version again"
        )
