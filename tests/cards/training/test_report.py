"""The page as a whole, and what lies beside it."""

from __future__ import annotations

import csv
import doctest
import importlib
import itertools
import pkgutil
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

import cards.training
from cards.training import EVALUATION_SCHEMA, ROUNDS_SCHEMA, percentile_table, render_training_report, write_results
from cards.training.curves import curves_of
from cards.training.inks import DARK, LIGHT, strokes_of
from cards.training.scatter import MAX_DOTS, cell_shades
from cards.training.tables import floats
from groupstream.errors import UsageError

HOSTILE = "\"><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>$\\frac$'\u202e</style></title>"
VOID = {"meta", "link", "img", "br", "hr", "input"}
BOTH = {"FedAvg": (3.02, 2.41), "FedSGD": (2.91, 2.60)}


class Page(HTMLParser):
    """Collects the tags, their attributes and the text, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def pictures_of(page: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", page, re.DOTALL)


@pytest.fixture(scope="module")
def keep() -> dict[str, str]:
    return {}


@pytest.fixture
def page(make_facts, make_rounds, make_evaluation, keep) -> str:
    """A report of two algorithms and three seeds; drawn once."""
    if "page" not in keep:
        rounds = make_rounds({"FedAvg": 3.0, "FedSGD": 2.9}, 400, (0, 1, 2))
        keep["page"] = render_training_report(make_facts(), rounds, make_evaluation(BOTH, 60, (0, 1, 2)))
    return keep["page"]


def test_public_surface_is_what_the_list_says() -> None:
    assert sorted(cards.training.__all__) == cards.training.__all__
    assert all(hasattr(cards.training, name) for name in cards.training.__all__)


def test_examples_in_docstrings_run() -> None:
    for module in pkgutil.iter_modules(cards.training.__path__):
        assert doctest.testmod(importlib.import_module(f"cards.training.{module.name}")).failed == 0, module.name


def test_importing_it_loads_neither_jax_nor_matplotlib() -> None:
    code = "import cards.training, sys; sys.exit(bool({'jax', 'matplotlib', 'training'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_page_says_what_there_is(page: str) -> None:
    text = Page(page).text
    assert "FedSGD is ahead" in text and "the reversal of the paper" in text
    for words in ("text@1.0.0", "108M", "1 accelerator of 80 GB", "41.2 %", "61.2 GB", "11 h 10 min", "81,204",
                  "clients without targets", "server_learning_rate: 0.001", "3,145,728,000"):  # fmt: skip
        assert words in text


def test_page_asks_for_no_other_file_and_runs_no_script(page: str) -> None:
    parsed = Page(page)
    assert "script" not in parsed.tags
    for _, name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            assert value.startswith(("#", "data:")), value
    assert not re.search(r"https?://|url\((?!#)|@import", page)


def test_each_picture_has_words_and_a_table(page: str) -> None:
    parsed, pictures = Page(page), pictures_of(page)
    assert len(pictures) == 2 + 2 + 6 + 2 + 2  # histograms, scatters, losses, rates, time
    labels = [value for tag, name, value in parsed.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == len(set(labels)) == len(pictures) and all(len(label) > 20 for label in labels)
    assert page.count("<summary>As a table") == len(pictures)
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_no_stand_in_color_is_left(page: str) -> None:
    assert not re.search(r"#0[1-5]0[1-5]0[1-5]|#0a010", page)
    assert "var(--series-0)" in page and "var(--series-1)" in page


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("paper", "fine-tuned and tested on the same examples"),
        ("held_out", "fine-tuned and tested on different examples"),
    ],
)
def test_protocol_stands_on_each_picture_of_the_evaluation(
    protocol: str, words: str, make_facts, make_evaluation
) -> None:
    page = render_training_report(make_facts(protocol=protocol), ROUNDS_SCHEMA.empty_table(), make_evaluation(BOTH, 40))
    pictures = pictures_of(page)
    assert len(pictures) == 4
    for picture in pictures:
        assert words in re.search(r"<svg[^>]*>", picture)[0] and words in re.sub(r"<svg[^>]*>", "", picture)


def test_same_values_give_the_same_bytes(page: str, make_facts, make_rounds, make_evaluation) -> None:
    rounds = make_rounds({"FedSGD": 2.9, "FedAvg": 3.0}, 400, (2, 0, 1))
    evaluation = make_evaluation(dict(reversed(BOTH.items())), 60, (1, 0, 2))
    assert render_training_report(make_facts(), rounds, evaluation) == page


def test_hostile_texts_are_texts(make_facts, make_rounds, make_evaluation) -> None:
    evaluation = make_evaluation({HOSTILE: (3.0, 2.4), "b": (2.9, 2.6)}, 30)
    hostile = {b"www.site-1.example": HOSTILE.encode() + b"\xff", b"www.site-2.example": b""}
    ids = pa.array([hostile.get(i, i) for i in evaluation["group_id"].to_pylist()], pa.binary())
    evaluation = evaluation.set_column(2, "group_id", ids)
    facts = make_facts(
        dataset=HOSTILE, model=HOSTILE, device=HOSTILE, num_targets_seen={HOSTILE: 1}, counts={HOSTILE: 2},
        settings=HOSTILE, groupstream_version=HOSTILE, notes=[HOSTILE],
    )  # fmt: skip
    page = render_training_report(facts, make_rounds({HOSTILE: 3.0, "b": 2.8}, 30), evaluation)
    parsed = Page(page)
    assert "script" not in parsed.tags and "img" not in parsed.tags
    assert not any(name.startswith("on") for _, name, _ in parsed.attributes)
    assert "\u202e" not in page and page.count("</style>") == 1 and page.count("</title>") == 1
    assert "alert(1)" in parsed.text and "\\u202e" in parsed.text


def test_losses_that_are_not_finite_are_shown_and_counted(make_facts, make_rounds, make_evaluation) -> None:
    rounds, evaluation = make_rounds({"FedAvg": 3.0}, 40).to_pydict(), make_evaluation(BOTH, 50).to_pydict()
    rounds["loss_before"][30:] = [float("nan")] * 5 + [float("inf")] * 5
    chosen = [
        i for i, rate in enumerate(evaluation["learning_rate"]) if rate == 0.1 and not evaluation["is_selection"][i]
    ]
    for index in chosen[:3]:
        evaluation["loss_after"][index] = float("nan")
    page = render_training_report(
        make_facts(), pa.table(rounds, schema=ROUNDS_SCHEMA), pa.table(evaluation, schema=EVALUATION_SCHEMA)
    )
    text = Page(page).text
    assert "FedAvg, seed 0: the loss before is not a finite number in 10 rounds, first in round 30." in text
    assert "FedAvg has no finite loss after personalization in 3 of 40 groups" in text
    assert "Loss after is not a finite number in 3 (7.5 %)." in text
    assert "NaN before, after or both, and not drawn: 3 groups." in text
    assert "no finite loss: the first" in text and "×: the next value is not a finite number." in text


@pytest.mark.parametrize("kind", ["nothing", "no evaluation", "no rounds", "only selection", "one group", "all NaN"])
def test_what_is_missing_is_said(kind: str, make_facts, make_rounds, make_evaluation) -> None:
    rounds, evaluation = make_rounds({"FedAvg": 3.0}, 1), make_evaluation({"FedAvg": (3.0, 2.0)}, 2, rates=(0.1,))
    if kind in ("nothing", "no rounds"):
        rounds = ROUNDS_SCHEMA.empty_table()
    if kind in ("nothing", "no evaluation"):
        evaluation = EVALUATION_SCHEMA.empty_table()
    if kind == "only selection":
        evaluation = evaluation.slice(0, 1)
    if kind == "all NaN":
        for index, name in enumerate(EVALUATION_SCHEMA.names):
            if name.startswith(("loss", "accuracy")):
                evaluation = evaluation.set_column(index, name, pa.nulls(len(evaluation), pa.float64()))
    facts = make_facts(counts={}, num_targets_seen={}, peak_memory_bytes=None, model_flop_utilization=None, settings="")
    text = Page(render_training_report(facts, rounds, evaluation)).text
    assert ("No group was evaluated" in text) is (kind in ("nothing", "no evaluation", "only selection"))
    assert ("There was no round." in text) is (kind in ("nothing", "no rounds"))
    assert "Nothing was counted." in text and "utilization" not in text


def test_page_stays_small_however_many_groups_and_rounds(make_facts, make_rounds, make_evaluation) -> None:
    rounds = make_rounds({"FedAvg": 3.0, "FedSGD": 2.9}, 5000)
    page = render_training_report(make_facts(), rounds, make_evaluation(BOTH, 50_000, rates=(0.1,)))
    assert len(page) < 1_000_000
    assert "as shades" in page and page.count("<image") == 2


def test_shades_hold_every_group() -> None:
    before = np.array([0.0, 0.5, 0.5, 1.0])
    shades = cell_shades(before, np.array([0.0, 0.25, 0.25, 1.0]), (0.0, 1.0))
    assert np.count_nonzero(shades) == 3 and shades.max() <= 1
    assert shades[20, 40] > shades[0, 0] > 0 and shades[40, 20] == 0
    assert MAX_DOTS >= 1000


def test_curves_are_means_of_rounds_and_nan_is_not_dropped(make_rounds) -> None:
    rounds = make_rounds({"a": 3.0}, 1000, (4, 7))
    values = floats(rounds, "loss_before")
    values[3] = np.nan
    (curve,) = curves_of(rounds, values)
    size = curve.rounds_per_point
    assert size == 4 and curve.up.shape == (2, 250) and np.isnan(curve.up[0, 0]) and not curve.stops
    np.testing.assert_allclose(curve.up[1], values[1000:].reshape(250, size).mean(axis=1))
    np.testing.assert_allclose(curve.across[0], np.arange(1000).reshape(250, size).mean(axis=1))
    np.testing.assert_allclose(curve.mean[1][1:], curve.up.mean(axis=0)[1:])
    assert np.isnan(curve.mean[1][0])


def test_targets_are_those_seen_before_the_round(make_rounds) -> None:
    rounds = make_rounds({"a": 3.0}, 20)
    (curve,) = curves_of(rounds, floats(rounds, "loss_before"), over_targets=True)
    seen = np.cumsum(floats(rounds, "num_targets"))
    np.testing.assert_allclose(curve.across[0], np.concatenate([[0], seen[:-1]]))


def test_algorithms_keep_their_colors_and_differ_in_color_or_dashes() -> None:
    names = ["FedAvg", "FedSGD", *map(str, range(14))]
    strokes = strokes_of(names)
    assert [strokes[name].slot for name in names[:2]] == [0, 1]
    assert len({(stroke.slot, stroke.dashes) for stroke in strokes.values()}) == len(names)


# Machado et al. 2009, table 1, severity 1: protanopia, deuteranopia, tritanopia; they take linear RGB.
_EYES = [
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
]
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> np.ndarray:
    parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def cielab(rgb: np.ndarray) -> np.ndarray:
    xyz = _XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("colors", "paper"), [(LIGHT, "#ffffff"), (DARK, "#15181b")])
def test_colors_are_told_apart_by_the_color_blind(colors: tuple[str, ...], paper: str) -> None:
    for eye in _EYES:
        seen = [cielab(eye @ linear(color)) for color in colors]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 20
    for color in colors:
        low, high = sorted(float(_XYZ[1] @ linear(c)) for c in (color, paper))
        assert (high + 0.05) / (low + 0.05) >= 3


def test_results_are_a_page_and_a_table(tmp_path, make_facts, make_evaluation) -> None:
    evaluation = make_evaluation(BOTH, 30)
    for _ in range(2):  # the second time in place of the first
        report, table = write_results(
            tmp_path / "new" / "folder", make_facts(), ROUNDS_SCHEMA.empty_table(), evaluation
        )
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    expected = percentile_table(evaluation).to_pylist()
    assert len(rows) == len(expected) == 8
    for row, right in zip(rows, expected, strict=True):
        assert float(row["p50"]) == right["p50"] and row["algorithm"] == right["algorithm"]


def test_nothing_is_written_where_tables_are_wrong(tmp_path, make_facts) -> None:
    with pytest.raises(UsageError, match="rounds has no column 'algorithm'"):
        write_results(tmp_path / "x", make_facts(), pa.table({}), EVALUATION_SCHEMA.empty_table())
    assert not (tmp_path / "x").exists()
