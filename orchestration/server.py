"""Prefect's server as `groupstream up` runs it, on SQLite; see `sqlite_transactions`, `ask_again`, `schema_checks`.

On PostgreSQL only the checks of schemas would help, so other servers are started as Prefect says.
"""

from __future__ import annotations

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from orchestration.ask_again import AskAgain
from orchestration.schema_checks import check_each_schema_once
from orchestration.sqlite_transactions import (
    close_what_failed,
    open_connections_as_needed,
    wait_for_the_turn_to_write,
)


def main() -> None:
    """Serves API, page and services where the settings of Prefect say, until a signal ends it."""
    wait_for_the_turn_to_write()
    close_what_failed()
    open_connections_as_needed()
    check_each_schema_once()
    settings = get_current_settings().server
    app = create_app(final=True)
    app.add_middleware(AskAgain)
    uvicorn.run(
        app,
        host=settings.api.host,
        port=settings.api.port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        log_level=settings.logging_level.lower(),
    )


if __name__ == "__main__":
    main()
