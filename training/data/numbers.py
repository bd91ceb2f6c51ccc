"""Clients of numbers with labels, as logistic regression takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import Dataset, UnknownKeyError, UsageError
from groupstream.python_values import python_values
from training.data.form import ClientExamples, ItemArray, Items, first_examples, require_no_nulls
from training.data.labels import Labels


@dataclass(frozen=True)
class NumberForm:
    """Numbers: `features` float32[num_items, num_features], `label` int32[num_items], `mask` bool[num_items].

    The values are as they are stored, one feature after the other, tensors flattened.

    Attributes:
        names: of the features.
        num_features: how many numbers they are together.
        labels: the classes.
    """

    names: tuple[str, ...]
    num_features: int
    labels: Labels

    @property
    def features(self) -> tuple[str, ...]:
        """See `ClientForm`."""
        return *self.names, self.labels.feature

    @property
    def item(self) -> Mapping[str, ItemArray]:
        """See `ClientForm`."""
        return {
            "features": ItemArray((self.num_features,), np.float32),
            "label": ItemArray((), np.int32),
            "mask": ItemArray((), np.bool_),
        }

    def read(self, clients: Iterable[ClientExamples]) -> Iterator[Items]:
        """See `ClientForm`.

        Raises:
            ExampleError: a value is missing, or a label is of no class.
        """
        for client in clients:
            found, is_cut = first_examples(client)
            arrays = {
                "features": np.concatenate([np.zeros((0, self.num_features), np.float32), *map(self._numbers, found)]),
                "label": np.concatenate([np.zeros(0, np.int32), *map(self.labels.of, found)]),
            }
            num_items = len(arrays["label"])
            yield Items({**arrays, "mask": np.ones(num_items, bool)}, num_items, 0, is_cut)

    def _numbers(self, batch: pa.RecordBatch) -> np.ndarray:
        require_no_nulls(batch, self.names)
        columns = [python_values(batch.column(name)) for name in self.names]
        return np.concatenate([np.array(column, np.float32).reshape(len(batch), -1) for column in columns], axis=1)


def choose_numbers(dataset: Dataset, labels: Labels, names: Sequence[str]) -> NumberForm:
    """The form of some features that are numbers or tensors of them.

    Raises:
        UnknownKeyError: a name that no feature has.
        UsageError: a feature that is no number, or the label itself.
    """
    features, ref = dataset.features, dataset.manifest.ref
    for name in names:
        if name not in features:
            raise UnknownKeyError(f"{ref} has no feature {name!r}; it has {', '.join(features)}")
        feature = features[name]
        if feature.dtype in ("string", "bytes") or feature.is_list or name == labels.feature:
            what = "the label" if name == labels.feature else f"{feature.dtype} of shape {list(feature.shape)}"
            raise UsageError(f"feature {name!r} of {ref} is {what}; name numbers and tensors of fixed shape")
    if not names:
        raise UsageError(f"no feature of {ref} is named; it has {', '.join(features)}")
    num_features = sum(int(np.prod(features[name].tensor_shape)) for name in names)
    return NumberForm(tuple(names), num_features, labels)
