"""Run by `test_elastic_green.py` in a process of its own: calls of Elasticsearch beside another green thread.

That one writes a byte into a file, the second argument, whenever it runs.
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
    # What is done once (loading libraries, certificates, the first handshake) is not what is looked at.
    elastic.check()
    running = True

    def tick() -> None:
        with open(sys.argv[2], "ab", buffering=0) as file:
            while running:
                file.write(b".")
                time.sleep(0.001)

    ticking = eventlet.spawn(tick)
    calls = [eventlet.spawn(elastic.check) for _ in range(CALLS)]
    for call in calls:
        call.wait()
    running = False
    ticking.wait()


if __name__ == "__main__":
    main()
