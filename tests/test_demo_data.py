"""`python -m app demo-data`: plausible, the same for a seed, apart from real conversations, beside a running server."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.chat.turns import TurnState
from app.commands.demo_conversations import DAY, USER_PREFIX, conversations
from app.transcripts.database import PATIENCE
from tests.chat_client import ChatClient
from tests.running_server import ROOT, SOON, RunningServer

NOW = 1_780_000_000_000
Start = Callable[..., RunningServer]


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "app", "demo-data", *arguments],
            cwd=ROOT, env={"DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def rows(tmp_path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite3") as journal:
        return journal.execute(query).fetchall()


def test_the_same_seed_makes_the_same_conversations_and_another_one_others() -> None:
    assert list(conversations(20, 1, NOW)) == list(conversations(20, 1, NOW))
    assert list(conversations(20, 1, NOW)) != list(conversations(20, 2, NOW))


def test_who_says_what_does_not_depend_on_the_hour_of_the_day() -> None:
    """Or a search in a demonstration would find something in the morning and nothing at night."""
    for later in range(0, DAY, DAY // 8):
        for one, other in zip(conversations(200, 1, NOW), conversations(200, 1, NOW + later), strict=True):
            assert (one.uuid, one.user_id) == (other.uuid, other.user_id)
            pairs = list(zip(one.turns, other.turns, strict=False))
            assert [(a.id, a.text, a.answer, a.state) for a, _ in pairs] == [
                (b.id, b.text, b.answer, b.state) for _, b in pairs
            ]


def test_they_have_everything_that_a_viewer_has_to_show() -> None:
    made = list(conversations(1500, 1, NOW))
    turns = [turn for one in made for turn in one.turns]
    states = Counter(turn.state for turn in turns)
    assert set(states) == {state for state in TurnState if state.final}
    assert 0.8 < states[TurnState.COMPLETE] / len(turns) < 0.97
    assert {len(one.turns) for one in made} >= {1, 2, 3, 4, 5}
    assert max(len(one.turns) for one in made) > 14
    ratings = [rating for one in made for rating in one.ratings]
    assert {rating.rating for rating in ratings} == {"up", "down", None}
    assert any(rating.comment for rating in ratings)
    assert any("返品" in turn.text for turn in turns)
    assert any("إرجاع" in turn.text for turn in turns)
    assert {turn.model for turn in turns} > {None, "gpt-5"}
    assert any(turn.citations for turn in turns)
    again = [(a, b) for one in made for a, b in zip(one.turns, one.turns[1:], strict=False)]
    assert any(a.state is TurnState.FAILED and a.text == b.text for a, b in again), "some ask again"
    assert len({one.user_id for one in made}) < len(made), "some come back"


def test_their_times_are_in_order_within_thirty_days_and_mostly_by_day() -> None:
    hours: Counter[int] = Counter()
    for one in conversations(1500, 1, NOW):
        assert one.user_id.startswith(USER_PREFIX)
        before = 0
        for turn in one.turns:
            assert NOW - 31 * DAY < turn.accepted_at <= NOW
            assert turn.started_at is not None
            assert turn.finished_at is not None
            times = [before, turn.accepted_at, turn.started_at, turn.first_piece_at or 0, turn.finished_at]
            assert [time for time in times if time] == sorted(time for time in times if time)
            assert (turn.first_piece_at is None) == (turn.answer == "")
            before = turn.accepted_at
            hours[turn.accepted_at // 3_600_000 % 24] += 1
    assert sum(hours[hour] for hour in range(9, 17)) > 5 * sum(hours[hour] for hour in range(0, 5))


def test_it_writes_so_many_and_takes_them_out_again(command: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, output = command("30")
    assert code == 0
    assert output.startswith("30 conversations with ")
    assert rows(tmp_path, "SELECT count(*) FROM conversations") == [(30,)]
    code, output = command("30")
    assert (code, "another one" in output) == (1, True)
    assert command("10", "--seed", "2")[0] == 0
    assert command("--remove") == (0, "40 made-up conversations removed from the journal\n")
    for table in ("conversations", "turns", "feedback"):
        assert rows(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize("count", ["0", "-1", "many", "1000001"])
def test_a_wrong_count_is_refused_with_what_to_write(command: Callable[..., tuple[int, str]], count: str) -> None:
    code, output = command(count)
    assert code == 2
    assert "1000000" in output or "arguments" in output


@pytest.mark.server
def test_real_conversations_are_not_mixed_up_with_made_up_ones(
    command: Callable[..., tuple[int, str]], start_server: Start, tmp_path: Path
) -> None:
    server = start_server()
    with ChatClient(server.url) as client:
        client.ask("hello")
    code, output = command("5")
    assert (code, "real conversations (1)" in output, "--force" in output) == (1, True, True)
    assert command("5", "--force")[0] == 0
    assert command("--remove") == (0, "5 made-up conversations removed from the journal\n")
    assert rows(tmp_path, "SELECT text FROM turns") == [("hello",)]


def test_it_waits_for_another_process_that_writes(command: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert command("1")[0] == 0
    other = sqlite3.connect(tmp_path / "data" / "journal.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    # Longer than a visitor is kept waiting.
    release = threading.Timer(PATIENCE + 1, other.rollback)
    release.start()
    assert command("5", "--seed", "2")[0] == 0
    release.join()
    other.close()


@pytest.mark.server
def test_a_server_on_the_same_folder_serves_meanwhile(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "demo-data", "3000", "--force"], cwd=ROOT,
        env={"DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    said = 0
    with ChatClient(server.url) as client:
        while running.poll() is None:
            begun = time.monotonic()
            turn_id = client.say(f"hello {said}")
            assert time.monotonic() - begun < SOON
            client.finished(turn_id)
            said += 1
    assert running.returncode == 0
    assert said > 2
    assert rows(tmp_path, "SELECT count(*) FROM turns WHERE text LIKE 'hello %'") == [(said,)]
