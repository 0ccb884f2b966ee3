"""Run by `test_elastic_green.py` in a process of its own: calls of Elasticsearch beside another green thread.

Prints as JSON how long the calls took together, and the longest time for which the other green thread could not run.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from app.settings_elasticsearch import ElasticsearchSettings  # noqa: E402
from app.transcripts.elastic import Elastic  # noqa: E402

CALLS = 4


def main() -> None:
    elastic = Elastic(ElasticsearchSettings(**json.loads(sys.argv[1])))
    # What is done once (loading libraries, certificates, the first handshake) is not what is measured.
    elastic.check()
    longest, running = 0.0, True

    def tick() -> None:
        nonlocal longest
        before = time.monotonic()
        while running:
            time.sleep(0.001)
            now = time.monotonic()
            longest, before = max(longest, now - before), now

    ticking = eventlet.spawn(tick)
    started = time.monotonic()
    calls = [eventlet.spawn(elastic.check) for _ in range(CALLS)]
    for call in calls:
        call.wait()
    seconds = time.monotonic() - started
    running = False
    ticking.wait()
    print(json.dumps({"seconds": seconds, "longest": longest}))


main()
