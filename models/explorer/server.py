"""The page served live, to this machine only: it may then ask for any channel's exact numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from minidnn.tracing import OperationRecord, Trace
from models.explorer.fields import Field, can_be_asked, effective
from models.explorer.inspectors import one_channel
from models.explorer.schema import to_json
from models.explorer.subject import Subject

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")


class Server(ThreadingHTTPServer):
    """Serves a page, and the numbers of the trace that it was made from, on the loopback address.

    Args:
        page: the page's HTML.
        subject: the network, which is run again for effective receptive fields.
        trace: of it, with arrays.
        port: where to listen; 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, page: str, subject: Subject, trace: Trace, port: int) -> None:
        self.page = page.encode("utf-8")
        self.subject, self.trace = subject, trace
        self._running = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    def operation(self, index: int) -> OperationRecord:
        """Return an operation of the trace (ValueError if there is none)."""
        operations = self.trace.operations
        if not 0 <= index < len(operations):
            raise ValueError(f"operation must be from 0 to {len(operations) - 1}, got {index}")
        return operations[index]

    def field(self, record: OperationRecord, row: int, column: int) -> Field:
        """Return the effective receptive field of a unit; one run of the network at a time."""
        if len(record.outputs[0].shape) != 4:
            raise ValueError(f"operation must make maps, got {record.function}")
        if not can_be_asked(self.subject, self.trace, record.index):
            raise ValueError(
                f"operation must make its module's last output, got {record.function} in {record.module!r}"
            )
        with self._running:
            return effective(self.subject, record, (row, column))

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"


# By path: what answers, and which numbers it takes besides the operation's.
_ANSWERS: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "/inspect": (lambda server, record, channel: one_channel(record, channel), ("channel",)),
    "/field": (Server.field, ("row", "column")),
}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer `/` with the page, the paths of `_ANSWERS` with numbers."""
        if not self._is_for_us():
            self._send(403, "text/plain", b"this page is served to this machine only\n")
            return
        try:
            address = urlsplit(self.path)
        except ValueError as error:
            self._send(400, "text/plain", f"{error}\n".encode())
            return
        if address.path == "/":
            self._send(200, "text/html; charset=utf-8", self.server.page)
        elif address.path in _ANSWERS:
            self._answer(address.path, parse_qs(address.query))
        else:
            self._send(404, "text/plain", f"there is only /, {' and '.join(_ANSWERS)}\n".encode())

    def _is_for_us(self) -> bool:
        """Whether the request names this machine: a page from elsewhere whose name was led here does not."""
        port = self.server.server_address[1]
        return self.headers.get("Host") in [f"{name}:{port}" for name in NAMES] + list(NAMES) * (port == 80)

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        answer, names = _ANSWERS[path]
        try:
            operation, *numbers = (int(query[name][0]) for name in ("operation", *names))
            text = to_json(answer(self.server, self.server.operation(operation), *numbers))
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
