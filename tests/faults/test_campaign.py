"""A short campaign in `make test`. `FAULTS_SEED=N` brings one back; the long one is `make faults`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign, Plan
from tests.faults.tab import Patience
from tests.faults.visitor import Habit
from tests.running_server import PATIENCE

pytestmark = pytest.mark.server

TROUBLE = 8 * PATIENCE
"""Seconds in which the cuts and kills below must have come about; on an idle machine a sixteenth of them is enough."""
SETTLING = 4 * PATIENCE
"""Seconds in which all of a visitor's turns must have ended: there may be several kills and restarts in them."""


@pytest.fixture
def seed() -> int:
    """Said before anything happens: also a campaign that hangs can be brought back."""
    number = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    print(f"fault campaign, FAULTS_SEED={number}")
    return number


@pytest.mark.timeout(20 * PATIENCE)
def test_under_cuts_ends_stops_and_bad_manners_every_promise_is_kept(tmp_path: Path, seed: int) -> None:
    habit = Habit(messages=3, settling=SETTLING, longest=2.5, patience=Patience(acknowledgement=3, silence=3))
    plan = Plan(
        seed, cuts=50, kills=4, ends=2, slow=1, seconds=TROUBLE, visitors=6,
        between_kills=(1.5, 3.0), between_ends=(2.0, 4.0), longest_freeze=2.0, habit=habit,
    )  # fmt: skip
    totals = Campaign(plan, tmp_path).run()
    counts, table = totals.counts, f"FAULTS_SEED={seed}\n{totals.table()}"
    assert not totals.faults, table
    assert counts["cuts"] >= plan.cuts, table
    assert (counts["kills"], counts["orderly ends"]) == (plan.kills, plan.ends), table
    assert counts["slow clients let go"] >= plan.slow, table
    assert all(counts[state] > 0 for state in ("complete", "interrupted", "stopped")), table
