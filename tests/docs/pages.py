"""The pages, their blocks of code, and the commands in those of the shell."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "reader" / "README.md"])

_FENCE = re.compile(r"( *)(`{3,})([^`]*)")
_COMMENT = re.compile(r"(^|\s)#(\s.*)?$", re.MULTILINE)
_HEREDOC = re.compile(r"<<-?'?(\w+)'?(.*?)\n.*?^\1$", re.MULTILINE | re.DOTALL)
_KEYWORDS = {"while", "until", "if", "then", "else", "do", "!", "time"}  # a command follows


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: its path from the repository.
        line: of the page, that its fence is in.
        language: what the fence says.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def first_line(self) -> str:
        """What it is known by, beside its page: lines above it come and go."""
        return self.text.partition("\n")[0].strip()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_in(markdown: str, page: str) -> Iterator[Block]:
    """Those of a page, in their order.

    Raises:
        ValueError: a block has no end.
    """
    lines = enumerate(markdown.splitlines(), 1)
    for number, line in lines:
        if not (fence := _FENCE.fullmatch(line)):
            continue
        taken = []
        for _, inner in lines:
            if inner.strip() == fence[2]:
                break
            taken.append(inner + "\n")
        else:
            raise ValueError(f"{page}:{number}: the block has no end")
        yield Block(page, number, fence[3].strip(), textwrap.dedent("".join(taken)))


def all_blocks(*languages: str) -> list[Block]:
    """Of all pages; of some languages, if there are any."""
    found = []
    for path in PAGES:
        found += blocks_in(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    return [block for block in found if not languages or block.language in languages]


def commands_in(text: str) -> list[list[str]]:
    """The simple commands of a script, as words: what `$(...)` holds too, without variables set before, and without
    what is written into files.

    >>> commands_in("A=1 echo 'a b' | wc -l > out  # counts\\nfor x in 1 2; do ls $x; done")
    [['echo', 'a b'], ['wc', '-l'], ['ls', '$x']]
    """
    script = _HEREDOC.sub(r"\2", text).replace("\\\n", " ")
    lexer = shlex.shlex(_COMMENT.sub(r"\1", script), posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    commands: list[list[str]] = [[]]
    is_file = False
    for word in lexer:
        if set(word) <= set(";&|()\n"):
            commands.append([])
        elif set(word) <= set("<>&"):
            is_file = True
        elif is_file:
            is_file = False
        else:
            commands[-1].append(word)
            for inner in re.findall(r"\$\(([^()]*)\)", word):
                commands[-1:-1] = commands_in(inner)
    return [words for words in map(_without_prefix, commands) if words]


def _without_prefix(words: list[str]) -> list[str]:
    """Without keywords and variables before the program."""
    while words and (words[0] in _KEYWORDS or re.match(r"[A-Za-z_]\w*=", words[0])):
        words = words[1:]
    return [] if words and words[0] in ("for", "done", "fi", "$") else words
