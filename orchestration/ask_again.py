"""Asks an app again that was busy: of its callers, Prefect's client does that, and its page does not.

The page would show "Unknown error while creating flow run".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

BUSY = 503  # the transaction was rolled back: nothing was done
WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds before each time that it is asked again


class AskAgain:
    """ASGI middleware: gives a request to the app again as long as that answers that it is busy."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes on the last answer, and only that."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = [await receive()]
        while request[-1].get("more_body"):
            request.append(await receive())
        for wait in WAITS:
            if not await self._is_busy(scope, request, receive, send):
                return None
            await asyncio.sleep(wait)
        return await self._app(dict(scope), _again(request, receive), send)

    async def _is_busy(
        self, scope: MutableMapping[str, Any], request: list[Message], receive: Receive, send: Send
    ) -> bool:
        """Whether it answered that; if not, its answer has been sent."""
        busy = False

        async def send_unless_busy(message: Message) -> None:
            nonlocal busy
            busy = busy or message.get("status") == BUSY
            if not busy:
                await send(message)

        try:
            await self._app(dict(scope), _again(request, receive), send_unless_busy)
        except Exception:
            if not busy:  # else it is what the answer was made of
                raise
        return busy


def _again(request: list[Message], receive: Receive) -> Receive:
    """Receives a request that was received before, then what follows it."""
    messages = iter(request)

    async def receive_again() -> Message:
        message = next(messages, None)
        return await receive() if message is None else message

    return receive_again
