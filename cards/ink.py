"""The colours of pictures, and pictures as files.

In a page, a picture takes its colours and its font from the page: matplotlib draws with stand-in colours, which are
then replaced by the variables of the page's style. So one picture is right in light, in dark and in print. Shades of a
heat map are a mask over the page's accent, for the same reason.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


class Inks(NamedTuple):
    """The colours of a picture, as matplotlib takes them."""

    ink: str
    quiet: str
    line: str
    accent: str
    paper: str


STAND_INS = Inks("#010101", "#020202", "#030303", "#040404", "#050505")
LIGHT = Inks("#1b1f24", "#5a636d", "#e2e6ea", "#2b6c8a", "#ffffff")
DARK = Inks("#e5e8eb", "#9ba5af", "#30363c", "#6cb0cf", "#15181b")

PNG_DOTS_PER_INCH = 130
_VARIABLES = {stand_in: f"var(--{name})" for name, stand_in in STAND_INS._asdict().items()}
_ONE_AT_A_TIME = threading.Lock()  # matplotlib's settings belong to the whole process
_IMAGE = re.compile(r'<image [^>]*id="(image[0-9a-f]+)"[^>]*/>')


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """In the block, matplotlib draws the same bytes whatever was drawn before.

    Args:
        name: of the picture.
    """
    from matplotlib import style

    with _ONE_AT_A_TIME, style.context(["default", {"svg.hashsalt": name, "svg.fonttype": "none"}]):
        yield


def shades(inks: Inks) -> Colormap:
    """From the paper, at 0, to the accent, at 1. As stand-in, from black to white: a mask, see `inline_svg`."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = ["#000000", "#ffffff"] if inks == STAND_INS else [inks.paper, inks.accent]
    return LinearSegmentedColormap.from_list("shades", ends)


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """A figure that was drawn with stand-in colours, as an element of a page with the variables of `Inks`.

    Args:
        name: of the picture, unlike any other on the page.
        description: what is seen, for people who cannot see it.
    """
    buffer = io.StringIO()
    no_metadata: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("xlink:href", "href")
    box = re.search(r'viewBox="[^"]+"', svg)
    opening = f'<svg {box[0] if box else ""} role="img" aria-label="{escape(description)}">'
    svg = re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]+;", "", svg)
    svg = _IMAGE.sub(_masked, svg)
    svg = re.sub(r'( id="| href="#|url\(#)', rf"\g<1>{name}-", svg)
    return Markup(re.sub("|".join(_VARIABLES), lambda match: _VARIABLES[match[0]], svg))


def _masked(image: re.Match[str]) -> str:
    """The accent of the page, seen through the shades of an image."""
    mask = f'<mask id="mask-{image[1]}">{image[0]}</mask>'
    return f'{mask}<rect width="100%" height="100%" style="fill: var(--accent)" mask="url(#mask-{image[1]})"/>'


def svg_file(svg: str) -> str:
    """An inline picture as a file of its own, light or dark as whoever shows it wants; its background goes with it."""
    style = f"svg{{{_variables(LIGHT)}font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;}}"
    style += f"@media(prefers-color-scheme:dark){{svg{{{_variables(DARK)}}}}}"
    paper = '<rect width="100%" height="100%" rx="6" style="fill: var(--paper)"/>'
    opening, rest = svg.split(">", 1)
    return f'{opening} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{paper}{rest.strip()}\n'


def _variables(inks: Inks) -> str:
    return "".join(f"--{name}:{color};" for name, color in inks._asdict().items())


def pixels_of(figure: Figure) -> npt.NDArray[np.uint8]:
    """A figure that was drawn with colours of its own, as uint8[height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(PNG_DOTS_PER_INCH)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
