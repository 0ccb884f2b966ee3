"""eventlet's websocket, mended in four places that a hostile or merely large message would find.

Its unmasking is a loop over single bytes (0.9 s for 4 MB, with the whole worker held); only single frames
have a limit, not a message of many; compression can be asked for with options that raise; `close` takes the
descriptor away under the green thread that reads, which then waits for ever and an orderly end with it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from eventlet import websocket


class MendedWebSocket(websocket.RFC6455WebSocket):  # type: ignore[misc]
    """To be put in the place of the library's own: see `mend`."""

    class Message(websocket.RFC6455WebSocket.Message):  # type: ignore[misc]
        """A message of one or several frames, with a limit for all of them together."""

        size = 0

        def push(self, data: bytes, final: bool = False) -> None:
            self.size += len(data)
            if self.size > self.max_frame_length:
                raise websocket.FailedConnectionError(1009, "The message is too large.")
            super().push(data, final)

    @staticmethod
    def _apply_mask(data: bytes, mask: tuple[int, ...], length: int | None = None, offset: int = 0) -> bytes:
        data = data[:length]
        key = bytes(mask[(offset + i) % 4] for i in range(4)) * (len(data) // 4 + 1)
        return (int.from_bytes(data) ^ int.from_bytes(key[: len(data)])).to_bytes(len(data))

    def close(self, close_data: Any = None) -> None:
        """Say goodbye and end both directions; the WSGI server closes the descriptor when the handler returns."""
        self._send_closing_frame(close_data=close_data, ignore_send_errors=True)
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


def mend() -> None:
    """Have eventlet use the mended class. To be called once, before the first connection."""
    websocket.RFC6455WebSocket = MendedWebSocket
