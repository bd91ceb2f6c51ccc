"""Who does something, for people who read it later."""

from __future__ import annotations

import getpass
import os
import socket

ACTOR_VARIABLE = "GROUPSTREAM_USER"


def current_actor() -> str:
    """$GROUPSTREAM_USER, or `user@host` as this machine calls them."""
    if named := os.environ.get(ACTOR_VARIABLE):
        return named
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no such user on this machine, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
