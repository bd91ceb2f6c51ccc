"""By the host of a URL."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import ConfigDict, Field

from partitioners.keys import map_distinct
from partitioners.partitioner import ExampleIds, Partitioner


class ByUrlHost(Partitioner):
    """One group for each host: `www.x.com` and `x.com` are two groups, `x.com` and `X.com:8080` one.

    Source: Charles et al. 2023, "Towards Federated Foundation Models", FedCCnews. Theirs keys on the network
    location, where a port or a user name makes another group; ours on the host name alone.
    """

    model_config = ConfigDict(title="By the host of a URL")

    kind: Literal["url_host"] = "url_host"
    feature: str = Field("url", description="The feature that holds the URL.")

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Partitioner.assign`."""
        return map_distinct(batch.column(self.feature), host_of)


def host_of(url: str | None) -> str | None:
    """The host name of a URL in lower case, None where it has none.

    >>> host_of("http://user@WWW.Example.com:8080/a?b=c")
    'www.example.com'
    >>> host_of("example.com/no/scheme")
    'example.com'
    """
    if not url:
        return None
    text = url.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
    except ValueError:  # such as an unclosed bracket of an IPv6 address
        return None
    return host.rstrip(".") or None if host else None
