"""Whether the manifest is the one that was written, and names all that a version needs."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from groupstream import layout
from groupstream.commands.printing import counted
from groupstream.dataset import Dataset
from groupstream.errors import CorruptError
from groupstream.manifest import Manifest, SplitInfo, StoredFile
from groupstream.verify_finding import Finding, name_of

_CRC32C, _SHA256 = re.compile("[0-9a-f]{8}"), re.compile("[0-9a-f]{64}")
_SHARD = re.compile(r"(.*)-(\d{5,})-of-(\d{5,})\.tfrecord")


def check_manifest(dataset: Dataset) -> Finding:
    """Reads manifest.json again. One that is not written yet is taken as it will be."""
    finding = Finding("manifest", "unchanged since it was written, paths inside and unique, splits complete")
    manifest = dataset.manifest
    num_files = counted(len(manifest.all_files()), "file")
    finding.seen = f"format {manifest.format_version}, {num_files} in {counted(len(manifest.splits), 'split')}"
    _check_stored(dataset, finding)
    _check_paths(dataset, finding)
    for name, split in manifest.splits.items():
        _check_split(dataset, name, split, finding)
    return finding


def _check_stored(dataset: Dataset, finding: Finding) -> None:
    store, folder = dataset.stored_at
    where = f"{dataset.location}/{layout.MANIFEST}"
    expected = dataset.manifest.to_json()
    try:
        content = store.read(f"{folder}/{layout.MANIFEST}")
    except FileNotFoundError:
        content = expected
    try:
        if Manifest.from_json(content, where).to_json() != expected:
            _add(finding, where, "it is another one than was opened")
    except CorruptError as error:
        finding.add(layout.MANIFEST, str(error).removeprefix(where).strip(), str(error))


def _check_paths(dataset: Dataset, finding: Finding) -> None:
    where = f"{dataset.location}/{layout.MANIFEST}"
    taken = {PurePosixPath(layout.MANIFEST), PurePosixPath(layout.CLAIM)}
    for file in dataset.manifest.all_files():
        path = PurePosixPath(file.path)
        if path in taken:
            _add(finding, where, f"it names {name_of(file.path)} twice, or as a file of its own")
        taken.add(path)
        if not _is_described(file):
            _add(finding, where, f"what it says of {name_of(file.path)} is no size with a CRC32C and a SHA-256")


def _is_described(file: StoredFile) -> bool:
    sums = _CRC32C.fullmatch(file.crc32c), _SHA256.fullmatch(file.sha256)
    return file.size_bytes >= 0 and all(sums)


def _check_split(dataset: Dataset, name: str, split: SplitInfo, finding: Finding) -> None:
    """Shards are numbered; one that is left out shows in the names of the others."""
    where, shown = f"{dataset.location}/{layout.MANIFEST}", name_of(name)
    if not split.shards:
        _add(finding, where, f"split {shown} has no shard")
    for i, shard in enumerate(split.shards):
        match = _SHARD.fullmatch(shard.path)
        if match and (int(match[2]), int(match[3])) != (i, len(split.shards)):
            text = f"split {shown} has {name_of(shard.path)} as number {i} of {len(split.shards)} shards"
            _add(finding, where, text)


def _add(finding: Finding, where: str, detail: str) -> None:
    finding.add(layout.MANIFEST, detail, f"{where}: {detail}. Pull the version again")
