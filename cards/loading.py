"""The lines of code that load a version."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from groupstream.features import Features
from groupstream.manifest import Manifest

_MAX_NAMES = 8


class Snippet(NamedTuple):
    """Code for one library, and what must be installed for it."""

    library: str
    install: str
    code: str


def loading_code(manifest: Manifest, split: str) -> Sequence[Snippet]:
    """Code for each library that reads a version, as its features ask for.

    Args:
        manifest: of the version.
        split: the one to load.
    """
    opening = f"""import groupstream

train = groupstream.open({_text(manifest.ref)})[{_text(split)}]
"""
    return [
        Snippet("NumPy", "groupstream", opening + _NUMPY),
        Snippet("PyTorch", "'groupstream[torch]'", f"from torch.utils.data import DataLoader\n\n{opening}{_TORCH}"),
        Snippet("TensorFlow", "'groupstream[tf]'", opening + _TENSORFLOW),
        Snippet("JAX", "'groupstream[jax]'", _jax(opening, manifest.features)),
        Snippet("TFDS", "groupstream tensorflow-datasets", _tfds(manifest, split)),
        Snippet("Command line", "groupstream", _command_line(manifest, split)),
    ]


_NUMPY = """for group_id, arrays in train.shuffle(seed=0).to_numpy():
    print(group_id, arrays.keys())"""

_TORCH = """for group in DataLoader(train.shuffle(seed=0).to_torch(), batch_size=None):
    print(group["group_id"], group.keys())"""

_TENSORFLOW = """for group in train.shuffle(seed=0).to_tf():
    for example in group["examples"]:
        print(group["group_id"].numpy(), example.keys())"""


_WIDE = """jax.config.update("jax_enable_x64", True)  # or numbers above 2**31 do not fit
"""


def _jax(opening: str, features: Features) -> str:
    """JAX has arrays of numbers only, and of 32 bits unless it is told otherwise."""
    fitting = [name for name, feature in sorted(features.items()) if _is_array(feature.dtype, feature.is_list)]
    if fitting:
        shown = fitting[:_MAX_NAMES]
        names = "" if shown == sorted(features) else f".select({', '.join(map(_text, shown))})"
        is_wide = any(features[name].dtype == "int64" for name in shown)
        head = _importing("jax", opening) + _WIDE if is_wide else opening
        return f"""{head}for group_id, arrays in train{names}.shuffle(seed=0).to_jax():
    print(group_id, arrays.keys())"""
    if not features:
        return f"{opening}print(train.num_groups)"
    name = _text(min(features))
    return f"""{_importing("jax.numpy as jnp", opening)}
# JAX has no array for these values: make numbers of them first, such as tokens.
for group_id, arrays in train.select({name}).shuffle(seed=0).to_numpy():
    lengths = jnp.asarray([len(value) for value in arrays[{name}]])
    print(group_id, lengths.sum())"""


def _importing(module: str, opening: str) -> str:
    return opening.replace("import groupstream\n", f"import groupstream\nimport {module}\n", 1)


def _is_array(dtype: str, is_list: bool) -> bool:
    return dtype not in ("string", "bytes") and not is_list


def _tfds(manifest: Manifest, split: str) -> str:
    return f"""import groupstream
import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(groupstream.open({_text(manifest.ref)}).location)
for example in builder.as_dataset(split={_text(split)}):
    print(example[{_text(manifest.group_feature)}].numpy())"""


def _command_line(manifest: Manifest, split: str) -> str:
    return "\n".join(_commands(manifest, split))


def _commands(manifest: Manifest, split: str) -> Iterator[str]:
    ref, name = shlex.quote(manifest.ref), shlex.quote(split)
    yield f"groupstream pull {ref}"
    yield f"groupstream info {ref}"
    yield f"groupstream head {ref} --split {name}"


def _text(value: str) -> str:
    """A Python literal."""
    return json.dumps(value, ensure_ascii=False)
