"""The mended websocket writes whole frames without copies, waits for who reads, and for nobody else."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterator

import pytest
import websocket as client_library

from ws.outgoing import Text

with warnings.catch_warnings(action="ignore"):
    from eventlet.websocket import RFC6455WebSocket

    from ws.eventlet_websocket import JOINED, MendedWebSocket, PatientSocket


class Wire:
    """A socket that takes at most `step` bytes at a time. `failing`: called before each."""

    def __init__(self, step: int = 1 << 20, failing: Callable[[], None] = lambda: None) -> None:
        self.written = b""
        self.is_shut = False
        self._step = step
        self._failing = failing

    def send(self, data: memoryview) -> int:
        self._failing()
        self.written += bytes(data[: self._step])
        return min(self._step, len(data))

    def shutdown(self, _how: int) -> None:
        self.is_shut = True


@pytest.mark.parametrize("length", [0, 1, 125, 126, JOINED, JOINED + 1, 65535, 65536, 300_000])
def test_encoded_text_makes_the_frame_that_text_makes(length: int) -> None:
    wire, plain = Wire(1000), Wire()
    text = "ż" * (length // 2) + "x" * (length % 2)
    MendedWebSocket(wire, {}).send_text(Text(text.encode()))
    RFC6455WebSocket(PatientSocket(plain), {}).send(text)
    assert wire.written == plain.written


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as client:
        server, _ = door.accept()
        with server:
            server.settimeout(0.05)
            yield server, client


def test_a_client_that_reads_nothing_meets_the_timeout(pair: tuple[socket.socket, socket.socket]) -> None:
    patient = PatientSocket(pair[0])
    with pytest.raises(TimeoutError):
        patient.recv(10)
    with pytest.raises(TimeoutError):
        patient.sendall(b"x" * (64 << 20))


def test_a_client_that_reads_between_two_timeouts_does_not() -> None:
    timeouts = iter([True, False, True, False, True, True])

    class Slow(Wire):
        """Its other side takes something while it blocks, three times."""

        def send(self, data: memoryview) -> int:
            if next(timeouts):
                moved.append(1)
                raise TimeoutError
            return super().send(data)

    moved: list[int] = []
    slow = Slow(10)
    patient = PatientSocket(slow)
    patient.taken = lambda: min(len(moved), 3)  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        patient.sendall(b"x" * 30)
    assert slow.written == b"x" * 20
    assert len(moved) == 4


def test_after_a_message_that_broke_off_nothing_is_said_any_more() -> None:
    def fail() -> None:
        if wire.written:
            raise TimeoutError

    wire = Wire(100, fail)
    mended = MendedWebSocket(wire, {})
    with pytest.raises(TimeoutError):
        mended.send_text(Text(b"x" * 1000))
    mended.close()
    assert len(wire.written) == 100
    assert wire.is_shut


def test_a_goodbye_does_not_wait_for_a_message_that_nobody_reads() -> None:
    wire = Wire()
    mended = MendedWebSocket(wire, {})
    mended._sendlock.acquire()
    mended.close()
    assert wire.written == b""
    assert wire.is_shut


def test_a_goodbye_is_said_between_messages() -> None:
    wire = Wire()
    MendedWebSocket(wire, {}).close((1000, ""))
    assert wire.written[0] == 0x80 | client_library.ABNF.OPCODE_CLOSE
