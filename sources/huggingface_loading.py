"""Hugging Face datasets, loaded once a process."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from groupstream import SourceError, SpecError
from sources.files import find_files, first_line, identity_of
from sources.selection import hint


class Address(NamedTuple):
    """What to load."""

    dataset: str | None
    config: str | None
    folder: str | None
    split: str
    revision: str | None
    streaming: bool

    @property
    def name(self) -> str:
        """For people."""
        return self.folder or self.dataset or ""


def load(address: Address) -> Any:
    """A datasets.Dataset, or an IterableDataset where it is streamed.

    It is kept for as long as its folder is as it was, since each piece asks for it.
    """
    files = Path(address.folder).expanduser().rglob("*.json") if address.folder else ()
    return _load_once(address, max((file.stat().st_mtime_ns for file in files), default=0))


def identity_of_files(address: Address) -> dict[str, Any]:
    """The identity of a dataset that is streamed: the content of local files, the addresses of others.

    An address on the hub names the commit that the file belongs to.
    """
    with _explained(address):
        import datasets

        builder = datasets.load_dataset_builder(address.dataset, address.config, revision=address.revision)
        of_split = builder.config.data_files or {}
    paths = [str(path) for split, files in of_split.items() if str(split) == address.split for path in files]
    if paths and all(Path(path).exists() for path in paths):
        return identity_of(find_files(paths))
    content = "\n".join(paths) if paths else f"{builder.dataset_name} {builder.config_id} {builder.hash}"
    return {"num_files": len(paths), "fingerprint": hashlib.sha256(content.encode()).hexdigest()}


@functools.lru_cache(maxsize=2)
def _load_once(address: Address, modified_at_ns: int) -> Any:
    with _explained(address):
        import datasets

        if address.folder is None:
            return datasets.load_dataset(
                address.dataset,
                address.config,
                split=address.split,
                revision=address.revision,
                streaming=address.streaming,
            )
        loaded = datasets.load_from_disk(str(Path(address.folder).expanduser()))
    if isinstance(loaded, datasets.Dataset):
        return loaded
    if address.split not in loaded:
        raise SpecError(f"source.split {address.split!r} is not in {address.name}; {hint(address.split, loaded)}")
    return loaded[address.split]


@contextmanager
def _explained(address: Address) -> Iterator[None]:
    """What the library raises, as an error of ours."""
    try:
        yield
    except ImportError as error:
        raise SourceError(f"source kind huggingface needs a package: {error}. Run: pip install datasets") from error
    except Exception as error:  # of the library, of its file formats, of the network
        raise SourceError(
            f"Hugging Face datasets cannot load {address.name!r}, split {address.split!r}: {first_line(error)}. "
            "Check source.dataset, config and split, or source.folder"
        ) from error
