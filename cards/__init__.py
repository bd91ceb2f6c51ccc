"""The dataset card: one self-contained HTML page that is published with each version.

It asks no other host for anything, runs no script, and is the same bytes whenever the version is the same.
"""

from cards.card import render_card
from cards.content import CardContent, SplitSource
from cards.text import format_bytes, format_count

__all__ = ["CardContent", "SplitSource", "format_bytes", "format_count", "render_card"]
