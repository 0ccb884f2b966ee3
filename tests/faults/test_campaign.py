"""A short campaign in `make test`. `FAULTS_SEED=N` brings one back; the long one is `make faults`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign, Plan
from tests.faults.visitor import Habit
from tests.running_server import PATIENCE

pytestmark = pytest.mark.server

TROUBLE = 2 * PATIENCE
"""Seconds in which the cuts and kills below must have come about; on an idle machine it is a quarter of them."""


@pytest.mark.timeout(6 * PATIENCE)
def test_under_cuts_kills_and_bad_manners_every_promise_is_kept(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.randrange(2**32)))
    habit = Habit(messages=3, settling=PATIENCE, longest=2.5)
    plan = Plan(
        seed, cuts=50, kills=4, seconds=TROUBLE, visitors=6, between_kills=(1.5, 3.0), longest_freeze=2.0, habit=habit
    )
    totals = Campaign(plan, tmp_path).run()
    assert not totals.faults, f"FAULTS_SEED={seed}\n{totals.table()}"
    assert totals.counts["cuts"] >= plan.cuts, f"FAULTS_SEED={seed}\n{totals.table()}"
    assert totals.counts["kills"] == plan.kills, f"FAULTS_SEED={seed}\n{totals.table()}"
    assert totals.counts["complete"] > 0
    assert totals.counts["interrupted"] > 0
