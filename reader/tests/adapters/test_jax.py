"""Groups, and batches of examples, as JAX arrays."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import Feature, Split, UsageError

jax = pytest.importorskip("jax")

NUMBERS = ("flag", "maybe", "maybe_mask", "small", "tensor", "unsigned")
Plain = Callable[[Any], Any]


@pytest.fixture
def with_64_bits() -> Iterator[None]:
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize("options", [{}, {"batch_size": 5}, {"batch_size": 2, "by": "group"}, {"by": "example"}])
def test_arrays_are_those_of_numpy(varied: Split, options: dict[str, Any], plain: Plain) -> None:
    stream = varied.select(*NUMBERS, "numbers", "switches").shuffle(seed=3)
    found = list(stream.to_jax(pad_to=3, **options))
    expected = list(stream.to_numpy(pad_to=3, **options))
    for item in expected:
        (item if isinstance(item, dict) else item[1]).pop("group_id", None)
    assert plain(found) == plain(expected)
    leaves = jax.tree.leaves([item if isinstance(item, dict) else item[1] for item in found])
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)


def test_types_are_kept_but_64_bits(varied: Split) -> None:
    [(_, arrays)] = itertools.islice(varied.select(*NUMBERS).to_jax(), 1)
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "flag": "bool",
        "maybe": "int32",
        "maybe_is_there": "bool",
        "maybe_mask": "bool",
        "maybe_mask_is_there": "bool",
        "small": "int8",
        "tensor": "int32",
        "unsigned": "uint16",
    }


@pytest.mark.usefixtures("with_64_bits")
def test_64_bits_are_kept_where_jax_has_them(golden: Path) -> None:
    years = groupstream.open("text", str(golden))["train"].select("year")
    found = [n for batch in years.to_jax(7) for n in batch["year"].tolist()]
    assert found == [n for batch in years.to_numpy(7) for n in batch["year"].tolist()]
    assert max(found) > 1 << 62


def test_a_number_that_32_bits_do_not_hold_is_refused(make_version: Any) -> None:
    root = make_version([{"n": n} for n in (1, 2, 1 << 31)], [b"x"] * 3, {"n": Feature(dtype="int64")})
    with pytest.raises(UsageError, match=r"^feature 'n' holds 2147483648, which an int32 does not; allow 64 bits with"):
        next(groupstream.open("made", str(root))["train"].to_jax())


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (
            ("text", "small"),
            {},
            r"^JAX has no array for 'text' \('text' is string\); .* leaves 'small'$",
        ),
        (("numbers",), {}, r"'numbers' is a list of float32\).* leaves none, so use to_numpy\(\), or pad lists"),
        (("numbers", "switches"), {"pad_to": {"numbers": 3}}, r"^JAX has no array for 'switches' .* leaves 'numbers'"),
        (("words",), {"pad_to": 3}, r"'words' is a list of string"),
    ],
)
def test_what_jax_has_no_array_for_is_named(
    varied: Split, features: tuple[str, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        varied.select(*features).to_jax(**options)


@pytest.mark.parametrize("options", [{}, {"batch_size": 5}, {"batch_size": 2, "by": "group"}])
def test_items_go_on_from_every_place(varied: Split, options: dict[str, Any], plain: Plain) -> None:
    stream = varied.select("small", "maybe").shuffle(seed=8).repeat(2)
    whole = plain(list(stream.to_jax(**options)))
    items = stream.to_jax(**options)
    for num_given in range(len(whole) + 1):
        resumed = stream.to_jax(**options)
        resumed.load_state_dict(json.loads(json.dumps(items.state_dict())))
        assert plain(list(resumed)) == whole[num_given:]
        next(items, None)


def test_what_was_ahead_is_dropped_when_a_state_is_loaded(varied: Split, plain: Plain) -> None:
    items = varied.select("small").to_jax(3)
    start, whole = items.state_dict(), plain(list(varied.select("small").to_jax(3)))
    next(items)
    items.load_state_dict(start)
    assert plain(list(items)) == whole


def test_one_batch_is_on_its_way_while_one_is_worked_on(varied: Split) -> None:
    class Counted:
        """Batches that tell how many were taken."""

        def __init__(self) -> None:
            self.place, self.num_taken = 0, 0

        def __next__(self) -> dict[str, np.ndarray]:
            self.num_taken += 1
            return {"n": np.zeros(2, np.int32)}

    from groupstream.adapters.jax_batches import JaxBatches

    counted = Counted()
    batches = JaxBatches(counted, by_group=False, sharding=None)  # type: ignore[arg-type]
    for num_given in range(1, 4):
        next(batches)
        assert counted.num_taken == num_given + 1


def test_batches_lie_where_the_sharding_says(golden: Path) -> None:
    code = f"""
import groupstream, jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
sharding = NamedSharding(Mesh(jax.devices(), ("batch",)), PartitionSpec("batch"))
digits = groupstream.open("digits", {str(golden)!r})["train"]
[*batches] = digits.to_jax(8, sharding=sharding, drop_last=True)
print(len(batches), [(s.device.id, s.data.shape) for s in batches[0]["image"].addressable_shards])
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "2 [(0, (4, 4, 4, 1)), (1, (4, 4, 4, 1))]"


def test_images_are_arrays_if_of_one_size(pictures: Callable[..., Split]) -> None:
    assert next(pictures(*[(4, 5)] * 3).to_jax(decode_images=True))[1]["image"].shape == (3, 4, 5, 3)


def test_images_of_several_sizes_are_refused(pictures: Callable[..., Split]) -> None:
    with pytest.raises(UsageError, match=r"^the images of feature 'image' differ in size; give them one size"):
        next(pictures((4, 5), (5, 4), (4, 4)).to_jax(decode_images=True))


def test_after_an_error_nothing_is_left_out(make_version: Any) -> None:
    features = {"n": Feature(dtype="int64")}
    ids = [b"%d" % i for i in range(12)]
    root = make_version([{"n": 2**40 if i == 5 else i} for i in range(12)], ids, features)
    batches = groupstream.open("made", root)["train"].to_jax(1)
    found: list[Any] = []
    for _ in range(3):
        with pytest.raises(UsageError, match="holds 1099511627776, which an int32 does not"):
            found.extend(batches)
    assert len(found) < 12
