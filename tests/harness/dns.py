"""A name server in a few lines: UDP, A and AAAA only, answers by a function, time to live 0."""

import ipaddress
import socket
import struct
import threading
from collections import Counter


class NameServer:
    """Answers from `names`: a name to a list of addresses, or to a function of how often it was asked (from 0).

    A name that leads to a text is an alias of that name. Names that are not there do not exist.
    `asked` counts the questions by (name, type).
    """

    TYPES = {1: ("A", 4), 28: ("AAAA", 6)}

    def __init__(self, names):
        self.names = names
        self.asked = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]
        threading.Thread(target=self._run, name="names", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _run(self):
        while True:
            try:
                question, who = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(question), who)
            except OSError:
                return

    def _answer(self, question):
        name, end = _name(question)
        kind = struct.unpack("!H", question[end : end + 2])[0]
        word, version = self.TYPES.get(kind, ("other", 0))
        times = self.asked[name, word]
        self.asked[name, word] += 1
        known = self.names.get(name)
        alias = b""
        if isinstance(known, str):
            target = b"".join(bytes([len(label)]) + label.encode() for label in known.split(".")) + b"\0"
            alias = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 0, len(target)) + target
            known = self.names[known]
        addresses = known(times) if callable(known) else (known or [])
        packed = [ip.packed for ip in map(ipaddress.ip_address, addresses) if ip.version == version]
        code = 0 if known is not None else 3
        head = question[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(packed) + bool(alias), 0, 0)
        # The owner of the addresses: the name that was asked for, or the one that the alias leads to.
        owner = struct.pack("!H", 0xC000 | (end + 4 + 12 if alias else 12))
        records = b"".join(owner + struct.pack("!HHIH", kind, 1, 0, len(ip)) + ip for ip in packed)
        return head + question[12 : end + 4] + alias + records


def _name(question):
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), at + 1
