"""Pictures of a partition that is not published yet: how large its groups are, and which labels they have."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from cards.ink import DARK, LIGHT, PNG_DOTS_PER_INCH, drawing, pixels_of
from cards.label_part import WIDTHS, label_name
from cards.label_plots import draw_labels, label_figure
from cards.labels import LabelMatrix, choose_groups, label_matrix
from cards.plots import draw_group_sizes, size_histogram
from cards.split_part import percentiles
from cards.text import finalize, format_number_of, visible_line
from groupstream.label_skew import Ints

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DrawnSplit:
    """What is drawn of a split.

    Attributes:
        sizes: int64[num_groups], examples of each group.
        labels: its label table, as `group_table.LABEL_SCHEMA`; None or empty where there is none.
        label_names: of the classes, where labels are class indices.
    """

    sizes: Ints
    labels: pa.Table | None = None
    label_names: Sequence[str] | None = None

    def matrix(self) -> LabelMatrix | None:
        """Labels by about a hundred groups, in the order to show."""
        if self.labels is None or not len(self.labels):
            return None
        return label_matrix(self.labels.to_batches, choose_groups(self.sizes)).ordered()

    def names(self, matrix: LabelMatrix) -> list[str]:
        """The names of the rows of a matrix."""
        return [label_name(label, self.label_names) for label in matrix.labels]


def labels_svg(split: DrawnSplit, width_inches: float, picture_name: str) -> Markup | None:
    """Labels by groups, as an element of a page."""
    if (matrix := split.matrix()) is None:
        return None
    return draw_labels(matrix, len(split.sizes), split.names(matrix), width_inches, picture_name)


def partition_page(title: str, note: str, splits: Mapping[str, DrawnSplit]) -> str:
    """A page with the pictures of each split that has groups; it asks no other host for anything.

    Args:
        title: whose partition it is.
        note: what the pictures are of, such as which sample.
        splits: by name.
    """
    shown = [
        {
            "name": visible_line(name),
            "summary": f"{format_number_of(len(split.sizes), 'group')}, "
            f"{format_number_of(int(split.sizes.sum()), 'example')}",
            "pictures": _inline_pictures(f"split{index}", split),
        }
        for index, (name, split) in enumerate(splits.items())
        if len(split.sizes)
    ]
    return _template().render(title=title, note=note, splits=shown, light=LIGHT._asdict(), dark=DARK._asdict())


def partition_png(title: str, note: str, splits: Mapping[str, DrawnSplit]) -> bytes:
    """The same as one PNG, on white."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    with drawing("png"):
        imsave(buffer, np.vstack([pixels_of(figure) for figure in _figures(title, note, splits)]), format="png")
    return buffer.getvalue()


def _inline_pictures(key: str, split: DrawnSplit) -> list[tuple[str, Markup]]:
    found = []
    for width, inches in WIDTHS.items():
        found.append((width, draw_group_sizes(split.sizes, percentiles(split.sizes), inches, f"{key}-{width}")))
        if labels := labels_svg(split, inches, f"{key}-labels-{width}"):
            found.append((width, labels))
    return found


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(resources.files("cards").joinpath("partition.html").read_text(encoding="utf-8"))


def _figures(title: str, note: str, splits: Mapping[str, DrawnSplit]) -> Iterator[Figure]:
    """Figures of one width, to stand one below the other."""
    yield _heading(title, note)
    for name, split in splits.items():
        if not len(split.sizes):
            continue
        yield _heading(visible_line(name), format_number_of(len(split.sizes), "group"))
        yield size_histogram(split.sizes, percentiles(split.sizes), WIDTHS["wide"], LIGHT)
        if (matrix := split.matrix()) is not None:
            yield label_figure(matrix, len(split.sizes), split.names(matrix), WIDTHS["wide"], LIGHT)


def _heading(text: str, note: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTHS["wide"], 0.5), dpi=PNG_DOTS_PER_INCH, facecolor=LIGHT.paper)
    left, middle = 0.3 / WIDTHS["wide"], 0.35
    drawn = figure.text(left, middle, text, color=LIGHT.ink, fontsize=12, fontweight="bold", parse_math=False)
    figure.draw_without_rendering()
    end = drawn.get_window_extent().x1 / (WIDTHS["wide"] * PNG_DOTS_PER_INCH)
    figure.text(end + 0.015, middle, note, color=LIGHT.quiet, fontsize=10, parse_math=False)
    return figure
