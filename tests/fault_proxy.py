"""Stands before a server on the loopback address, counts its HTTP requests, lets some go wrong on the wire."""

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from kelarec.testing.faulty_objects import Fault
from object_servers import LOOPBACK

_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_NEVER_SECONDS: Final = 1.5


class FaultProxy:
    """What the requests that pass through meet.

    Attributes:
        port: Where it listens.
        requests: Method and target of each request so far.
        fault: What goes wrong.
        at: The numbers of the requests with it, from 1.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[str] = []
        self.fault = Fault.RESET
        self.at: frozenset[int] = frozenset()
        self._turn = threading.Lock()

    def begin(self, fault: Fault = Fault.RESET, *at: int) -> None:
        """Count anew, with a fault at some requests."""
        with self._turn:
            self.requests, self.fault, self.at = [], fault, frozenset(at)

    def take(self, request: str) -> Fault | None:
        """Count a request and tell what it meets."""
        with self._turn:
            self.requests.append(request)
            return self.fault if len(self.requests) in self.at else None


@contextlib.contextmanager
def proxy_before(port: int) -> Iterator[FaultProxy]:  # noqa: C901  one small server
    """Listen before a server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self._read_body()
            fault = proxy.take(f"{self.command} {self.path}")
            if fault is Fault.UNAVAILABLE:
                self._answer(503, [], b"")
            elif fault is Fault.RESET:
                self._break_off()
            elif fault is Fault.TIMEOUT:
                threading.Event().wait(_NEVER_SECONDS)
                self._break_off()
            else:
                status, headers, content = self._forward(body)
                if fault is Fault.LOST_REPLY:
                    self._break_off()
                elif fault is Fault.TORN:
                    self._answer(status, headers, content, cut=True)
                else:
                    self._answer(status, headers, content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815  the base class names them so

        def _read_body(self) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def handle_expect_100(self) -> bool:
            return True

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in {"connection", "expect"}:
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.endheaders(body or None)
            reply = connection.getresponse()
            answer = reply.status, reply.getheaders(), reply.read()
            connection.close()
            return answer

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool = False) -> None:
            lengths = [value for name, value in headers if name.lower() == "content-length"]
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            length = lengths[0] if lengths and self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            self.close_connection = True
            if cut:
                self._break_off()

        def _break_off(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    proxy = FaultProxy(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
