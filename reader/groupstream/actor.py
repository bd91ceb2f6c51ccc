"""Who does something, for people who read it later."""

from __future__ import annotations

import getpass
import os
import socket

ACTOR_VARIABLE = "GROUPSTREAM_USER"

_MAX_CHARACTERS = 200


def current_actor() -> str:
    """$GROUPSTREAM_USER, or `user@host` as this machine calls them; at most 200 characters."""
    named = os.environ.get(ACTOR_VARIABLE, "").strip()
    return (named or f"{_user()}@{socket.gethostname()}")[:_MAX_CHARACTERS]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user on this machine, as in some containers
        return str(os.getuid())
