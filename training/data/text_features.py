"""Which features of a dataset are its text."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from groupstream import Dataset, ExampleError, UnknownKeyError, UsageError
from groupstream.features import Feature, Features

BETWEEN_FEATURES = "\n"


def choose_text_features(dataset: Dataset, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The features whose values are the text of an example.

    >>> import groupstream
    >>> choose_text_features(groupstream.open("text@1.0.0", "tests/golden/v1"))
    ('text',)

    Args:
        names: these. Without them, the first that there is of: what the spec of the version calls `text_features`; a
            feature called `text`; the only feature of strings; the only feature of bytes that are no image.

    Raises:
        UnknownKeyError: a name that no feature has.
        UsageError: a feature that holds no text; or none can be chosen.
    """
    features, ref = dataset.features, dataset.manifest.ref
    if names is not None:
        return _named(features, ref, names)
    if (stated := dataset.manifest.spec.get("text_features")) is not None:
        if not stated:
            raise UsageError(f"the spec of {ref} says that it has no text; {_what_there_is(features)}")
        return _named(features, ref, [name for name in stated if name in features])
    strings = [name for name, feature in features.items() if feature.is_text]
    raw = [name for name, feature in features.items() if _is_raw(feature)]
    for candidates in (["text"] if "text" in [*strings, *raw] else [], strings, raw):
        if len(candidates) == 1:
            return tuple(candidates)
        if candidates:
            raise UsageError(f"{ref} has several features of text; {_what_there_is(features)}")
    raise UsageError(f"{ref} has no feature of text; {_what_there_is(features)}")


def texts_of(batch: pa.RecordBatch, names: Sequence[str]) -> pa.Array:
    r"""One text an example: the values of its features, with \n between them; what is missing or empty is left out.

    Returns:
        large_string, or large_binary where a feature holds bytes; no nulls.
    """
    is_raw = any(pa.types.is_binary(batch.column(name).type) for name in names)
    kind = pa.large_binary() if is_raw else pa.large_string()
    empty, between = (pa.scalar(text.encode() if is_raw else text, kind) for text in ("", BETWEEN_FEATURES))
    columns = [pc.fill_null(batch.column(name).cast(kind), empty) for name in names]
    texts = columns[0]
    for column in columns[1:]:
        # Not Arrow's null_handling="skip": where all are null it gives no row (pyarrow 25.0.1).
        are_both = pc.and_(pc.not_equal(texts, empty), pc.not_equal(column, empty))
        texts = pc.binary_join_element_wise(texts, pc.if_else(are_both, between, empty), column, empty)
    return texts


def as_strings(texts: pa.Array) -> pa.Array:
    """Bytes as the UTF-8 that they should be.

    Raises:
        ExampleError: they are not.
    """
    try:
        return texts.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise ExampleError(
            f"a feature of bytes is no UTF-8 text ({error}); use the tokenizer of kind bytes, which takes any"
        ) from error


def _named(features: Features, ref: str, names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in features:
            raise UnknownKeyError(f"{ref} has no feature {name!r}; it has {', '.join(features)}")
        if not (features[name].is_text or _is_raw(features[name])):
            raise UsageError(f"feature {name!r} of {ref} is {_shown(features[name])}, no text; name one of strings")
    if not names:
        raise UsageError(f"no feature of {ref} is named as its text; {_what_there_is(features)}")
    return tuple(names)


def _is_raw(feature: Feature) -> bool:
    return feature.dtype == "bytes" and not feature.shape and feature.image_format is None


def _what_there_is(features: Features) -> str:
    listed = ", ".join(f"{name} ({_shown(feature)})" for name, feature in features.items())
    return f"name the one to read as text: it has {listed}"


def _shown(feature: Feature) -> str:
    if feature.image_format:
        return f"{feature.image_format} image"
    return f"{feature.dtype} of shape {list(feature.shape)}" if feature.shape else feature.dtype
