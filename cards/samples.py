"""How an example of the dataset looks on the card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cards.images import data_url, is_picture, small_png, thumbnail
from cards.room import cut_to_page
from cards.text import format_bytes, format_count, shorten, visible_line
from groupstream.features import GROUP_ID, Feature, Features

MAX_EXAMPLES = 6
MAX_VALUES = 12  # of a list or tensor

_IMAGES_BYTES = 360_000  # of all images together; a third more as text
_MAX_IMAGE_BYTES = 120_000
_VALUES_BYTES = 150_000  # of all texts together
_MAX_FEATURES = 40
_FEW = 3  # examples that take much room; values of an example that does not
_LINE = 60  # characters
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True)
class ShownValue:
    """One value: `text`, or an image where `image_url` is not empty. `is_long` where it takes more than a line."""

    name: str
    text: str = ""
    image_url: str = ""

    @property
    def is_long(self) -> bool:
        """See the class."""
        return len(self.text) > _LINE or "\n" in self.text


@dataclass(frozen=True)
class ShownExample:
    """One example and the group it belongs to."""

    group: str
    values: Sequence[ShownValue]
    more: str = ""

    @property
    def is_small(self) -> bool:
        """Whether two have room beside each other."""
        return len(self.values) <= _FEW and not any(value.is_long for value in self.values)


def show_examples(samples: Sequence[Mapping[str, object]], features: Features) -> list[ShownExample]:
    """The first examples: six, or three where they take much room.

    All images together take about half a MB at most, all texts 150 kB, whatever they hold.
    """
    some = samples[:MAX_EXAMPLES]
    num_images = sum(
        _is_image(example.get(name), features.get(name)) for example in some for name in _names(example, features)
    )
    image_bytes = min(_MAX_IMAGE_BYTES, _IMAGES_BYTES // max(1, num_images))
    shown = [show_example(example, features, image_bytes) for example in some]
    return shown if all(example.is_small for example in shown) else shown[:_FEW]


def _names(example: Mapping[str, object], features: Features) -> list[str]:
    """Its features by name, then whatever else it holds."""
    return [*sorted(features), *(name for name in example if name not in features and name != GROUP_ID)]


def show_example(
    example: Mapping[str, object], features: Features, image_bytes: int = _MAX_IMAGE_BYTES
) -> ShownExample:
    """One example.

    Args:
        example: its values by name, and its group.
        features: of the version.
        image_bytes: how large an image may be.
    """
    names, group_id = _names(example, features), example.get(GROUP_ID, b"")
    rest = len(names) - _MAX_FEATURES
    text_bytes = _VALUES_BYTES // _FEW // max(1, min(len(names), _MAX_FEATURES))
    return ShownExample(
        group=visible_line(group_id if isinstance(group_id, bytes) else str(group_id), 100),
        values=[show_value(n, example.get(n), features.get(n), image_bytes, text_bytes) for n in names[:_MAX_FEATURES]],
        more=f"and {format_count(rest)} more features" if rest > 0 else "",
    )


def show_value(
    name: str,
    value: object,
    feature: Feature | None,
    image_bytes: int = _MAX_IMAGE_BYTES,
    text_bytes: int = _VALUES_BYTES,
) -> ShownValue:
    """One value, as an image where it is one."""
    label = visible_line(name, 60)
    if isinstance(value, np.ndarray) and is_picture(value):
        return ShownValue(label, image_url=data_url(small_png(value, image_bytes), "png"))
    if isinstance(value, bytes) and feature is not None and feature.image_format:
        return _show_encoded_image(label, value, feature.image_format, image_bytes)
    return ShownValue(label, text=cut_to_page(_text_of(value, feature), text_bytes))


def _is_image(value: object, feature: Feature | None) -> bool:
    if isinstance(value, np.ndarray):
        return is_picture(value)
    return isinstance(value, bytes) and feature is not None and feature.image_format is not None


def _show_encoded_image(label: str, value: bytes, image_format: str, image_bytes: int) -> ShownValue:
    small = thumbnail(value, image_format, image_bytes)
    if small is None:
        return ShownValue(label, text=f"{image_format} image of {format_bytes(len(value))}, too large to show here")
    return ShownValue(label, image_url=data_url(small, image_format))


def _text_of(value: object, feature: Feature | None) -> str:
    if isinstance(value, str | bytes):
        return _BLANK_LINES.sub("\n", shorten(value)) or "(empty)"
    if isinstance(value, np.ndarray):
        shape = " × ".join(map(str, value.shape)) or "one value"
        return f"{value.dtype}, {shape}: {_list_of(value.ravel()[: MAX_VALUES + 1].tolist(), value.size)}"
    if isinstance(value, list | tuple):
        return _list_of(value[: MAX_VALUES + 1], len(value))
    return _text_of_scalar(value, feature)


def _list_of(values: Sequence[object], num_values: int) -> str:
    shown = [shorten(v, 80) if isinstance(v, str | bytes) else _text_of_scalar(v, None) for v in values[:MAX_VALUES]]
    rest = f", … {num_values - MAX_VALUES:,} more" if num_values > MAX_VALUES else ""
    return f"[{', '.join(shown)}{rest}]"


def _text_of_scalar(value: object, feature: Feature | None) -> str:
    scalar = value.item() if isinstance(value, np.generic) else value
    if scalar is None:
        return "(missing)"
    if isinstance(scalar, bool):
        return str(scalar).lower()
    if isinstance(scalar, float):
        return f"{scalar:.7g}"  # the digits that float32 holds
    label = _label_of(scalar, feature)
    return shorten(str(scalar)) + (f" · {label}" if label else "")


def _label_of(value: object, feature: Feature | None) -> str:
    labels = (feature.labels if feature is not None else None) or ()
    return visible_line(labels[value]) if isinstance(value, int) and 0 <= value < len(labels) else ""
