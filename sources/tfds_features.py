"""What the features of a TFDS dataset are as they stand in its records.

TFDS flattens what is nested: a feature `b` within `a` stands in the record as `a/b`, and a sequence of sequences as
two features, the values `x/ragged_flat_values` and how many each sequence has, `x/ragged_row_lengths_0`.
Source: tensorflow_datasets/core/example_serializer.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from groupstream import Feature, SpecError
from groupstream.features import DType


def stored_features(name: str, connector: Any) -> dict[str, Feature]:
    """Our description of a TFDS feature, one or several, as the records hold it.

    Raises:
        SpecError: it is stored in a way that is not read.
    """
    return dict(_walk(name, connector, connector.get_serialized_info()))


def _walk(name: str, connector: Any, stored: Any) -> Iterator[tuple[str, Feature]]:
    from tensorflow_datasets import features as of_tfds

    match connector:
        case of_tfds.FeaturesDict() if isinstance(stored, dict):
            for part in sorted(stored):
                yield from _walk(f"{name}/{part}", connector[part], stored[part])
        case of_tfds.Sequence():
            yield from _walk(name, connector.feature, stored)
        case _ if isinstance(stored, dict):
            raise _unsupported(name, connector)
        case _ if (depth := stored.sequence_rank) > 1:
            shape = (None, *stored.shape[depth:])
            yield f"{name}/ragged_flat_values", _leaf(name, connector, stored, shape)
            for i in range(depth - 1):
                yield f"{name}/ragged_row_lengths_{i}", Feature(dtype="int64", shape=(None,))
        case _:
            yield name, _leaf(name, connector, stored, stored.shape)


def _leaf(name: str, connector: Any, stored: Any, shape: tuple[int | None, ...]) -> Feature:
    """A feature that is no dict, sequence or part of them any more.

    Args:
        shape: of what is stored, the sequences around it included.
    """
    from tensorflow_datasets import features as of_tfds

    dtype = np.dtype(stored.np_dtype)
    known: dict[str, Any] = {"dtype": _STORED_DTYPES.get(dtype.kind, "bytes")}
    match connector:
        case of_tfds.Image():
            known = {"dtype": "bytes", "image_format": connector.encoding_format or "png"}
        case of_tfds.ClassLabel():
            known = {"dtype": "int64", "labels": tuple(connector.names)}
        case of_tfds.Text():
            known = {"dtype": "string"}
        case _ if dtype != np.dtype(connector.numpy_dtype):  # a tensor stored as bytes
            encoded = _encoded_tensor(name, connector)
            known = {"dtype": "bytes"} if shape else {"dtype": encoded.dtype, "shape": encoded.shape}
    return _in_list(name, connector, {"optional": stored.optional, **known}, shape)


def _in_list(name: str, connector: Any, known: dict[str, Any], shape: tuple[int | None, ...]) -> Feature:
    if not shape:
        return Feature(**known)
    inner = shape[1:]  # the first may be known too: what is stored is a list all the same
    if inner and (None in inner or 0 in inner or known["dtype"] in ("string", "bytes")):
        raise _unsupported(name, connector)
    return Feature(**{**known, "shape": (None, *inner)})


# Of a list or a single value: whatever its width, it is stored in 64 bits, or in a float of 32.
_STORED_DTYPES: dict[str, DType] = {"b": "bool", "i": "int64", "u": "int64", "f": "float32"}


def _encoded_tensor(name: str, connector: Any) -> Feature:
    dtype = np.dtype(connector.numpy_dtype).name
    is_plain = getattr(connector.to_json_content(), "encoding", None) == "bytes" and connector.shape
    if not is_plain or None in connector.shape or dtype not in get_args(DType):
        raise _unsupported(name, connector)
    return Feature(dtype=dtype, shape=connector.shape)


def _unsupported(name: str, connector: Any) -> SpecError:
    return SpecError(
        f"feature {name!r} of the TFDS dataset is {' '.join(repr(connector).split())}, which is not read; "
        "store the dataset with Hugging Face save_to_disk and use kind: huggingface"
    )
