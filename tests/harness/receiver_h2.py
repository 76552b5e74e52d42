"""A receiver that speaks HTTP/2 only, over TLS, by the h2 package of PyPI."""

import asyncio
from contextlib import suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError

from .receiver import Arrival, Receiver


class Http2Receiver(Receiver):
    """Records what arrives; each arrival is answered 204.

    After `goodbye` answers a connection says GOAWAY and ends; what it has not answered by then it has not looked at.
    An `early` one answers at the head of a request, and lets no more of the body come than the first window."""

    def __init__(self, tls, *, goodbye=None, early=False):
        tls.set_alpn_protocols(["h2"])
        self.goodbye = goodbye
        super().__init__(tls=tls, early=early)

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        try:
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            await _Conversation(self, reader, writer).hold()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()


class _Conversation:
    """One connection, from its preface to its end."""

    def __init__(self, receiver, reader, writer):
        self.receiver, self.reader, self.writer = receiver, reader, writer
        self.http2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self.begun = {}
        self.answered = self.last = 0

    async def hold(self):
        self.http2.initiate_connection()
        await self._flush()
        while received := await self.reader.read(65_536):
            for event in self.http2.receive_data(received):
                self._take(event)
                if self._leaves():
                    self.http2.close_connection(last_stream_id=self.last)
                    await self._flush()
                    # To close with something unread would tear down what was answered last.
                    await self.reader.read()
                    return
            await self._flush()

    def _leaves(self):
        """Whether it is time for goodbye. What comes before the last that was answered would count as seen, so that is answered first."""
        enough = self.receiver.goodbye is not None and self.answered >= self.receiver.goodbye
        return enough and all(stream > self.last for stream in self.begun)

    async def _flush(self):
        self.writer.write(self.http2.data_to_send())
        await self.writer.drain()

    def _take(self, event):
        match event:
            case RequestReceived():
                headers = dict(event.headers)
                fields = [(name, value) for name, value in event.headers if not name.startswith(":")]
                self.begun[event.stream_id] = Arrival(headers[":method"], headers[":path"], fields, b"")
                if self.receiver.early:
                    self._answer(event.stream_id)
                    # Unless all of it has come already.
                    with suppress(StreamClosedError):
                        self.http2.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)
            case DataReceived():
                if arrival := self.begun.get(event.stream_id):
                    arrival.body += event.data
                self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded() if event.stream_id in self.begun:
                self._answer(event.stream_id)
            case StreamReset():
                self.begun.pop(event.stream_id, None)

    def _answer(self, stream):
        arrival = self.begun.pop(stream)
        self.answered += 1
        self.last = max(self.last, stream)
        arrival.nth, arrival.answered = self.answered, 204
        self.receiver.count += 1
        self.receiver.ids[arrival.id] += 1
        self.receiver.arrivals.append(arrival)
        self.http2.send_headers(stream, [(":status", "204")], end_stream=True)
