"""The numbers that operators watch, in Prometheus' format. Each capability adds its own series here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)


class Metrics:
    """One registry of one worker. Labels are closed sets: states and error codes, never ids or texts."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.turns = Counter("chat_turns_total", "Turns by final state.", ["state"], registry=self.registry)
        self.pieces = Counter("chat_pieces_total", "Pieces of answers sent.", registry=self.registry)
        self.refusals = Counter(
            "chat_refusals_total", "Refused requests by error code.", ["code"], registry=self.registry
        )
        self.failures = Counter("chat_failures_total", "Failed turns by error code.", ["code"], registry=self.registry)
        self.slow = Counter(
            "chat_slow_clients_total", "Clients disconnected because they did not read.", registry=self.registry
        )
        self.records = Counter(
            "chat_shipped_total", "Records that Elasticsearch has confirmed, by kind.", ["kind"], registry=self.registry
        )
        self.outages = Counter(
            "chat_shipping_outages_total", "Times that Elasticsearch could not be used.", registry=self.registry
        )
        self.connections = Gauge("chat_connections", "Connected clients.", registry=self.registry)
        self.first_piece = Histogram(
            "chat_first_piece_seconds", "From acceptance to the first piece.", buckets=SECONDS, registry=self.registry
        )
        self.duration = Histogram(
            "chat_turn_seconds", "From acceptance to the final state.", buckets=SECONDS, registry=self.registry
        )

    def expect(self, states: Iterable[str]) -> None:
        """Begin the counts of these final states at zero, so that the first one of each is seen as a rise."""
        for state in states:
            self.turns.labels(state)

    def shipped(self, kind: str, count: int) -> None:
        self.records.labels(kind).inc(count)

    def outage(self) -> None:
        self.outages.inc()

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is asked for when somebody looks."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def text(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
