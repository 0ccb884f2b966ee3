"""A connection by websocket."""

from __future__ import annotations

import websocket

from tests.faults.connection import ENTERING, Connection, Lost


class ByWebsocket(Connection):
    """One TCP connection for all."""

    def close(self) -> None:
        self._socket.shutdown()

    def _open(self, url: str) -> str:
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        try:
            self._socket = websocket.create_connection(address, timeout=ENTERING, suppress_origin=True)
            return self._frame()
        except (OSError, websocket.WebSocketException, ValueError, IndexError) as error:
            # The last two are what the library makes of half a status line.
            raise Lost(str(error)) from error

    def _next(self, seconds: float) -> str:
        self._socket.settimeout(seconds)
        return self._frame()

    def _frame(self) -> str:
        try:
            opcode, data = self._socket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError from error
        except (OSError, websocket.WebSocketException) as error:
            self.close()
            raise Lost(str(error)) from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.close()
            raise Lost("closed by the server")
        return str(data.decode())

    def _send(self, frame: str) -> None:
        try:
            self._socket.settimeout(ENTERING)
            self._socket.send(frame)
        except (OSError, websocket.WebSocketException) as error:
            self.close()
            raise Lost(str(error)) from error
