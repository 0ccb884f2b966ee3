"""Frames that pass the check decode in the library; the others never reach it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pytest
from engineio.packet import Packet
from engineio.payload import Payload
from hypothesis import given
from hypothesis import strategies as st

from ws.admission import Admission
from ws.frames import (
    LEAST_BODY,
    MAX_BODY,
    MAX_PACKETS,
    REFUSED_FRAME,
    SEPARATOR,
    CheckedFrames,
    CheckedRequests,
    checked_websocket,
)
from ws.outgoing import Text
from ws.packets import REFUSED, CheckedPacket
from ws.transfers import Transfers

FRAME = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=20),
    st.builds(str.__add__, st.sampled_from("0123456789b²٣[{"), st.text(alphabet='b=+/A1[]{}",\x1e\ud800é', max_size=9)),
)


class Session:
    """A session of the library's, as far as the check looks at it."""

    closed = False


class Inbox:
    """A websocket on which these frames arrive."""

    def __init__(self, *frames: Any) -> None:
        self._frames = list(frames)
        self.sent: list[Any] = []

    def wait(self) -> Any:
        return self._frames.pop(0)

    def send(self, frame: Any) -> None:
        self.sent.append(frame)


class Mended(Inbox):
    """A websocket that takes encoded text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[Text] = []

    def send_text(self, text: Text) -> None:
        self.texts.append(text)


@given(FRAME)
def test_a_frame_that_was_waited_for_always_decodes(frame: str | bytes) -> None:
    decoded = Packet(encoded_packet=CheckedFrames(Inbox(frame)).wait())
    assert 0 <= decoded.packet_type <= 6


@pytest.mark.parametrize("frame", ["", "0{}", "6", "7", "9", "x", "²", "٣", "\ud800", "bA", "bAAA", "bé"])
def test_a_frame_that_no_client_sends_becomes_one_that_is_refused(frame: str) -> None:
    checked = CheckedFrames(Inbox(frame)).wait()
    assert checked == REFUSED_FRAME
    assert CheckedPacket(encoded_packet=Packet(encoded_packet=checked).data).data == [REFUSED]


@pytest.mark.parametrize("frame", ["1", "2", "2probe", "3", "4hello", "5", "bAAAA", b"", b"\xff", None])
def test_a_frame_of_the_protocol_and_the_end_pass_as_they_are(frame: Any) -> None:
    assert CheckedFrames(Inbox(frame)).wait() is frame


def test_the_rest_of_a_websocket_stays_the_inner_one() -> None:
    inbox = Inbox()
    CheckedFrames(inbox).send("out")
    assert inbox.sent == ["out"]


def test_a_goodbye_to_a_websocket_that_has_just_ended_is_no_fault() -> None:
    class Ended(Inbox):
        """As simple-websocket's, which with real threads ends while somebody else closes it."""

        def close(self) -> None:
            closed.append(self)
            raise RuntimeError("Connection closed: 1005")

    closed: list[Inbox] = []
    CheckedFrames(Ended()).close()
    assert closed


def test_encoded_text_is_sent_as_it_is_where_that_can_be_and_as_text_elsewhere() -> None:
    inbox, mended = Inbox(), Mended()
    for websocket in (inbox, mended):
        CheckedFrames(websocket).send(Text("4zażółć".encode()))
        CheckedFrames(websocket).send(b"bytes")
    assert inbox.sent == ["4zażółć", b"bytes"]
    assert mended.texts == ["4zażółć".encode()]
    assert mended.sent == [b"bytes"]


def test_the_websocket_class_of_an_async_mode_hands_out_checked_frames() -> None:
    made = []
    make = checked_websocket(lambda handler, server: made.append((handler, server)))
    make(lambda websocket: websocket.wait(), "the server")
    handler, server = made[0]
    assert handler(Inbox("x")) == REFUSED_FRAME
    assert server == "the server"


class Polled:
    """The application behind the check: what reached it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"ok"]


def environ_of(body: Any, length: object, path: str, method: str, sid: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(length), "QUERY_STRING": f"sid={sid}",
        "wsgi.input": body,
    }  # fmt: skip


def post(
    body: bytes, length: str | None = None, path: str = "/socket.io/", method: str = "POST", sid: str = "known"
) -> tuple[str, Polled]:
    """Post a body. (The status, what reached the application)."""
    statuses: list[str] = []
    application = Polled()
    checked = CheckedRequests(application, Admission({"known": Session()}, 10), Transfers())
    environ = environ_of(io.BytesIO(body), len(body) if length is None else length, path, method, sid)
    checked(environ, lambda status, _headers: statuses.append(status))
    return statuses[0], application


@given(st.lists(FRAME.filter(lambda frame: isinstance(frame, str)), max_size=4), st.binary(max_size=5))
def test_a_payload_that_passes_always_decodes(frames: list[str], rest: bytes) -> None:
    body = SEPARATOR.join(frames).encode("utf-8", "surrogatepass") + rest
    status, application = post(body)
    if status == "200 OK":
        Payload(encoded_payload=application.bodies[0].decode())
    else:
        assert status == "400 Bad Request"
        assert not application.bodies


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"\xff", b"4\xed\xa0\x80", b"0", b"6", b"7", b"bA", b"4x\x1e", b"\x1e4x", b"d=4x", b"4x\x1e9"],
)
def test_a_body_that_is_no_payload_is_answered_with_400(body: bytes) -> None:
    assert post(body)[0] == "400 Bad Request"


def test_a_ping_by_polling_is_answered_with_400_because_the_library_would_wait_for_ever() -> None:
    assert post(b"2")[0] == "400 Bad Request"
    assert post(b"2probe")[0] == "400 Bad Request"


@pytest.mark.parametrize("length", ["", "0", "-1", "x", "1e3", str(MAX_BODY + 1)])
def test_a_length_that_cannot_be_is_answered_with_400(length: str) -> None:
    assert post(b"4x", length)[0] == "400 Bad Request"


def test_packets_pass_up_to_the_number_that_the_library_takes() -> None:
    many = SEPARATOR.join(["4x"] * MAX_PACKETS)
    assert post(many.encode())[0] == "200 OK"
    assert post(f"{many}{SEPARATOR}4x".encode())[0] == "400 Bad Request"
    assert Payload.max_decode_packets == MAX_PACKETS


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_other_requests_are_not_looked_at(path: str) -> None:
    status, application = post(b"anything", path=path)
    assert status == "200 OK"
    assert application.bodies == [b"anything"]


@pytest.mark.parametrize(("method", "sid"), [("GET", "known"), ("OPTIONS", ""), ("POST", ""), ("POST", "unknown")])
def test_a_body_that_nobody_needs_is_not_read(method: str, sid: str) -> None:
    assert post(b"anything", method=method, sid=sid)[1].bodies == [b""]


def test_a_body_that_ends_early_is_answered_with_400() -> None:
    assert post(b"4x", "3")[0] == "400 Bad Request"


def test_a_session_that_was_closed_while_its_body_came_is_not_asked_for() -> None:
    session, statuses, application = Session(), [], Polled()
    checked = CheckedRequests(application, Admission({"known": session}, 10), Transfers())

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            session.closed = True
            return super().read(size)

    environ = environ_of(Slow(b"4x"), 2, "/socket.io/", "POST", "known")
    checked(environ, lambda status, _headers: statuses.append(status))
    assert statuses == ["400 Bad Request"]
    assert not application.bodies


@pytest.mark.parametrize(("length", "most"), [(2, MAX_BODY // LEAST_BODY), (MAX_BODY // 2, 2), (MAX_BODY, 1)])
def test_one_session_sends_so_many_bodies_at_a_time_and_no_more(length: int, most: int) -> None:
    statuses: list[str] = []
    checked = CheckedRequests(Polled(), Admission({"known": Session()}, 10), Transfers())

    class Another(io.BytesIO):
        """While it is read, the next one comes. The last that is taken is let down by its client."""

        def read(self, _size: int | None = -1, /) -> bytes:
            if not statuses:
                send()
            return b""

    def send() -> None:
        environ = environ_of(Another(), length, "/socket.io/", "POST", "known")
        counted.append(1)
        checked(environ, lambda status, _headers: statuses.append(status))

    counted: list[int] = []
    send()
    assert len(counted) == most + 1
    assert set(statuses) == {"400 Bad Request"}
    assert post(b"4x")[0] == "200 OK"


def test_a_body_reaches_the_library_whole() -> None:
    body = '42/chat,["user_message",{"text":"zażółć"}]'.encode()
    assert post(body)[1].bodies == [body]
