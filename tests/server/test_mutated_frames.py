"""Frames that were right once: whatever they have become, the server lives on, and nobody else notices."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chat_client import ChatClient, assert_whole
from tests.running_server import PATIENCE, RunningServer
from tests.server import bystander
from tests.server.bystander import FEEDBACK, RESUME, SAY, Neighbour, assert_all_was_harmless, both, event, within
from tests.server.raw_client import MODERN, TRANSPORTS, RawClient

pytestmark = pytest.mark.server

server, neighbour, harmless = bystander.server, bystander.neighbour, bystander.harmless

SEEDS = [
    f"40/chat,{MODERN}",
    f"42/chat,1{event('user_message', SAY)}",
    f"42/chat,2{event('resume', RESUME)}",
    f"42/chat,3{event('feedback', FEEDBACK)}",
    f"42/chat,{event('stop', {})}",
    '451-/chat,4["user_message",{"_placeholder":true,"num":0}]',
    "41/chat,",
    "2probe",
    "bAAAA",
]
PIECES = [
    '"',
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "/",
    "-",
    "\\",
    "\\ud800",
    "\0",
    "\x1e",
    "0",
    "9" * 30,
    "1e9",
    "NaN",
    "é",
    "b",
]


def mutated(chance: random.Random) -> str:
    """A frame that was right once."""
    frame = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(frame)) for _ in range(2))
        new = chance.choice([*PIECES, frame[at:to] * 2, ""])
        frame = frame[:at] + new + frame[min(to, at + chance.randint(0, 3)) :]
    return frame


def _send(client: RawClient, frame: str) -> bool:
    client.send(frame)
    return True


@both
def test_mutated_frames_harm_nobody(server: RunningServer, harmless: Any, transport: str) -> None:
    seed = os.environ.get("FAULTS_SEED", f"usual, {transport}")
    print(f"seed {seed}")
    chance = random.Random(seed)
    with harmless():
        for _ in range(15):
            with TRANSPORTS[transport](server.url) as client:
                client.send(f"40/chat,{MODERN}")
                for _ in range(20):
                    within(PATIENCE, partial(_send, client, mutated(chance)))
        with TRANSPORTS[transport](server.url) as client:
            client.join()
            assert client.call(event("history", {}))["ok"]


def test_after_all_this_the_server_still_answers_and_nothing_was_logged(
    server: RunningServer, neighbour: Neighbour, tmp_path: Path
) -> None:
    del tmp_path
    with ChatClient(server.url) as client:
        turn = client.say("hello")
        finished = client.whole(turn)
    assert finished["state"] == "complete"
    assert_whole(client.pieces(turn), finished)
    assert_all_was_harmless(server, neighbour)
