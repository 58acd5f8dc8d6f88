"""Serving a folder on this machine alone, for ``bench leaderboard --serve``."""

from __future__ import annotations

import contextlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from bench.errors import EnvironmentFault


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Have the browser ask again after the board was made anew."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of ``folder`` on 127.0.0.1, not yet serving.

    Raises:
        EnvironmentFault: the port is taken or may not be used.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise EnvironmentFault(
            f"port {port} of this machine can't be used ({error.strerror}); give another with "
            "--port, or --port 0 for any free one."
        ) from None


def serve_folder(folder: Path, port: int) -> None:
    """Serve ``folder`` until Ctrl-C; say where on stdout."""
    with open_server(folder, port) as server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"http://127.0.0.1:{server.server_address[1]}/")
        click.echo("bench: showing the board there; stop with Ctrl-C.", err=True)
        server.serve_forever()
