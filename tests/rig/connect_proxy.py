"""An HTTP proxy that knows CONNECT alone, and names that no name server knows."""

import socket
import threading

CHUNK = 65536
HEAD_BYTES = 65536


class ConnectProxy:
    """names: host -> address to connect to; other hosts are refused. heads has what clients sent
    before their tunnel.
    """

    def __init__(self, names):
        self._names = dict(names)
        self.heads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """For HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stops listening; tunnels end with their ends."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
                piece = client.recv(CHUNK)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode())
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            host, _, port = target.rpartition(":")
            if method != "CONNECT" or host not in self._names:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection((self._names[host], int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                there = threading.Thread(target=_copy, args=(client, server), daemon=True)
                there.start()
                _copy(server, client)
                there.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(CHUNK):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one end is gone, and with it the tunnel
