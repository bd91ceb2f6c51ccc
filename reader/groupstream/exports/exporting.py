"""Writing a split, or a part of it, in another format."""

from __future__ import annotations

import glob
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from groupstream.dataset import Split
from groupstream.disk import remove_if_empty
from groupstream.errors import PublishError, UsageError
from groupstream.exports.dataset_grouper import DATASET_GROUPER
from groupstream.exports.format import Format
from groupstream.exports.parquet import PARQUET
from groupstream.stream import GroupStream

FORMATS = {format.name: format for format in (DATASET_GROUPER, PARQUET)}


@dataclass(frozen=True)
class Export:
    """What an export writes.

    Attributes:
        format: its name.
        files: paths of what holds the groups, in order.
        side_files: content of what lies beside them, by path.
        num_groups, num_examples: what is in it.
        num_bytes: of the serialised examples.
    """

    format: str
    files: tuple[Path, ...]
    side_files: dict[Path, bytes]
    num_groups: int
    num_examples: int
    num_bytes: int


def export(
    groups: Split | GroupStream,
    folder: str | os.PathLike[str],
    format: str = "dataset-grouper",
    num_files: int | None = None,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> Export:
    """Writes groups for another library, in bounded memory, in the order of the stream.

    The files lie under names of their own, in a folder that begins with a dot, until all of them are whole.

    Args:
        groups: a split, or a stream of groups: filtered, shuffled, a shard of it. Of a stream, one epoch.
        folder: a local one; it is made if it is not there.
        format: a name in `FORMATS`.
        num_files: over how many files the groups are spread evenly. Default: as many as the split has shards.
        on_bytes: called with the bytes of the examples as they are written; they sum up to `Export.num_bytes`.

    Raises:
        UsageError: an unknown format, or groups that it cannot hold. Nothing is written then.
        PublishError: a file of the export exists already, or cannot be written.
    """
    stream = _as_stream(groups)
    plan = plan_export(stream, folder, format, num_files)
    staging = Path(folder) / f".export-{uuid.uuid4().hex}"
    was_there = Path(folder).exists()
    try:
        staging.mkdir(parents=True)
        for i, path in enumerate(plan.files):
            with open(staging / path.name, "xb") as file:
                FORMATS[format].write(stream.shard(i, len(plan.files)), file, on_bytes)
                file.flush()
                os.fsync(file.fileno())
        for path, content in plan.side_files.items():
            (staging / path.name).write_bytes(content)
        _publish(staging, plan)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(
            f"cannot write {folder}: {reason}. Make room or allow writing there, or choose another folder"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not was_there:
            remove_if_empty(Path(folder))  # what broke off leaves nothing
    return plan


def plan_export(
    groups: Split | GroupStream,
    folder: str | os.PathLike[str],
    format: str = "dataset-grouper",
    num_files: int | None = None,
) -> Export:
    """What `export` would write. Reads the index only, writes nothing.

    Raises:
        UsageError, PublishError: `export` would refuse.
    """
    stream = _as_stream(groups)
    chosen = _format(format)
    count = len(stream.split.info.shards) if num_files is None else num_files
    if count < 1:
        raise UsageError(f"num_files is {count}; it should be at least 1")
    chosen.check(stream)
    names = (f"{stream.split.name}-{i:05d}-of-{count:05d}{chosen.suffix}" for i in range(count))
    files = tuple(Path(folder) / name for name in names)
    side_files = {Path(folder) / name: content for name, content in chosen.side_files(stream).items()}
    _check_absent(Path(folder), f"{glob.escape(stream.split.name)}-*-of-*{chosen.suffix}", side_files)
    rows = [chunk.rows for chunk in stream.prefetch(0).chunks(decode=False)]
    sums = (sum(int(getattr(r, name).sum()) for r in rows) for name in ("num_examples", "num_bytes"))
    return Export(format, files, side_files, sum(map(len, rows)), *sums)


def _as_stream(groups: Split | GroupStream) -> GroupStream:
    return groups.stream() if isinstance(groups, Split) else groups


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UsageError(f"no format {name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _check_absent(folder: Path, pattern: str, side_files: dict[Path, bytes]) -> None:
    """No file of an export of this split may be there, in however many files: both would be read together.

    Another split may have left the same side files.
    """
    there = sorted(folder.glob(pattern))
    there += [path for path, content in side_files.items() if path.exists() and path.read_bytes() != content]
    if there:
        raise _exists(there[0])


def _exists(path: Path) -> PublishError:
    return PublishError(f"{path} exists already; choose another folder, or remove what is there")


def _publish(staging: Path, plan: Export) -> None:
    """Links all files to their final names, which must be free, or none."""
    linked: list[Path] = []
    try:
        for path in (*plan.side_files, *plan.files):
            try:
                os.link(staging / path.name, path)
                linked.append(path)
            except FileExistsError as error:
                if path not in plan.side_files or path.read_bytes() != plan.side_files[path]:
                    raise _exists(path) from error
    except BaseException:
        for path in linked:
            path.unlink(missing_ok=True)
        raise
