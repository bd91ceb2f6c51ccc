from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groupstream import CorruptError
from groupstream.manifest import Manifest, canonical_json

NAMES = ["text", "tags", "digits"]
Change = Callable[[dict[str, Any]], None]


def content_of(root: Path, name: str) -> bytes:
    return (root / name / "1.0.0" / "manifest.json").read_bytes()


def signed(fields: dict[str, Any]) -> bytes:
    fields = {key: value for key, value in fields.items() if key != "checksum"}
    return canonical_json({**fields, "checksum": hashlib.sha256(canonical_json(fields)).hexdigest()})


def changed(data: bytes, change: Change) -> bytes:
    """A manifest with other content and a checksum that fits."""
    fields = json.loads(data)
    change(fields)
    return signed(fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_comes_back_byte_for_byte(golden: Path, name: str) -> None:
    content = content_of(golden, name)
    assert Manifest.from_json(content, "here").to_json() == content
    assert changed(content, lambda fields: None) == content


def test_a_manifest_names_every_file_of_its_folder(golden: Path) -> None:
    for name in NAMES:
        folder = golden / name / "1.0.0"
        files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        manifest = Manifest.from_json(content_of(golden, name), "here")
        assert {f.path for f in manifest.all_files()} == files - {"manifest.json", "claim.json"}


@pytest.mark.parametrize("mask", [0x01, 0x20, 0xFF])
def test_every_changed_byte_is_found(golden: Path, mask: int) -> None:
    content = content_of(golden, "text")
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= mask
        with pytest.raises(CorruptError, match="here"):
            Manifest.from_json(bytes(broken), "here")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: b"".join(line for line in data.splitlines(True) if b"checksum" not in line),
    ],
    ids=["cut", "longer", "line ends", "formatted anew", "no checksum"],
)
def test_other_bytes_of_the_same_content_are_found(golden: Path, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CorruptError):
        Manifest.from_json(change(content_of(golden, "text")), "here")


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b"{}", b'{"format_version": "1"}', b'{"format_version": 1e999}']
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptError, match="here is not a manifest"):
        Manifest.from_json(content, "here")


def test_a_newer_format_asks_for_an_upgrade(golden: Path) -> None:
    newer = changed(content_of(golden, "text"), lambda fields: fields.update(format_version=2))
    with pytest.raises(CorruptError, match=r"has format 2, this library reads up to 1; upgrade with: pip install -U"):
        Manifest.from_json(newer, "here")


def test_fields_of_a_later_library_are_read_past(golden: Path) -> None:
    def add(fields: dict[str, Any]) -> None:
        fields["licence"] = "CC BY 4.0"
        fields["splits"]["train"]["statistics"]["num_sentences"] = 12
        fields["splits"]["train"]["shards"][0]["md5"] = "0"

    content = content_of(golden, "text")
    assert Manifest.from_json(changed(content, add), "here") == Manifest.from_json(content, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["features"]["text"].update(compression="zstd"), "features.text.compression: Extra inputs"),
        (lambda f: f["features"]["text"].update(dtype="float64"), "features.text.dtype: "),
        (lambda f: f["files"][0].update(path="../outside"), "'../outside' does not lie in the folder"),
        (lambda f: f["files"][0].update(path="/etc/passwd"), "'/etc/passwd' does not lie in the folder"),
        (lambda f: f["splits"]["train"].pop("statistics"), "splits.train.statistics: Field required"),
    ],
)
def test_content_that_cannot_be_read_rightly_is_refused_in_one_line(golden: Path, change: Change, message: str) -> None:
    with pytest.raises(CorruptError, match=message) as caught:
        Manifest.from_json(changed(content_of(golden, "text"), change), "here")
    assert "\n" not in str(caught.value)


def test_the_checksum_can_be_computed_without_json(golden: Path) -> None:
    """As docs/format.md says it: SHA-256 of all lines but one."""
    for name in NAMES:
        lines = content_of(golden, name).splitlines(keepends=True)
        [checksum] = [line for line in lines if line.startswith(b' "checksum": ')]
        rest = hashlib.sha256(b"".join(line for line in lines if line != checksum)).hexdigest()
        assert checksum == b' "checksum": "%s",\n' % rest.encode()
