"""By the host, and by the registrable domain, of a URL."""

from __future__ import annotations

import socket

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partitioners import ByUrlDomain, ByUrlHost, ExampleIds, RulePartitioner
from partitioners.url_domain import _domain_of_host, _extract, domain_of
from partitioners.url_host import host_of


def _assigned(partitioner: RulePartitioner, url: str) -> str | None:
    ids = partitioner.assign(pa.record_batch({"url": [url]}), ExampleIds(0, np.arange(1)))
    return ids.cast(pa.string())[0].as_py()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com", "example.com"),
        ("https://www.example.com/a/b?c=d#e", "www.example.com"),
        ("HTTP://WWW.EXAMPLE.COM/", "www.example.com"),
        ("http://example.com:8080/", "example.com"),
        ("http://example.com:/", "example.com"),
        ("http://example.com:99999/", "example.com"),
        ("http://user@example.com/", "example.com"),
        ("http://user:pa:ss@example.com:80/", "example.com"),
        ("http://example.com./", "example.com"),
        ("http://example.com?x=http://other.com", "example.com"),
        ("ftp://files.example.com/x", "files.example.com"),
        ("svn+ssh://a.example.com/x", "a.example.com"),
        ("//example.com/x", "example.com"),
        ("example.com", "example.com"),
        ("example.com:80/a", "example.com"),
        ("example.com/a//b", "example.com"),
        ("example.com/?u=http://other.com/", "example.com"),
        ("  http://example.com/\n", "example.com"),
        ("http://a_b.example.com/", "a_b.example.com"),
        ("http://localhost:3000/", "localhost"),
        ("http://192.168.0.1:80/x", "192.168.0.1"),
        ("http://[2001:DB8::1]:80/x", "2001:db8::1"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://BÜCHER.example/", "xn--bcher-kva.example"),
        ("http://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("http://straße.example/", "xn--strae-oqa.example"),
        ("http://example\u3002com/", "example.com"),
        ("http://💩.example/", "💩.example"),
        ("self.python", "self.python"),  # what Reddit writes for a post without a link
    ],
)
def test_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
    assert _assigned(ByUrlHost(), url) == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "http://",
        "http:///path",
        "/a/path",
        "#",
        "?x",
        "http://[::1/",
        "http://exa mple.com/",
        "a sentence, no address",
        "http://a<b>.com/",
        "http://a^b/",
        "javascript:void(0)",
        "about:blank",
        "http://...",
        "http://a\x00b/",
    ],
)
def test_url_without_a_host_has_no_group(url: str) -> None:
    assert host_of(url) is None
    assert domain_of(url) is None
    assert _assigned(ByUrlHost(), url) is None
    assert _assigned(ByUrlDomain(), url) is None


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("http://example.com/", "example.com"),
        ("http://www.news.example.com/", "example.com"),
        ("http://news.bbc.co.uk/", "bbc.co.uk"),
        ("http://bbc.co.uk./", "bbc.co.uk"),
        ("http://www.city.kawasaki.jp/", "city.kawasaki.jp"),
        ("http://a.xn--bcher-kva.de/", "xn--bcher-kva.de"),
        ("http://a.bücher.de/", "xn--bcher-kva.de"),
        ("http://a.食狮.公司.cn/", "xn--85x722f.xn--55qx5d.cn"),
        # The whole public suffix list: what companies give to people counts as a suffix.
        ("http://alice.github.io/", "alice.github.io"),
        ("http://www.alice.github.io/", "alice.github.io"),
        ("http://bob.github.io/", "bob.github.io"),
        ("http://alice.blogspot.com/", "alice.blogspot.com"),
        # No registrable domain: the host.
        ("http://github.io/", "github.io"),
        ("http://co.uk/", "co.uk"),
        ("http://localhost/", "localhost"),
        ("http://intranet.corp.internal/", "intranet.corp.internal"),
        ("http://192.168.0.1/", "192.168.0.1"),
        ("http://[::1]/", "::1"),
    ],
)
def test_domain_of_a_url(url: str, domain: str) -> None:
    assert domain_of(url) == domain
    assert _assigned(ByUrlDomain(), url) == domain


def test_suffix_list_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"opened a socket: {args}")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _extract.cache_clear()
    _domain_of_host.cache_clear()
    assert domain_of("http://a.b.example.co.uk/") == "example.co.uk"


def test_each_distinct_url_is_looked_at_and_bytes_that_are_no_text_have_no_group() -> None:
    urls = pa.array([b"http://x.com/1", b"http://\xff.com/", None, b"http://x.com/1", b"http://x.com/\xff"])
    ids = ExampleIds(0, np.arange(5))
    for partitioner in (ByUrlHost(), ByUrlDomain()):
        assert partitioner.assign(pa.record_batch({"url": urls}), ids).to_pylist() == [
            b"x.com",
            None,
            None,
            b"x.com",
            None,
        ]


_PARTS = "http:// HTTPS:// https: // ftp:// user@ a.com A-b_c.Example.co.uk bücher.de a..b"
_MORE = ". - :80 : :x :9999999 / /p/q.html ?u=http://b.com #f \\ [::1] %41 x é ｡ @ xn--bcher-kva"
_URL_PARTS = st.sampled_from([*_PARTS.split(" "), *_MORE.split(" "), " ", "\t", "\n", "\0"])


@settings(max_examples=500, deadline=None)
@given(st.lists(st.lists(_URL_PARTS, max_size=6).map("".join) | st.none(), max_size=5))
def test_the_fast_way_gives_what_the_rules_for_one_url_give(urls: list[str | None]) -> None:
    batch, ids = pa.record_batch({"url": pa.array(urls, pa.string())}), ExampleIds(0, np.arange(len(urls)))
    for partitioner, rule in ((ByUrlHost(), host_of), (ByUrlDomain(), domain_of)):
        expected = [None if url is None else rule(url) for url in urls]
        assert partitioner.assign(batch, ids).cast(pa.string()).to_pylist() == expected
