"""The quarantine of a build: the examples that broke a check, which lie beside the versions of a store."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from groupstream import layout
from groupstream.commit import read_claim
from groupstream.dataset import Dataset, open_dataset
from groupstream.disk import absolute
from groupstream.errors import CorruptError, ExampleError, RefNotFoundError, UsageError
from groupstream.examples.decoding import decode_examples
from groupstream.feature_inference import infer_features
from groupstream.features import Features
from groupstream.refs import default_root
from groupstream.stored import local_path
from groupstream.stores import Store, is_url, open_store
from groupstream.stores.ranged_file import RangedFile

_CHECK_PREFIX = "check "  # of the reasons in a manifest
_BATCH_ROWS = 256


class Quarantined(NamedTuple):
    """What a version, or a run that published none, left in quarantine.

    Attributes:
        title: names it for people.
        num_rejected: how many examples; None where only the file knows.
        file: None where no example broke a check.
        features: of the version; None where there is none.
    """

    title: str
    num_rejected: int | None
    file: QuarantineFile | None
    features: Features | None


def find_quarantine(ref: str, root: str | None = None, run: str | None = None) -> Quarantined:
    """The quarantine of a version, or of a run.

    Args:
        ref: names a version, or is the folder of a report; with `run`, the name of a dataset.
        root: where versions and reports lie.
        run: the id of a run.

    Raises:
        RefNotFoundError: there is no such version or report, or the quarantine is gone.
        StoreError: the store cannot be reached.
    """
    if run is not None:
        return _of_run(open_store(root or default_root()), ref, run)
    if (store := _report_at(ref)) is not None:
        return Quarantined(ref, None, QuarantineFile(store, layout.QUARANTINE), None)
    return _of_version(open_dataset(ref, root))


def _of_run(store: Store, name: str, run: str) -> Quarantined:
    if not layout.is_name(name) or "/" in run or run.startswith("."):
        raise UsageError(f"--run {run!r} of {name!r}: give the name of a dataset and the id of one of its runs")
    path = f"{layout.REPORTS}/{name}/{run}/{layout.QUARANTINE}"
    if store.size_bytes(path) is None:
        raise RefNotFoundError(
            f"{store.root}/{path} is not there: in run {run} of {name} no example broke a check, or there is no such "
            "run here. Check the id and --root"
        )
    return Quarantined(f"run {run} of {name}", None, QuarantineFile(store, path), None)


def _report_at(ref: str) -> Store | None:
    """The store at the folder of a report, if that is what `ref` names."""
    folder = ref.removesuffix(layout.QUARANTINE).rstrip("/") or "."
    if is_url(ref):
        store = open_store(folder)
        return store if store.size_bytes(layout.QUARANTINE) is not None else None
    return open_store(str(absolute(folder))) if (Path(folder) / layout.QUARANTINE).is_file() else None


def _of_version(dataset: Dataset) -> Quarantined:
    manifest = dataset.manifest
    dropped = manifest.counts.dropped.items()
    count = sum(number for reason, number in dropped if reason.startswith(_CHECK_PREFIX))
    if not count:
        return Quarantined(manifest.ref, 0, None, manifest.features)
    location = dataset.stored_at
    run = read_claim(location.store, location.folder).get("run")
    store = open_store(str(location).rsplit("/", 2)[0] or "/")
    path = f"{layout.REPORTS}/{manifest.name}/{run}/{layout.QUARANTINE}"
    if not isinstance(run, str) or store.size_bytes(path) is None:
        raise RefNotFoundError(
            f"{count:,} examples broke a check when {manifest.ref} was built, but their quarantine is gone: "
            f"{store.root}/{path} is not there. Where the version was copied, look where it was built; else build it "
            "again"
        )
    return Quarantined(manifest.ref, count, QuarantineFile(store, path), manifest.features)


class QuarantineFile:
    """A file of rejected examples, in the order of the source. It is read some rows at a time.

    Raises:
        CorruptError: it is no such file.
    """

    def __init__(self, store: Store, path: str) -> None:
        self.where = f"{store.root}/{path}"
        local = local_path(store, path)
        source = pa.OSFile(str(local)) if local else pa.PythonFile(_ranged(store, path), mode="r")
        try:
            self._file = pq.ParquetFile(source, pre_buffer=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise CorruptError(f"{self.where} is no quarantine: {error}") from error

    def reasons(self) -> dict[str, int]:
        """How many examples broke each check first, the most frequent reason first."""
        counts: dict[str, int] = {}
        for batch in self._file.iter_batches(columns=["reason"]):
            for found in pc.value_counts(batch.column(0)).to_pylist():
                counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def batches(self, reason: str = "") -> Iterator[pa.RecordBatch]:
        """The rows whose reason contains a text, in order; no batch is empty."""
        for batch in self._file.iter_batches(_BATCH_ROWS):
            chosen = batch.filter(pc.match_substring(batch.column("reason"), reason))
            if len(chosen):
                yield chosen


def _ranged(store: Store, path: str) -> RangedFile:
    return RangedFile(store.size_bytes(path) or 0, functools.partial(store.read, path))


def decode_rejected(records: pa.LargeBinaryArray, features: Features | None) -> tuple[pa.RecordBatch, Features]:
    """Rejected examples, and their features: those of the version, or what the records look like.

    Args:
        features: of the version. What was rejected may lack one, or hold another.
    """
    if features is not None:
        optional = {name: feature.model_copy(update={"optional": True}) for name, feature in features.items()}
        try:
            return decode_examples(records, optional), optional
        except ExampleError:  # that may be why it was rejected
            pass
    found = infer_features([records])
    return decode_examples(records, found), found
