"""The long steps of a build in words, and lines of a log without secrets."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import pytest

from groupstream import SourceError
from pipelines.progress import Progress
from tasks.assets import asset_key
from tasks.links import browsable, browsable_folder
from tasks.log_level import OURS, our_lines_wanted
from tasks.masking import MaskingFormatter, masked, masked_errors
from tasks.reporting import LogReporter, reporter, shown_by
from tasks.steps import Step, speed_in_words, step_of


@pytest.mark.parametrize(
    ("progress", "counts_first", "expected"),
    [
        (Progress(), False, ("read", 0, 5)),
        (Progress(), True, ("count", 0, 5)),
        (Progress(pieces=3, examples=30), False, ("read", 3, 5)),
        (Progress(counted_pieces=3, counted_examples=30), True, ("count", 3, 5)),
        (Progress(counted_pieces=5, examples=3), True, ("read", 0, 5)),
        (Progress(pieces=3, examples=30), True, ("read", 3, 5)),  # an earlier build has counted
        (Progress(pieces=7, examples=90), False, ("read", 5, 5)),  # a piece that was read again counts again
        (Progress(pieces=5, num_shards=3), False, ("merge", 0, 3)),
        (Progress(pieces=5, num_shards=3, shards=2), True, ("merge", 2, 3)),
        (Progress(pieces=5, num_shards=3, shards=4), False, ("merge", 3, 3)),
    ],
)
def test_what_a_pipeline_is_at(progress, counts_first, expected):
    step = step_of(progress, 5, counts_first)
    assert (step.name, step.done, step.total) == expected


def test_a_step_in_words():
    assert Step("read", 3, 5, 2_000_000, 1200).in_words == "Read 3 of 5 pieces: 1,200 examples, 2.0 MB"
    assert Step("merge", 1, 4, 5000).in_words == "Merged 1 of 4 shards: 5.0 kB"
    publish = Step("publish", 1, 4, 9_000, total_bytes=10_000)
    assert publish.in_words == "Published 1 of 4 files: 9.0 kB of 10.0 kB"
    assert publish.share == 0.9, "of the bytes, which take the time"


def test_the_speed_of_a_step():
    first, now = Step("read", 0, 8, 0, 0), Step("read", 2, 8, 40_000, 1000)
    assert speed_in_words(first, now, 10) == "100 examples/s, 4.0 kB/s, about 30 s left"
    assert speed_in_words(first, now, 1) == "1,000 examples/s, 40.0 kB/s", "too early to say"
    assert speed_in_words(first, first, 0) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("https://host/path?a=b&X-Goog-Signature=0af3&c=d", "https://host/path?a=b&X-Goog-Signature=***&c=d"),
        (
            "cannot read https://cdn-lfs.hf.co/repos/a?Expires=17&Policy=eyJT_&Signature=ab~-c&Key-Pair-Id=K24J, twice",
            "cannot read https://cdn-lfs.hf.co/repos/a?Expires=17&Policy=***&Signature=***&Key-Pair-Id=*** twice",
        ),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer ***"),
        ("the key is 12345678", "the key is ***"),
        (
            "https://host:8080/a@b is no secret, and gs://bucket/a:b@c",
            "https://host:8080/a@b is no secret, and gs://bucket/a:b@c",
        ),
        ("short and on are words", "short and on are words"),
    ],
)
def test_secrets_are_masked(line, expected):
    assert masked(line, {"MY_TOKEN": "12345678", "A_SECRET": "on", "NAME": "words"}) == expected


class _AnswerError(Exception):
    """As clients of clouds raise: its text is not that of its args."""

    def __init__(self, message: str) -> None:
        super().__init__(403, None)
        self.message = message

    def __str__(self) -> str:
        return self.message


@pytest.mark.parametrize(
    "error",
    [
        SourceError("cannot read https://host/a?sig=hunter2. Fetch it again"),
        FileNotFoundError(2, "No such file", "https://host/a?sig=hunter2"),
        OSError("https://host/a?sig=hunter2"),
        KeyError("https://host/a?sig=hunter2"),
        _AnswerError("GET https://host/a?sig=hunter2 was refused"),
    ],
)
def test_an_error_that_leaves_a_run_is_the_same_and_says_no_secret(error):
    with pytest.raises(type(error)) as raised, masked_errors():
        raise error
    assert raised.value is error
    assert "https://host/a?sig=***" in str(error) and "hunter2" not in f"{error} {error!r}"


def test_what_another_formatter_gives_is_masked_with_its_traceback():
    try:
        raise OSError("s3://me:secret-word@host is away")
    except OSError as error:
        record = logging.LogRecord("a", logging.ERROR, "a.py", 1, "failed", (), (OSError, error, error.__traceback__))
    text = MaskingFormatter(logging.Formatter("%(name)s %(message)s")).format(record)
    assert text.startswith("a failed\nTraceback") and "s3://me:***@host" in text and "secret-word" not in text


def test_links_open_in_a_browser():
    assert (
        browsable("s3://bucket/a b/card.html")
        == "https://console.aws.amazon.com/s3/object/bucket?prefix=a%20b/card.html"
    )
    assert browsable_folder("gs://bucket/a b") == "https://console.cloud.google.com/storage/browser/bucket/a%20b"
    assert browsable_folder("/data/a b") == "file:///data/a%20b"


def test_keys_of_assets_are_such_as_prefect_takes():
    from prefect.assets import Asset

    for root in ("/data/my sets [old]", "gs://bucket/sets", "s3://bucket/50%", "/" + "deep/" * 200):
        key = asset_key(root, "fedwiki")
        assert Asset(key=key).key == key and key.endswith("/fedwiki")


def test_the_run_that_ends_first_takes_no_lines_from_the_other():
    log = logging.getLogger(OURS)
    before, first, second = log.level, ExitStack(), ExitStack()
    first.enter_context(our_lines_wanted())
    second.enter_context(our_lines_wanted())
    first.close()
    assert log.isEnabledFor(logging.INFO)
    second.close()
    assert log.level == before


def test_a_build_that_ended_shows_nothing_of_the_next_one():
    before, terminal = reporter.get(), LogReporter()
    with shown_by(terminal):
        assert reporter.get() is terminal
    assert reporter.get() is before
