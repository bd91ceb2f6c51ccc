"""What the card says about the labels of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cards.label_plots import draw_labels
from cards.labels import LabelBatches, choose_groups, label_matrix
from cards.text import format_number_of
from groupstream.label_skew import Ints, label_skew_of

WIDTHS = {"wide": 9.4, "narrow": 4.4}  # in inches: a picture on a desk and on a phone


@dataclass(frozen=True)
class LabelPart:
    """The labels of a split. `figures` are shares at 10, 50 and 90 % of the groups, by what they are of."""

    summary: str
    pictures: Mapping[str, Markup]
    figures: Mapping[str, Sequence[str]]


def label_part(key: str, batches: LabelBatches | None, sizes: Ints, names: Sequence[str] | None) -> LabelPart | None:
    """What the card says about the labels of a split; None where it has none.

    Args:
        key: begins the names of its pictures.
        batches: of its label table.
        sizes: int64[num_groups], examples of each group.
        names: of the classes, where labels are class indices.
    """
    if batches is None or not any(map(len, batches())):
        return None
    matrix = label_matrix(batches, choose_groups(sizes)).ordered()
    shown = [label_name(label, names) for label in matrix.labels]
    skew = label_skew_of(batches)
    return LabelPart(
        summary=f"{format_number_of(skew.num_labels, 'label')}, {skew.labels_a_group:,.1f} per group",
        pictures={
            width: draw_labels(matrix, len(sizes), shown, inches, f"{key}-labels-{width}")
            for width, inches in WIDTHS.items()
        },
        figures=skew_figures(skew.top_share, skew.distance),
    )


def label_name(label: bytes, names: Sequence[str] | None) -> str:
    """A label for people: the name of its class, where it is the index of one.

    >>> label_name(b"1", ("cat", "dog")), label_name(b"7", ("cat", "dog")), label_name(b"sport", None)
    ('dog', '7', 'sport')
    """
    if names and label.isdigit() and len(label) < 10 and int(label) < len(names):
        return names[int(label)]
    return label.decode(errors="backslashreplace")


def skew_figures(top_share: Sequence[float], distance: Sequence[float]) -> dict[str, list[str]]:
    """Percentiles of label skew as text, by what they are of. See `LabelSkew`."""
    return {
        "share of its most common label": [f"{100 * share:.1f} %" for share in top_share],
        "distance from the labels of all": [f"{value:.2f}" for value in distance],
    }
