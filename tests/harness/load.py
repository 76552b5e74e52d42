"""Senders that load the server: keep-alive connections in a thread of their own, every answer noted."""

import asyncio
import itertools
import json
import threading
import time

from .waiting import PATIENCE


class Load:
    """`senders` connections that post messages to one application until `stop`, or until `total` were tried.

    `accepted` maps each accepted message's id to the number in its payload; `statuses` counts every answer;
    a broken connection counts under 0 and is opened again, so that a load outlives the server's restarts.
    """

    def __init__(self, server, app, *, senders=8, total=None, event_type="load.event", pad=200, keys=True):
        self.server, self.app, self.senders, self.total = server, app, senders, total
        self.event_type, self.pad, self.keys = event_type, "x" * pad, keys
        self.accepted = {}
        self.statuses = {}
        self.slowest = 0.0
        self._numbers = itertools.count() if total is None else iter(range(total))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self):
        self._thread.start()
        return self

    def join(self, within=600.0):
        """Waits until `total` messages have been tried."""
        self._thread.join(within)
        assert not self._thread.is_alive(), f"the load did not end within {within} s"
        return self

    def stop(self):
        """Lets every request in flight end, and ends."""
        self._stop.set()
        return self.join()

    async def _run(self):
        await asyncio.gather(*(self._sender() for _ in range(self.senders)))

    async def _sender(self):
        reader = writer = None
        for number in self._numbers:
            if self._stop.is_set():
                break
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
                began = time.monotonic()
                status, body = await asyncio.wait_for(self._post(reader, writer, number), PATIENCE)
                self.slowest = max(self.slowest, time.monotonic() - began)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                if writer is not None:
                    writer.close()
                writer = None
                status, body = 0, None
                await asyncio.sleep(0.01)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 202:
                self.accepted[json.loads(body)["id"]] = number
        if writer is not None:
            writer.close()

    async def _post(self, reader, writer, number):
        body = json.dumps({"eventType": self.event_type, "payload": {"n": number, "pad": self.pad}}).encode()
        key = f"idempotency-key: load-{id(self)}-{number}\r\n" if self.keys else ""
        head = (
            f"POST /api/v1/app/{self.app}/msg?with_content=false HTTP/1.1\r\nhost: load\r\n"
            f"authorization: Bearer {self.server.settings['RINGBOLT_ADMIN_TOKEN']}\r\n{key}"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        return await read_answer(reader)


async def read_answer(reader):
    """Status and body of one HTTP/1.1 answer with a length or in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    if "transfer-encoding: chunked" in head:
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return status, body
    length = 0
    for line in head.split("\r\n"):
        if line.startswith("content-length:"):
            length = int(line.partition(":")[2])
    return status, await reader.readexactly(length)
