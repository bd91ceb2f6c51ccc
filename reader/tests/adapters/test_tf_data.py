"""Groups as tf.data datasets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import chunk
from groupstream.errors import UsageError
from groupstream.features import Feature
from groupstream.stream import GroupStream
from groupstream.testing import FolderServer

pytestmark = pytest.mark.integration  # TensorFlow alone takes 4 to 12 s to load

FEATURES = {
    "boxes": Feature(dtype="int64", shape=(None, 2)),
    "flags": Feature(dtype="bool", shape=(None,), optional=True),
    "image": Feature(dtype="bytes", image_format="png", optional=True),
    "is_new": Feature(dtype="bool"),
    "maybe": Feature(dtype="int64", optional=True),
    "small": Feature(dtype="int8"),
    "tensor": Feature(dtype="float32", shape=(2, 3)),
    "unsigned": Feature(dtype="uint32"),
    "words": Feature(dtype="string", shape=(None,)),
}
NAMES = sorted(folder.name for folder in (Path(__file__).parents[3] / "tests" / "golden" / "v1").iterdir())


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


def stream_of(root: Path, name: str = "made") -> GroupStream:
    return groupstream.open(name, str(root))["train"].stream()


def made(make_version: Any, png: bytes = b"png") -> GroupStream:
    examples = [
        {
            "boxes": [[i, n] for i in range(n % 3)],
            "flags": None if n % 3 == 0 else [bool(n % 2)] * (n % 4),
            "image": None if n % 5 == 0 else png,
            "is_new": n % 2 == 0,
            "maybe": None if n % 4 == 0 else n,
            "small": n - 20,
            "tensor": np.arange(6, dtype=np.float32) + n,
            "unsigned": 4_000_000_000 + n,
            "words": [f"é{i}" for i in range(n % 3)],
        }
        for n in range(40)
    ]
    return stream_of(make_version(examples, [b"\xff%d" % (n * n % 7) for n in range(40)], FEATURES))


def found_in(dataset: Any) -> list[tuple[bytes, list[dict[str, Any]]]]:
    """The groups of a nested dataset, as NumPy."""
    return [(group["group_id"].numpy(), list(group["examples"].as_numpy_iterator())) for group in dataset]


def expected_of(stream: GroupStream) -> list[tuple[bytes, list[dict[str, Any]]]]:
    """What `found_in` should find."""
    features = stream.decoded_features
    return [(group.id, [expected_example(e, features) for e in group.examples()]) for group in stream]


def expected_example(example: dict[str, Any], features: dict[str, Feature]) -> dict[str, Any]:
    found = {}
    for name, value in example.items():
        feature = features[name]
        if feature.optional:
            found[f"{name}_is_there"] = value is not None
        found[name] = (
            expected_text(value, feature) if feature.dtype in ("string", "bytes") else expected_numbers(value, feature)
        )
    return found


def expected_text(value: Any, feature: Feature) -> Any:
    if feature.is_list:
        return np.array([v.encode() for v in value or []], object)
    return value.encode() if isinstance(value, str) else value or b""


def expected_numbers(value: Any, feature: Feature) -> Any:
    shape = (-1, *feature.tensor_shape) if feature.is_list else feature.tensor_shape
    missing = [] if feature.is_list else np.zeros(shape)
    return np.array(missing if value is None else value, feature.dtype).reshape(shape)


def assert_same(found: Any, expected: Any) -> None:
    assert [group_id for group_id, _ in found] == [group_id for group_id, _ in expected]
    for (_, theirs), (_, ours) in zip(found, expected, strict=True):
        assert len(theirs) == len(ours)
        for a, b in zip(theirs, ours, strict=True):
            assert set(a) == set(b)
            for name in b:
                np.testing.assert_array_equal(
                    a[name], b[name], err_msg=name, strict=not isinstance(b[name], bool | bytes)
                )


@pytest.mark.parametrize("name", NAMES)
def test_groups_of_golden_versions_are_those_of_the_stream(tf: Any, golden: Path, name: str) -> None:
    stream = stream_of(golden, name)
    assert_same(found_in(stream.to_tf()), expected_of(stream))


@pytest.mark.parametrize("name", NAMES)
def test_flat_examples_carry_the_id_of_their_group(tf: Any, golden: Path, name: str) -> None:
    stream = stream_of(golden, name)
    examples = list(stream.to_tf(nested=False).as_numpy_iterator())
    expected = [(group_id, [e]) for group_id, group in expected_of(stream) for e in group]
    assert_same([(e.pop("group_id"), [e]) for e in examples], expected)


def test_every_kind_of_feature(tf: Any, make_version: Any) -> None:
    stream = made(make_version)
    assert_same(found_in(stream.to_tf()), expected_of(stream))
    spec = stream.to_tf(nested=False).element_spec
    assert spec["tensor"] == tf.TensorSpec([2, 3], tf.float32)
    assert spec["small"].dtype == tf.int8
    assert spec["unsigned"].dtype == tf.uint32


def test_batches_are_ragged_where_lengths_differ(tf: Any, make_version: Any) -> None:
    batch = next(iter(made(make_version).to_tf(nested=False).batch(40)))
    assert isinstance(batch["words"], tf.RaggedTensor)
    assert batch["words"].shape == [40, None]
    assert batch["tensor"].shape == [40, 2, 3]


def test_filters_shuffles_shards_epochs_and_choices_are_those_of_the_stream(tf: Any, golden: Path) -> None:
    stream = stream_of(golden, "text").filter(min_examples=2).select("text", "note").shuffle(3).shard(1, 2).repeat(2)
    expected = expected_of(stream)
    assert len({group_id for group_id, _ in expected}) < len(expected)
    assert_same(found_in(stream.to_tf()), expected)
    assert_same(found_in(stream.prefetch(0).to_tf()), expected)


def test_a_group_larger_than_a_chunk_is_read_a_block_at_a_time(
    tf: Any, make_version: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = made(make_version).prefetch(0)
    expected = expected_of(stream)
    flat = [e for _, group in expected for e in group]
    sizes = sorted(stream.split.group_table()["length_bytes"].to_pylist())
    monkeypatch.setattr(chunk, "CHUNK_BYTES", sizes[2])
    kinds = [c.is_large for c in stream.chunks()]
    assert any(kinds) and not all(kinds)
    assert_same(found_in(stream.to_tf()), expected)
    together = list(stream.to_tf().flat_map(lambda group: group["examples"]).as_numpy_iterator())
    assert_same([(b"", together)], [(b"", flat)])
    assert len(list(stream.to_tf(nested=False))) == len(flat)


def test_a_version_on_a_server(tf: Any, golden: Path) -> None:
    pytest.importorskip("requests")
    with FolderServer(golden) as server:
        stream = groupstream.open("text@1.0.0", server.url)["train"].shuffle(1)
        assert_same(found_in(stream.to_tf()), expected_of(stream_of(golden, "text").shuffle(1)))


def test_it_can_be_iterated_twice_and_left_early(tf: Any, golden: Path) -> None:
    dataset = stream_of(golden, "text").to_tf()
    first = next(iter(dataset))["group_id"].numpy()
    for again in (dataset, dataset.take(2)):
        assert next(iter(again))["group_id"].numpy() == first


def test_images_are_decoded_on_demand(tf: Any, make_version: Any) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    stream = made(make_version, tf.io.encode_png(pixels).numpy()).select("image")
    for dataset in (
        stream.to_tf(decode_images=True).flat_map(lambda group: group["examples"]),
        stream.to_tf(nested=False, decode_images=True),
    ):
        images = [e["image"] for e in dataset.as_numpy_iterator() if e["image_is_there"]]
        assert len(images) == 32
        np.testing.assert_array_equal(images, [pixels] * 32)
        assert [e["image"].size for e in dataset.as_numpy_iterator() if not e["image_is_there"]] == [0] * 8


@pytest.mark.parametrize("chunk_bytes", [1, 8 << 20])
def test_a_flipped_byte_is_an_error(
    tf: Any, golden_copy: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(chunk, "CHUNK_BYTES", chunk_bytes)
    for path in golden_copy.glob("tags/1.0.0/*.tfrecord"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    dataset = stream_of(golden_copy, "tags").to_tf()
    with pytest.raises(tf.errors.OpError, match=r"CorruptError.*tags/1.0.0/train-00000-of-00001"):
        found_in(dataset)
    with pytest.raises(tf.errors.OpError, match="CorruptError"):
        list(dataset.flat_map(lambda group: group["examples"]))


def test_a_feature_named_as_what_is_added_is_refused(tf: Any, make_version: Any) -> None:
    features = {"a": Feature(dtype="int64", optional=True), "a_is_there": Feature(dtype="bool")}
    stream = stream_of(make_version([{"a": 1, "a_is_there": True}], [b"x"], features))
    with pytest.raises(UsageError, match="a_is_there"):
        stream.to_tf()
    assert found_in(stream.select("a").to_tf())


def test_examples_without_a_feature_are_refused_and_ids_are_not(tf: Any, golden: Path) -> None:
    stream = stream_of(golden, "text").select()
    with pytest.raises(UsageError, match="nested=False"):
        stream.to_tf()
    assert len(list(stream.to_tf(nested=False))) == 40


def test_a_stream_of_no_groups_is_empty(tf: Any, golden: Path) -> None:
    stream = stream_of(golden, "text").filter(min_examples=1000)
    assert not list(stream.to_tf())
    assert not list(stream.shuffle(1).to_tf(nested=False))


def test_without_tensorflow_the_error_names_the_extra(golden: Path) -> None:
    code = f"""
import sys
sys.modules["tensorflow"] = None
import groupstream
try:
    groupstream.open("text", {str(golden)!r})["train"].to_tf()
except groupstream.UsageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'groupstream[tf]'" in done.stdout


def test_lists_of_images_are_left_encoded(tf: Any, make_version: Any) -> None:
    features = {"images": Feature(dtype="bytes", shape=(None,), image_format="png")}
    image = tf.io.encode_png(np.zeros((2, 2, 1), np.uint8)).numpy()
    root = make_version([{"images": [image] * n} for n in range(3)], [b"a"] * 3, features)
    stream = groupstream.open("made", root)["train"]
    [group] = stream.to_tf(decode_images=True)
    assert [e["images"].numpy().tolist() for e in group["examples"]] == [[image] * n for n in range(3)]


@pytest.mark.parametrize("chunk_bytes", [4 << 20, 400])
def test_groups_as_tensors_hold_what_their_datasets_hold(
    tf: Any, make_version: Any, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(chunk, "CHUNK_BYTES", chunk_bytes)
    stream = made(make_version).shuffle(3)
    groups = list(stream.to_tf(tensors=True))
    assert [group["group_id"].numpy() for group in groups] == [group.id for group in stream]
    for group, nested in zip(groups, stream.to_tf(), strict=True):
        expected = next(iter(nested["examples"].batch(1000)))
        assert set(expected) == set(group["examples"])
        for name, value in expected.items():
            found = group["examples"][name]
            assert found.dtype == value.dtype
            if isinstance(value, tf.RaggedTensor):
                assert found.to_list() == value.to_list(), name
            else:
                np.testing.assert_array_equal(found.numpy(), value.numpy(), name)


def test_groups_as_tensors_are_not_flat_and_have_no_pixels(tf: Any, make_version: Any) -> None:
    for how in ({"nested": False}, {"decode_images": True}):
        with pytest.raises(UsageError, match="tensors=True gives whole groups with images as they are encoded"):
            made(make_version).to_tf(tensors=True, **how)
