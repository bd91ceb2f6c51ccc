"""Clients of numbers and categories with labels, as logistic regression takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from groupstream import Dataset, GroupStream, UnknownKeyError, UsageError
from groupstream.python_values import python_values
from training.data.form import ClientExamples, ItemArray, Items, first_examples, require_no_nulls
from training.data.labels import Labels, find_labels
from training.data.scale import Scale, measure_scale

MAX_VALUES = 4096  # of a category: each is a number of every example


@dataclass(frozen=True)
class NumberForm:
    """Numbers: `features` float32[num_items, num_features], `label` int32[num_items], `mask` bool[num_items].

    One feature after the other, tensors flattened; then, for each category, a number for each of its values, which is
    1 where the example has it and else 0.

    Attributes:
        names: of the features that are numbers.
        num_numbers: how many numbers they are together.
        labels: the classes.
        categories: features of which each value is a class.
        scale: of the numbers; None for values as they are stored.
    """

    names: tuple[str, ...]
    num_numbers: int
    labels: Labels
    categories: tuple[Labels, ...] = ()
    scale: Scale | None = None

    @property
    def num_features(self) -> int:
        """How many numbers an example is."""
        return self.num_numbers + sum(category.num_classes for category in self.categories)

    @property
    def features(self) -> tuple[str, ...]:
        """See `ClientForm`."""
        return *self.names, *(category.feature for category in self.categories), self.labels.feature

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
            ExampleError: a value is missing, or a label or a category is of no class.
        """
        for client in clients:
            found, is_cut = first_examples(client)
            arrays = {
                "features": np.concatenate([np.zeros((0, self.num_features), np.float32), *map(self._vectors, found)]),
                "label": np.concatenate([np.zeros(0, np.int32), *map(self.labels.of, found)]),
            }
            num_items = len(arrays["label"])
            yield Items({**arrays, "mask": np.ones(num_items, bool)}, num_items, 0, is_cut)

    def numbers_of(self, batch: pa.RecordBatch) -> np.ndarray:
        """float32[num_examples, num_numbers], as they are stored."""
        require_no_nulls(batch, self.names)
        if not len(batch):  # a block of which every example is in the other half
            return np.zeros((0, self.num_numbers), np.float32)
        columns = [python_values(batch.column(name)) for name in self.names]
        flat = [np.array(column, np.float32).reshape(len(batch), -1) for column in columns]
        return np.concatenate([np.zeros((len(batch), 0), np.float32), *flat], axis=1)

    def _vectors(self, batch: pa.RecordBatch) -> np.ndarray:
        numbers = self.numbers_of(batch)
        scaled = numbers if self.scale is None else self.scale.of(numbers)
        return np.concatenate([scaled, *(_one_hot(category, batch) for category in self.categories)], axis=1)


def choose_numbers(
    dataset: Dataset,
    labels: Labels,
    names: Sequence[str],
    categories: Sequence[str] = (),
    scaled_by: GroupStream | None = None,
) -> NumberForm:
    """The form of some features that are numbers, or tensors of them, and of some that are categories.

    Args:
        categories: features of text or whole numbers. Reads each in all splits, where the version has no class names.
        scaled_by: the groups whose numbers get mean 0 and variance 1; reads them. None for values as they are stored.

    Raises:
        UnknownKeyError: a name that no feature has.
        UsageError: a feature that is no number, a category of too many values, or the label itself.
    """
    features, ref = dataset.features, dataset.manifest.ref
    for name in (*names, *categories):
        if name not in features:
            raise UnknownKeyError(f"{ref} has no feature {name!r}; it has {', '.join(features)}")
        if name == labels.feature:
            raise UsageError(f"feature {name!r} of {ref} is the label; name others, which it is told by")
    for name in names:
        feature = features[name]
        if feature.dtype in ("string", "bytes") or feature.is_list:
            what = f"{feature.dtype} of shape {list(feature.shape)}"
            raise UsageError(f"feature {name!r} of {ref} is {what}; name numbers and tensors of fixed shape")
    if not (names or categories):
        raise UsageError(f"no feature of {ref} is named; it has {', '.join(features)}")
    num_numbers = sum(int(np.prod(features[name].tensor_shape)) for name in names)
    form = NumberForm(tuple(names), num_numbers, labels, tuple(_category(dataset, name) for name in categories))
    return form if scaled_by is None else replace(form, scale=measure_scale(scaled_by, names, form.numbers_of))


def _category(dataset: Dataset, name: str) -> Labels:
    found = find_labels(dataset, name)
    if found.num_classes > MAX_VALUES:
        raise UsageError(
            f"feature {name!r} of {dataset.manifest.ref} has {found.num_classes:,} values, and a category has at most "
            f"{MAX_VALUES:,}; leave it out of model.categories"
        )
    return found


def _one_hot(category: Labels, batch: pa.RecordBatch) -> np.ndarray:
    """float32[num_examples, num_classes]."""
    found = np.zeros((len(batch), category.num_classes), np.float32)
    found[np.arange(len(batch)), category.of(batch)] = 1
    return found
