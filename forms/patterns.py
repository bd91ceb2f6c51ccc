"""What JSON Schema can say of the texts of a spec, for the form: the models have rules of their own that say more."""

from __future__ import annotations

DATASET_NAME = r"^[a-z0-9][a-z0-9_-]{0,99}$"
VERSION = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"
ALIAS = r"^(?!latest$)[a-z][a-z0-9_-]{0,63}$"

# As groupstream.stores.address has it: a user or password before the host, or a query or fragment; but in a bucket
# ? is a sign of patterns. The page quotes all of this to whoever enters such an address.
WITH_CREDENTIALS = {
    "title": "an address with a user, a password or a query: sign in as the store asks, or write them to ~/.netrc",
    "type": "string",
    "pattern": (
        r"""[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/'"]*|[^\s/'":@]+:(?!\d*/)[^\s'"@]*)@"""
        r"""|(?!gs:|s3:)\b[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'"]*[?#]"""
    ),
}

# A folder, or a bucket that can be written: what is no address may be anything.
ROOT = r"^((gs|s3)://[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(/.*)?|(?!.*://).+)$"
