"""The long campaign, `make faults`: `python -m tests.faults --cuts 1000 --kills 100 --minutes 30 --seed N`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Campaign, Plan
from tests.faults.visitor import Habit

SETTLES = 180.0
"""Seconds of the given time that are kept for the last visitors to come to their end."""
FREEZE = 60.0
"""Seconds for which a reader stops reading at most: longer than the server waits for the answer to its ping."""


def main() -> int:
    """0: every promise was kept, under as much trouble as was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000, help="at least so many connections are cut")
    parser.add_argument("--kills", type=int, default=100, help="kill -9, in turn of the worker and the whole server")
    parser.add_argument("--ends", type=int, default=20, help="orderly ends, in turn SIGTERM and SIGHUP")
    parser.add_argument("--slow", type=int, default=10, help="at least so many clients are let go for not reading")
    parser.add_argument("--minutes", type=float, default=30, help="the longest that it takes")
    parser.add_argument("--visitors", type=int, default=8, help="at a time")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="by default a new one")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    seconds = max(options.minutes * 60 - SETTLES, options.minutes * 30)
    habit = Habit(settling=SETTLES)
    plan = Plan(
        options.seed, options.cuts, options.kills, options.ends, options.slow, seconds, options.visitors,
        longest_freeze=FREEZE, habit=habit,
    )  # fmt: skip
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chat-faults-") as folder:
        campaign = Campaign(plan, Path(folder), lambda line: print(_stamp(begun), line, flush=True))
        totals = campaign.run()
    print(totals.table())
    asked_for = {
        "cuts": plan.cuts, "kills": plan.kills, "orderly ends": plan.ends, "slow clients let go": plan.slow,
    }  # fmt: skip
    print(_stamp(begun), ", ".join(f"{totals.counts[what]} {what} of {least}" for what, least in asked_for.items()))
    return int(bool(totals.faults) or any(totals.counts[what] < least for what, least in asked_for.items()))


def _stamp(begun: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"[{minutes:02}:{seconds:02}]"


if __name__ == "__main__":
    sys.exit(main())
