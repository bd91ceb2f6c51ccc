from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from groupstream import StoreError, UsageError
from groupstream.stores import GcsStore, HttpStore, LocalStore, S3Store, open_store
from groupstream.testing import GcsServer

OPENED = """
import sys
import groupstream
from groupstream.stores import open_store
for root in ("gs://b/p", "s3://b/p", "https://h/p"):
    open_store(root)
print({"google.cloud.storage", "boto3", "botocore", "requests"} & set(sys.modules))
for name in ("google.cloud", "boto3", "requests"):
    sys.modules[name] = None
for root in ("gs://b/p", "s3://b/p", "https://h/p"):
    try:
        open_store(root).read("x")
    except groupstream.UsageError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("root", "kind", "name"),
    [
        ("/some/folder", LocalStore, "/some/folder"),
        ("gs://bucket", GcsStore, "gs://bucket"),
        ("gs://bucket/a/b//", GcsStore, "gs://bucket/a/b"),
        ("s3://bucket/a", S3Store, "s3://bucket/a"),
        ("http://host:80/a/", HttpStore, "http://host:80/a"),
        ("HTTPS://host", HttpStore, "https://host"),
    ],
)
def test_the_address_says_which_store(root: str, kind: type, name: str) -> None:
    store = open_store(root)
    assert type(store) is kind
    assert store.root == name


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("ftp://host/a", r"ftp://host/a: there is no store for ftp://; use a local folder, gs://"),
        ("gs://B_AD!/a", r"gs://B_AD!/a: 'B_AD!' is not the name of a bucket: letters, digits"),
        ("s3://a b", r"s3://a b: 'a b' is not the name of a bucket: letters, digits"),
        ("gs:///a", r"gs:///a is not the address of a store; write it as gs://bucket/prefix"),
        ("https://host/a?b=c", "https://host/a is not the address of a store"),
    ],
)
def test_another_address_is_refused(root: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_store(root)


def test_no_library_is_loaded_before_it_is_needed_and_a_missing_one_is_named() -> None:
    pytest.importorskip("google.auth")
    done = subprocess.run([sys.executable, "-c", OPENED], capture_output=True, text=True, check=True)
    missing = "needs a library that is not installed; get it with: pip install 'groupstream[{}]'"
    assert done.stdout.splitlines() == [
        "set()",
        f"gs://b/p {missing.format('gcs')}",
        f"s3://b/p {missing.format('s3')}",
        f"https://h/p {missing.format('http')}",
    ]


@pytest.fixture
def bucket_without_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server that Google's library takes for the real one, for which it looks for credentials."""
    pytest.importorskip("google.cloud.storage")
    with GcsServer("bucket") as server:
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", server.url)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        server.buckets.put("bucket", "x", b"content")
        yield server


def test_a_public_bucket_needs_no_credentials(bucket_without_emulator: GcsServer) -> None:
    store = open_store("gs://bucket")
    assert store.read("x", 0, 3) == b"con"
    bucket_without_emulator.denied.add("bucket")
    with pytest.raises(
        StoreError, match=r"cannot read gs://bucket/x: permission denied \(403\)\. Sign in with: gcloud"
    ):
        store.read("x")


def test_credentials_that_are_not_there_are_one_line(
    bucket_without_emulator: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    message = r"^cannot read gs://bucket/x: the credentials do not work\. Sign in with: gcloud auth application-default"
    with pytest.raises(StoreError, match=message):
        open_store("gs://bucket").read("x", 0, 3)
    assert not bucket_without_emulator.requests
