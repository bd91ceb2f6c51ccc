"""The pieces of a source as the beginning of a pipeline.

They are not in the graph of the pipeline, of which Dataflow takes 10 MB: 100,000 pieces make 1.4 MB where their names
are alike and 11 MB where they are random. The graph names lists of them in the staging area, 100 bytes a list.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from groupstream import SpecError
from groupstream.stores import is_url
from pipelines.plan import Plan
from pipelines.staging import StagingArea
from sources import Piece

_PIECES_A_LIST = 1000


class ListedPieces(beam.PTransform):
    """The pieces in the lists that `list_pieces` wrote."""

    def __init__(self, lists: Sequence[str], staging: StagingArea) -> None:
        super().__init__()
        self._lists = lists
        self._staging = staging

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """See the class."""
        return (
            pipeline
            | "Name lists" >> beam.Create(self._lists)
            | "Spread lists" >> beam.Reshuffle()
            | "Read lists" >> beam.FlatMap(partial(read_list, self._staging))
        )


def list_pieces(pieces: Sequence[Piece], staging: StagingArea, folder: str) -> list[str]:
    """Writes the pieces to the staging area, in lists of 1,000; the paths of the lists."""
    paths = []
    for start in range(0, len(pieces), _PIECES_A_LIST):
        paths.append(f"{folder}/{start:08d}.pickle")
        staging.write(paths[-1], pickle.dumps(pieces[start : start + _PIECES_A_LIST]))
    return paths


def read_list(staging: StagingArea, path: str) -> list[Piece]:
    """The pieces of one list."""
    pieces: list[Piece] = pickle.loads(staging.read(path))
    return pieces


def refuse_local_files(plan: Plan) -> None:
    """Refuses files of this machine, where the workers are others.

    Raises:
        SpecError: a piece of the source names one, or the partitioner does.
    """
    partitioner = plan.spec.partitioner
    files = [(f"partitioner.{key}", getattr(partitioner, key)) for key in sorted(partitioner.places)]
    found = [(key, file) for key, file in files if file is not None and not is_url(file)]
    found += [("source", path) for piece in plan.pieces for path in _local_paths(piece.part)][:1]
    for key, file in found:
        raise SpecError(
            f"{key}: {file} is a file of this machine, which the workers of runner.kind {plan.spec.runner.kind} do "
            "not reach. Put it in a bucket, such as gs://bucket/source, or build with runner.kind local"
        )


def _local_paths(part: Any) -> Iterator[str]:
    """What looks like an absolute path, anywhere in the description of a piece."""
    if isinstance(part, Path | str):
        if Path(part).is_absolute():
            yield str(part)
    elif isinstance(part, tuple | list):
        for inner in part:
            yield from _local_paths(inner)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _local_paths(getattr(part, field.name))
