"""What the shell offers while a command is typed.

It loads no library of data. Where something fails, or a store does not answer within seconds, it offers nothing.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
from collections.abc import Iterator, Mapping, MutableMapping

import typer

VARIABLE = "_GROUPSTREAM_COMPLETE"  # set by the shell while it asks

_PATIENCE_SECONDS = 2.0, 0.5  # until it is told to stop, and until it is told again

_BREAKS = ("@", "=")  # Bash takes these as words of their own


def complete_ref(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of datasets; of one that is written out, or the only one that fits, its aliases and versions."""
    with _quietly():
        return _refs(ctx.params.get("root"), incomplete)
    return []


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of datasets."""
    with _quietly():
        return _names(ctx.params.get("root"), incomplete)
    return []


def complete_split(incomplete: str) -> list[str]:
    """Splits of the version that is typed already."""
    with _quietly():
        words = _typed_words(os.environ)
        return [name for name in _splits(words, _root_of(words)) if name.startswith(incomplete)]
    return []


class _TimeIsUp(BaseException):
    """No Exception, for the libraries of stores try again after one."""


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Ends the block where it fails, or takes longer than somebody who pressed Tab will wait."""

    def stop(number: int, frame: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, *_PATIENCE_SECONDS)
    try:
        yield
    except (Exception, _TimeIsUp):
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def _refs(root: str | None, incomplete: str) -> list[str]:
    name, at, _ = incomplete.partition("@")
    names = [name] if at else _names(root, name)
    if len(names) != 1 and name not in names:
        return names
    [chosen] = names if len(names) == 1 else [name]
    offered = [f"{chosen}@{end}" for end in _ends(root, chosen)]
    return [ref for ref in [*(names if not at else []), *offered] if ref.startswith(incomplete)]


def _ends(root: str | None, name: str) -> list[str]:
    """What may follow the @: aliases, latest first; then numbers, newest first. One request if there is a catalog."""
    from groupstream.catalog import LATEST, read_catalog
    from groupstream.refs import default_root, published_versions
    from groupstream.stores import open_store

    store = open_store(root or default_root())
    catalog = read_catalog(store, name)
    if catalog is None:
        versions = published_versions(store, name)
        return [LATEST, *reversed(versions)] if versions else []
    aliases = sorted(catalog.aliases, key=lambda alias: (alias != LATEST, alias))
    return [*aliases, *reversed(catalog.readable())]


def _names(root: str | None, incomplete: str) -> list[str]:
    from groupstream.catalog import dataset_names
    from groupstream.refs import default_root
    from groupstream.stores import open_store

    return [name for name in dataset_names(open_store(root or default_root())) if name.startswith(incomplete)]


def _splits(words: list[str], root: str | None) -> list[str]:
    """Of the first word that is a ref. From the manifest as plain JSON: its model would load Arrow."""
    import json

    from groupstream.errors import GroupstreamError
    from groupstream.layout import MANIFEST
    from groupstream.refs import resolve

    for word in words[2:]:
        with contextlib.suppress(GroupstreamError):
            location = resolve(word, root)
            return list(json.loads(location.store.read(f"{location.folder}/{MANIFEST}"))["splits"])
    return []


def _typed_words(environment: Mapping[str, str]) -> list[str]:
    """The line as the shell hands it over. An option that waits for its value hides the arguments from the parser."""
    return shlex.split(environment.get("COMP_WORDS") or environment.get("_TYPER_COMPLETE_ARGS", ""))


def _root_of(words: list[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--root":
            return following
        if word.startswith("--root="):
            return word.removeprefix("--root=")
    return None


@contextlib.contextmanager
def whole_words(environment: MutableMapping[str, str]) -> Iterator[None]:
    """While the block runs, a Bash that asks gets answers to `text@1.0` although it takes that as three words.

    Bash puts an answer in the place of the last of these words, so what stands before that is cut from each answer.
    An @ belongs to what is replaced, an = does not.
    """
    if environment.get(VARIABLE) != "complete_bash" or "COMP_WORDS" not in environment:
        yield
        return
    words, prefix = _joined(environment["COMP_WORDS"].split("\n"), int(environment["COMP_CWORD"]))
    environment.update(COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))
    answers = io.StringIO()
    try:
        with contextlib.redirect_stdout(answers):
            yield
    finally:
        print(*(a.removeprefix(prefix) for a in answers.getvalue().splitlines()), sep="\n", flush=True)


def _joined(parts: list[str], index: int) -> tuple[list[str], str]:
    """The words up to the one being typed with their parts together, and what of that one Bash keeps.

    >>> _joined(["groupstream", "info", "text", "@", "1.", "--json"], 4)
    (['groupstream', 'info', 'text@1.'], 'text')
    """
    words: list[str] = []
    kept, before = "", ""
    for part in [*parts, ""][: index + 1]:
        if len(words) > 1 and (part in _BREAKS or before in _BREAKS):
            kept = words[-1].removesuffix("@") if part not in _BREAKS else words[-1] + part.replace("@", "")
            words[-1] += part
        else:
            words.append(part)
            kept = ""
        before = part
    return words, kept
