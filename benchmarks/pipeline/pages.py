"""Made-up web pages: text, URL and time, as C4 has them; the same for the same number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from benchmarks.pipeline.tfds_folder import NUM_FILES, write_tfds_folder
from benchmarks.pipeline.words import texts
from groupstream.examples.encoding import encode_examples
from groupstream.features import Feature

FEATURES = {name: Feature(dtype="string") for name in ("text", "url")}  # that are kept
TEXT_BYTES = 2_220  # with URL, time and their names about 2.4 KB a page
MEDIAN_PAGES, SIGMA = 2.25, 2.17  # of a site in FedC4: see docs/fedc4.md
_SITES = 200_000
_ENDINGS = ("com", "org", "co.uk", "net", "de", "com.au", "github.io", "edu")


def page_batch(number: int, count: int) -> pa.RecordBatch:
    """Some pages; another number, others."""
    draw = np.random.default_rng([3, number])
    sizes = np.random.default_rng(4).lognormal(np.log(MEDIAN_PAGES), SIGMA, _SITES)
    sites = draw.choice(_SITES, count, p=sizes / sizes.sum()).tolist()
    paths = draw.integers(0, 1 << 40, count).tolist()
    urls = [
        f"https://www.site{site}.{_ENDINGS[site % len(_ENDINGS)]}/archive/{path:x}.html"
        for site, path in zip(sites, paths, strict=True)
    ]
    times = [f"2019-04-25T12:57:{second:02d}Z" for second in draw.integers(0, 60, count).tolist()]
    text = texts(draw, count, TEXT_BYTES).cast(pa.string())
    return pa.record_batch({"text": text, "timestamp": pa.array(times), "url": pa.array(urls)})


def write_jsonl(folder: Path, num_pages: int) -> dict[str, Any]:
    """Lines of JSON in gzip; the source, as a spec names it."""
    folder.mkdir(parents=True)
    for number in range(NUM_FILES):
        rows = page_batch(number, num_pages // NUM_FILES).to_pylist()
        with pa.output_stream(folder / f"pages-{number}.json.gz", compression="gzip") as stream:
            stream.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return {"kind": "jsonl", "paths": [f"{folder}/*.json.gz"], "features": list(FEATURES)}


def write_tfds(folder: Path, num_pages: int) -> dict[str, Any]:
    """The same pages as a prepared TFDS dataset; the source, as a spec names it."""
    tables = (page_batch(number, num_pages // NUM_FILES) for number in range(NUM_FILES))
    write_tfds_folder(folder, FEATURES, (encode_examples(table.select(list(FEATURES)), FEATURES) for table in tables))
    return {"kind": "tfds", "folder": str(folder)}
