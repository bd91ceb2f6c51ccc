"""Hugging Face datasets, loaded once a process."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from groupstream import SourceError, SpecError
from sources.allowed import ALLOWED_SOURCES, allowed, max_source_bytes, refuse_outside_any, refuse_oversize
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
            _refuse_other_files(address)
            return datasets.load_dataset(
                address.dataset,
                address.config,
                split=address.split,
                revision=address.revision,
                streaming=address.streaming,
            )
        refuse_outside_any(_saved_files(address.folder), "source.folder")
        loaded = datasets.load_from_disk(str(Path(address.folder).expanduser()))
    if isinstance(loaded, datasets.Dataset):
        return loaded
    if address.split not in loaded:
        raise SpecError(f"source.split {address.split!r} is not in {address.name}; {hint(address.split, loaded)}")
    return loaded[address.split]


def _refuse_other_files(address: Address) -> None:
    """The card of a dataset may name files anywhere, such as on this machine, and what loads them.

    Raises:
        SpecError: files that may not be read, more of them than may be, or no files at all.
    """
    if allowed(ALLOWED_SOURCES) is None and max_source_bytes() is None:
        return
    import datasets

    builder = datasets.load_dataset_builder(address.dataset, address.config, revision=address.revision)
    if not builder.config.data_files:
        raise SpecError(
            f"source.dataset {address.dataset!r} is loaded from no files, and {ALLOWED_SOURCES} cannot say what it may "
            "read. Name a dataset of files"
        )
    paths = [str(path) for files in builder.config.data_files.values() for path in files]
    own = (f"hf://datasets/{address.dataset}@", f"hf://datasets/{address.dataset}/")
    refuse_outside_any((path for path in paths if not path.startswith(own)), "source.dataset")
    refuse_oversize(builder.info.download_size or _size_of(paths), f"source.dataset {address.dataset}")


def _size_of(paths: list[str]) -> int:
    """Of those of this machine."""
    return sum(Path(path).stat().st_size for path in paths if Path(path).exists())


def _saved_files(folder: str) -> list[Path]:
    """All files of a saved dataset, and what its notes say that files are called: that may lead out of it."""
    root = Path(folder).expanduser()
    files = [file for file in root.rglob("*") if file.is_file()]
    refuse_oversize(sum(file.stat().st_size for file in files), f"source.folder {folder}")
    for state in [file for file in files if file.name == "state.json"]:
        noted = json.loads(state.read_bytes()).get("_data_files") or []
        files += [state.parent / str(each.get("filename")) for each in noted]
    return files


@contextmanager
def _explained(address: Address) -> Iterator[None]:
    """What the library raises, as an error of ours."""
    try:
        yield
    except SpecError:
        raise
    except ImportError as error:
        raise SourceError(f"source kind huggingface needs a package: {error}. Run: pip install datasets") from error
    except Exception as error:  # of the library, of its file formats, of the network
        raise SourceError(
            f"Hugging Face datasets cannot load {address.name!r}, split {address.split!r}: {first_line(error)}. "
            "Check source.dataset, config and split, or source.folder"
        ) from error
