"""MLflow's server as `nasray ui` runs it: for pages of its own alone and, where it is asked to, behind a login."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

NEEDS_LOGIN = "NASRAY_UI_LOGIN"
_Messages = Callable[..., Awaitable[Any]]
_App = Callable[[MutableMapping[str, Any], _Messages, _Messages], Awaitable[None]]
_REFUSED = 403


class OwnOrigin:
    """Lets a browser's request through only from a page of this server, or where a user opens one.

    MLflow itself lets in the pages of every other server on this machine, whosever that is, and looks at no origin
    where `/graphql` is asked. What is no browser says nothing of pages, and is let through.

    Args:
        app: An ASGI application.
    """

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Messages, send: _Messages) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan" or _is_own(
            {name: value.decode("latin-1") for name, value in scope["headers"]}
        ):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await send(
                {
                    "type": "http.response.start",
                    "status": _REFUSED,
                    "headers": [(b"content-type", b"text/plain")],
                }
            )
            await send({"type": "http.response.body", "body": b"Only pages of this server may ask it."})


def _is_own(headers: dict[bytes, str]) -> bool:
    """Whether a request's headers tell of no page but the server's own."""
    origin, host = headers.get(b"origin"), headers.get(b"host")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return False
    opens_page = headers.get(b"sec-fetch-mode") == "navigate" and origin is None
    return opens_page or headers.get(b"sec-fetch-site", "none") in ("none", "same-origin")


def create_app() -> OwnOrigin:
    """The application, as uvicorn wants it."""
    if os.environ.get(NEEDS_LOGIN):
        from mlflow.server.auth import create_app as create_with_login  # noqa: PLC0415

        return OwnOrigin(create_with_login())
    from mlflow.server.fastapi_app import app  # noqa: PLC0415

    return OwnOrigin(app)
