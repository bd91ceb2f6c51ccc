"""What a catalog holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from groupstream import layout
from groupstream.canonical import canonical_json
from groupstream.errors import CorruptError

if TYPE_CHECKING:
    from groupstream.manifest import Manifest  # which loads Arrow; a catalog is read without it

CATALOG_FORMAT = 1
LATEST = "latest"

_SHOWN_CHARACTERS = 100
_NO_CATALOG = (ValueError, TypeError, OverflowError, RecursionError)  # a ValidationError is a ValueError

Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


def _must_be(what: str, is_one: Callable[[str], bool]) -> AfterValidator:
    """What is read here becomes a part of paths."""

    def check(text: str) -> str:
        if not is_one(text):
            raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is no {what}")
        return text

    return AfterValidator(check)


Name = Annotated[str, _must_be("name of a dataset", layout.is_name)]
Alias = Annotated[str, _must_be("alias", layout.is_alias)]
Number = Annotated[str, _must_be("number of a version", layout.is_version)]


class _Part(BaseModel):
    """A later library may add fields; an older one reads past them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CatalogSplit(_Part):
    """The figures of a split, as in the manifest; `num_bytes` is of the serialised examples."""

    num_groups: int
    num_examples: int
    num_bytes: int
    num_words: int


class CatalogVersion(_Part):
    """A version that is, or was, published.

    Attributes:
        digest: of the build, as in the manifest.
        manifest_sha256: of the bytes of its manifest.json.
        state: a deprecated version can be read, with a warning; a deleted one cannot, and its number stays taken.
        published_at: when its manifest was written, or found by whoever mended the catalog.
        run: which published it, if that is known.
        message: why it is deprecated or deleted, for people.
        changed_at: when its state was changed last, None as long as it is as it was published; `changed_by`: by whom.
        features: what each holds, in a word or two, by name.
        size_bytes: of all its files.
        has_card: whether it has a page about it.
    """

    version: Number
    digest: str
    manifest_sha256: str
    state: Literal["published", "deprecated", "deleted"] = "published"
    published_at: Moment
    run: str | None = None
    message: str = ""
    changed_at: Moment | None = None
    changed_by: str = ""
    description: str = ""
    license: str = ""
    features: dict[str, str] = {}
    splits: dict[str, CatalogSplit] = {}
    size_bytes: int = 0
    has_card: bool = False

    @property
    def is_readable(self) -> bool:
        """Whether it can be opened."""
        return self.state != "deleted"


class AliasMove(_Part):
    """An alias was set, moved or removed. `version` is None where it was removed; `by` says who did it."""

    alias: Alias
    version: Number | None
    at: Moment
    by: str = ""


class DatasetCatalog(_Part):
    """All versions of a dataset.

    Attributes:
        revision: how often it was changed; of two copies, the one with the larger number is the newer one.
        versions: in the order of their numbers.
        aliases: the version of each alias. There is `latest` as long as a version can be read.
        history: how the aliases moved, oldest first; the newest 1,000 moves. The registry has all.
    """

    format_version: int = CATALOG_FORMAT
    name: Name
    revision: int = 0
    versions: tuple[CatalogVersion, ...] = ()
    aliases: dict[Alias, Number] = {}
    history: tuple[AliasMove, ...] = ()

    def get(self, version: str) -> CatalogVersion | None:
        """A version by its number."""
        return next((each for each in self.versions if each.version == version), None)

    def readable(self) -> list[str]:
        """The numbers of the versions that can be opened, oldest first."""
        return [each.version for each in self.versions if each.is_readable]

    def newest(self) -> str | None:
        """The largest number that can be opened, of those that are not deprecated if there is one."""
        published = [each.version for each in self.versions if each.state == "published"]
        return next(reversed(published or self.readable()), None)

    def aliases_of(self, version: str) -> list[str]:
        """The aliases that lead to a version, sorted."""
        return sorted(alias for alias, aimed in self.aliases.items() if aimed == version)

    def to_json(self) -> bytes:
        """The bytes of the file."""
        return canonical_json(self.model_dump(mode="json", exclude_defaults=True) | {"format_version": CATALOG_FORMAT})

    @classmethod
    def from_json(cls, data: bytes, where: str) -> DatasetCatalog:
        """Reads the file.

        Raises:
            CorruptError: not a catalog, or of a newer format.
        """
        try:
            fields = json.loads(data)
            newer = isinstance(fields, dict) and int(fields.get("format_version", 0)) > CATALOG_FORMAT
            if not newer:
                return cls.model_validate(fields)
        except _NO_CATALOG as error:
            raise CorruptError(
                f"{where} is not a catalog: {_first_of(error)}. Mend it with: groupstream doctor"
            ) from error
        raise newer_format(where, fields["format_version"])


def describe_published(manifest: Manifest, content: bytes, published_at: datetime, run: str | None) -> CatalogVersion:
    """What the catalog says of a version that has just been published.

    Args:
        content: the bytes of its manifest.json.
        published_at: with a time zone.
    """
    figures = ("num_groups", "num_examples", "num_bytes", "num_words")
    splits = {name: split.statistics for name, split in sorted(manifest.splits.items())}
    kinds = {n: f"{f.image_format} image" if f.image_format else f.dtype for n, f in sorted(manifest.features.items())}
    return CatalogVersion(
        version=manifest.version,
        digest=manifest.digest,
        manifest_sha256=hashlib.sha256(content).hexdigest(),
        published_at=published_at,
        run=run,
        description=manifest.description,
        license=str(manifest.spec.get("license") or ""),
        features=kinds,
        splits={n: CatalogSplit(**{figure: getattr(s, figure) for figure in figures}) for n, s in splits.items()},
        size_bytes=sum(file.size_bytes for file in manifest.all_files()),
        has_card=any(file.path == layout.CARD for file in manifest.files),
    )


def newer_format(where: str, found: object) -> CorruptError:
    """The error for a catalog that a later library wrote."""
    return CorruptError(
        f"{where} has format {found}, this library reads up to {CATALOG_FORMAT}; "
        "upgrade with: pip install -U groupstream"
    )


def _first_of(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:_SHOWN_CHARACTERS]}: {first['msg']}"
    return str(error)
