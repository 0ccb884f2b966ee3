"""`python -m app <command>`: the operator's tools. Each command is a module of `app.commands`."""

from __future__ import annotations

import argparse
import logging
import sys

from app.commands import check, demo_data, erase, setup_elasticsearch, setup_kibana, widget

COMMANDS = (check, widget, setup_elasticsearch, setup_kibana, erase, demo_data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app", description="The chat server's tools.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
