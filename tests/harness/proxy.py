"""An egress proxy that speaks HTTP CONNECT and SOCKS5 on one port, and notes where it was asked to go."""

import socket
import struct
import threading


class Proxy:
    """`asked` lists (scheme, host, port) as they were asked for; every connection is led to `target` instead."""

    def __init__(self, target):
        self.target = target
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            first = client.recv(1, socket.MSG_PEEK)
            (self._socks if first == b"\x05" else self._connect)(client)
            with socket.create_connection(self.target) as onward:
                back = threading.Thread(target=_pump, args=(onward, client), daemon=True)
                back.start()
                _pump(client, onward)
                back.join(5)
        except (OSError, ValueError, IndexError):
            pass
        finally:
            client.close()

    def _connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        method, target, _ = head.decode().split(" ", 2)
        host, _, port = target.rpartition(":")
        self.asked.append((method, host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def _socks(self, client):
        client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x00")
        kind = client.recv(4)[3]
        if kind == 3:
            host = client.recv(client.recv(1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, client.recv(4)) if kind == 1 else (socket.AF_INET6, client.recv(16))))
        (port,) = struct.unpack("!H", client.recv(2))
        self.asked.append(("SOCKS5", host, port))
        client.sendall(b"\x05\x00\x00\x01" + b"\x00" * 6)


def _pump(source, sink):
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
