"""A TCP proxy that can be told to break the connections that run through it."""

import enum
import socket
import struct
import threading

CHUNK = 65536
CONNECT_SECONDS = 10.0


class Mode(enum.Enum):
    """What happens to connections; set_mode() says it for new ones and for those that exist."""

    FORWARD = "everything passes"
    BLACKHOLE = "connections are accepted and stay open, but nothing passes in either direction"
    HALF_OPEN = "as BLACKHOLE for the connections that exist; new ones pass"
    RESET = "existing connections are reset, new ones right after they were accepted"
    REFUSE = "existing connections are reset, new ones are refused"


def reset(connection: socket.socket) -> None:
    """Closes a connection with RST instead of FIN."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
    except OSError:
        pass  # already gone
    connection.close()


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, port: int, silent: bool):
        self._ends = [client]
        self.silent = silent
        if not silent:
            self._connect(port)
        for source in list(self._ends):
            threading.Thread(target=self._pump, args=(source,), daemon=True).start()

    def _connect(self, port: int) -> None:
        try:
            self._ends.append(socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS))
            self._ends[1].settimeout(None)
        except OSError:
            reset(self._ends[0])

    def _pump(self, source: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                if not self.silent:
                    self._other(source).sendall(data)
        except OSError:
            pass  # the connection ended
        if not self.silent:
            self.end()

    def _other(self, source: socket.socket) -> socket.socket:
        return self._ends[1 - self._ends.index(source)]

    def end(self) -> None:
        """Resets both sides."""
        for end in self._ends:
            reset(end)


class TcpProxy:
    """Listens on host and port (0: a free one) and passes bytes to the upstream port of 127.0.0.1;
    TLS goes through untouched.
    """

    def __init__(self, upstream_port: int, host: str = "127.0.0.1", port: int = 0):
        self._upstream_port = upstream_port
        self._host = host
        self._mode = Mode.FORWARD
        self._links = []
        self._lock = threading.Lock()
        self._listener = None
        self.port = port
        self._listen()

    @property
    def address(self) -> str:
        """https URL of the proxy."""
        return f"https://{self._host}:{self.port}"

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # no longer listening
            with self._lock:
                mode = self._mode
                if mode is Mode.RESET or mode is Mode.REFUSE:
                    reset(client)
                else:
                    self._links.append(_Link(client, self._upstream_port, mode is Mode.BLACKHOLE))

    def set_mode(self, mode: Mode) -> None:
        """Changes what happens from now on. FORWARD resets the connections that were kept silent.
        """
        with self._lock:
            previous, self._mode = self._mode, mode
            if mode in (Mode.BLACKHOLE, Mode.HALF_OPEN):
                for link in self._links:
                    link.silent = True
            else:
                gone = [l for l in self._links if l.silent or mode is not Mode.FORWARD]
                for link in gone:
                    link.end()
                self._links = [link for link in self._links if link not in gone]
        if mode is Mode.REFUSE:
            self._stop_listening()
        elif previous is Mode.REFUSE:
            self._listen()

    def close(self) -> None:
        """Ends everything."""
        self.set_mode(Mode.RESET)
        self._stop_listening()
