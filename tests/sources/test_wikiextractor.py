"""The output of WikiExtractor."""

from __future__ import annotations

from typing import Any

import pytest

from groupstream import SourceError
from sources import WikiExtractor


def _article(number: int, text: str = "Text.") -> str:
    return f'<doc id="{number}" url="https://x/{number}" title="T {number}">\nT {number}\n\n{text}\n\n</doc>\n'


def _source(name: str) -> WikiExtractor:
    return WikiExtractor(paths=[name])


def test_articles_are_examples(write: Any, read_rows: Any) -> None:
    rows = read_rows(_source(write("wiki_00", _article(1) + "\n" + _article(2))))
    assert rows[1] == {"id": "2", "url": "https://x/2", "title": "T 2", "text": "Text."}
    assert len(rows) == 2


def test_article_without_text_is_kept(write: Any, read_rows: Any) -> None:
    content = '<doc id="1" url="u" title="A">\nA\n\n</doc>\n<doc id="1" url="u" title="A">\n</doc>\n' + _article(2)
    assert [row["text"] for row in read_rows(_source(write("w", content)))] == ["", "", "Text."]


def test_first_line_is_text_unless_it_is_the_title(write: Any, read_rows: Any) -> None:
    content = '<doc id="1" url="u" title="A">\nA b\nA\n</doc>\n<doc id="2" url="u" title="A">\nA\nA\n</doc>\n'
    assert [row["text"] for row in read_rows(_source(write("w", content)))] == ["A b\nA", "A"]


@pytest.mark.parametrize(
    ("attributes", "title"),
    [
        ('url="u" title="A "quoted" title"', 'A "quoted" title'),
        ('url="u" title="A > B"', "A > B"),
        ('revid="7" url="u" title="A"', "A"),
        ('url="u" title="Zürich"', "Zürich"),
    ],
)
def test_title_is_read_as_it_stands(attributes: str, title: str, write: Any, read_rows: Any) -> None:
    assert read_rows(_source(write("w", f'<doc id="1" {attributes}>\nx\n</doc>\n')))[0]["title"] == title


def test_line_ends_and_byte_order_mark_do_not_matter(write: Any, read_rows: Any) -> None:
    plain = read_rows(_source(write("plain", _article(1) + _article(2))))
    windows = read_rows(_source(write("windows", "\ufeff" + (_article(1) + _article(2)).replace("\n", "\r\n"))))
    assert [{k: v.replace("\r\n", "\n") for k, v in row.items()} for row in windows] == plain
    assert read_rows(_source(write("cut", (_article(1) + _article(2)).removesuffix("\n")))) == plain


def test_text_keeps_its_own_carriage_returns_and_tags(write: Any, read_rows: Any) -> None:
    text = "a\rb\u2028c <doc> </doc> d\n<doc id=1>\n </doc>"
    assert read_rows(_source(write("w", _article(1, text))))[0]["text"] == text


@pytest.mark.parametrize("length", [-1, -8, -15])
def test_file_cut_in_mid_article_is_refused(length: int, write: Any, refusal: Any) -> None:
    error = refusal(_source(write("w", (_article(1) + _article(2)).removesuffix("\n")[:length])))
    assert isinstance(error, SourceError)
    assert "w, its end: the article 'T 2' has no </doc>, it is cut short. Extract the file again" in str(error)


def test_article_cut_short_before_another_is_refused(write: Any, refusal: Any) -> None:
    content = _article(1).removesuffix("</doc>\n") + _article(2)
    assert "w, line 6: the article 'T 1' has no </doc>" in str(refusal(_source(write("w", content))))


@pytest.mark.parametrize("line", ["junk", "<doc foo>", '<doc id="1"', "</doc>"])
def test_what_stands_outside_an_article_is_refused(line: str, write: Any, refusal: Any) -> None:
    message = str(refusal(_source(write("w", _article(1) + line + "\n" + _article(2)))))
    assert f"w, line 7: {line!r} stands outside an article" in message


def test_empty_file_holds_no_example(write: Any, read_rows: Any) -> None:
    assert read_rows(_source(write("w", ""))) == []


def test_many_articles_come_in_batches(write: Any) -> None:
    source = _source(write("w", "".join(map(_article, range(1_100)))))
    batches = list(source.read(source.pieces()[0], source.available_features(), frozenset()))
    assert [batch.num_examples for batch in batches] == [512, 512, 76]
