"""A proxy in front of OpenBao that ends TLS itself and can answer in hostile ways (faults.py)."""

import http.client
import http.server
import ssl
import threading
from dataclasses import dataclass

from .openbao import OpenBao

UPSTREAM_SECONDS = 30.0
HOP_HEADERS = ("connection", "transfer-encoding", "content-length", "keep-alive", "host")


@dataclass(frozen=True)
class HttpAnswer:
    """A complete HTTP answer."""

    status: int
    headers: dict
    body: bytes


class ConnectionEnded(Exception):
    """The fault has ended the connection; there is nothing more to send."""


class _Handler(http.server.BaseHTTPRequestHandler):
    """One client connection."""

    protocol_version = "HTTP/1.1"
    timeout = None

    def setup(self):
        super().setup()
        self._upstream = self.server.proxy.connect_upstream()

    def finish(self):
        self._upstream.close()
        super().finish()

    def do_any(self):
        """Serves one request of any method."""
        self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.proxy.next_fault(self.command, self.path)
        try:
            if fault is None:
                self.send(self.forward())
            else:
                fault(self)
        except (ConnectionEnded, OSError, http.client.HTTPException):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = do_any

    def forward(self) -> HttpAnswer:
        """OpenBao's own answer to this request."""
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_HEADERS}
        self._upstream.request(self.command, self.path, self._body or None, headers)
        response = self._upstream.getresponse()
        body = response.read()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in HOP_HEADERS}
        return HttpAnswer(response.status, kept, body)

    def send(self, answer: HttpAnswer, length=None) -> None:
        """Sends the answer; length overrides the Content-Length that is announced."""
        self.send_head(
            answer.status, answer.headers, len(answer.body) if length is None else length
        )
        self.wfile.write(answer.body)

    def send_head(self, status: int, headers: dict, length: int) -> None:
        """Sends status line and headers only."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    @property
    def healed(self) -> threading.Event:
        """Set when the proxy is told to heal: faults that wait, wait for this."""
        return self.server.proxy.healed

    def log_message(self, *_):
        pass  # the proxy keeps its own list of requests


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that hangs up or refuses our certificate is part of the tests


class HttpsProxy:
    """Serves with the certificate of the OpenBao it stands for, or with pair (a pki.KeyPair)."""

    def __init__(self, openbao: OpenBao, pair=None):
        self._openbao = openbao
        pair = pair or openbao.certificate
        self._lock = threading.Lock()
        self._rules = []
        self._requests = []
        self.healed = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """https URL of the proxy."""
        return f"https://127.0.0.1:{self.port}"

    def connect_upstream(self) -> http.client.HTTPSConnection:
        """A connection to OpenBao, opened at its first request."""
        context = ssl.create_default_context(cafile=str(self._openbao.ca_file))
        return http.client.HTTPSConnection(
            "localhost", self._openbao.port, timeout=UPSTREAM_SECONDS, context=context
        )

    def inject(self, fault, path: str = "", times=None) -> None:
        """Answers requests whose path contains path with fault, times times or until heal()."""
        with self._lock:
            self.healed.clear()
            self._rules.append([path, times, fault])

    def heal(self) -> None:
        """Forgets all faults and lets waiting ones go on."""
        with self._lock:
            self._rules.clear()
            self.healed.set()

    def next_fault(self, method: str, path: str):
        """For the handler: notes the request and returns the fault for it, or None."""
        with self._lock:
            self._requests.append((method, path))
            for rule in self._rules:
                if rule[0] in path and rule[1] != 0:
                    if rule[1] is not None:
                        rule[1] -= 1
                    return rule[2]
        return None

    def seen(self, path: str = "") -> list:
        """The requests so far as (method, path), those whose path contains path."""
        with self._lock:
            return [request for request in self._requests if path in request[1]]

    def close(self) -> None:
        """Stops listening; connections end with their clients."""
        self.heal()
        self._server.shutdown()
        self._server.server_close()
