"""Addresses that a browser opens."""

from __future__ import annotations

from urllib.parse import quote

from groupstream.stores import is_url


def browsable(location: str) -> str:
    """Where a browser finds an object: one in a bucket has an address for people who are logged in."""
    if location.startswith("gs://"):
        return f"https://storage.cloud.google.com/{quote(location.removeprefix('gs://'))}"
    if location.startswith("s3://"):
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return f"https://console.aws.amazon.com/s3/object/{quote(bucket)}?prefix={quote(key)}"
    return location if is_url(location) else f"file://{quote(location)}"


def browsable_folder(location: str) -> str:
    """Where a browser finds all that lies below."""
    if location.startswith("gs://"):
        return f"https://console.cloud.google.com/storage/browser/{quote(location.removeprefix('gs://'))}"
    if location.startswith("s3://"):
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return f"https://console.aws.amazon.com/s3/buckets/{quote(bucket)}?prefix={quote(key)}/"
    return browsable(location)
