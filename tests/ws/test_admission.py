"""Who may still connect: new sessions are refused when it is full or closed, known ones never."""

from __future__ import annotations

import resource

from ws.admission import OTHER_REQUESTS, OWN_FILES, Admission, make_room

NEW = {"QUERY_STRING": "EIO=4&transport=polling"}
KNOWN = {"QUERY_STRING": "EIO=4&transport=polling&sid=abc"}


def test_there_is_room_until_it_is_full() -> None:
    sessions: list[str] = []
    admission = Admission(sessions, 2)
    assert not admission.refuses(NEW)
    sessions += ["a", "b"]
    assert admission.refuses(NEW)
    assert not admission.refuses(KNOWN)
    sessions.pop()
    assert not admission.refuses(NEW)


def test_nobody_new_comes_in_when_it_is_closed() -> None:
    admission = Admission([], 2)
    admission.closed = True
    assert admission.refuses(NEW)
    assert not admission.refuses(KNOWN)


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
