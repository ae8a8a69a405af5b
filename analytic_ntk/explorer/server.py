"""The local server: the page, on this machine alone."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytic_ntk.errors import DomainError
from analytic_ntk.explorer.page import Explorer
from analytic_ntk.explorer.panel import Subject
from analytic_ntk.explorer.workers import Workers

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
"""Names under which the page may be asked for. Another name that leads here is an attack (DNS rebinding)."""
HEADERS = {
    # Vue compiles its templates in the browser, hence 'unsafe-eval'; nothing is loaded from elsewhere.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class SameOrigin:
    """Refuses what another page's scripts ask (web sockets know no such rule), and sets the headers above."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and origin != f"http://{headers.get(b'host', '')}":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("another origin", status_code=403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self.app(scope, receive, with_headers)


def application(subjects: Sequence[Subject], workers: Workers) -> FastAPI:
    """The page as an ASGI application; one for each process."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def root() -> None:
        Explorer(subjects, workers).build()

    ui.run_with(
        app,
        root=root,
        title="analytic_ntk explorer",
        favicon=FAVICON,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )
    app.add_middleware(SameOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(NAMES), www_redirect=False)
    return app


FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#0b62c4"/><path d="M5 24C14 24 16 21 19 15S25 7 27 7" fill="none" stroke="#fff" '
    'stroke-width="3.4" stroke-linecap="round"/></svg>'
)


def listen(port: int) -> socket.socket:
    """A socket on the loopback interface; port 0: any that is free. Raises :class:`DomainError` if taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except (OSError, OverflowError) as error:
        found.close()
        raise DomainError(f"port {port}: {error}", "a free port", "leave it out: one is found") from None
    return found


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until interrupted or terminated; raises :class:`KeyboardInterrupt` then."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config: dict[str, Any] = {"log_level": "warning", "ws_max_size": 1 << 20, "timeout_graceful_shutdown": 1}
    uvicorn.Server(uvicorn.Config(app, **config)).run(sockets=[listener])
