"""The page served live, to this machine only: it may then ask for any channel's exact numbers."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from minidnn.tracing import Trace
from models.explorer.inspectors import one_channel
from models.explorer.schema import to_json

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")


class Server(ThreadingHTTPServer):
    """Serves a page, and the numbers of the trace that it was made from, on the loopback address.

    Args:
        page: the page's HTML.
        trace: with arrays.
        port: where to listen; 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, page: str, trace: Trace, port: int) -> None:
        self.page = page.encode("utf-8")
        self.trace = trace
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer `/` with the page, `/inspect?operation=I&channel=C` with numbers."""
        if not self._is_for_us():
            self._send(403, "text/plain", b"this page is served to this machine only\n")
            return
        address = urlsplit(self.path)
        if address.path == "/":
            self._send(200, "text/html; charset=utf-8", self.server.page)
        elif address.path == "/inspect":
            self._inspect(parse_qs(address.query))
        else:
            self._send(404, "text/plain", b"there is only / and /inspect\n")

    def _is_for_us(self) -> bool:
        """Whether the request names this machine: a page from elsewhere whose name was led here does not."""
        port = self.server.server_address[1]
        return self.headers.get("Host") in [f"{name}:{port}" for name in NAMES]

    def _inspect(self, query: dict[str, list[str]]) -> None:
        try:
            operation, channel = (int(query[name][0]) for name in ("operation", "channel"))
            operations = self.server.trace.operations
            if not 0 <= operation < len(operations):
                raise ValueError(f"operation must be from 0 to {len(operations) - 1}, got {operation}")
            text = to_json(one_channel(operations[operation], channel))
        except KeyError as error:
            self._send(400, "text/plain", f"{error.args[0]} is missing\n".encode())
        except ValueError as error:
            self._send(400, "text/plain", f"{error}\n".encode())
        else:
            self._send(200, "application/json", text.encode("utf-8"))

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Requests are not logged."""
