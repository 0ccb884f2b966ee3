"""What a campaign comes to: the counts of all its visitors, and every promise that was broken."""

from __future__ import annotations

import threading
from collections import Counter

from tests.faults.evidence import Fault, Promise
from tests.faults.verdict import Verdict


class Totals:
    """Added to by the threads of the visitors."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.longest_missing = 0.0
        self.slowest_end = 0.0
        self._lock = threading.Lock()

    def add(self, verdict: Verdict) -> list[str]:
        """Count a visitor in. Its faults, each as a line."""
        faults = verdict.faults()
        with self._lock:
            self.counts += verdict.counts
            self.counts["visitors"] += 1
            self.faults += faults
            self.longest_missing = max(self.longest_missing, verdict.longest_missing)
        return [self._said(fault) for fault in faults]

    def fault(self, promise: Promise, sentence: str) -> None:
        with self._lock:
            self.faults.append(Fault(promise, sentence))

    def line(self) -> str:
        """The state of things, in one line."""
        names = (
            "cuts", "kills", "orderly ends", "slow clients let go",
            "visitors", "turns", "complete", "interrupted", "stopped",
        )  # fmt: skip
        return ", ".join(f"{self.counts[name]} {name}" for name in names) + f", {len(self.faults)} promises broken"

    def table(self) -> str:
        """Everything that was counted, and every fault with the seed."""
        rows = [f"{count:>10,}  {name}" for name, count in sorted(self.counts.items())]
        rows.append(f"{self.longest_missing:>9.2f}s  longest missing before a kill")
        rows.append(f"{self.slowest_end:>9.2f}s  slowest orderly end, until another serves and the old one has gone")
        broken = Counter(fault.promise for fault in self.faults)
        rows += [f"{broken[promise]:>10,}  {promise.upper()}" for promise in Promise]
        return "\n".join([f"seed {self.seed}", *rows, *map(self._said, self.faults)])

    def _said(self, fault: Fault) -> str:
        return f"BROKEN (seed {self.seed}), {fault.promise}: {fault.sentence}"
