"""The other side: an HTTP server that records what arrives and answers as it is told, well or badly.

All receivers of a test process share one thread with one event loop; each has its own port.
"""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from standardwebhooks import Webhook

from .ports import free_port
from .waiting import PATIENCE, eventually


@dataclass
class Arrival:
    """One request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    answered: int = 0
    nth: int = 1  # on its connection

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    def header(self, name):
        """The value of a header that must not be repeated; None without it."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def id(self):
        return self.header("webhook-id")

    def verify(self, secret):
        """Raises unless the Standard Webhooks library of PyPI accepts the signature."""
        headers = {key.lower(): value for key, value in self.headers}
        return Webhook(secret).verify(self.body, headers)


@dataclass
class Reply:
    """A whole answer, after `delay` seconds."""

    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    delay: float = 0.0

    async def write(self, writer):
        if self.delay:
            await asyncio.sleep(self.delay)
        head = [f"HTTP/1.1 {self.status} Whatever", f"content-length: {len(self.body)}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + self.body)
        await writer.drain()
        return True


class Hang:
    """No answer until the other side gives up."""

    async def write(self, writer):
        await asyncio.sleep(3600)


class Held:
    """A whole answer, but not before it is released."""

    def __init__(self, reply):
        self.reply = reply
        self.released = False

    async def write(self, writer):
        while not self.released:
            await asyncio.sleep(0.01)
        return await self.reply.write(writer)


@dataclass
class Trickle:
    """A correct head, then a body of `total` bytes, one every `every` seconds."""

    every: float = 1.0
    total: int = 100_000

    async def write(self, writer):
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {self.total}\r\n\r\n".encode())
        for _ in range(self.total):
            await writer.drain()
            await asyncio.sleep(self.every)
            writer.write(b"x")
        return True


@dataclass
class TrickledHead:
    """An answer whose head comes one byte every `every` seconds."""

    every: float = 1.0

    async def write(self, writer):
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 100_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(self.every)


@dataclass
class Endless:
    """A body of `total` bytes as fast as the other side takes it; `sent` says how much that was."""

    total: int = 10 * 1024**3
    status: int = 200
    sent: int = 0

    async def write(self, writer):
        writer.write(f"HTTP/1.1 {self.status} OK\r\ncontent-length: {self.total}\r\n\r\n".encode())
        chunk = b"x" * 65_536
        while self.sent < self.total:
            writer.write(chunk)
            await writer.drain()
            self.sent += len(chunk)
        return True


@dataclass
class Raw:
    """Exactly these bytes, then the end of the connection, unless it is kept."""

    data: bytes
    keep: bool = False

    async def write(self, writer):
        writer.write(self.data)
        await writer.drain()
        return self.keep


class Reset:
    """The connection is torn down without an answer."""

    async def write(self, writer):
        writer.transport.abort()


def script(*replies):
    """Answers with each reply in turn; the last one stays."""
    left = list(replies)
    return lambda arrival: left.pop(0) if len(left) > 1 else left[0]


class _Loop:
    """The one event loop in its thread, started when first needed."""

    _instance = None

    @classmethod
    def get(cls):
        if cls._instance is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="receivers", daemon=True).start()
            cls._instance = loop
        return cls._instance

    @classmethod
    def run(cls, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, cls.get()).result(PATIENCE)


class Receiver:
    """An HTTP server on a loopback port; `open` counts its connections now, `busy` the requests that it is answering.

    `answer` is a reply or a function from an arrival to a reply;
    `answers` maps a path to the same and wins. Both may be changed while it runs.
    An `early` one answers as soon as it has the head, and takes the body afterwards."""

    def __init__(self, answer=None, *, host="127.0.0.1", port=0, keep=True, tls=None, early=False):
        self.tls = tls
        self.early = early
        self.host = host
        # Not one that the kernel hands out: while nobody listens on such a port, whoever connects to it may meet himself.
        self.port = port or free_port(host)
        self.answer = answer or Reply()
        self.answers = {}
        self.arrivals = []
        self.count = 0
        self.ids = Counter()
        self.keep = keep
        self.connections = 0
        self.open = 0
        self.busy = 0
        self.reached = []
        self._writers = set()
        self._server = None
        self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self):
        """Begins to accept; called again after `close`, on the same port."""

        async def start():
            self._server = await asyncio.start_server(
                self._serve, self.host, self.port, ssl=self.tls, limit=4 * 1024 * 1024, backlog=4096, reuse_address=True
            )

        _Loop.run(start())
        return self

    def close(self):
        """Stops accepting and drops every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None

        async def stop():
            server.close()
            for writer in list(self._writers):
                writer.transport.abort()

        _Loop.run(stop())

    def url(self, path="/"):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{path}"

    def at(self, path):
        """What has arrived on one path, in order of arrival."""
        return [arrival for arrival in list(self.arrivals) if arrival.path == path]

    def wait(self, count=1, path=None, within=PATIENCE):
        """Waits until `count` requests have arrived, on `path` if given, and returns all of them."""

        def enough():
            found = list(self.arrivals) if path is None else self.at(path)
            return found if len(found) >= count else None

        return eventually(enough, within=within, what=f"{count} arrivals on {path or 'any path'}")

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        self.reached.append(writer.get_extra_info("sockname")[0])
        nth = 0
        try:
            while (arrival := await _read(reader, body=not self.early)) is not None:
                self.count += 1
                arrival.nth = nth = nth + 1
                self.ids[arrival.id] += 1
                if self.keep:
                    self.arrivals.append(arrival)
                answer = self.answers.get(arrival.path, self.answer)
                reply = answer(arrival) if callable(answer) else answer
                arrival.answered = getattr(reply, "status", 0)
                self.busy += 1
                try:
                    if self.early:
                        await reply.write(writer)
                        await reader.read()
                        break
                    if not await _unless_gone(reply.write(writer), reader):
                        break
                finally:
                    self.busy -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()


async def _unless_gone(answering, reader):
    """Answers, but ends when the other side hangs up first. Nobody pipelines here: a byte meanwhile is no request."""
    answer, gone = asyncio.ensure_future(answering), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await answer if answer.done() else False
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _read(reader, body=True):
    """One request, without its body if that is not wanted; None when the connection ended between two."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    known = {name.lower(): value for name, value in headers}
    if not body:
        body = b""
    elif "chunked" in known.get("transfer-encoding", ""):
        body = await _chunked(reader)
    else:
        body = await reader.readexactly(int(known.get("content-length", 0)))
    return Arrival(method, target, headers, body)


async def _chunked(reader):
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readuntil(b"\r\n")
    return body
