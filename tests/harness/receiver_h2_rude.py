"""Receivers that speak HTTP/2 as nobody should, frame by frame."""

import asyncio
import ssl
import struct

from .receiver import Receiver

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# `:status: 200` by the static table, and a header that is not entered into any table.
OK = b"\x88"
JUNK = b"\x00\x03xyz\x7f\x80\x3f" + b"v" * 8191
CANCEL = struct.pack(">L", 8)
# A server may say how much it takes in each stream: nothing.
NO_WINDOW = struct.pack(">HL", 0x4, 0)


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class RudeHttp2Receiver(Receiver):
    """Answers the first request of each connection by `manner`, which writes frames; `sent` counts the bytes that were taken of it."""

    def __init__(self, tls, manner, *, settings=b""):
        tls.set_alpn_protocols(["h2"])
        self.manner, self.settings, self.sent = manner, settings, 0
        super().__init__(tls=tls)

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        reading = None
        try:
            assert await reader.readexactly(len(PREFACE)) == PREFACE
            writer.write(frame(SETTINGS, payload=self.settings) + frame(SETTINGS, ACK))
            stream = await self._begun(reader)
            self.count += 1
            # What comes now is taken and not looked at, so that the other side is never kept from writing.
            reading = asyncio.ensure_future(_drained(reader))
            await self.manner(self, writer, stream)
            await reading
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            if reading:
                reading.cancel()
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    async def _begun(self, reader):
        """The number of the first stream."""
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == HEADERS:
                return int.from_bytes(head[5:], "big")

    async def write(self, writer, data):
        if writer.transport.is_closing():
            raise ConnectionResetError
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)
        self.sent += len(data)


async def _drained(reader):
    while await reader.read(65_536):
        pass


async def endless_headers(self, writer, stream):
    """A head that never ends."""
    await self.write(writer, frame(HEADERS, 0, stream, OK))
    while True:
        await self.write(writer, frame(CONTINUATION, 0, stream, JUNK))


async def settings_flood(self, writer, _):
    """Settings again and again, each of which asks to be acknowledged."""
    while True:
        await self.write(writer, frame(SETTINGS, payload=struct.pack(">HL", 0x4, 65_535)) * 200)


async def ping_flood(self, writer, _):
    """Pings, each of which asks to be answered."""
    while True:
        await self.write(writer, frame(PING, payload=b"12345678") * 200)


async def head_then_reset(self, writer, stream):
    """The head of an answer that promises a body, and then the end of its stream."""
    await self.write(writer, frame(HEADERS, END_HEADERS, stream, OK) + frame(RST_STREAM, 0, stream, CANCEL))


async def goodbye_at_once(self, writer, _):
    """Says that no request was looked at, and goes."""
    await self.write(writer, frame(GOAWAY, payload=struct.pack(">LL", 0, 0)))
    writer.close()


async def silence(self, writer, _):
    """Nothing at all."""


async def endless_body(self, writer, stream):
    """A gigabyte, without asking how much of it the other side takes."""
    await self.write(writer, frame(HEADERS, END_HEADERS, stream, OK))
    while self.sent < 1 << 30:
        await self.write(writer, frame(DATA, 0, stream, b"x" * 16_384))
