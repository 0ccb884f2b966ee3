"""Bodies and responses that do not move are cut, those that do are not, and all is given back at their end."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import pytest

from tests.running_server import wait_until
from ws.transfers import BODY_PATIENCE, LEAST, PIECE, RESPONSE_PATIENCE, Response, Transfer, Transfers, unsent


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end of a connection and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as client:
        server, _ = door.accept()
        with server:
            server.setblocking(False)
            yield server, client


def is_cut(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def test_who_moves_nothing_in_its_time_is_cut(pair: tuple[socket.socket, socket.socket]) -> None:
    transfers, transfer = Transfers(), Transfer(pair[0], 10)
    transfers.add(transfer)
    transfers.look(100)
    transfers.look(110)
    assert not is_cut(pair[1])
    transfers.look(110.1)
    assert is_cut(pair[1])
    assert transfer.was_cut


def test_who_moves_enough_has_the_time_anew_and_a_trickle_is_not_enough() -> None:
    transfer = Transfer(None, 10)
    transfer.look(0)
    for second in range(1, 50):
        transfer.given += LEAST // 10
        transfer.look(second)
    assert not transfer.was_cut
    for second in range(50, 65):
        transfer.given += LEAST // 20
        transfer.look(second)
    assert transfer.was_cut


def test_what_has_ended_is_not_looked_at() -> None:
    transfers, transfer = Transfers(), Transfer(None, 1)
    transfers.add(transfer)
    transfers.look(0)
    transfers.remove(transfer)
    transfers.look(100)
    assert not transfer.was_cut


def test_a_body_is_read_whole_and_no_further() -> None:
    stream = io.BytesIO(b"x" * 3 * PIECE)
    assert Transfers().read({"wsgi.input": stream}, 2 * PIECE + 1) == b"x" * (2 * PIECE + 1)
    assert stream.tell() == 2 * PIECE + 1


def test_a_body_that_does_not_come_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    transfers = Transfers()

    class Waiting:
        """The body as the WSGI server gives it, while time goes by."""

        def read(self, size: int) -> bytes:
            transfers.look(0)
            transfers.look(BODY_PATIENCE + 1)
            pair[0].setblocking(True)
            return pair[0].recv(size)

    assert transfers.read({"wsgi.input": Waiting(), "gunicorn.socket": pair[0]}, 10) is None
    transfers.look(1000)


def test_a_response_comes_in_pieces_and_is_written_before_its_end_is() -> None:
    ends: list[bool] = []
    response = Response(None, Transfers())
    response.body, response.on_end = [b"x" * (PIECE + 1), b"", b"y"], ends.append
    pieces = iter(response)
    assert [len(next(pieces)) for _ in range(3)] == [PIECE, 1, 1]
    assert ends == []
    assert next(pieces, None) is None
    assert ends == [True]
    response.close()
    assert ends == [True]


def test_a_response_that_breaks_off_was_not_written() -> None:
    ends: list[bool] = []
    response = Response(None, Transfers())
    response.body, response.on_end = [b"x", b"y"], ends.append
    next(iter(response))
    response.close()
    assert ends == [False]


def test_the_body_of_a_response_is_closed_with_it() -> None:
    response, file = Response(None, Transfers()), io.BytesIO(b"x")
    response.body = file
    assert b"".join(response) == b"x"
    response.close()
    assert file.closed


def test_a_response_that_nobody_reads_is_cut_also_while_its_end_is_written(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    transfers = Transfers()
    response = Response(pair[0], transfers)
    response.body = [b"x" * 3 * PIECE]
    for piece in response:
        pair[0].send(piece)
    wait_for_unsent(pair[0], 0)
    transfers.look(0)
    transfers.look(RESPONSE_PATIENCE + 1)
    assert response.was_cut


def test_a_response_moves_with_what_the_other_side_takes(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    response = Response(server, Transfers())
    try:
        while True:
            response.given += server.send(b"x" * 65536)
    except BlockingIOError:
        stuck = response.moved()
    assert stuck < response.given
    assert response.moved() == stuck
    taken = 0
    while taken < response.given:
        taken += len(client.recv(1 << 20))
    wait_for_unsent(server, 0)
    assert response.moved() == response.given


def test_where_the_system_cannot_say_everything_counts_as_taken() -> None:
    assert unsent(None) == unsent(object()) == 0
    with socket.socket() as closed:
        pass
    assert unsent(closed) == 0


def wait_for_unsent(connection: socket.socket, count: int) -> None:
    wait_until(lambda: unsent(connection) == count, "the kernel has acknowledged it")
