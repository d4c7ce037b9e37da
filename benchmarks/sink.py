"""A WeChat that takes every message at once: the other end of `bench notify`.

python -m benchmarks.sink <port>
"""

import asyncio
import json
import sys
from itertools import count

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Sink(asyncio.Protocol):
    """One kept-alive connection. Answers each POST by its path, and reads nothing of its body."""

    numbers = count(1)

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._read += data
        while HEAD_END in self._read:
            head, _, rest = self._read.partition(HEAD_END)
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(LENGTH)
                ),
                0,
            )
            if len(rest) < length:
                return
            self._read = rest[length:]
            self._transport.write(_answer(head.split(b" ", 2)[1]))


def _answer(path: bytes) -> bytes:
    if b"stable_token" in path:
        body = {"access_token": "of-the-sink", "expires_in": 7200}
    else:
        body = {"errcode": 0, "errmsg": "ok", "msgid": next(Sink.numbers)}
    written = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(written)}"
    return head.encode() + HEAD_END + written


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
