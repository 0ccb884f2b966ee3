"""Every turn in Elasticsearch exactly once, whatever happens on the way: against the real one."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from app.chat.identity import new_identity
from app.data_dir import DataDir
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.database import Database
from app.transcripts.elastic import Elastic
from app.transcripts.journal import SqlJournal
from app.transcripts.outbox import Outbox
from app.transcripts.records import feedback_document, start_document, turn_document
from app.transcripts.shipper import Shipper
from app.web.metrics import Metrics
from tests.chat_client import ChatClient
from tests.conftest import need
from tests.real.elasticsearch_node import Node, ask, everything, remove
from tests.real.faulty_proxy import FaultyProxy, Weather
from tests.running_server import PATIENCE, ROOT, RunningServer, free_port, wait_until
from tests.transcripts.talks import FINAL, SERVICE, say

pytestmark = pytest.mark.real

TURNS, CONVERSATIONS = 2000, 80
Start = Callable[..., RunningServer]


@pytest.fixture
def index(elasticsearch_settings: dict[str, str]) -> Iterator[str]:
    """An index of the test's own."""
    name = f"shipping-{uuid.uuid4().hex[:12]}"
    yield name
    remove(elasticsearch_settings["ES_URL"], name)


@pytest.fixture
def proxy(elasticsearch_settings: dict[str, str]) -> Iterator[FaultyProxy]:
    with FaultyProxy(elasticsearch_settings["ES_URL"]) as proxy:
        yield proxy


# The campaign


class Campaign:
    """The journal, the workers that ship from it, and the proxy on their way to a node of our own."""

    def __init__(self, folder: Path, proxy: FaultyProxy, seed: int) -> None:
        self.folder = folder
        DataDir(folder)
        self.database = Database(folder / "journal.sqlite3")
        self.database.upgrade()
        self.journal = SqlJournal(self.database, "writer")
        self.outbox = Outbox(self.database, "writer", SERVICE)
        self.proxy = proxy
        self.chance = random.Random(seed)
        self.forecast: list[Weather] = []
        self.talkers = [new_identity() for _ in range(CONVERSATIONS)]
        self.worker: subprocess.Popen[bytes] | None = None
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.turns = 0
        self.killed = 0

    def write(self, count: int) -> None:
        """Finish some turns, in all final states, and have some of them rated."""
        for _ in range(count):
            at = 1_700_000_000_000 + self.turns * 1000
            state, answer = self.chance.choice(FINAL), "wörter " * self.chance.randrange(300)
            identity = self.chance.choice(self.talkers)
            turn = say(self.journal, identity, f"t{self.turns}", at=at, state=state, answer=answer)
            for number in range(self.chance.choice((0, 0, 0, 1, 2))):
                self.journal.rate(turn.id, self.chance.choice(("up", "down", None)), "so so", at + 500 + number)
            self.turns += 1

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "tests.real.shipping_worker", str(self.folder)]
        environment = {"PATH": os.environ["PATH"], "ES_URL": self.proxy.url, "ES_INDEX": "campaign"}
        self.worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)

    @contextmanager
    def killing_in_mid_batch(self) -> Iterator[None]:
        """`kill -9` of the worker when Elasticsearch has written the next batch and the answer is on its way."""
        done = threading.Event()

        def kill() -> None:
            if not done.is_set():
                self.kill_worker()
                done.set()

        self.proxy.written = kill
        yield
        wait_until(done.is_set, f"a batch is under way{self.seen()}", 4 * PATIENCE)
        self.proxy.written = lambda: None
        self.killed += 1

    def kill_worker(self) -> None:
        if self.worker is not None:
            self.worker.send_signal(signal.SIGKILL)
            self.worker.wait()

    def weather(self) -> Weather:
        """Of all kinds within 25 batches, whatever the dice say."""
        if not self.forecast:
            self.forecast = ["fine"] * 17 + ["answer lost"] * 5 + ["busy"] + ["broken off"] * 2
            self.chance.shuffle(self.forecast)
        return self.forecast.pop()

    def wait_for(self, most: int) -> None:
        wait_until(lambda: self.outbox.depth().waiting <= most, f"at most {most} wait{self.seen()}", 4 * PATIENCE)

    def seen(self) -> str:
        self.log.seek(0)
        return f"; the workers said:\n{self.log.read().decode()[-2000:]}"

    def expected(self) -> dict[str, dict[str, Any]]:
        """Every document that there has to be, as the journal has it."""
        documents = {}
        for identity in self.talkers:
            turns, more = self.journal.turns(identity.conversation, limit=1000, max_bytes=10**9)
            assert not more
            if not turns:
                continue
            found = [start_document(turns[0], turns[0].accepted_at, SERVICE)]
            ends = [None, *(turn.finished_at for turn in turns)]
            for turn, previous_ended_at in zip(turns, ends, strict=False):
                found += [turn_document(turn, SERVICE, previous_ended_at), *self._ratings(turn)]
            documents.update({document.id: document.source for document in found})
        return documents

    def _ratings(self, turn: Any) -> list[Any]:
        with self.database.reading() as connection:
            query = "SELECT n, rating, comment, given_at FROM feedback WHERE turn_id = ?"
            return [feedback_document(turn, *row, SERVICE) for row in connection.exec_driver_sql(query, (turn.id,))]


@pytest.fixture
def node() -> Iterator[Node]:
    tool = need(os.environ.get("TEST_ES_TOOL"), "the tool that starts Elasticsearch (TEST_ES_TOOL)")
    node = Node(tool, _port_for_a_node())
    yield node
    node.remove()


@pytest.mark.timeout(30 * PATIENCE)
def test_two_thousand_turns_are_there_exactly_once_after_everything_that_can_happen(node: Node, tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    with FaultyProxy(node.url) as proxy:
        campaign = Campaign(tmp_path / "data", proxy, seed)
        proxy.weather = campaign.weather
        try:
            # Elasticsearch is not there yet.
            campaign.start_worker()
            with node.starting():
                campaign.write(TURNS // 5)
            campaign.wait_for(TURNS // 10)
            # The worker is killed in mid-batch, and the next one takes over.
            with campaign.killing_in_mid_batch():
                campaign.write(TURNS // 5)
            campaign.start_worker()
            campaign.wait_for(TURNS // 4)
            # Elasticsearch stops while batches come, and starts again.
            node.stop()
            with campaign.killing_in_mid_batch(), node.starting():
                campaign.write(TURNS // 5)
            campaign.start_worker()
            campaign.wait_for(TURNS // 4)
            # Once more, with the worker killed while nobody is there; then the network is away for a while.
            node.stop()
            campaign.kill_worker()
            campaign.start_worker()
            with node.starting():
                campaign.write(TURNS // 5)
            proxy.close()
            campaign.write(TURNS // 5)
            proxy.open()
            campaign.wait_for(0)
        finally:
            campaign.kill_worker()
        there, expected = everything(node.url, "campaign"), campaign.expected()
    print(dict(proxy.counts), "killed in mid-batch:", campaign.killed)
    assert there.keys() == expected.keys()
    assert {id_: hit["_source"] for id_, hit in there.items()} == expected
    assert {hit["_version"] for hit in there.values()} == {1}
    turn_ids = [hit["_source"]["chat"]["turn"]["id"] for hit in there.values() if _action(hit) == "turn-ended"]
    assert len(turn_ids) == len(set(turn_ids)) == TURNS
    assert campaign.outbox.depth().refused == 0
    # It did rain.
    assert proxy.counts["409"] > 0
    assert min(proxy.counts[kind] for kind in ("answer lost", "busy", "broken off", "nobody there")) > 0


def _action(hit: dict[str, Any]) -> str:
    return str(hit["_source"]["event"]["action"])


def _port_for_a_node() -> int:
    """One with a second one 100 above it, which the node takes, too."""
    for _ in range(20):
        port = free_port()
        with suppress(OSError, OverflowError), socket.socket() as second:
            second.bind(("127.0.0.1", port + 100))
            return port
    raise AssertionError("no two ports are free")


# The server


@pytest.mark.server
def test_everything_is_there_after_elasticsearch_was_absent_and_the_server_restarted(
    start_server: Start, proxy: FaultyProxy, index: str, elasticsearch_settings: dict[str, str]
) -> None:
    settings = {"ES_URL": proxy.url, "ES_INDEX": index}
    proxy.close()
    server = start_server(**settings)
    with ChatClient(server.url) as client:
        turns = [client.ask("hello")["turn_id"] for _ in range(3)]
        assert client.call("feedback", {"turn_id": turns[0], "rating": "up"})["ok"]
        token = client.token
    wait_until(lambda: _detail(server)["waiting"] == 5, "all of it waits")
    wait_until(lambda: _detail(server)["state"] == "unavailable", "that it is absent is known")
    assert server.status("/readyz") == 200
    assert server.log.count("cannot be reached") == 1
    server.kill()
    server = start_server(**settings)
    with ChatClient(server.url, auth={"token": token}) as client:
        turns.append(client.ask("and again")["turn_id"])
    proxy.open()
    wait_until(lambda: _detail(server) == {"state": "ok", "waiting": 0, "refused": 0, "oldest_seconds": 0}, "all went")
    there = everything(elasticsearch_settings["ES_URL"], index)
    ended = [hit["_source"]["chat"]["turn"]["id"] for hit in there.values() if _action(hit) == "turn-ended"]
    assert sorted(ended) == sorted(turns)
    assert sorted(_action(hit) for hit in there.values() if _action(hit) != "turn-ended") == [
        "conversation-started", "feedback-given"
    ]  # fmt: skip
    assert server.log.count("cannot be reached") == 1
    assert "Elasticsearch takes records again after" in server.log
    assert "Traceback" not in server.log


@pytest.mark.server
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_an_orderly_end_ships_what_is_finished(
    start_server: Start, proxy: FaultyProxy, index: str, tmp_path: Path, how: signal.Signals
) -> None:
    proxy.weather = slow_weather
    # In the second that it has by itself a busy Elasticsearch may not take it. The server is not killed before.
    times = {"TEST_SHIPPING": str(PATIENCE), "DRAIN_SECONDS": str(PATIENCE)}
    server = start_server(
        application="tests.server.other_times:app_instance", **times, ES_URL=proxy.url, ES_INDEX=index
    )
    wait_until(lambda: ask(proxy.url, "GET", f"/{index}").get(index), "the index is made")
    with ChatClient(server.url) as client:
        turn = client.ask("hello")["turn_id"]
    assert server.process is not None
    server.process.send_signal(how)
    server.process.wait(2 * PATIENCE)
    there = everything(proxy.url, index)
    assert [hit["_source"]["chat"]["turn"]["id"] for hit in there.values() if _action(hit) == "turn-ended"] == [turn]
    database = Database(tmp_path / "data" / "journal.sqlite3")
    assert Outbox(database, "reader", SERVICE).depth().waiting == 0, "and it knows that they are there"
    database.close()


def slow_weather() -> Weather:
    time.sleep(0.5)
    return "fine"


def _detail(server: RunningServer) -> dict[str, Any]:
    return dict(json.loads(server.get("/readyz")[1])["details"]["elasticsearch"])


# What it costs


def test_the_thousandth_turn_of_a_conversation_costs_what_the_first_one_did(
    proxy: FaultyProxy, index: str, tmp_path: Path
) -> None:
    elastic = Elastic(ElasticsearchSettings(es_url=proxy.url, es_index=index))
    young, old = (Talk(tmp_path / f"{name}.sqlite3", elastic, proxy) for name in ("young", "old"))
    for talk in (young, old):
        talk.ship()
    for _ in range(980):
        old.say()
    while old.outbox.depth().waiting:
        old.shipper.round()
    # In turns, so that a machine that is busy for a while is so for both.
    costs = [(young.ship(), old.ship()) for _ in range(20)]
    early, late = ([median(part) for part in zip(*each, strict=True)] for each in zip(*costs, strict=True))
    print(f"turns 2-21: {early[0] * 1000:.1f} ms, {early[1]} bytes; 982-1001: {late[0] * 1000:.1f} ms, {late[1]} bytes")
    assert late[1] <= early[1] + 20  # longer numbers
    assert late[0] <= 1.5 * early[0] + 0.01
    for talk in (young, old):
        talk.database.close()


class Talk:
    """A conversation alone in its journal, and what ships it."""

    def __init__(self, path: Path, elastic: Elastic, proxy: FaultyProxy) -> None:
        self.database = Database(path)
        self.database.upgrade()
        self.outbox = Outbox(self.database, "me", SERVICE)
        self.shipper = Shipper(self.outbox, elastic, Metrics(), set_up=elastic.set_up)
        self._journal = SqlJournal(self.database, "me")
        self._identity = new_identity()
        self._proxy = proxy
        self._turns = 0

    def say(self) -> None:
        self._turns += 1
        say(self._journal, self._identity, f"t{self._turns}", at=10_000 + 1000 * self._turns, answer="word " * 200)

    def ship(self) -> tuple[float, int]:
        """Seconds and bytes of one more turn that is shipped alone."""
        self.say()
        begun = time.perf_counter()
        self.shipper.round()
        return time.perf_counter() - begun, self._proxy.bulk_bytes[-1]
