"""The catalog as one HTML page: nothing of it lies elsewhere, and it reads without its script too."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from catalog.entries import BrokenVersion, Entries, Entry, Place, VersionEntry
from catalog.figures import short_count, shown
from catalog.sparkline import sparkline
from groupstream import layout
from groupstream.catalog import LATEST
from groupstream.commands.printing import counted, format_bytes
from groupstream.stores import is_url
from groupstream.stores.address import parse_address

_MAX_FEATURES = 40  # that are named
_DESCRIPTION_CHARS = 300
_REASON_CHARS = 300


@dataclass(frozen=True)
class DatasetRow:
    """A dataset as the template shows it; the numbers are what rows are sorted by, -1 where nothing can be read.

    Attributes:
        newest: the version that `latest` leads to; without one, the largest number, rather not a deprecated one.
        warning: why that is deprecated; empty where it is not.
    """

    name: str
    newest: VersionEntry | None
    description: str
    warning: str
    card: str
    num_groups: int
    num_examples: int
    num_bytes: int
    date: str
    picture: Markup
    about: str
    features: str
    more_features: str
    code: str
    versions: list[VersionRow]


@dataclass(frozen=True)
class VersionRow:
    """A version in the list of a dataset: figures, or why there are none.

    Attributes:
        warning: why it is deprecated; empty where it is not.
    """

    version: str
    card: str
    entry: VersionEntry | None
    date: str
    reason: str
    warning: str = ""


def render_page(entries: Entries, root: str, links_from: str = "") -> str:
    """The catalog of a store.

    Args:
        entries: what is published, as `read_entries` gives it.
        root: of the store. It stands in the code that loads a version where it is a URL; a local folder may be
            served from elsewhere, and is nobody's business there.
        links_from: what the addresses of cards begin with; nothing where the page lies at the root.
    """
    places = sorted(entries, key=lambda place: (place.name, place.version and layout.version_key(place.version)))
    datasets = {
        name: [(place, entries[place]) for place in of_name]
        for name, of_name in groupby(places, key=lambda place: place.name)
    }
    rows = [_row(name, versions, root, links_from) for name, versions in datasets.items()]
    page = _template().render(rows=rows, summary=_summary(rows, len(entries)), policy=_policy())
    return page.encode(errors="backslashreplace").decode()


def web_address(root: str) -> str:
    """Where a browser finds what lies in a store, for those who may see it.

    >>> web_address("gs://bucket/datasets"), web_address("/srv/data sets")
    ('https://storage.cloud.google.com/bucket/datasets', 'file:///srv/data%20sets')
    """
    if not is_url(root):
        return Path(root).as_uri()
    scheme, host, prefix = parse_address(root)
    base = {"gs": f"https://storage.cloud.google.com/{host}", "s3": f"https://{host}.s3.amazonaws.com"}
    return "/".join(filter(None, (base.get(scheme, f"{scheme}://{host}"), quote(prefix))))


def _summary(rows: list[DatasetRow], num_versions: int) -> str:
    num_bytes = sum(row.num_bytes for row in rows if row.newest)
    found = f"{counted(len(rows), 'dataset')}, {counted(num_versions, 'version')}"
    return f"{found}; the newest of each are {format_bytes(num_bytes)} together" if rows else ""


def _row(name: str, versions: list[tuple[Place, Entry]], root: str, links_from: str) -> DatasetRow:
    readable = [entry for _, entry in versions if isinstance(entry, VersionEntry)]
    newest = _newest(readable)
    features = [f"{shown(feature, 60)} {kind}" for feature, kind in newest.features] if newest else []
    return DatasetRow(
        name=name,
        newest=newest,
        description=shown(newest.description, _DESCRIPTION_CHARS) if newest else "",
        warning=_warning(newest),
        card=_card(name, newest, links_from),
        num_groups=newest.num_groups if newest else -1,
        num_examples=newest.num_examples if newest else -1,
        num_bytes=newest.num_bytes if newest else -1,
        date=_date(newest.created_at if newest else None),
        picture=_picture(readable),
        about=_about(versions, newest),
        features=", ".join(features[:_MAX_FEATURES]),
        more_features=f"and {len(features) - _MAX_FEATURES} more" if len(features) > _MAX_FEATURES else "",
        code=_code(name, newest, root) if newest else "",
        versions=[_version_row(name, entry, links_from) for _, entry in reversed(versions)],
    )


def _newest(readable: list[VersionEntry]) -> VersionEntry | None:
    latest = [entry for entry in readable if LATEST in entry.aliases]
    return next(reversed(latest or [entry for entry in readable if not entry.is_deprecated] or readable), None)


def _warning(entry: VersionEntry | None) -> str:
    return shown(entry.message or "no reason given", _REASON_CHARS) if entry and entry.is_deprecated else ""


def _version_row(name: str, entry: Entry, links_from: str) -> VersionRow:
    if isinstance(entry, BrokenVersion):
        return VersionRow(entry.version or "versions", "", None, "", shown(entry.reason, _REASON_CHARS))
    card, date = _card(name, entry, links_from), _date(entry.created_at)
    return VersionRow(entry.version, card, entry, date, "", _warning(entry))


def _card(name: str, entry: VersionEntry | None, links_from: str) -> str:
    return f"{links_from}{name}/{entry.version}/{layout.CARD}" if entry and entry.has_card else ""


def _date(created_at: datetime | None) -> str:
    return f"{created_at:%Y-%m-%d}" if created_at else ""


def _picture(versions: list[VersionEntry]) -> Markup:
    if len(versions) < 2:
        return Markup()
    first, last = versions[0], versions[-1]
    ends = (f"{format_bytes(entry.num_bytes)} in {entry.version}" for entry in (first, last))
    return sparkline([entry.num_bytes for entry in versions], f"Size from {' to '.join(ends)}")


def _about(versions: list[tuple[Place, Entry]], newest: VersionEntry | None) -> str:
    """What a closed row says is in it."""
    broken = sum(isinstance(entry, BrokenVersion) for _, entry in versions)
    deprecated = sum(isinstance(entry, VersionEntry) and entry.is_deprecated for _, entry in versions)
    parts = [counted(len(versions), "version"), f"{broken} cannot be read" if broken else ""]
    parts += [f"{deprecated} deprecated" if deprecated else ""]
    if newest:
        parts += [counted(len(newest.splits), "split"), counted(len(newest.features), "feature")]
        parts += [shown(newest.license, 60) or "no licence named"]
    return " · ".join(filter(None, parts))


def _code(name: str, newest: VersionEntry, root: str) -> str:
    where = f", root={json.dumps(root, ensure_ascii=False)}" if is_url(root) else ""
    split = (
        "train"
        if any(each.name == "train" for each in newest.splits)
        else next((each.name for each in newest.splits), "train")
    )
    return (
        f'import groupstream\n\ndataset = groupstream.open("{name}@{newest.version}"{where})\n'
        f"for group in dataset[{json.dumps(split, ensure_ascii=False)}]:\n    print(group.name, group.num_examples)"
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=_finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"bytes": format_bytes, "count": short_count, "shown": shown}
    return environment.from_string(_source())


@functools.cache
def _source() -> str:
    return resources.files("catalog").joinpath("page.html").read_text(encoding="utf-8")


def _finalize(value: object) -> object:
    """Of each value that the template shows: no hidden character reaches the page, but for ends of lines of code."""
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "\n".join(shown(line, len(value) * 10) for line in value.split("\n"))


@functools.cache
def _policy() -> str:
    """What the page may do: apply its own style and run its own script, both known by their hashes."""
    hashes = {
        tag: base64.b64encode(hashlib.sha256(_inside(tag).encode()).digest()).decode() for tag in ("style", "script")
    }
    allowed = (f"{tag}-src 'sha256-{digest}'" for tag, digest in hashes.items())
    return "; ".join(["default-src 'none'", *allowed, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _inside(tag: str) -> str:
    [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", _source(), re.DOTALL)
    return str(content)
