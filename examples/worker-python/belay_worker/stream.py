"""One stream of belay.v1.Workers on a channel of its own: after a partition nothing of the old connection is used again."""

import queue
import time
from typing import Iterator

import grpc
from belay.v1 import workers_pb2 as pb
from belay.v1 import workers_pb2_grpc

from .wire import AttemptId

_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 5000),
    # Channels to one address would share their connection, and its pauses between tries, too.
    ("grpc.use_local_subchannel_pool", 1),
]


class Stream:
    """Its fields belong to the connection, which holds its lock when it uses them."""

    def __init__(self, server: str, metadata: list[tuple[str, str]], named: set[AttemptId]):
        # The attempts that its hello names.
        self.named = named
        self.is_ready = False
        # Slots freed between its hello and its welcome.
        self.freed = 0
        self.sequence = 0
        # When the heartbeats that have no answer yet were sent, by their sequence.
        self.beats: dict[int, float] = {}
        self.opened = time.monotonic()
        self.last_beat = self.opened
        self._outgoing: queue.Queue[pb.WorkerMessage | None] = queue.Queue()
        self._channel = _channel(server)
        self._metadata = metadata
        self._call: grpc.Call | None = None
        self._is_closed = False

    def send(self, message: pb.WorkerMessage) -> None:
        self._outgoing.put(message)

    def beat(self) -> None:
        self.sequence += 1
        self.last_beat = self.beats[self.sequence] = time.monotonic()
        self.send(pb.WorkerMessage(heartbeat=pb.Heartbeat(sequence=self.sequence)))

    def is_silent_for(self, seconds: float) -> bool:
        """True if the oldest heartbeat has waited for its answer for so long."""
        return any(time.monotonic() - sent >= seconds for sent in self.beats.values())

    def messages(self) -> Iterator[pb.ServerMessage]:
        """What the server says, until the stream ends; raises grpc.RpcError when it breaks or was closed."""
        stub = workers_pb2_grpc.WorkersStub(self._channel)
        self._call = stub.Connect(self._sent(), metadata=self._metadata)
        if self._is_closed:
            self._call.cancel()
        yield from self._call

    def close(self) -> None:
        self._is_closed = True
        self._outgoing.put(None)
        if self._call is not None:
            self._call.cancel()

    def release(self) -> None:
        self.close()
        self._channel.close()

    def _sent(self) -> Iterator[pb.WorkerMessage]:
        while (message := self._outgoing.get()) is not None:
            yield message


def _channel(server: str) -> grpc.Channel:
    """`host:port` and `http://host:port` are cleartext, `https://host:port` is TLS."""
    scheme, _, address = server.rpartition("://")
    if scheme == "https":
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(), _OPTIONS)
    return grpc.insecure_channel(address, _OPTIONS)
