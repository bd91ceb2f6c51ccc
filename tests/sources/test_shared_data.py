"""The real datasets of shared/data, through the specs of tests/shared_specs: sources, partitioners and checks."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from groupstream.stores import LocalStore, open_store
from groupstream.testing import GcsServer
from partitioners import ByFeature, ByUrlHost, ExampleIds, Partitioner
from sources import CommaSeparated, JsonLines, Source, Text, WikiExtractor
from specs import Spec, load_spec
from validation.examples import violations
from validation.impossible_checks import refuse_impossible_checks

pytestmark = pytest.mark.shared_data

_SPECS = Path(__file__).parents[1] / "shared_specs"


@pytest.fixture
def spec(request: pytest.FixtureRequest, shared_data: Any, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """The spec of the test's dataset; the test runs in the folder of its data."""
    monkeypatch.chdir(shared_data(request.param))
    return load_spec(_SPECS / f"{request.param}.yaml")


def _spec_of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("spec", [name], indirect=True)


def _batches(source: Source) -> Iterator[pa.RecordBatch]:
    features = source.available_features()
    for piece in source.pieces():
        yield from (batch.columns for batch in source.read(piece, features, frozenset(features)))


def _column(source: Source, name: str) -> list[Any]:
    return [value for batch in _batches(source) for value in batch[name].to_pylist()]


def _groups(source: Source, partitioner: Partitioner) -> Counter[bytes | None]:
    sizes: Counter[bytes | None] = Counter()
    for batch in _batches(source):
        sizes.update(partitioner.assign(batch, ExampleIds(0, np.arange(len(batch)))).to_pylist())
    return sizes


def _rejected(spec: Spec) -> Counter[str]:
    refuse_impossible_checks(spec.checks.examples, spec.source.available_features())
    found: Counter[str] = Counter()
    for batch in _batches(spec.source):
        found.update({reason: int(mask.sum()) for reason, mask in violations(spec.checks.examples, batch).items()})
    return found


@pytest.mark.parametrize("spec", sorted(file.stem for file in _SPECS.iterdir()), indirect=True)
def test_spec_holds_for_its_data(spec: Spec) -> None:
    assert _rejected(spec).total() <= spec.checks.num_tolerated(0)
    assert len(_groups(spec.source, spec.partitioner)) >= spec.checks.groups.min_groups


@_spec_of("news_abp")
def test_news_has_the_hosts_that_are_known(spec: Spec) -> None:
    sizes = _groups(spec.source, spec.partitioner)
    assert (sizes.total(), len(sizes), max(sizes.values()), sizes[None]) == (7_488, 242, 722, 0)
    assert np.quantile(list(sizes.values()), [0.1, 0.5], method="lower").tolist() == [1, 2]


@_spec_of("wiki_en2015")
def test_wiki_has_the_articles_that_are_known(spec: Spec) -> None:
    texts, titles = _column(spec.source, "text"), _column(spec.source, "title")
    assert (len(texts), texts.count("")) == (2_261, 11)
    assert len({title for title, text in zip(titles, texts, strict=True) if text}) == 2_250
    assert sum(not title.isascii() for title in titles) == 47
    assert _rejected(spec) == {"text: min_length 1": 11}


@_spec_of("hn_posts")
def test_posts_have_the_authors_and_hosts_that_are_known(spec: Spec) -> None:
    urls = _column(spec.source, "url")
    assert (len(urls), urls.count("")) == (20_100, 2_440)
    assert len(_groups(spec.source, spec.partitioner)) == 10_382
    hosts = _groups(spec.source, ByUrlHost(feature="url"))
    assert (len(hosts) - 1, hosts[None]) == (7_249, 2_440)


@_spec_of("mnist_idx")
def test_mnist_is_read_pixel_for_pixel(spec: Spec) -> None:
    batches = list(_batches(spec.source))
    assert sum(map(len, batches)) == 70_000
    images = np.concatenate([batch["image"].to_numpy_ndarray() for batch in batches]).tobytes()
    labels = pa.chunked_array([batch["label"] for batch in batches]).to_numpy().astype(np.uint8).tobytes()
    assert images == b"".join(gzip.decompress(file.read_bytes())[16:] for file in sorted(Path().glob("*images*")))
    assert labels == b"".join(gzip.decompress(file.read_bytes())[8:] for file in sorted(Path().glob("*labels*")))
    assert len(_groups(spec.source, spec.partitioner)) == 10


@_spec_of("web_reddit")
def test_reddit_is_read_as_python_reads_it(spec: Spec) -> None:
    domains = _groups(spec.source, ByFeature(feature="domain"))
    assert (domains.total(), len(domains), max(domains.values())) == (63_871, 5_771, 16_045)
    assert len(spec.source.pieces()) == 70
    texts = pa.chunked_array([batch["selftext"] for batch in _batches(spec.source)])
    assert pc.sum(pc.match_substring(texts, "\n")).as_py() == 10_136
    csv.field_size_limit(1 << 30)
    every = spec.source.model_copy(update={"features": None})
    for piece in every.pieces()[::10]:
        read = [
            tuple(row.values())
            for b in every.read(piece, every.available_features(), frozenset())
            for row in b.columns.to_pylist()
        ]
        with open(piece.part.file.address, newline="", encoding="utf-8") as file:
            assert read == [tuple(row) for row in csv.reader(file)][1:]


def test_speeches_have_the_speakers_that_are_known(shared_data: Any) -> None:
    source = Text(paths=[f"{shared_data('tinyshakespeare')}/*.txt"], examples="paragraph")
    speakers = [text.partition("\n")[0] for text in _column(source, "text")]
    assert (len(speakers), len(set(speakers))) == (7_222, 309)  # one stands after two blank lines, not after one
    assert all(speaker.endswith(":") for speaker in speakers)


def test_books_have_the_paragraphs_that_are_known(shared_data: Any) -> None:
    folder = shared_data("books_md")
    paragraphs = Counter(_column(Text(paths=[f"{folder}/*/*.md"], examples="paragraph"), "path"))
    assert len(paragraphs) == 63
    whole = Text(paths=[f"{folder}/*/*.md"], examples="file")
    for path, text in zip(_column(whole, "path"), _column(whole, "text"), strict=True):
        assert text == (folder / path).read_text(encoding="utf-8-sig")  # which reads CRLF as LF
        assert paragraphs[path] == len([some for some in re.split(r"\n\s*\n", text) if some.strip()])


def test_the_name_of_a_file_is_the_subreddit(shared_data: Any) -> None:
    source = CommaSeparated(paths=[f"{shared_data('web_reddit')}/data/*.csv"], features=["id"], path_feature="file")
    files = Counter(_column(source, "file"))
    assert (files.total(), len(files)) == (63_871, 70)
    assert files.keys() == {file.name for file in (shared_data("web_reddit") / "data").iterdir()}


_PATTERNS = {
    "books_md": (Text, "*/*.md"),
    "hn_posts": (CommaSeparated, "**/*.csv"),
    "news_abp": (JsonLines, "**/*.jsonl.gz"),
    "tinyshakespeare": (Text, "*.txt"),
    "web_reddit": (CommaSeparated, "data/*.csv"),
    "wiki_en2015": (WikiExtractor, "*/wiki_*"),
}


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.integration
@pytest.mark.parametrize("name", list(_PATTERNS))
def test_data_in_a_bucket_are_those_on_disk(name: str, shared_data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, pattern = _PATTERNS[name]
    with GcsServer("bucket") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        bucket = open_store("gs://bucket")
        for found in LocalStore(shared_data(name)).objects(""):
            assert bucket.put_if_absent(found.path, shared_data(name) / found.path)
        here, there = (kind(paths=[f"{root}/{pattern}"]) for root in (shared_data(name), "gs://bucket"))
        assert there.identity() == here.identity()
        for one, other in zip(_batches(there), _batches(here), strict=True):
            assert one.equals(other)
