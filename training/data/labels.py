"""Labels as numbers from 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import Dataset, ExampleError, UnknownKeyError, UsageError
from groupstream.features import Feature
from training.data.form import require_no_nulls

_WHOLE = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


@dataclass(frozen=True)
class Labels:
    """A feature whose values are classes.

    Attributes:
        feature: its name.
        names: of the classes; the label of class i is i.
        values: what the feature holds for each class, one after the other; None where it holds the label.
    """

    feature: str
    names: tuple[str, ...]
    values: pa.Array | None = None

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.names)

    def of(self, batch: pa.RecordBatch) -> np.ndarray:
        """int32[num_examples], each in range(num_classes).

        Raises:
            ExampleError: a value that is of no class, or missing.
        """
        require_no_nulls(batch, [self.feature])
        column = batch.column(self.feature)
        if self.values is None:
            found = np.from_dlpack(column.cast(pa.int64()))
            is_wrong = (found < 0) | (found >= self.num_classes)
        else:
            indices = pc.index_in(column, self.values)
            is_wrong = np.array(indices.is_null().to_pylist(), bool)
            found = np.from_dlpack(indices.fill_null(0))
        if is_wrong.any():
            wrong = column[int(np.flatnonzero(is_wrong)[0])].as_py()
            raise ExampleError(
                f"{self.feature} is {wrong!r}, which is none of the {self.num_classes:,} classes "
                f"({', '.join(self.names[:3])}, ...); find the classes in all splits that are used"
            )
        return found.astype(np.int32)


def choose_label(dataset: Dataset, name: str | None = None) -> str:
    """The feature that is the label of an example.

    Args:
        name: this one. Without it, the first that there is of: the only feature with class names; what the spec of the
            version calls `label_feature`; a feature called `label`; the only whole number.

    Raises:
        UnknownKeyError: no feature has this name.
        UsageError: it cannot be a label; or none can be chosen.
    """
    features, ref = dataset.features, dataset.manifest.ref
    if name is not None:
        if name not in features:
            raise UnknownKeyError(f"{ref} has no feature {name!r}; it has {', '.join(features)}")
        if not _may_be_label(features[name]):
            raise UsageError(
                f"feature {name!r} of {ref} is {features[name].dtype}; a label is a whole number or a string"
            )
        return name
    possible = [one for one, feature in features.items() if _may_be_label(feature)]
    named = [one for one in possible if features[one].labels]
    known = [one for one in (dataset.manifest.spec.get("label_feature"), "label") if one in possible]
    whole = [one for one in possible if features[one].dtype in _WHOLE]
    for candidates in (named, known[:1], whole):
        if len(candidates) == 1:
            return candidates[0]
    raise UsageError(f"no feature of {ref} is clearly the label; name one of {', '.join(features)}")


def find_labels(dataset: Dataset, name: str | None = None) -> Labels:
    """The classes of a feature: its class names where the version has them, without any reading.

    Else the values that occur, sorted, in all splits: reads this feature of all examples.

    Args:
        name: see `choose_label`.
    """
    feature = choose_label(dataset, name)
    if names := dataset.features[feature].labels:
        is_index = dataset.features[feature].dtype in _WHOLE
        return Labels(feature, names, None if is_index else pa.array(names, pa.string()))
    found = pa.array([], dataset.features[feature].value_type)
    for split in dataset.values():
        for chunk in split.select(feature).chunks():
            for block in chunk.blocks():
                found = pc.unique(pa.concat_arrays([found, block.column(feature)]))
    values = found.drop_null()
    values = values.take(pc.sort_indices(values))
    if not len(values):
        raise UsageError(f"no example of {dataset.manifest.ref} has a {feature}; name another feature as the label")
    return Labels(feature, tuple(str(value) for value in values.to_pylist()), values)


def _may_be_label(feature: Feature) -> bool:
    return not feature.shape and (
        feature.dtype in _WHOLE or (feature.dtype in ("string", "bytes") and not feature.is_image)
    )
