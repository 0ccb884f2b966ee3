"""Connections that never enter the chat are closed after their time; nobody else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field

from ws.housekeeping import STRANGER_AFTER, Strangers


@dataclass
class Connection:
    closed: bool = False

    def close(self, *, wait: bool) -> None:
        assert not wait
        self.closed = True


@dataclass
class Engine:
    sockets: dict[str, Connection] = field(default_factory=dict)


def test_a_connection_that_says_nothing_is_closed_and_a_client_is_not() -> None:
    engine = Engine({"client": Connection(), "silent": Connection()})
    strangers = Strangers(engine, lambda sid, _namespace: "known" if sid == "client" else None)
    strangers.look(0)
    strangers.look(STRANGER_AFTER - 1)
    assert not engine.sockets["silent"].closed
    strangers.look(STRANGER_AFTER)
    assert engine.sockets["silent"].closed
    assert not engine.sockets["client"].closed


def test_whoever_leaves_the_chat_has_the_whole_time_again() -> None:
    engine, inside = Engine({"a": Connection()}), {"a"}
    strangers = Strangers(engine, lambda sid, _namespace: sid if sid in inside else None)
    strangers.look(0)
    inside.clear()
    strangers.look(100)
    strangers.look(100 + STRANGER_AFTER - 1)
    assert not engine.sockets["a"].closed
    strangers.look(100 + STRANGER_AFTER)
    assert engine.sockets["a"].closed


def test_connections_that_ended_are_forgotten() -> None:
    engine = Engine({"a": Connection()})
    strangers = Strangers(engine, lambda *_: None)
    strangers.look(0)
    del engine.sockets["a"]
    strangers.look(1)
    engine.sockets["a"] = Connection()
    strangers.look(STRANGER_AFTER + 0.5)
    assert not engine.sockets["a"].closed
