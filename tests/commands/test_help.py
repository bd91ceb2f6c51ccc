"""The help of the commands for versions that are published: quick, and with an example at its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from groupstream.cli import PLATFORM_COMMANDS

COMMANDS = ("publish", "tag", "untag", "deprecate", "history", "lineage", "up", "deploy", "train", "study")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_quick_and_ends_in_an_example(name):
    script = (
        f"import sys; from groupstream.cli import main; sys.argv = ['groupstream', {name!r}, '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'pyarrow', 'sqlalchemy', 'alembic', 'prefect', 'apache_beam', 'jinja2', 'jax'}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *text, modules = done.stdout.strip().splitlines()
    assert modules == "[]"
    _, _, last = "\n".join(text).rpartition(" Example: ")
    assert last.startswith(f"groupstream {name} ") and "─" not in last, "below the boxes of arguments and options"


@pytest.mark.parametrize("name", COMMANDS)
def test_where_the_platform_is_not_installed_it_says_what_to_install(name):
    assert name in PLATFORM_COMMANDS
