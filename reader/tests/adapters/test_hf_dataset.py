"""Groups as a dataset of Hugging Face."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import chunk
from groupstream.errors import CorruptError, PublishError, UsageError
from groupstream.features import Feature
from groupstream.stream import GroupStream
from groupstream.testing import FolderServer

datasets = pytest.importorskip("datasets")

NAMES = sorted(folder.name for folder in (Path(__file__).parents[3] / "tests" / "golden" / "v1").iterdir())
FEATURES = {
    "bits": Feature(dtype="bool", shape=(2, 2), optional=True),
    "boxes": Feature(dtype="int64", shape=(None, 2)),
    "label": Feature(dtype="int64", labels=("no", "yes")),
    "raw": Feature(dtype="bytes", optional=True),
    "vector": Feature(dtype="float32", shape=(3,), optional=True),
    "volume": Feature(dtype="uint16", shape=(1, 2, 1, 2, 1, 2)),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "huggingface"


def stream_of(root: Path, name: str = "made") -> GroupStream:
    return groupstream.open(name, str(root))["train"].stream()


def expected_of(stream: GroupStream) -> list[dict[str, Any]]:
    examples = [{"group_id": group.name, **example} for group in stream for example in group.examples()]
    return [
        {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in e.items()}
        for e in examples
    ]


def made(make_version: Any) -> GroupStream:
    examples = [
        {
            "bits": None if n % 3 == 0 else np.array([[n % 2, 1], [0, n % 2]], bool),
            "boxes": [[i, n] for i in range(n % 3)],
            "label": n % 2,
            "raw": None if n % 4 == 0 else b"\xff%d" % n,
            "vector": None if n % 5 == 0 else np.arange(3, dtype=np.float32) + n,
            "volume": np.arange(8, dtype=np.uint16).reshape(1, 2, 1, 2, 1, 2) + n,
        }
        for n in range(40)
    ]
    return stream_of(make_version(examples, [b"%d" % (n * n % 7) for n in range(40)], FEATURES))


@pytest.mark.parametrize("name", NAMES)
def test_examples_of_golden_versions_are_those_of_the_groups(golden: Path, name: str) -> None:
    stream = stream_of(golden, name)
    dataset = stream.to_hf()
    assert dataset.to_list() == expected_of(stream)
    assert list(stream.to_hf(streaming=True)) == list(dataset)
    assert str(dataset.split) == "train"


def test_every_kind_of_feature(make_version: Any) -> None:
    stream = made(make_version)
    dataset = stream.to_hf()
    assert dataset.to_list() == expected_of(stream)
    assert dataset.features["label"] == datasets.ClassLabel(names=["no", "yes"])
    assert dataset.features["bits"] == datasets.Array2D((2, 2), "bool")
    assert dataset.features["vector"] == datasets.List(datasets.Value("float32"), length=3)
    assert dataset.features["group_id"] == datasets.Value("string")
    assert stream.to_hf(streaming=True).features == dataset.features


def test_images_are_images(make_version: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels, encoded = np.arange(24, dtype=np.uint8).reshape(4, 2, 3), io.BytesIO()
    image.fromarray(pixels).save(encoded, "png")
    features = {"image": Feature(dtype="bytes", image_format="png", optional=True)}
    examples = [{"image": encoded.getvalue()}, {"image": None}]
    found = stream_of(make_version(examples, [b"a", b"a"], features)).to_hf()["image"]
    np.testing.assert_array_equal(np.asarray(found[0]), pixels)
    assert found[1] is None


def test_filters_shuffles_shards_epochs_and_choices_are_those_of_the_stream(golden: Path) -> None:
    base = stream_of(golden, "text").filter(min_examples=2).select("text", "note")
    for stream in (base.shard(1, 2), base.shuffle(3).shard(1, 2).repeat(2), base.shuffle(3), base.shuffle(4)):
        assert stream.to_hf().to_list() == expected_of(stream)
        assert list(stream.to_hf(streaming=True)) == expected_of(stream)


def test_a_file_is_made_once_for_a_stream(golden: Path, cache: Path) -> None:
    stream = stream_of(golden, "text")
    stream.to_hf()
    [file] = cache.glob("*/examples.arrow")
    before = file.stat().st_mtime_ns
    stream_of(golden, "text").prefetch(0).to_hf()
    assert file.stat().st_mtime_ns == before
    stream.shuffle(1).to_hf()
    stream.to_hf(binary_ids=True)
    assert len(list(cache.glob("*/examples.arrow"))) == 3


def test_nothing_is_left_of_a_file_that_could_not_be_made(golden_copy: Path, cache: Path) -> None:
    for path in golden_copy.glob("tags/1.0.0/*.tfrecord"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    stream = stream_of(golden_copy, "tags")
    with pytest.raises(CorruptError):
        stream.to_hf()
    assert not list(cache.rglob("*.arrow"))
    with pytest.raises(CorruptError):
        list(stream.to_hf(streaming=True))


def test_a_cache_that_cannot_be_written_is_one_line(golden: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"")
    with pytest.raises(PublishError, match="GROUPSTREAM_CACHE"):
        stream_of(golden, "text").to_hf()


def test_a_group_larger_than_a_chunk(make_version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = made(make_version).prefetch(0)
    expected = expected_of(stream)
    sizes = sorted(stream.split.group_table()["length_bytes"].to_pylist())
    monkeypatch.setattr(chunk, "CHUNK_BYTES", sizes[2])
    kinds = [c.is_large for c in stream.chunks()]
    assert any(kinds) and not all(kinds)
    assert stream.to_hf().to_list() == expected
    assert [e["volume"] for e in stream.to_hf(streaming=True)] == [e["volume"] for e in expected]


def test_a_version_on_a_server(golden: Path) -> None:
    pytest.importorskip("requests")
    expected = expected_of(stream_of(golden, "text").shuffle(1))
    with FolderServer(golden) as server:
        stream = groupstream.open("text@1.0.0", server.url)["train"].shuffle(1)
        assert list(stream.to_hf(streaming=True)) == expected
        dataset = stream.to_hf()
    assert dataset.to_list() == expected


def test_a_stream_resumes_exactly_and_travels(golden: Path) -> None:
    stream = stream_of(golden, "text").shuffle(5)
    expected = expected_of(stream)
    for num_taken in (0, 1, 17, 40):
        dataset = stream.to_hf(streaming=True)
        examples = iter(dataset)
        assert [next(examples) for _ in range(num_taken)] == expected[:num_taken]
        resumed = pickle.loads(pickle.dumps(stream.to_hf(streaming=True)))
        resumed.load_state_dict(dataset.state_dict())
        assert list(resumed) == expected[num_taken:]


def test_processes_share_a_stream(golden: Path) -> None:
    from datasets.distributed import split_dataset_by_node

    stream = stream_of(golden, "text")
    dataset = stream.to_hf(streaming=True)
    parts = [list(split_dataset_by_node(dataset, rank, 2)) for rank in range(2)]
    assert all(parts)
    texts = sorted(e["text"] for e in expected_of(stream))
    assert sorted(e["text"] for part in parts for e in part) == texts


def test_ids_that_are_not_text_are_bytes_on_demand(make_version: Any) -> None:
    stream = stream_of(make_version([{"n": 1}], [b"\xff"], {"n": Feature(dtype="int64")}))
    with pytest.raises(UsageError, match="binary_ids=True"):
        stream.to_hf()
    assert stream.to_hf(binary_ids=True).to_list() == [{"group_id": b"\xff", "n": 1}]


def test_a_stream_of_no_groups_is_empty(golden: Path) -> None:
    stream = stream_of(golden, "text").filter(min_examples=1000)
    assert len(stream.to_hf()) == 0
    assert not list(stream.shuffle(1).to_hf(streaming=True))
    assert stream.to_hf().features == stream_of(golden, "text").to_hf().features


def test_a_stream_without_end_is_refused(golden: Path) -> None:
    with pytest.raises(UsageError, match="no end"):
        stream_of(golden, "text").repeat().to_hf(streaming=True)


def test_without_datasets_the_error_names_the_extra(golden: Path) -> None:
    code = f"""
import sys
sys.modules["datasets"] = None
import groupstream
try:
    groupstream.open("text", {str(golden)!r})["train"].to_hf()
except groupstream.UsageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'groupstream[hf]'" in done.stdout
