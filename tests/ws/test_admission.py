"""Who may still connect: new sessions are refused when it is full or closed, known ones never."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from ws.admission import OTHER_REQUESTS, OWN_FILES, Admission, make_room

NEW = {"QUERY_STRING": "EIO=4&transport=polling"}
KNOWN = {"QUERY_STRING": "EIO=4&transport=polling&sid=abc"}


@dataclass
class Session:
    closed: bool = False


def test_there_is_room_until_it_is_full() -> None:
    sessions: dict[str, Session] = {}
    admission = Admission(sessions, 2)
    assert not admission.refuses(NEW)
    sessions |= {"a": Session(), "b": Session()}
    assert admission.refuses(NEW)
    assert not admission.refuses(KNOWN)
    sessions.popitem()
    assert not admission.refuses(NEW)


def test_nobody_new_comes_in_when_it_is_closed() -> None:
    admission = Admission({}, 2)
    admission.closed = True
    assert admission.refuses(NEW)
    assert not admission.refuses(KNOWN)


def test_a_session_is_known_while_it_is_listed_and_may_have_ended_before_that() -> None:
    admission = Admission({"abc": Session(), "old": Session(closed=True)}, 2)
    assert admission.knows(KNOWN)
    assert not admission.has_ended(KNOWN)
    assert admission.has_ended({"QUERY_STRING": "sid=old"})
    for query in ("", "sid=", "sid=other", "sid=other&sid=abc"):
        assert not admission.knows({"QUERY_STRING": query})
        assert not admission.has_ended({"QUERY_STRING": query})
    assert not admission.knows({})


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserve = OTHER_REQUESTS + OWN_FILES + 10
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert make_room(300, 10) == 300
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == reserve + 300
        # A limit that is high enough is left alone.
        assert make_room(100, 10) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == reserve + 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
