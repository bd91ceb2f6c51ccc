"""Finding files by patterns, on this machine and in buckets."""

from __future__ import annotations

import functools
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from groupstream import SourceError
from groupstream.stores import HttpStore, is_url
from sources.allowed import refuse_outside
from sources.source_file import SourceFile, place_of, stored_file

_MAGIC = re.compile(r"[*?\[]")


def find_files(patterns: Iterable[str], field: str = "source.paths") -> list[SourceFile]:
    """The files that the patterns name, each once, sorted by their folders and names.

    `*` stands for any letters but a slash, `**` for any folders, `?` for one letter, `[ab]` for one of these. Names
    that begin with a dot are found only by a pattern that does, too. `**` goes through no links to folders: through one
    that leads upwards it would find each file many times. In a bucket all objects below the last folder
    without such a sign are listed: 1,000 a request. A web server has no lists: its files are named one by one.

    Args:
        field: what of the spec holds the patterns; it is named in errors.

    Raises:
        SourceError: a pattern that names no file.
        SpecError: a file that is a link to what may not be read, see `sources.allowed`.
        StoreError: a bucket that cannot be listed.
    """
    found: dict[str, SourceFile] = {}
    for pattern in patterns:
        files = list(_found(pattern, field))
        found.update((file.address, file) for file in files)
    return sorted(found.values(), key=lambda file: file.address.split("/"))


def folder_of(pattern: str) -> str | None:
    """The folder that all is in that a pattern finds, as far as the pattern says; None where it names one file.

    Names are listed from there, and what a deployment lets a build read is held against it (`specs.policy_places`).

    >>> folder_of("/data/news/2026-*/[ab].csv"), folder_of("/*.csv"), folder_of("*.csv"), folder_of("a/b.csv")
    ('/data/news', '', '', None)
    """
    sign = _MAGIC.search(pattern)
    return None if sign is None else pattern[: sign.start()].rpartition("/")[0]


def _found(pattern: str, field: str) -> Iterator[SourceFile]:
    matches = _found_in_store(pattern, field) if is_url(pattern) else _found_here(pattern, field)
    first = next(matches, None)
    if first is None:
        seen_from = "" if is_url(pattern) else f", seen from {Path.cwd()}"
        raise SourceError(f"source path {pattern!r} names no file{seen_from}. Check {field}")
    yield first
    yield from matches


def _found_here(pattern: str, field: str) -> Iterator[SourceFile]:
    paths, num_files = _paths(pattern), 0
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:  # a link to nowhere, or gone
            continue
        if stat.S_ISREG(status.st_mode):
            _refuse_other_encoding(path)
            refuse_outside(path, field)
            num_files += 1
            yield SourceFile(str(Path(path).absolute()), status.st_size)  # not resolved: links have names too
    if paths and not num_files and any(os.path.isdir(path) for path in paths):  # noqa: PTH112
        raise _is_folder(pattern, field)


def _paths(pattern: str) -> list[str]:
    path = os.path.expanduser(pattern)  # noqa: PTH111
    if os.path.exists(path):  # noqa: PTH110 - a name may hold what means something in a pattern, such as [1]
        return [path]
    return _globbed(path)


def _globbed(pattern: str) -> list[str]:
    """As glob.glob, in an order of its own; it goes through links to folders, and this does only where one is named."""
    names = _without_repeats(pattern.split("/"))
    if "**" not in names:
        return glob.glob(pattern)
    place = names.index("**")
    above, below = "/".join(names[:place]), "/".join(names[place + 1 :])
    starts = glob.glob(above) if above else ["/" if place else "."]
    folders = [folder for start in starts for folder in _folders_in(start)]
    return [path for folder in folders for path in _globbed(f"{glob.escape(folder)}/{below or '*'}")]


def _folders_in(start: str) -> Iterator[str]:
    """A folder, and all below it; those whose names begin with a dot are left out."""
    for folder, below, _ in os.walk(start):
        below[:] = [name for name in below if not name.startswith(".")]
        yield folder


def _refuse_other_encoding(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"the name of {path!r} is not UTF-8, by which files are named. Rename it") from error


def _found_in_store(pattern: str, field: str) -> Iterator[SourceFile]:
    store, path = place_of(pattern)
    stored = store.stat(path) if path else None
    if stored is not None:
        yield stored_file(store.root, stored)
        return
    folder = folder_of(path)
    if isinstance(store, HttpStore):
        if folder is not None:
            raise SourceError(
                f"source path {pattern!r}: a web server does not list its files; name each one. Check {field}"
            )
        return
    if folder is None:
        if next(store.objects(path), None) is not None:
            raise _is_folder(pattern, field)
        return
    wanted = _regex(path)
    for each in store.objects(folder):
        if wanted.fullmatch(each.path):
            yield stored_file(store.root, each)


def _is_folder(pattern: str, field: str) -> SourceError:
    return SourceError(
        f"source path {pattern!r} is a folder; name its files, such as {pattern.rstrip('/')}/*. Check {field}"
    )


@functools.lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    """What the whole path of an object must match. Dots at the beginning of names are left to the listing."""
    *folders, name = _without_repeats(pattern.split("/"))
    parts = ["(?:[^/]+/)*" if part == "**" else f"{_regex_of_name(part)}/" for part in folders]
    last = "(?:[^/]+/)*[^/]+" if name == "**" else _regex_of_name(name)
    return re.compile("".join(parts) + last, re.DOTALL)


def _without_repeats(names: list[str]) -> list[str]:
    """`**/**` means what `**` does; a regular expression of many would try all ways to share folders among them."""
    return [name for place, name in enumerate(names) if name != "**" or names[place - 1 : place] != ["**"]]


_SIGN = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _regex_of_name(name: str) -> str:
    return "".join(_regex_of_sign(sign) for sign in _SIGN.findall(name))


def _regex_of_sign(sign: str) -> str:
    if sign[0] == "*":
        return "[^/]*"
    if sign == "?":
        return "[^/]"
    if len(sign) == 1:
        return re.escape(sign)
    inside = sign[1:-1]
    negated, letters = inside[:1] == "!", inside.removeprefix("!")
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", letters)
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
