"""What the documentation takes from elsewhere when it is built: the help of the commands, the list of the decisions."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_MARKER = re.compile(r"^<!-- help: groupstream ?([a-z-]*) -->$", re.MULTILINE)
_HELP_COLUMNS = 78  # what fits beside the two lists of contents


def on_config(config: Any) -> Any:
    """Adds the decisions to the navigation, and leaves out pages that another part of the project has yet to bring."""
    docs = Path(config.docs_dir)
    decisions = [f"decisions/{path.name}" for path in sorted((docs / "decisions").glob("*.md"))]
    config.nav = _present(config.nav, docs)
    next(entry["Explanation"] for entry in config.nav if "Explanation" in entry).append({"Decisions": decisions})
    return config


def _present(entries: list[Any], docs: Path) -> list[Any]:
    """A part of the navigation without pages that are not there."""
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            found += [entry] * (docs / entry).exists()
        else:
            found.append(
                {title: _present(part, docs) if isinstance(part, list) else part for title, part in entry.items()}
            )
    return found


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the help of a command in the place of each marker."""
    return _MARKER.sub(lambda found: f"```text\n{help_of(found[1])}\n```", markdown)


def help_of(command: str) -> str:
    """What `groupstream COMMAND --help` prints, without colours."""
    os.environ.update(COLUMNS=str(_HELP_COLUMNS), TERMINAL_WIDTH=str(_HELP_COLUMNS), NO_COLOR="1", TERM="dumb")
    from typer.testing import CliRunner

    from groupstream.cli import PROGRAM, make_app

    result = CliRunner().invoke(make_app(), [*command.split(), "--help"], prog_name=PROGRAM, catch_exceptions=False)
    if result.exit_code:
        raise ValueError(f"groupstream {command} --help ended with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.splitlines()).strip("\n")
