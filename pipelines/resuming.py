"""Taking up what an earlier build of the same has finished: the record of it, and the check that it is still so.

A stage that is finished leaves a record in the staging area: the size and the checksum of each object that what comes
later needs. Whoever takes the area over holds every object against the record before anything of it is trusted. What
the record does not name is the rest of work that was cut off, and is removed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import platform
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from groupstream import CorruptError
from groupstream.canonical import canonical_json
from groupstream.stores import StoredObject
from groupstream.stores.crc32c import crc32c_of
from pipelines.staging_area import StagingArea

Stage = Literal["Count", "Partition"]
_Files = dict[str, tuple[int, str]]  # size and checksum, by path

RECORDS = "finished"
_PACKAGES = ("groupstream", "partitioners", "pipelines", "sources", "specs", "validation")
_LIBRARIES = ("apache-beam", "numpy", "pyarrow")
_READERS = 4  # files of a disk that are summed at once

_log = logging.getLogger("groupstream")


class FinishedStages:
    """The stages of a build that are finished in its staging area.

    Args:
        digest: of the plan; "" where what it builds has no identity: then nothing is recorded and nothing taken up.
        packages: with code of the user that has a say in what is built.
    """

    def __init__(self, staging: StagingArea, digest: str, packages: tuple[str, ...] = ()) -> None:
        self._staging = staging
        self._key = digest and stage_key(digest, packages)

    def take_up(self, stage: Stage) -> bool:
        """Whether an earlier build has finished a stage and left what it made as it was. Reads all of it on a disk."""
        started = time.perf_counter()
        files, wrong = self._recorded(stage)
        if wrong := wrong or self._wrong_with(files):
            _log.warning("%s: what an earlier build left cannot be taken up (%s); it is done again", stage, wrong)
            if self._staging.is_mine():
                self._staging.store.delete(_record(stage))
            return False
        if files:
            num_bytes, seconds = sum(size for size, _ in files.values()), time.perf_counter() - started
            told = f"{len(files):,} files, {num_bytes / 1e6:,.1f} MB, verified in {seconds:.1f} s"
            _log.info("%s: taken up from an earlier build: %s", stage, told)
        return bool(files)

    def finish(self, stage: Stage, paths: Collection[str], known: Mapping[str, str] | None = None) -> None:
        """Records that a stage is finished.

        Args:
            paths: the objects that it leaves; "shards/" are all in that folder.
            known: the CRC32C of some, so that they need not be read.

        Raises:
            CorruptError: one that is named is not there.
        """
        if not self._key:
            return
        sums = {path: f"crc32c:{crc}" for path, crc in (known or {}).items()}
        named = [path for path in paths if not path.endswith("/")]
        stored = self._stored(paths)
        self._refuse_missing(stage, {*named, *sums} - stored.keys())
        files = {found.path: (found.size_bytes, sum_) for found, sum_ in self._summed(stored.values(), sums)}
        self._staging.write(_record(stage), json.dumps({"key": self._key, "files": files}).encode())

    def _refuse_missing(self, stage: Stage, missing: Collection[str]) -> None:
        if missing:
            raise CorruptError(
                f"{self._staging.store.root}/{min(missing)} is missing, one of {len(missing):,} files that {stage} has "
                "written and that are gone. Run the build again, and look for who removes files there"
            )

    def _recorded(self, stage: Stage) -> tuple[_Files, str | None]:
        """The objects of a stage; none where it is not finished. What is wrong with the record, in words."""
        if not self._key:
            return {}, None
        try:
            key, files = _read_record(self._staging, _record(stage))
        except FileNotFoundError:
            return {}, None
        except ValueError:
            return {}, "its record is none"
        return files, None if key == self._key else "it was made by other code"

    def _wrong_with(self, files: _Files) -> str | None:
        """What is not as it is recorded, in words."""
        there = self._stored(files)
        for path, (size, _) in files.items():
            if path not in there:
                return f"{path} is missing"
            if there[path].size_bytes != size:
                return f"{path} has {there[path].size_bytes:,} bytes, not {size:,}"
        for found, sum_ in self._summed([there[path] for path in files], {}):
            if sum_ != files[found.path][1]:
                return f"{found.path} has {sum_}, not {files[found.path][1]}"
        return None

    def _stored(self, paths: Iterable[str]) -> dict[str, StoredObject]:
        """What lies at these paths, and all that lies in their folders. A bucket is asked once for each folder."""
        paths, store = set(paths), self._staging.store
        folders = sorted({path.partition("/")[0] for path in paths if "/" in path})
        listed = [found for folder in folders for found in store.objects(folder)]
        alone = [store.stat(path) for path in sorted(paths) if "/" not in path]
        return {found.path: found for found in [*alone, *listed] if found is not None}

    def _summed(self, objects: Iterable[StoredObject], known: Mapping[str, str]) -> Iterator[tuple[StoredObject, str]]:
        """Objects with their checksums: what the bucket says of them, or the CRC32C of a file."""

        def summed(found: StoredObject) -> tuple[StoredObject, str]:
            local = self._staging.local_path(found.path)
            if found.path in known:
                return found, known[found.path]
            if local is not None:
                return found, f"crc32c:{crc32c_of(local)}"
            if found.checksum is None:
                raise CorruptError(f"{self._staging.store.root} does not tell the checksum of {found.path}")
            return found, found.checksum

        with ThreadPoolExecutor(_READERS, "groupstream-verify") as threads:
            yield from threads.map(summed, objects)


def num_finished(staging: StagingArea) -> int:
    """How many stages are recorded as finished, by whatever code."""
    return sum(1 for _ in staging.store.objects(RECORDS))


def remove_unfinished(staging: StagingArea) -> None:
    """Removes all that belongs to no finished stage: runs, half-made files, tables that are made again anyway.

    Raises:
        PublishError: something cannot be removed, or the folder is another build's by now.
        StoreError: the bucket cannot be read.
    """
    kept = set()
    for record in [found.path for found in staging.store.objects(RECORDS)]:
        with suppress(ValueError):
            kept |= {record, *_read_record(staging, record)[1]}
    staging.remove_but(kept)


def _read_record(staging: StagingArea, path: str) -> tuple[str, _Files]:
    """The key of a stage, and its objects.

    Raises:
        FileNotFoundError: the stage is not finished.
        ValueError: it is no record.
    """
    try:
        record = json.loads(staging.read(path))
        return record["key"], {str(path): (int(size), str(sum_)) for path, (size, sum_) in record["files"].items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(path) from error


def stage_key(digest: str, packages: tuple[str, ...] = ()) -> str:
    """What must be equal for a stage to be taken up: what is built, and all code that may have a say in it.

    Args:
        packages: with code of the user that has one. A module that is in no package is in the digest itself.
    """
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    code = _code_digest((*_PACKAGES, *packages))
    content = {"digest": digest, "code": code, "python": platform.python_version(), "libraries": versions}
    return hashlib.sha256(canonical_json(content)).hexdigest()


@functools.cache
def _code_digest(packages: tuple[str, ...]) -> str:
    """Of the source of packages: a stage holds pickles, which other code may take for something else."""
    found = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for folder in sorted(spec.submodule_search_locations or ()) if spec else ():
            for file in sorted(Path(folder).rglob("*.py")):
                found.update(f"{package}/{file.relative_to(folder)}\0".encode())
                found.update(file.read_bytes())
    return found.hexdigest()


def _record(stage: Stage) -> str:
    return f"{RECORDS}/{stage.lower()}.json"
