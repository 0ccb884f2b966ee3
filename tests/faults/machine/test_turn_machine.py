"""The turn's state machine under random interleavings. `FAULTS_EXAMPLES=5000 make test ARGS=tests/faults` goes deeper.

`FAULTS_SEED` chooses other examples than the usual ones; with `FAULTS_EXAMPLES` each run has its own.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine.turn_machine import TurnMachine

EXAMPLES = os.environ.get("FAULTS_EXAMPLES")
SEED = os.environ.get("FAULTS_SEED")
STEPS = 40


@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_every_interleaving_keeps_the_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    # Five minutes by default: longer than a test may take.
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", 60)
    profile = settings(
        max_examples=int(EXAMPLES or 120),
        stateful_step_count=STEPS,
        derandomize=not (EXAMPLES or SEED),
        database=None,
        deadline=None,
        # To explain, hypothesis traces every line: that takes the time in which it could shrink.
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
        report_multiple_bugs=False,
        verbosity=Verbosity.normal,
        suppress_health_check=list(HealthCheck),
    )
    machine = seed(int(SEED))(TurnMachine) if SEED else TurnMachine
    run_state_machine_as_test(machine, settings=profile)
