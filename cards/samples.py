"""How an example of the dataset looks on the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cards.images import data_url, encode_png, is_picture
from cards.text import format_bytes, shorten, visible_line
from groupstream.features import GROUP_ID, Feature, Features

MAX_IMAGE_BYTES = 1_000_000  # of an encoded image; larger ones are named, not shown
MAX_VALUES = 12  # of a list or tensor


@dataclass(frozen=True)
class ShownValue:
    """One value: `text`, or an image where `image_url` is not empty."""

    name: str
    text: str = ""
    image_url: str = ""


@dataclass(frozen=True)
class ShownExample:
    """One example and the group it belongs to."""

    group: str
    values: Sequence[ShownValue]


def show_example(example: Mapping[str, object], features: Features) -> ShownExample:
    """The example, its features in the order of `features`, then whatever else it holds."""
    names = [*features, *(name for name in example if name not in features and name != GROUP_ID)]
    group_id = example.get(GROUP_ID, b"")
    return ShownExample(
        group=visible_line(group_id if isinstance(group_id, bytes) else str(group_id)),
        values=[show_value(name, example.get(name), features.get(name)) for name in names],
    )


def show_value(name: str, value: object, feature: Feature | None) -> ShownValue:
    """One value, as an image where it is one."""
    label = visible_line(name)
    if isinstance(value, np.ndarray) and is_picture(value):
        return ShownValue(label, image_url=data_url(encode_png(value), "png"))
    if isinstance(value, bytes) and feature is not None and feature.image_format:
        return _show_encoded_image(label, value, feature.image_format)
    return ShownValue(label, text=_text_of(value, feature))


def _show_encoded_image(label: str, value: bytes, image_format: str) -> ShownValue:
    if len(value) > MAX_IMAGE_BYTES:
        return ShownValue(label, text=f"{image_format} image of {format_bytes(len(value))}, too large to show here")
    return ShownValue(label, image_url=data_url(value, image_format))


def _text_of(value: object, feature: Feature | None) -> str:
    if isinstance(value, str | bytes):
        return shorten(value) or "(empty)"
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
