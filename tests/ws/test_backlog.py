"""What waits for a client is counted until it was written, and one poll at a time carries it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from engineio import Server, exceptions, packet

from ws.backlog import BUDGET, PROGRESS, BoundedSocket
from ws.outgoing import Text, size_of
from ws.transfers import RESPONSE, Response, Transfers

BIG = "x" * (200 * 1024)
UPGRADE = {"HTTP_CONNECTION": "keep-alive, Upgrade", "HTTP_UPGRADE": "WebSocket"}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled by one for each client that was given up."""
    counted: list[int] = []
    monkeypatch.setattr(BoundedSocket, "on_slow", staticmethod(lambda: counted.append(1)))
    return counted


@pytest.fixture
def polling(slow: list[int]) -> Iterator[BoundedSocket]:
    """A polling session behind its handshake."""
    assert slow == []
    connection = BoundedSocket(Server(async_mode="threading"), "sid")
    connection.send(packet.Packet(packet.OPEN, {"sid": "sid"}))
    connection.last_ping, connection.connected = None, True
    assert len(connection.poll()) == 1
    assert connection.waiting == 0
    yield connection
    connection.close(wait=False, abort=True)


@pytest.fixture
def reading(polling: BoundedSocket) -> BoundedSocket:
    """A session that has become a websocket."""
    polling.upgraded = True
    return polling


def say(connection: BoundedSocket, text: str = BIG) -> None:
    connection.send(packet.Packet(packet.MESSAGE, text))


def get(connection: BoundedSocket) -> Response:
    """A poll; its response is not written yet."""
    response = Response(None, Transfers())
    packets = connection.handle_get_request({RESPONSE: response}, None)
    response.body = [pkt.encode().encode() for pkt in packets]
    return response


def test_what_was_read_whole_does_not_count_at_the_next_request(polling: BoundedSocket, slow: list[int]) -> None:
    say(polling)
    for _ in range(5):
        response = get(polling)
        assert polling.waiting > len(BIG)
        assert len(b"".join(response)) > len(BIG)
        assert polling.waiting == 0
        for _ in range(3):
            say(polling)
    assert not slow


def test_what_is_being_written_counts(polling: BoundedSocket, slow: list[int]) -> None:
    for _ in range(2):
        say(polling)
    response = get(polling)
    next(iter(response))
    say(polling)
    assert not slow
    say(polling)
    assert slow == [1]
    assert polling.closed
    assert response.was_cut


def test_a_second_poll_ends_the_session_and_the_response_that_is_not_read(polling: BoundedSocket) -> None:
    say(polling)
    response = get(polling)
    with pytest.raises(exceptions.EngineIOError):
        get(polling)
    assert polling.closed
    assert response.was_cut
    assert polling.queue.get(block=False) is None


def test_a_poll_that_broke_off_ends_the_session_for_what_it_carried_is_lost(
    polling: BoundedSocket, slow: list[int]
) -> None:
    say(polling)
    get(polling).close()
    assert polling.closed
    assert not slow


def test_a_poll_that_was_cut_is_a_slow_clients(polling: BoundedSocket, slow: list[int]) -> None:
    say(polling)
    response = get(polling)
    response.cut()
    response.close()
    assert polling.closed
    assert slow == [1]


def test_a_poll_without_anything_to_say_leaves_room_for_the_next(polling: BoundedSocket) -> None:
    polling.server.ping_interval = polling.server.ping_timeout = 0
    with pytest.raises(exceptions.QueueEmpty):
        get(polling)
    assert not polling._is_polling


def test_the_websocket_has_one_packet_in_hand_at_a_time(reading: BoundedSocket, slow: list[int]) -> None:
    for _ in range(3):
        say(reading)
    left = []
    for _ in range(3):
        (pkt,) = reading.poll()
        assert isinstance(pkt.encode(), Text)
        left.append(reading.waiting // len(BIG))
    assert left == [3, 2, 1]
    reading.queue.put(None)
    assert reading.poll() == []
    assert reading.waiting == 0
    assert not slow


def test_many_short_packets_are_too_many_as_well(reading: BoundedSocket, slow: list[int]) -> None:
    pkt = packet.Packet(packet.MESSAGE, "x" * 20)
    reading.send(pkt)
    for _ in range(BUDGET // size_of(pkt) + 1):
        reading.send(pkt)
    assert slow == [1]


def test_a_second_upgrade_is_refused_while_one_is_under_way(polling: BoundedSocket) -> None:
    answers: list[Any] = []

    def upgrade(environ: dict[str, Any], start_response: Any) -> list[Any]:
        answers.append(polling.handle_get_request(environ, start_response))
        return []

    polling._upgrade_websocket = upgrade
    assert polling.handle_get_request(UPGRADE, None) == []
    assert answers[0]["status"] == "400 BAD REQUEST"
    assert not polling.closed


@pytest.mark.parametrize("environ", [{"HTTP_UPGRADE": "websocket"}, {**UPGRADE, "HTTP_UPGRADE": "h2c"}])
def test_what_the_library_takes_for_a_poll_counts_as_one(polling: BoundedSocket, environ: dict[str, Any]) -> None:
    say(polling)
    get(polling)
    with pytest.raises(exceptions.EngineIOError):
        polling.handle_get_request(environ, None)


class Taking:
    """A websocket, and how much its client has taken."""

    def __init__(self) -> None:
        self.socket = self
        self.count = 0
        self.is_shut = False

    def taken(self) -> int:
        return self.count

    def shutdown(self, _how: int) -> None:
        self.is_shut = True


def long_ago(connection: BoundedSocket) -> float:
    return time.time() - connection.server.ping_timeout - 1


def test_who_takes_what_lies_before_the_ping_has_time_to_answer_it(reading: BoundedSocket) -> None:
    reading._websocket = taking = Taking()
    for _ in range(10):
        reading.last_ping = long_ago(reading)
        taking.count += PROGRESS
        assert reading.check_ping_timeout()
    taking.count += PROGRESS - 1
    reading.last_ping = long_ago(reading)
    assert not reading.check_ping_timeout()
    assert reading.closed
    assert not taking.is_shut


def test_what_was_taken_before_the_ping_is_no_progress(reading: BoundedSocket) -> None:
    reading._websocket = taking = Taking()
    taking.count = 100 * PROGRESS
    assert reading.check_ping_timeout()
    reading.last_ping = long_ago(reading)
    assert not reading.check_ping_timeout()


def test_who_does_not_answer_in_the_middle_of_a_message_is_cut_off(reading: BoundedSocket) -> None:
    reading._websocket = taking = Taking()
    say(reading)
    reading.poll()
    reading.last_ping = long_ago(reading)
    assert not reading.check_ping_timeout()
    assert taking.is_shut


def test_a_poll_that_is_being_read_is_progress_as_well(polling: BoundedSocket) -> None:
    say(polling)
    pieces = iter(get(polling))
    next(pieces)
    polling.last_ping = long_ago(polling)
    assert polling.check_ping_timeout()
    polling.last_ping = long_ago(polling)
    assert not polling.check_ping_timeout()
